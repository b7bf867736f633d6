"""The composition root: builds objects from settings. What `interlock up` starts is in `up.py`."""

import asyncio
import datetime
import secrets
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from itertools import islice

from interlock.config import Settings
from interlock.detectors import Engine, detectors
from interlock.gateway.launch import Launch
from interlock.gateway.mcp import McpDoor
from interlock.gateway.mcp_programs import Programs
from interlock.gateway.mcp_upstream import McpPool
from interlock.gateway.proxy import Proxy
from interlock.gateway.ways import Ways, intercepted
from interlock.governance.coverage import Coverage, Seen, coverage
from interlock.governance.exceptions import Loosening, exceptions
from interlock.guard.mcp import Memories, Server, Union
from interlock.guard.mcp.state import Catalogue
from interlock.identity import clients, issuers
from interlock.identity.authority import Authority, open_authority
from interlock.identity.tasks import TASK_KEY, Taskmaster
from interlock.mcp.labels import overrides
from interlock.mcp.pins import Pin
from interlock.mcp.review import Reviewed, review
from interlock.model.event import Channel, Signal
from interlock.policy import Policy
from interlock.protocols import adapters
from interlock.rulebook import keyed, open_sources
from interlock.rulebook import now_us as now_us
from interlock.rulebook import policies as policies
from interlock.rulebook import rules as rules
from interlock.rulebook import ticks_us as ticks_us
from interlock.store import Store, Stored
from interlock.store.database import address
from interlock.store.log import AuditLog
from interlock.store.secret import secret
from interlock.store.segments import is_log, read
from interlock.store.signer import load_signer, make_signer
from interlock.store.sql import SqlStore

_INDEX_BATCH = 500
_BY_CLIENT = (
    "Its MCP client may put refused calls to its own user, and answer: whoever steers that program approves them."
)


def open_store(settings: Settings) -> SqlStore:
    """The database of these settings, brought up to date. Raises: StoreError."""
    return SqlStore(address(settings.store.url, settings.data))


def open_log(settings: Settings, clock_us: Callable[[], int]) -> AuditLog:
    """The audit log of this gateway, for writing. Raises: AuditError."""
    logs = settings.data / "audit"
    key_file = settings.data / "keys" / "audit.key"
    # Where there are logs there was a key: to make another would only hide that it is gone.
    begun = logs.is_dir() and any(is_log(folder) for folder in logs.iterdir())
    key = load_signer(key_file) if begun else make_signer(key_file)
    name = settings.gateway.name
    return AuditLog.open(logs / name, name, key, settings.audit, clock_us)


def refresh(settings: Settings, store: SqlStore, most: int | None = None) -> int:
    """Add the new records of every audit log to the store's index, at most about `most`; how many.

    Raises: AuditError, StoreError.
    """
    logs = settings.data / "audit"
    folders = sorted(folder for folder in logs.iterdir() if is_log(folder)) if logs.is_dir() else []
    for folder in folders:
        have = store.indexed(folder.name)
        newest = next(read(folder, have - 1), None) if have else None
        if have and (newest is None or newest.leaf != store.leaf(folder.name, have - 1)):
            # Another log has been begun under this name, or lost what was not yet on disk: the files decide.
            store.clear_index()
            break
    added = 0
    for folder in folders:
        records = read(folder, store.indexed(folder.name))
        while batch := list[Stored](islice(records, _INDEX_BATCH)):
            store.index(batch)
            added += len(batch)
            if most is not None and added >= most:
                return added
    return added


def local_authority(settings: Settings) -> Authority:
    """The authority by which the forward proxy is believed, made on first use. Raises: ConfigError."""
    domains = intercepted(settings.gateway, settings.upstreams.values(), adapters())
    return open_authority(settings.data / "keys", domains, lambda: datetime.datetime.now(datetime.UTC))


def forward_proxy(settings: Settings) -> Proxy | None:
    """The forward proxy, if these settings have one. Raises: ConfigError."""
    if not settings.gateway.proxy:
        return None
    ways = Ways(settings.gateway, settings.upstreams, adapters())
    return Proxy(settings.gateway, ways, local_authority(settings))


def current_coverage(settings: Settings, store: SqlStore) -> Coverage:
    """Posture and runtime side by side, from the newest scans and the index of the log (see `refresh`)."""
    seen = [Seen(u.workload, u.first_us, u.last_us, u.requests, u.blocked) for u in store.usage()]
    return coverage(store.scans(), seen, settings.workloads, _holders(store))


def current_exceptions(settings: Settings, store: SqlStore, loaded: Iterable[Policy]) -> tuple[Loosening, ...]:
    """Every loosening that is in force, with these policies `loaded` (`policies(settings).loaded`)."""
    labels = store.labels()
    tables = settings.workloads, overrides(settings.tools, labels), settings.limits
    set_by = {one.key: one.set_by for one in labels if one.key not in settings.tools}
    opened = tuple(
        Loosening(
            "trusted-source-open",
            one.source,
            f"[tools.{one.source}] output",
            f"It counts as the organisation's own, and {one.writer} writes there what nobody judges: {one.fix}.",
        )
        for one in open_sources(settings, store.pins(), labels)
    )
    found = exceptions(settings.policy, settings.gateway, *tables, loaded, _holders(store))
    here = (
        replace(one, where=f"the console, by {set_by[one.subject]}") if one.subject in set_by else one for one in found
    )
    asking = (
        Loosening("clients-ask-their-user", one, "[approvals] unsafe_elicitation", _BY_CLIENT)
        for one in settings.approvals.unsafe_elicitation
    )
    return (*opened, *asking, *here)


class ToolReviews:
    """What is known of MCP servers' tools, looked at anew only when it has changed. For any thread."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._engine = Engine(detectors())
        self._last: tuple[object, tuple[Reviewed, ...]] = (None, ())

    def of(self, settings: Settings) -> tuple[Reviewed, ...]:
        """Each tool as an operator reviews it. Raises: StoreError."""
        facts = self._store.pins(), dict(settings.tools), self._store.labels()
        if self._last[0] != facts:
            self._last = facts, review(facts[0], self._scan, facts[1], facts[2])
        return self._last[1]

    def _scan(self, text: str) -> tuple[Signal, ...]:
        return self._engine.scan(text, Channel.TOOL_DESCRIPTION)


def _holders(store: SqlStore) -> frozenset[str]:
    """The workloads that have a valid key."""
    now = now_us()
    keys = store.keys()
    return frozenset(
        key.workload for key in keys if key.revoked_us is None and (key.expires_us is None or key.expires_us > now)
    )


def taskmaster(settings: Settings) -> Taskmaster:
    """Who believes the task tokens of this installation. Raises: ConfigError."""
    return Taskmaster(secret(settings.data / "keys" / TASK_KEY))


def token_issuers(settings: Settings, note: Callable[[str], None]) -> issuers.Issuers | None:
    """The issuers whose tokens are believed; None if there are none. `note` tells the operator. Raises: ConfigError."""
    gateway = settings.gateway
    host = f"[{gateway.host}]" if ":" in gateway.host else gateway.host
    resource = settings.identity.resource or f"http://{host}:{gateway.port}"
    return issuers.build(settings.issuers, resource, note)


def mcp_credentials(settings: Settings, env: Mapping[str, str]) -> dict[str, clients.Source]:
    """Where the credential of an MCP server comes from, if it is not one that stays. Raises: ConfigError."""
    used = {server.client for server in settings.mcp_servers.values() if server.client}
    held = {name: clients.OAuthClient(name, settings.clients[name], env) for name in sorted(used)}
    found: dict[str, clients.Source] = {}
    for name, server in settings.mcp_servers.items():
        if server.client:
            found[name] = clients.ClientToken(held[server.client], server.resource or server.url)
        elif server.api_key_file:
            found[name] = clients.SecretFile(server.api_key_file, f"mcp.servers.{name}.api_key_file")
    return found


def mcp_secrets(settings: Settings, env: Mapping[str, str]) -> list[str]:
    """The credentials of MCP servers, and what their programs are given: none of it may go out anywhere else.

    Raises: ConfigError if a file that should hold one cannot be read.
    """
    names = [name for server in settings.mcp_servers.values() for name in (server.api_key_env, *server.env)]
    found = [env.get(name, "").strip() for name in names]
    for source in mcp_credentials(settings, env).values():
        found += [source.read()] if isinstance(source, clients.SecretFile) else []
        found += source.client.secrets() if isinstance(source, clients.ClientToken) else []
    return found


def mcp_door(
    settings: Settings,
    env: Mapping[str, str],
    pins: Iterable[Pin],
    keep: Callable[[str, tuple[Pin, ...]], None],
    loop: asyncio.AbstractEventLoop,
) -> McpDoor | None:
    """The MCP servers of these settings; None if there are none. Raises: ConfigError."""
    if not settings.mcp_servers:
        return None
    known = list(pins)
    servers = {
        name: Server(
            name,
            server,
            Catalogue(name, server.pin, [pin for pin in known if pin.server == name]),
            secrets.token_urlsafe,
        )
        for name, server in settings.mcp_servers.items()
    }
    for one in servers.values():
        one.others = servers
    sources = mcp_credentials(settings, env)
    files = [server.api_key_file for server in settings.mcp_servers.values()]
    files += [file for client in settings.clients.values() for file in (client.secret_file, client.actor_file)]
    launch = Launch(settings.mcp, settings.mcp_programs, (str(settings.data), *filter(None, files)))
    pools = {
        name: McpPool(name, server, env.get(server.api_key_env, "").strip(), settings.gateway, loop, sources.get(name))
        for name, server in settings.mcp_servers.items()
        if server.url
    }
    programs = {
        name: Programs(name, server, env, settings.gateway.answer_timeout_s, loop, launch)
        for name, server in settings.mcp_servers.items()
        if server.command
    }
    host = settings.gateway.host
    return McpDoor(
        servers,
        pools,
        programs,
        taskmaster(settings),
        Memories(now_us(), keyed(secret(settings.data / "keys" / "digest.key"))),
        keep,
        frozenset(settings.gateway.mcp_origins),
        loopback=host.startswith("127.") or host in ("localhost", "::1"),
        union=Union(servers, settings.gateway.mcp_separator, secrets.token_urlsafe),
    )
