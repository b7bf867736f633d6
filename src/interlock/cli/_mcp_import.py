"""What `interlock mcp import` does: the servers of a client's configuration go into interlock.toml, and the client
gets `interlock mcp serve` in the place of each.
"""

import argparse
import json
import re
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec

from interlock.cli._mcp_add import append, remarks, serve_words, target, toml
from interlock.cli._output import clean
from interlock.config import Settings
from interlock.model.errors import UsageError
from interlock.run.clients import servers
from interlock.sources.mcp_config import plain_json
from interlock.store.files import replace_whole

BACKUP = ".before-interlock"
OURS = "it is interlock's already"
_BEARER = re.compile(r"bearer +", re.IGNORECASE)


def take_over(settings: Settings, args: argparse.Namespace) -> int:
    """Write both files, or print what would stand there; 1 if there was a server that could not be taken over."""
    path, file = Path(args.file), target(settings, args)
    document = _read(path)
    taken: dict[str, dict[str, Any]] = {}
    left = 0
    for table, key, entry in servers(document):
        name = _name(key, {*settings.mcp_servers, *taken})
        found = _taken(name, entry)
        if isinstance(found, str):
            print(f"left as it is: {clean(key)}: {found}")
            left += found != OURS
            continue
        taken[name], env = found
        kept = {name: entry[name] for name in ("type", "disabled") if name in entry and "command" in entry}
        table[key] = {**kept, **serve_words(name, file, args.data), **({"env": env} if env else {})}
        for line in remarks(taken[name].get("command", []), sha256=False):
            print(f"{name}: {line}")
    rewritten = json.dumps(document, indent=2, ensure_ascii=False) + "\n"
    if not taken:
        print("there is no server to take over")
    elif args.write:
        backup = path.with_name(path.name + BACKUP)
        if backup.exists():
            hint = "take it away if the client works without it"
            raise UsageError(f"{clean(str(backup))} is there from before", hint=hint)
        append(file, taken)
        _replace(path, backup, rewritten)
        print(f"put {', '.join(taken)} into {clean(str(file))}")
        print(f"changed {clean(str(path))}; to undo it, put {clean(path.name + BACKUP)} back in its place")
    else:
        print(f"\n{clean(str(file))} would have at its end:\n")
        print("\n".join(toml(name, table) for name, table in taken.items()))
        print(f"{clean(str(path))} would have {', '.join(taken)} of interlock. With --write both are changed.")
    return 1 if left else 0


def _read(path: Path) -> dict[str, Any]:
    hint = "name the file in which the client keeps its mcpServers"
    try:
        document = msgspec.json.decode(plain_json(path.read_text("utf-8-sig")))
    except OSError as error:
        raise UsageError(f"cannot read {clean(str(path))}: {error.strerror}", hint=hint) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise UsageError(f"{clean(str(path))} is not JSON", hint=hint) from None
    if not isinstance(document, dict):
        raise UsageError(f"{clean(str(path))} is no client's configuration", hint=hint)
    return document


def _taken(name: str, entry: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]] | str:
    """A server's table, and the variables that its client goes on to give; or why it cannot be taken over.

    No secret is put into the table: variables stay with the client, and the table has their names.
    """
    command, words, env, url = (entry.get(one) for one in ("command", "args", "env", "url"))
    words, env = words or [], env or {}
    if isinstance(command, str):
        if not isinstance(words, list) or not isinstance(env, dict) or not all(isinstance(w, str) for w in words):
            return "its arguments or variables are not in the usual form"
        if "interlock" in (Path(command).stem, *words) and {("mcp", "serve"), ("mcp", "wrap")} & {*pairwise(words)}:
            return OURS
        table: dict[str, Any] = {"command": [command, *words]}
        if env:
            table["env"] = list(env)
        if isinstance(entry.get("cwd"), str):
            table["cwd"] = entry["cwd"]
        return table, env
    if not isinstance(url, str):
        return "it has neither a command nor a url"
    headers = entry.get("headers") or {}
    if entry.get("type") == "sse":
        return "it speaks HTTP with SSE, the transport of 2024, which is not spoken here"
    if not isinstance(headers, dict) or {key.lower() for key in headers} - {"authorization"}:
        return "it has headers other than Authorization"
    if not headers:
        return {"url": url}, {}
    ((_, value),) = headers.items()
    if not isinstance(value, str) or not (scheme := _BEARER.match(value)):
        return "its Authorization is no bearer token"
    variable = re.sub(r"\W", "_", name).upper() + "_TOKEN"
    return {"url": url, "api_key_env": variable}, {variable: value[scheme.end() :]}


def _name(key: str, there: set[str]) -> str:
    """What a server is called here: as in the client's file, as far as that can stand in an address and is free."""
    name = base = re.sub(r"[^A-Za-z0-9_-]+|__+", "-", key).strip("-_")[:60] or "server"
    number = 1
    while name in there:
        number += 1
        name = f"{base}-{number}"
    return name


def _replace(path: Path, backup: Path, text: str) -> None:
    """Put a new text in the place of a file, which is kept beside it."""
    real = path.resolve()
    mode = real.stat().st_mode & 0o777
    for file, data in ((backup, real.read_bytes()), (real, text.encode())):
        replace_whole(file, data)
        file.chmod(mode)
