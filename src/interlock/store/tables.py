"""The database's tables, as SQLAlchemy Core sees them. The migrations make them; a test compares the two.

Times are microseconds. `records`, `sessions`, `usage`, `used` and `hours` are the index over the audit logs: they can
be emptied and filled again from the files at any time. `keys`, `scans`, `pins`, `labels` and
`approvals` are the only copy.
"""

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, LargeBinary, MetaData, String, Table, Text, text

metadata = MetaData()

# As text, not as a bound parameter: only so does a database see that a partial index serves the question. The
# migration makes the same indexes partial on PostgreSQL; to name that dialect here would load it for everybody.
HAS_BLOCKED = text("blocked > 0")
HAS_NONE_BLOCKED = text("blocked = 0")

# One row. Every transaction that writes raises `version` first, which also makes writers wait for each other.
state = Table("state", metadata, Column("id", Integer, primary_key=True), Column("version", BigInteger, nullable=False))

# The newest scan of each root, as a JSON document: it is always read and replaced whole. `seq` orders them.
scans = Table(
    "scans",
    metadata,
    Column("root", Text, primary_key=True),
    Column("seq", BigInteger, nullable=False),
    Column("document", LargeBinary, nullable=False),
)

keys = Table(
    "keys",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("workload", Text, nullable=False),
    Column("digest", String(64), nullable=False),
    Column("created_us", BigInteger, nullable=False),
    Column("expires_us", BigInteger),
    Column("revoked_us", BigInteger),
)

# What is known of each tool of each MCP server; documents are canonical JSON. See `interlock.mcp.pins.Pin`.
pins = Table(
    "pins",
    metadata,
    Column("server", String(64), primary_key=True),
    Column("tool", String(128), primary_key=True),
    Column("digest", String(64), nullable=False),
    Column("document", Text, nullable=False),
    Column("approved_us", BigInteger),
    Column("approved_by", Text, nullable=False),
    Column("seen_digest", String(64), nullable=False),
    Column("seen_document", Text, nullable=False),
    Column("seen_us", BigInteger, nullable=False),
)

# What somebody has set on the console; `recipients` is a JSON list. See `interlock.mcp.labels.SetLabels`.
labels = Table(
    "labels",
    metadata,
    Column("server", String(64), primary_key=True),
    Column("tool", String(128), primary_key=True),
    Column("output", String(16), nullable=False),
    Column("sink", String(16), nullable=False),
    Column("recipients", Text),
    Column("set_by", Text, nullable=False),
    Column("set_us", BigInteger, nullable=False),
)

# Requests for approval; `arguments` and `policies` are JSON. See `interlock.model.approval.Approval`.
approvals = Table(
    "approvals",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("binding", String(64), nullable=False),
    Column("workload", Text, nullable=False),
    Column("credential", Text, nullable=False),
    Column("session", Text, nullable=False),
    Column("is_task", Boolean, nullable=False),
    Column("beginning", Text, nullable=False),
    Column("server", Text, nullable=False),
    Column("tool", Text, nullable=False),
    Column("sink", String(16), nullable=False),
    Column("arguments", Text, nullable=False),
    Column("left_out", Integer, nullable=False),
    Column("policies", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("asked_us", BigInteger, nullable=False),
    Column("expires_us", BigInteger, nullable=False),
    Column("ends_us", BigInteger, nullable=False),
    Column("granted", Boolean),
    Column("reach", String(8), nullable=False),
    Column("decided_us", BigInteger, nullable=False),
    Column("decided_by", Text, nullable=False),
    Column("why", Text, nullable=False),
    Column("used_us", BigInteger, nullable=False),
    Index("approvals_binding", "binding"),
    Index("approvals_asked", "asked_us"),
)

# `body` is the canonical bytes; `blocked` counts what was not permitted in it.
records = Table(
    "records",
    metadata,
    Column("log", String(64), primary_key=True),
    Column("n", BigInteger, primary_key=True, autoincrement=False),
    Column("session", Text, nullable=False),
    Column("workload", Text, nullable=False),
    Column("at_us", BigInteger, nullable=False),
    Column("kind", String(16), nullable=False),
    Column("blocked", Integer, nullable=False),
    Column("leaf", String(64), nullable=False),
    Column("body", LargeBinary, nullable=False),
    Index("records_at", "at_us"),
    Index("records_session", "session", "at_us"),
    Index("records_workload", "workload", "at_us"),
    Index("records_blocked", "at_us", sqlite_where=HAS_BLOCKED),
)

sessions = Table(
    "sessions",
    metadata,
    Column("id", Text, primary_key=True),
    Column("workload", Text, primary_key=True),
    Column("model", Text, nullable=False),
    Column("protocol", Text, nullable=False),
    Column("upstream", Text, nullable=False),
    Column("first_us", BigInteger, nullable=False),
    Column("last_us", BigInteger, nullable=False),
    Column("requests", BigInteger, nullable=False),
    Column("calls", BigInteger, nullable=False),
    Column("blocked", BigInteger, nullable=False),
    Column("signals", BigInteger, nullable=False),
    Index("sessions_last", "last_us"),
    Index("sessions_workload", "workload", "last_us"),
    Index("sessions_blocked", "last_us", sqlite_where=HAS_BLOCKED),
)

# The row of the empty workload counts callers who could not prove who they are.
usage = Table(
    "usage",
    metadata,
    Column("workload", Text, primary_key=True),
    Column("first_us", BigInteger, nullable=False),
    Column("last_us", BigInteger, nullable=False),
    Column("requests", BigInteger, nullable=False),
    Column("blocked", BigInteger, nullable=False),
)

# Which models and tools (`kind`) a workload used.
used = Table(
    "used",
    metadata,
    Column("workload", Text, primary_key=True),
    Column("kind", String(8), primary_key=True),
    Column("name", Text, primary_key=True),
)

# What was used in each hour (`hour` is hours since 1970), of the newest hours only: see `sums.HOURS`.
hours = Table(
    "hours",
    metadata,
    Column("hour", BigInteger, primary_key=True, autoincrement=False),
    Column("workload", Text, primary_key=True),
    Column("model", Text, primary_key=True),
    Column("requests", BigInteger, nullable=False),
    Column("blocked", BigInteger, nullable=False),
    Column("tokens_in", BigInteger, nullable=False),
    Column("tokens_out", BigInteger, nullable=False),
)
