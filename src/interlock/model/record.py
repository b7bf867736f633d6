"""One entry of the audit log, before it is numbered and hashed. No text of a conversation, no secret, no float.

Two records make an exchange: a `REQUEST` is written before anything goes to the model, an `ANSWER` before
the last byte goes back. A `REFUSAL` stands for a request that went nowhere (malformed, unknown caller);
`CONNECT` is a connection that the forward proxy let through: one record when it begins, which says whether it is
read, and one at the end of what passed unread, with the bytes. `GATEWAY` is the gateway's own life: started,
recovered, reloaded (or why not), stopped. `OPERATOR` is what a person does to what is allowed; `credential` says who, and it is written
before it is done.
"""

from enum import Enum
from typing import NamedTuple


class RecordKind(Enum):
    """What a record is about."""

    REQUEST = "request"
    ANSWER = "answer"
    REFUSAL = "refusal"
    CONNECT = "connect"
    GATEWAY = "gateway"
    OPERATOR = "operator"


class Verdict(Enum):
    """What became of it, in the console's words. FAILED was permitted, and a peer or a fault of ours ended it."""

    ALLOWED = "allowed"
    BLOCKED = "blocked"
    FAILED = "failed"


class Origin(Enum):
    """Where a value was first seen, most trusted first. `MODEL`: nowhere; the model made it.

    `ASSERTED`: in a field of an object of the user's own that the request names (see `provenance.assertions`).
    """

    USER = "user"
    SYSTEM = "system"
    INTERNAL = "internal"
    ASSERTED = "asserted"
    UNTRUSTED = "untrusted"
    MODEL = "model"


class Argument(NamedTuple):
    """One argument of a tool call that was judged. `shown` is the value, masked in its middle.

    `origins` are all places where the value was seen; `seen_in` names the tools whose results held it.
    """

    name: str
    shown: str
    origins: tuple[Origin, ...]
    seen_in: tuple[str, ...] = ()


class Noted(NamedTuple):
    """A signal as the log keeps it: which detector and rule spoke, and how sure (thousandths)."""

    detector: str
    rule: str
    score: int


class Step(NamedTuple):
    """One thing that happened in an exchange, in order: a message that was new, or a tool call.

    `kind` is a channel (`user`, `system`, `tool_result`, `assistant`, `output`), `call`, the kind of a file that
    nobody looks into (`image`, `audio`, `video`, `file`), `hidden` for values that the model did not see (`size`
    of them, of the kinds in `tool`), `extra` for what was taken out of the answer beside its text, or `upstream` for
    one that was passed over. `size` is otherwise in characters; `digest` is a keyed hash of the text, so that equal
    texts can be found without keeping them. `facts` are those by which policies decided (see `policy.questions`), so
    that a change of policy can be tried on what was recorded. `asked_in` is, of a call at an MCP server, the session in
    which a model asked for it; the fact `by-model:no` says that none did.
    """

    kind: str
    size: int = 0
    digest: str = ""
    tool: str = ""
    call_id: str = ""
    origin: Origin | None = None
    sink: str = ""
    verdict: Verdict = Verdict.ALLOWED
    reason: str = ""
    policies: tuple[str, ...] = ()
    arguments: tuple[Argument, ...] = ()
    signals: tuple[Noted, ...] = ()
    facts: tuple[str, ...] = ()
    asked_in: str = ""


class Record(NamedTuple):
    """One entry. `at_us` is microseconds since 1970 UTC; `request` ties the records of an exchange."""

    kind: RecordKind
    at_us: int
    request: str = ""
    workload: str = ""
    credential: str = ""
    session: str = ""
    protocol: str = ""
    route: str = ""
    upstream: str = ""
    model: str = ""
    status: int = 0
    verdict: Verdict = Verdict.ALLOWED
    reason: str = ""
    policies: tuple[str, ...] = ()
    policy_hash: str = ""
    steps: tuple[Step, ...] = ()
    bytes_in: int = 0
    bytes_out: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    latency_us: int = 0
