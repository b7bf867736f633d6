"""What `interlock up` starts: the gateway and the console in one event loop, and what runs beside them."""

import asyncio
import contextlib
import ctypes
import gc
import itertools
import os
import resource
import secrets
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from dataclasses import dataclass

from interlock.app import (
    ToolReviews,
    current_coverage,
    current_exceptions,
    forward_proxy,
    mcp_door,
    mcp_secrets,
    now_us,
    open_log,
    open_store,
    refresh,
    rules,
    token_issuers,
)
from interlock.config import Settings
from interlock.console.access import Access
from interlock.console.app import build
from interlock.console.serve import serve
from interlock.console.sources import AuditStatus, Sources
from interlock.gateway.desk import Desk
from interlock.gateway.mcp import McpDoor
from interlock.gateway.pool import Pool
from interlock.gateway.server import Gateway
from interlock.gateway.webhook import Webhook
from interlock.governance.exceptions import Loosening
from interlock.guard import Rules
from interlock.identity.keys import Keyring
from interlock.live import Live
from interlock.mcp.pins import Pin
from interlock.model.approval import Approval
from interlock.model.errors import AuditError, StoreError
from interlock.model.record import Record, RecordKind, Verdict
from interlock.protocols import adapters
from interlock.store import Store
from interlock.store.log import AuditLog
from interlock.store.segments import CHECKPOINT, is_log, verifier_of, verify
from interlock.store.sql import SqlStore

# How long a new or revoked key may take to be in force.
KEYS_S = 0.5
# How long the last known keys are good while the database cannot be read.
BLIND_S = 30.0
# Between two verifications of the whole log, for the console; and at least so many times as long as one takes.
VERIFY_S = 10
VERIFY_SHARE = 50
# Records that are put into the index before one page: a second or two of work.
PAGE_RECORDS = 10_000


@dataclass(frozen=True, slots=True)
class Serving:
    """What is up: the addresses, the one-time link to the console, and what is let through that need not be."""

    gateway: str
    console: str
    link: str
    exceptions: tuple[Loosening, ...] = ()
    reload: Callable[[], None] = lambda: None


@contextlib.asynccontextmanager
async def serving(settings: Settings, env: Mapping[str, str] = os.environ) -> AsyncIterator[Serving]:
    """The gateway and the console, up while the block runs. Raises: an InterlockError if one cannot start."""
    _raise_file_limit()
    store = open_store(settings)
    tasks: list[asyncio.Task[None]] = []
    try:
        held = {name: env.get(upstream.api_key_env, "").strip() for name, upstream in settings.upstreams.items()}
        ready = rules(settings, [*held.values(), *mcp_secrets(settings, env)], store.pins(), store.labels())
        keyring = Keyring(store.keys())
        loop = asyncio.get_running_loop()
        pools = {
            name: Pool(name, upstream, held[name], settings.gateway, loop)
            for name, upstream in settings.upstreams.items()
        }
        with open_log(settings, now_us) as log:
            numbers, run = itertools.count(1), secrets.token_hex(4)
            ids = (f"{run}-{number}" for number in numbers)
            proxy = forward_proxy(settings)
            keeper = _Keeper(store)
            door = keeper.door = mcp_door(settings, env, store.pins(), keeper.keep, loop)

            def tell(what: str) -> None:
                loop.call_exception_handler({"message": what})

            issuers = token_issuers(settings, tell)
            hook = _webhook(settings, env, log, tell)
            desk = Desk(store, ready.approvals, now_us, hook.tell if hook else lambda _: None)
            gateway = Gateway(
                settings.gateway, log, keyring, ready, adapters(), pools, ids.__next__, proxy, door, issuers, desk
            )
            _take_approvals(ready, store.approvals(now_us()))
            port = await gateway.start()
            live = Live(settings, gateway, log.append, tell, store.pins, store.version, store.labels)
            tasks += [loop.create_task(live.run()), loop.create_task(desk.run())]
            if hook:
                tasks.append(loop.create_task(hook.run()))
            if issuers:
                if not settings.identity.resource:  # the port may have been any
                    issuers.resource = f"http://{_host(settings.gateway.host)}:{port}"
                tasks.append(loop.create_task(issuers.run()))
            tasks += [loop.create_task(log.run()), loop.create_task(_reload_keys(store, keyring, door, ready))]
            tasks.append(loop.create_task(keeper.run()))
            try:
                access = Access()
                watched = _Watched(settings)
                reviews = ToolReviews(store)
                tasks.append(loop.create_task(watched.run()))
                sources = Sources(
                    store=store,
                    refresh=lambda: _refresh(settings, store),
                    coverage=lambda: current_coverage(live.settings, store),
                    exceptions=lambda: (
                        *live.exceptions,
                        *current_exceptions(live.settings, store, live.rules.policies.loaded),
                    ),
                    audit_status=lambda: watched.status,
                    now_us=now_us,
                    title=settings.console.title,
                    record=lambda record: _durable(log, record, loop),
                    tools=lambda: reviews.of(live.settings),
                    approvals=settings.approvals,
                    untold=lambda: hook.problem if hook else "",
                )
                async with serve(build(sources, access, settings.console), settings.console) as listening:
                    link = access.mint_link(listening.url)
                    if hook:
                        hook.console = settings.approvals.console_url or listening.url
                    if proxy:
                        proxy.own_ports |= {port, listening.port}
                    _settle()
                    loose = sources.exceptions()
                    gate = f"http://{_host(settings.gateway.host)}:{port}"
                    yield Serving(gate, listening.url, link, loose, live.reload)
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
                await gateway.stop()
    finally:
        store.close()


def _durable(log: AuditLog, record: Record, loop: asyncio.AbstractEventLoop) -> None:
    """Write a record from a thread of the console, and wait until it is on disk. Raises: AuditError."""

    async def write() -> None:
        await log.durable(log.append(record))

    asyncio.run_coroutine_threadsafe(write(), loop).result()


def _webhook(settings: Settings, env: Mapping[str, str], log: AuditLog, tell: Callable[[str], None]) -> Webhook | None:
    """Who is told of requests for approval, if somebody is. Raises: ConfigError."""
    if not settings.approvals.webhook_url:
        return None
    secret = env.get(settings.approvals.webhook_secret_env, "").strip()

    def failed(problem: str) -> None:
        tell(f"webhook: {problem}")
        with contextlib.suppress(AuditError):  # then the next request is refused for it
            log.append(Record(RecordKind.GATEWAY, now_us(), verdict=Verdict.FAILED, reason=f"webhook: {problem}"))

    return Webhook(settings.approvals, secret, lambda: now_us() // 1_000_000, failed)


async def _reload_keys(
    store: Store,
    keyring: Keyring,
    door: McpDoor | None = None,
    ready: Rules | None = None,
    every_s: float = KEYS_S,
    blind_s: float = BLIND_S,
) -> None:
    """New and revoked keys, and approvals of tools and calls, are in force within `every_s`, whoever wrote them.

    While the database cannot be read nobody can say which keys were revoked: after `blind_s` of that all are refused.
    """
    loop = asyncio.get_running_loop()
    seen, blind_since = None, None
    while True:
        try:
            version = await asyncio.to_thread(store.version)
            if version != seen:
                keyring.replace(await asyncio.to_thread(store.keys))
                if door:
                    door.replace_pins(await asyncio.to_thread(store.pins))
                if ready:
                    _take_approvals(ready, await asyncio.to_thread(store.approvals, now_us()))
                seen = version
            blind_since = None
        except StoreError as error:
            if blind_since is None:
                blind_since = loop.time()
                loop.call_exception_handler({"message": f"the keys cannot be read, trying again: {error}"})
            if loop.time() - blind_since >= blind_s and seen is not None:
                keyring.replace(())
                seen = None
                loop.call_exception_handler({"message": "the keys cannot be read, so that all of them are refused"})
        await asyncio.sleep(every_s)


def _take_approvals(ready: Rules, kept: Iterable[Approval]) -> None:
    """Go by these, and know the conversations that they are about, also after a restart."""
    ready.approvals.replace(kept)
    for beginning, session in ready.approvals.beginnings():
        ready.sessions.adopt(beginning, session)


def _raise_file_limit() -> None:
    """Take as many file descriptors as the system gives: each exchange needs two connections."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    with contextlib.suppress(OSError, ValueError):  # some systems say more than they give; then it stays as it is
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _refresh(settings: Settings, store: SqlStore) -> None:
    """Read on in the log before a page is made, but not so much that nobody would wait for the page."""
    if refresh(settings, store, PAGE_RECORDS) >= PAGE_RECORDS:
        raise StoreError("the log holds more new records than one page waits for", hint="reload the page to read on")


def _settle() -> None:
    """What starting has made stays: the collector need not look at it again. What it needed for a moment goes back."""
    gc.collect()
    gc.freeze()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc has it
    if trim:
        trim(0)


def _host(host: str) -> str:
    return f"[{host}]" if ":" in host else host


class _Keeper:
    """Writes down what is known of tools, beside the traffic, until it is written."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._waiting: asyncio.Queue[tuple[str, tuple[Pin, ...]]] = asyncio.Queue()
        self.door: McpDoor | None = None

    def keep(self, server: str, pins: tuple[Pin, ...]) -> None:
        """Take what is to be written."""
        self._waiting.put_nowait((server, pins))

    async def run(self) -> None:
        """Write, until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            server, pins = await self._waiting.get()
            while True:
                try:
                    await asyncio.to_thread(self._store.keep_pins, pins)
                except StoreError as error:
                    loop.call_exception_handler(
                        {"message": f"tools' definitions cannot be kept, trying again: {error}"}
                    )
                    await asyncio.sleep(KEYS_S)
                else:
                    break
            assert self.door
            self.door.servers[server].catalogue.saved(pins)


class _Watched:
    """Whether the audit logs hold, looked at again and again beside the traffic."""

    def __init__(self, settings: Settings) -> None:
        self._logs = settings.data / "audit"
        self._own = self._logs / settings.gateway.name
        self.status = AuditStatus(holds=None)

    async def run(self) -> None:
        """Verify, wait, verify again, until cancelled."""
        while True:
            began = asyncio.get_running_loop().time()
            self.status = await asyncio.to_thread(self._look)
            took = asyncio.get_running_loop().time() - began
            await asyncio.sleep(max(VERIFY_S, VERIFY_SHARE * took))

    def _look(self) -> AuditStatus:
        try:
            reports = [verify(folder, verifier_of(folder)) for folder in sorted(self._logs.iterdir()) if is_log(folder)]
            newest = self._own / CHECKPOINT
            signed_us = newest.stat().st_mtime_ns // 1000 if newest.exists() else None
        except (AuditError, OSError) as error:
            return AuditStatus(holds=False, problem=str(error))
        damaged = [report for report in reports if report.damage]
        problem = f"{damaged[0].log}: {damaged[0].damage.what}" if damaged and damaged[0].damage else ""
        return AuditStatus(not damaged, sum(report.records for report in reports), signed_us, problem)
