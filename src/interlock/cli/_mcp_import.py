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
from urllib.parse import unquote, urlsplit

import msgspec

from interlock.cli._mcp_add import append, check, remarks, serve_words, target, toml
from interlock.cli._output import clean
from interlock.config import Settings
from interlock.knowledge import find_credentials, is_filler, is_unknown_secret
from interlock.model.errors import ConfigError, UsageError
from interlock.run.clients import entries
from interlock.sources.mcp_config import plain_json
from interlock.store.files import replace_whole

BACKUP = ".before-interlock"
OURS = "it is interlock's already"
_ASIDE = "put it into a variable first"
_BEARER = re.compile(r"bearer +", re.IGNORECASE)
# What names its value as a secret: an option, a header, a variable, a part of a query.
_SECRET_NAME = re.compile(r"(?i)(?:key|token|secret|password|passwd|credentials?|authorization|auth|(?:^|[_-])pat)$")
_NAMED = re.compile(r"([\w-]+)(?:=|:(?!/) ?)([^&;\s][^&;]*)")
# As no person writes a word: digits among small and large letters, or a hash's digits.
_RANDOM = re.compile(r"(?=.*\d)(?=.*[a-z])(?=.*[A-Z])[\w+=~.-]+|[0-9a-fA-F]{32,}")


def take_over(settings: Settings, args: argparse.Namespace) -> int:
    """Write both files, or print what would stand there; 1 if there was a server that could not be taken over."""
    path, file = Path(args.file), target(settings, args)
    document = _read(path)
    taken: dict[str, dict[str, Any]] = {}
    left = 0
    for table, key, entry in entries(document):
        name = _name(key, {*settings.mcp_servers, *taken})
        found = _taken(name, entry) if isinstance(entry, dict) else "it is no server: not an object"
        if not isinstance(found, str):
            found = _refused(name, found[0], file) or found
        if isinstance(found, str):
            print(f"left as it is: {clean(key)}: {found}")
            left += found != OURS
            continue
        assert isinstance(entry, dict)
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
    if isinstance(entry.get("command"), str):
        return _program(entry)
    return _address(name, entry)


def _program(entry: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]] | str:
    command, words, env = entry["command"], entry.get("args") or [], entry.get("env") or {}
    if not isinstance(words, list) or not isinstance(env, dict) or not all(isinstance(w, str) for w in words):
        return "its arguments or variables are not in the usual form"
    if "interlock" in (Path(command).stem, *words) and {("mcp", "serve"), ("mcp", "wrap")} & {*pairwise(words)}:
        return OURS
    if any(_is_credential(before, word) for before, word in pairwise(["", *words])):
        return f"a credential stands in its arguments: {_ASIDE}"
    table: dict[str, Any] = {"command": [command, *words]}
    if env:
        table["env"] = list(env)
    if isinstance(entry.get("cwd"), str):
        table["cwd"] = entry["cwd"]
    return table, env


def _address(name: str, entry: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]] | str:
    url = entry.get("url")
    if not isinstance(url, str):
        return "it has neither a command nor a url"
    headers = entry.get("headers") or {}
    if entry.get("type") == "sse":
        return "it speaks HTTP with SSE, the transport of 2024, which is not spoken here"
    if not isinstance(headers, dict) or {key.lower() for key in headers} - {"authorization"}:
        return "it has headers other than Authorization"
    if _is_credential("", url):
        return f"a credential stands in its address: {_ASIDE}"
    if not headers:
        return {"url": url}, {}
    ((_, value),) = headers.items()
    if not isinstance(value, str) or not (scheme := _BEARER.match(value)):
        return "its Authorization is no bearer token"
    variable = re.sub(r"\W", "_", name).upper() + "_TOKEN"
    return {"url": url, "api_key_env": variable}, {variable: value[scheme.end() :]}


def _refused(name: str, table: Mapping[str, Any], file: Path) -> str:
    """Why a table of settings could not stand there, in words; empty if it could."""
    try:
        check(toml(name, table), file, [name])
    except (ConfigError, UsageError) as error:
        return clean(error.what)
    return ""


def _is_credential(before: str, word: str) -> bool:
    """Whether a word of a command, or an address, holds a credential: as such, or after a name that says so.

    `before` is the word before it: `--token VALUE`, `--token=VALUE`, `Authorization: Bearer VALUE`, `?key=VALUE`.
    """
    if find_credentials(word):
        return True
    parts = [(before if before.startswith("-") else "", word)]
    parts += [(name, value) for name, value in _NAMED.findall(word)]
    try:
        url = urlsplit(word)
        parts += [("password", url.password or ""), *(("", part) for part in url.path.split("/"))]
    except ValueError:
        pass  # no address
    return any(_is_secret(name, value) for name, value in parts)


def _is_secret(name: str, value: str) -> bool:
    value = _BEARER.sub("", unquote(value).strip())
    if is_filler(value) or value.startswith(("-", "~", "/", ".")):
        return False
    if _SECRET_NAME.search(name.strip("-")):
        return True
    return bool(find_credentials(value)) or (is_unknown_secret(value) and _RANDOM.fullmatch(value) is not None)


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
