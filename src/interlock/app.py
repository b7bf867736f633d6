"""The composition root: builds objects from settings. What `interlock up` starts is in `up.py`."""

import asyncio
import datetime
import secrets
import time
from collections.abc import Callable, Iterable, Mapping
from hashlib import sha256
from importlib.resources import files
from itertools import islice
from pathlib import Path

from interlock.config import Settings
from interlock.detectors import Engine, detectors
from interlock.gateway.mcp import McpDoor
from interlock.gateway.mcp_programs import Programs
from interlock.gateway.mcp_upstream import McpPool
from interlock.gateway.proxy import Proxy
from interlock.gateway.ways import Ways, intercepted
from interlock.governance.coverage import Coverage, Seen, coverage
from interlock.governance.exceptions import BUNDLED, Loosening, exceptions
from interlock.guard import Rules
from interlock.guard.budgets import Budgets
from interlock.guard.mcp import Memories, Server
from interlock.guard.mcp.state import Catalogue
from interlock.guard.rules import Prompts
from interlock.guard.settings import limits, rates
from interlock.guard.vault import Vault
from interlock.identity import issuers
from interlock.identity.authority import Authority, open_authority
from interlock.identity.tasks import TASK_KEY, Taskmaster
from interlock.mcp.pins import Pin
from interlock.model.errors import ConfigError
from interlock.policy import Force, Mode, Policies, Policy, Scope, Source
from interlock.protocols import adapters
from interlock.store import Stored
from interlock.store.database import address
from interlock.store.log import AuditLog
from interlock.store.secret import secret
from interlock.store.segments import is_log, read
from interlock.store.signer import load_signer, make_signer
from interlock.store.sql import SqlStore

_INDEX_BATCH = 500


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


def rules(settings: Settings, credentials: Iterable[str] = ()) -> Rules:
    """The policies, detectors and labels of these settings; `credentials` may never go out.

    Raises: PolicyError, ConfigError.
    """
    key = secret(settings.data / "keys" / "digest.key")
    return Rules(
        policies=policies(settings),
        engine=Engine(detectors(), secrets=credentials),
        digest=_keyed(key),
        now_us=now_us,
        ticks_us=ticks_us,
        limit=settings.gateway.max_body_bytes,
        tools=settings.tools,
        prompts=Prompts(settings.policy.canaries),
        budgets=Budgets(limits(settings.limits), rates(settings.prices)),
        owners={name: manifest.owner for name, manifest in settings.workloads.items()},
        vault=Vault(secret(settings.data / "keys" / "pseudonyms.key"), secrets.token_bytes, settings.pseudonyms),
    )


def policies(settings: Settings) -> Policies:
    """The policies of these settings. Raises: PolicyError, ConfigError."""
    bundled = files("interlock.policy")
    schema = Source("schema.cedarschema", bundled.joinpath("schema.cedarschema").read_text("utf-8"))
    sources = [_cedar(settings, name) for name in settings.policy.files]
    if settings.policy.bundled:
        sources.insert(0, Source(BUNDLED, bundled.joinpath("bundled.cedar").read_text("utf-8")))
    scopes = {
        name: Scope(
            manifest.models,
            manifest.tools,
            manifest.unsafe_tools,
            manifest.extras,
            Mode(manifest.answer_mode) if manifest.answer_mode else None,
            manifest.redact,
        )
        for name, manifest in settings.workloads.items()
    }
    _refuse_unknown_redactions(settings)
    return Policies(
        schema, tuple(sources), scopes, Mode(settings.policy.answer_mode), settings.policy.redact, _forces(settings)
    )


def _forces(settings: Settings) -> dict[str, Force]:
    forces: dict[str, Force] = {}
    for force in Force:
        for name in getattr(settings.policy, force.value):
            if name in forces:
                what = f"{name!r} stands under {forces[name].value} and under {force.value}"
                raise ConfigError(what, where=f"{settings.file or ''} [policy]", hint="say it once")
            forces[name] = force
    return forces


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


def _refuse_unknown_redactions(settings: Settings) -> None:
    known = detectors()
    asked = {name: manifest.redact or () for name, manifest in settings.workloads.items()}
    for section, redact in {
        "policy": settings.policy.redact,
        **{f"workloads.{n}": r for n, r in asked.items()},
    }.items():
        for entry in redact:
            name, colon, rule = entry.partition(":")
            where = f"{settings.file or ''} [{section}] redact"
            if name not in known:
                hint = f"one of {', '.join(known)}; a rule may follow, as in personal-data:iban"
                raise ConfigError(f"there is no detector {name!r}", where=where, hint=hint)
            if colon and rule not in known[name].rules:
                hint = f"one of {', '.join(sorted(known[name].rules)) or 'none: name the detector alone'}"
                raise ConfigError(f"{name} has no rule {rule!r}", where=where, hint=hint)


def _keyed(key: bytes) -> Callable[[str], str]:
    """HMAC-SHA-256 (RFC 2104), cut to 128 bits, with both keyed states made once.

    >>> _keyed(b"k")("text") == hmac.new(b"k", b"text", "sha256").hexdigest()[:32]
    True
    """
    block = key.ljust(sha256().block_size, b"\0")
    inner, outer = sha256(bytes(b ^ 0x36 for b in block)), sha256(bytes(b ^ 0x5C for b in block))

    def digest(text: str) -> str:
        within, around = inner.copy(), outer.copy()
        within.update(text.encode("utf-8", "surrogatepass"))
        around.update(within.digest())
        return around.hexdigest()[:32]

    return digest


def ticks_us() -> int:
    """A clock that never goes back: microseconds since some moment."""
    return time.monotonic_ns() // 1000


def now_us() -> int:
    """The clock: microseconds since 1970 UTC."""
    return time.time_ns() // 1000


def current_coverage(settings: Settings, store: SqlStore) -> Coverage:
    """Posture and runtime side by side, from the newest scans and the index of the log (see `refresh`)."""
    seen = [Seen(u.workload, u.first_us, u.last_us, u.requests, u.blocked) for u in store.usage()]
    return coverage(store.scans(), seen, settings.workloads, _holders(store))


def current_exceptions(settings: Settings, store: SqlStore, loaded: Iterable[Policy]) -> tuple[Loosening, ...]:
    """Every loosening that is in force, with these policies `loaded` (`policies(settings).loaded`)."""
    tables = settings.workloads, settings.tools, settings.limits
    return exceptions(settings.policy, settings.gateway, *tables, loaded, _holders(store))


def _holders(store: SqlStore) -> frozenset[str]:
    """The workloads that have a valid key."""
    now = now_us()
    keys = store.keys()
    return frozenset(
        key.workload for key in keys if key.revoked_us is None and (key.expires_us is None or key.expires_us > now)
    )


def _cedar(settings: Settings, name: str) -> Source:
    path = (settings.file.parent if settings.file else Path()) / name
    try:
        return Source(str(path), path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read it: {error}", where=str(path), hint="see [policy] files") from error


def taskmaster(settings: Settings) -> Taskmaster:
    """Who believes the task tokens of this installation. Raises: ConfigError."""
    return Taskmaster(secret(settings.data / "keys" / TASK_KEY))


def token_issuers(settings: Settings, note: Callable[[str], None]) -> issuers.Issuers | None:
    """The issuers whose tokens are believed; None if there are none. `note` tells the operator. Raises: ConfigError."""
    gateway = settings.gateway
    host = f"[{gateway.host}]" if ":" in gateway.host else gateway.host
    resource = settings.identity.resource or f"http://{host}:{gateway.port}"
    return issuers.build(settings.issuers, resource, note)


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
    pools = {
        name: McpPool(name, server, env.get(server.api_key_env, "").strip(), settings.gateway, loop)
        for name, server in settings.mcp_servers.items()
        if server.url
    }
    programs = {
        name: Programs(name, server, env, settings.gateway.answer_timeout_s, loop)
        for name, server in settings.mcp_servers.items()
        if server.command
    }
    host = settings.gateway.host
    return McpDoor(
        servers,
        pools,
        programs,
        taskmaster(settings),
        Memories(now_us()),
        keep,
        frozenset(settings.gateway.mcp_origins),
        loopback=host.startswith("127.") or host in ("localhost", "::1"),
    )
