"""What `interlock mcp wrap -- CMD` and `serve` do: servers on stdin and stdout, with the guard in between."""

import argparse
import asyncio
import itertools
import os
import re
import secrets
import shutil
import stat
import sys
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import uvloop

from interlock.app import mcp_door, mcp_secrets, now_us, open_log, open_store, rules
from interlock.config import Settings
from interlock.gateway.desk import Desk
from interlock.gateway.mcp import McpDoor
from interlock.gateway.mcp_stdio import Lines
from interlock.gateway.server import Gateway
from interlock.guard.mcp.settings import McpServer
from interlock.identity.keys import Keyring
from interlock.knowledge import launched
from interlock.mcp.labels import overrides
from interlock.model.decision import Principal
from interlock.model.errors import AuditError, ConfigError, IdentityError, UsageError
from interlock.protocols import adapters
from interlock.store.log import AuditLog
from interlock.store.sql import SqlStore

# Programs of one server that clients may have started at the same time; each has a log of its own.
MOST_LOGS = 16
FOLLOW_S = 0.5
# What several servers are called together.
ALL = "all"


def wrap(settings: Settings, args: argparse.Namespace) -> int:
    """Serve until the client closes its side."""
    command = args.program[1:] if args.program[:1] == ["--"] else args.program
    if not command:
        raise UsageError("there is no server to start", hint="interlock mcp wrap -- CMD...")
    name = args.server or server_name(command)
    declared = settings.mcp_servers.get(name, McpServer())
    server = replace(declared, url="", api_key_env="", api_key_file="", client="", command=tuple(command))
    server = replace(server, env=(*server.env, *args.env), sandbox=server.sandbox or args.sandbox)
    server = replace(server, network=server.network or args.network)
    server = replace(server, readable=(*server.readable, *args.readable), writable=(*server.writable, *args.writable))
    _run(settings, {name: server}, args.workload)
    return 0


def serve(settings: Settings, args: argparse.Namespace) -> int:
    """Serve one of the configured servers, or all of them as one, until the client closes its side."""
    names = [args.server] if args.server else list(settings.mcp_servers)
    if not names:
        raise UsageError("there are no MCP servers in these settings", hint="see --config; or: interlock mcp add")
    _run(settings, {name: configured(settings, name) for name in names}, args.workload)
    return 0


def configured(settings: Settings, name: str) -> McpServer:
    """A server of the settings. Raises: UsageError if there is none of this name."""
    if name not in settings.mcp_servers:
        known = ", ".join(settings.mcp_servers) or "none"
        hint = "see --config; or put it in: interlock mcp add"
        raise UsageError(f"there is no MCP server {name!r} in these settings; known: {known}", hint=hint)
    return settings.mcp_servers[name]


def _run(settings: Settings, servers: Mapping[str, McpServer], workload: str | None) -> None:
    alone = replace(settings, mcp_servers=servers, upstreams={})
    _check_programs(servers)
    _check_stdin()

    async def work() -> None:
        reader = asyncio.StreamReader(limit=settings.gateway.max_body_bytes)
        loop = asyncio.get_running_loop()
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
        await serve_lines(alone, workload, os.environ, reader, _write)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(work())


def _check_programs(servers: Mapping[str, McpServer]) -> None:
    """Say which programs are not there. Raises: ConfigError if it is the only server's."""
    for name, server in servers.items():
        if server.command and shutil.which(server.command[0]) is None:
            where, hint = f"mcp.servers.{name}.command", "install it, or name it from the root"
            missing = ConfigError(f"there is no program {server.command[0]!r}", where=where, hint=hint)
            if len(servers) == 1:
                raise missing
            print(f"interlock: {missing}", file=sys.stderr)


def _check_stdin() -> None:
    """Refuse what nobody can be asked on. Raises: UsageError."""
    # A file has ended before anything is answered; and uvloop ends the whole process on one, or on /dev/null.
    mode = os.fstat(sys.stdin.fileno()).st_mode if sys.stdin else 0
    if not (stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode) or (sys.stdin and sys.stdin.isatty())):
        hint = "an MCP client starts this, and speaks with it through pipes"
        raise UsageError("stdin is no pipe, so that no client can be served", hint=hint)


def server_name(command: list[str]) -> str:
    """What a server is called that nobody has named: its package, else its file.

    >>> server_name(["npx", "-y", "@modelcontextprotocol/server-github@1.0.0"]), server_name(["/opt/notes-mcp"])
    ('modelcontextprotocol-server-github', 'notes-mcp')
    """
    launch = launched(command[0], command[1:])
    if launch:
        text = launch.package.partition(":")[2]
    else:
        text = next((Path(word).stem for word in command[1:] if re.search(r"\.\w{2,3}$", word)), Path(command[0]).name)
    return re.sub(r"[^A-Za-z0-9_-]+", "-", text).strip("-")[:64] or "server"


async def serve_lines(
    settings: Settings, workload: str | None, env: Mapping[str, str], reader: asyncio.StreamReader,
    write: Callable[[bytes], None],
) -> None:  # fmt: skip
    """Serve the server of these settings, or all as one, to who writes into `reader`, until that ends.

    Who it is says the key in INTERLOCK_KEY, else whoever starts this. Raises: an InterlockError if it cannot begin.
    """
    loop, names = asyncio.get_running_loop(), list(settings.mcp_servers)
    name = names[0] if len(names) == 1 else ALL
    with closing(open_store(settings)) as store, _log(settings, name) as log:
        door = mcp_door(settings, env, store.pins(), lambda _, pins: store.keep_pins(pins), loop)
        assert door
        token, key = env.get("INTERLOCK_TASK", ""), env.get("INTERLOCK_KEY", "")
        principal = _principal(store, name, workload, key)
        if token and door.taskmaster.prove(token, now_us()).workload != principal.workload:
            raise UsageError("the task in INTERLOCK_TASK is another workload's", hint="see --workload")
        run, numbers = secrets.token_hex(4), itertools.count(1)
        ids = (f"{run}-{number}" for number in numbers)
        ready = rules(settings, mcp_secrets(settings, env), store.pins(), store.labels())
        desk = Desk(store, ready.approvals, now_us)
        gateway = Gateway(
            settings.gateway, log, Keyring(()), ready, adapters(), {}, ids.__next__, None, door, desk=desk
        )
        door.attach(gateway)
        served = door.servers[name] if len(names) == 1 else door.union
        assert served
        lines = Lines(gateway, door, served, principal, token, write)
        serving = loop.create_task(lines.serve(reader))
        beside = [loop.create_task(log.run()), loop.create_task(_follow(settings, store, gateway, door))]
        beside.append(loop.create_task(desk.run()))
        if key:
            beside.append(loop.create_task(_while_good(store, key, serving)))
        try:
            await asyncio.wait([serving])
        finally:
            await door.close()
            for task in beside:
                task.cancel()
            await asyncio.gather(*beside, return_exceptions=True)


def _principal(store: SqlStore, name: str, workload: str | None, key: str) -> Principal:
    """Who uses the server. Raises: IdentityError, UsageError."""
    if not key:
        return Principal(workload or name, "wrap")
    principal = Keyring(store.keys()).prove(key, now_us())
    if workload and workload != principal.workload:
        raise UsageError(f"the key in INTERLOCK_KEY is one of {principal.workload}", hint="leave --workload out")
    return principal


async def _while_good(store: SqlStore, key: str, serving: "asyncio.Task[None]") -> None:
    """End the service when its key is revoked or has expired."""
    while True:
        await asyncio.sleep(FOLLOW_S)
        try:
            Keyring(await asyncio.to_thread(store.keys)).prove(key, now_us())
        except IdentityError as error:
            print(f"interlock: {error.brief}", file=sys.stderr)
            serving.cancel()
            return


async def _follow(settings: Settings, store: SqlStore, gateway: Gateway, door: McpDoor) -> None:
    """What somebody approves meanwhile, tools and calls, and labels that are set, are in force within a second."""
    seen = -1
    while True:
        await asyncio.sleep(FOLLOW_S)
        if (version := await asyncio.to_thread(store.version)) != seen:
            seen = version
            pins = await asyncio.to_thread(store.pins)
            for name, server in door.servers.items():
                server.catalogue.saved(tuple(pin for pin in pins if pin.server == name))
            door.replace_pins(pins)
            labels = await asyncio.to_thread(store.labels)
            gateway.rules = replace(gateway.rules, tools=overrides(settings.tools, labels))
            gateway.rules.approvals.replace(await asyncio.to_thread(store.approvals, now_us()))


def _log(settings: Settings, name: str) -> AuditLog:
    """A log of its own for each program that runs at the same time. Raises: AuditError."""
    number = 1
    while True:
        called = f"wrap-{name}"[:56] + (f"-{number}" if number > 1 else "")
        try:
            return open_log(replace(settings, gateway=replace(settings.gateway, name=called)), now_us)
        except AuditError as error:
            # Only one that is in use is passed over: a damaged one is told.
            number += 1
            if number > MOST_LOGS or not error.what.startswith("another process"):
                raise


def _write(data: bytes) -> None:
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()
