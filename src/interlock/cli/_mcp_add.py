"""What `interlock mcp add` does: a server's table in interlock.toml, and what its clients need to reach it."""

import argparse
import asyncio
import contextlib
import hashlib
import json
import os
import re
import shlex
import shutil
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from interlock.cli import _settings_file
from interlock.cli._output import clean
from interlock.config import DEFAULT_FILE, Settings, load
from interlock.knowledge import launched
from interlock.model.errors import ConfigError, UsageError
from interlock.run.program import interlock

# Of a name that somebody else has given.
_SHOWN = 60
_BARE = re.compile(r"[A-Za-z0-9_-]+")


def add(settings: Settings, args: argparse.Namespace) -> int:
    """Write the table, and say what clients need."""
    command = args.program[1:] if args.program[:1] == ["--"] else args.program
    if bool(args.url) == bool(command):
        hint = "interlock mcp add NAME --url https://host/mcp, or: interlock mcp add NAME -- CMD..."
        raise UsageError("give a --url, or a command after --", hint=hint)
    table: dict[str, Any] = {
        "url": args.url, "command": command, "api_key_env": args.api_key_env, "env": args.env, "pin": args.pin,
        "sandbox": args.sandbox, "network": args.network, "readable": [str(Path(p).absolute()) for p in args.readable],
        "writable": [str(Path(p).absolute()) for p in args.writable],
    }  # fmt: skip
    if args.sha256:
        table["sha256"] = _digest(command)
    file = target(settings, args)
    append(file, {args.server: {name: value for name, value in table.items() if value}})
    print(f"put [mcp.servers.{args.server}] into {clean(str(file))}")
    for line in remarks(command, sha256=args.sha256):
        print(f"  {line}")
    if args.connect:
        _connect(load(str(file), args.data), args.server)
    shown = serve_words(args.server, file, args.data)
    print("\nFor a client that starts its servers (Claude Desktop, Cursor and others;")
    print('VS Code calls the table "servers"):\n')
    print(json.dumps({"mcpServers": {args.server: shown}}, indent=2))
    host = f"http://{settings.gateway.host}:{settings.gateway.port}/mcp/{args.server}"
    print("\nFor Claude Code:\n")
    print(f"claude mcp add {args.server} -- {shlex.join([shown['command'], *shown['args']])}")
    print(f"\nFor a client of `interlock up`: {host}, with a key of `interlock identity add`:\n")
    http = {"type": "http", "url": host, "headers": {"Authorization": "Bearer ilk_..."}}
    print(json.dumps({"mcpServers": {args.server: http}}, indent=2))
    return 0


def target(settings: Settings, args: argparse.Namespace) -> Path:
    """The file of settings that is to be changed, whether it is there or not; not a link to it."""
    return Path(os.path.realpath(args.config or settings.file or DEFAULT_FILE))


def append(file: Path, servers: Mapping[str, Mapping[str, Any]]) -> None:
    """Put tables at the end of a file of settings, and leave all else in it as it is.

    Raises: UsageError if a server is there by now; ConfigError if the whole would be no settings; then nothing changes.
    """
    found = _settings_file.read(file)
    before = found.text
    if file.exists() and (twice := sorted({*servers} & {*load(str(file), None, {}).mcp_servers})):
        hint = "take its table out of the file first, or choose another name"
        raise UsageError(f"there is an MCP server {twice[0]!r} already", hint=hint)
    gap = "" if not before else "\n" if before.endswith("\n") else "\n\n"
    after = before + gap + "\n".join(toml(name, table) for name, table in servers.items())
    try:
        check(after, file, servers)
    except ConfigError as error:
        raise ConfigError(error.what, where=error.where, hint=f"nothing was changed; {error.hint}") from None
    found.replace(after)


def check(text: str, file: Path, names: Iterable[str]) -> None:
    """Whether `file` could say this, and the servers of these names be reached. Raises: ConfigError, UsageError."""
    from interlock.gateway.endpoint import address_parts
    from interlock.gateway.settings import Upstream

    with tempfile.TemporaryDirectory() as folder:
        trial = Path(folder) / file.name
        try:
            trial.write_text(text, "utf-8")
            said = load(str(trial), None, {}).mcp_servers
            for name in names:
                if said[name].url:
                    address_parts(name, Upstream(url=said[name].url))
        except UnicodeEncodeError:
            raise UsageError("what was given is not valid text", hint="nothing was changed") from None
        except ConfigError as error:
            where = error.where.replace(str(trial), str(file)).replace("llm.upstreams.", "mcp.servers.")
            raise ConfigError(error.what, where=where, hint=error.hint) from None


def toml(name: str, table: Mapping[str, Any]) -> str:
    """A server's table as TOML, whose basic strings are those of JSON.

    >>> print(toml("notes", {"command": ["notes-mcp", "--all"], "sandbox": True}), end="")
    [mcp.servers.notes]
    command = ["notes-mcp", "--all"]
    sandbox = true
    """
    named = name if _BARE.fullmatch(name) else _string(name)
    return "\n".join([f"[mcp.servers.{named}]", *(f"{key} = {_string(value)}" for key, value in table.items()), ""])


def _string(value: object) -> str:
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def serve_words(name: str, file: Path, data: str | None) -> dict[str, Any]:
    """How a client starts `interlock mcp serve`: all absolute, as a desktop's programs have another PATH and folder."""
    words = [*interlock(), "mcp", "serve", name, "--config", str(file)]
    data = data or os.environ.get("INTERLOCK_DATA")
    words += ["--data", str(Path(data).absolute())] if data else []
    return {"command": words[0], "args": words[1:]}


def remarks(command: list[str], *, sha256: bool) -> list[str]:
    """What is to be known of a command: whether it will be the same program tomorrow."""
    launch = launched(command[0], command[1:]) if command else None
    found = []
    if launch and not launch.pinned:
        package = clean(launch.package.partition(":")[2])[:_SHOWN]
        found.append(f"{command[0]} runs what is the newest {package} then: name an exact version")
    if sha256 and launch:
        found.append(f"the digest is that of {command[0]}, and says nothing of what it fetches")
    return found


def _digest(command: list[str]) -> str:
    path = shutil.which(command[0]) if command else None
    if path is None:
        raise UsageError("there is no such program to take the digest of", hint="leave --sha256 out")
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _connect(settings: Settings, name: str) -> None:
    """Show the tools of a server, which are kept as on any first use."""
    from interlock.cli._mcp_wrap import serve_lines
    from interlock.mcp import messages
    from interlock.mcp.eras import CAPABILITIES_META, MODERN, VERSION_META

    said: list[bytes] = []
    meta = {"_meta": {VERSION_META: MODERN, CAPABILITIES_META: {}}}

    async def work() -> None:
        reader, done = asyncio.StreamReader(), asyncio.Event()

        def take(data: bytes) -> None:
            said.append(data)
            done.set()

        reader.feed_data(messages.request(1, "tools/list", meta) + b"\n")
        alone = replace(settings, mcp_servers={name: settings.mcp_servers[name]}, upstreams={})
        serving = asyncio.ensure_future(serve_lines(alone, None, os.environ, reader, take))
        waiting = asyncio.ensure_future(done.wait())
        await asyncio.wait([serving, waiting], return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        reader.feed_eof()
        await serving

    asyncio.run(work())
    with contextlib.suppress(IndexError, KeyError):
        answer = json.loads(said[0])
        if "error" in answer:
            print(f"  it does not answer: {clean(answer['error']['message'])}")
            return
        tools = [clean(tool["name"])[:_SHOWN] for tool in answer["result"]["tools"]]
        print(f"  it answers, and offers {len(tools)}: {', '.join(tools) or 'nothing'}")
        return
    print("  it does not answer")
