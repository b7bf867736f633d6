"""The MCP servers of a program that is an MCP client: its configuration, rewritten so that they are behind interlock.

Pure: documents in, documents out. A server that the gateway has is led there; another that is a program is started
through `interlock mcp wrap`, where that can be; the rest is left out, and said.
"""

import copy
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import msgspec

from interlock.guard.mcp.settings import McpServer
from interlock.sources.mcp_config import TABLES, plain_json

# Where clients look beside a program.
PROJECT_FILES = (".mcp.json", "mcp.json", ".cursor/mcp.json", ".vscode/mcp.json", ".gemini/settings.json")
ADDRESSES = ("url", "httpUrl", "serverUrl")
OURS = {("mcp", "serve"), ("mcp", "wrap")}


class Routed(NamedTuple):
    """A configuration as the program gets it, and the names of the servers in it by what became of them."""

    document: dict[str, Any]
    led: tuple[str, ...]
    wrapped: tuple[str, ...]
    left_out: tuple[str, ...]


def configuration(text: str) -> dict[str, Any] | None:
    """A client's configuration, comments and all; None if the text is none, or has no servers."""
    try:
        document = msgspec.json.decode(plain_json(text))
    except (msgspec.DecodeError, RecursionError):
        return None
    return document if isinstance(document, dict) and any(True for _ in servers(document)) else None


def servers(document: Mapping[str, Any]) -> Iterator[tuple[dict[str, Any], str, dict[str, Any]]]:
    """Each server: the table that it stands in, its key there, and what stands there."""
    for table, key, entry in entries(document):
        if isinstance(entry, dict):
            yield table, key, entry


def entries(document: Mapping[str, Any]) -> Iterator[tuple[dict[str, Any], str, object]]:
    """The same with what stands in the place of a server, and is none."""
    for holder in (document, document.get("mcp")):
        for name in TABLES if isinstance(holder, Mapping) else ():
            table = holder.get(name) if isinstance(holder, Mapping) else None
            for key, entry in list(table.items()) if isinstance(table, dict) else ():
                if isinstance(table, dict):
                    yield table, key, entry


def routed(
    document: Mapping[str, Any],
    known: Mapping[str, McpServer],
    gateway: str,
    key: str,
    wrap: Sequence[str] | None,
) -> Routed:
    """The configuration with its servers behind the gateway at `gateway`, which knows `known` and the caller by `key`.

    `wrap` are the words that start any other program guarded; None: none can be.
    """
    whole = copy.deepcopy(dict(document))
    led, wrapped, left_out = [], [], []
    for table, name, entry in servers(whole):
        field = next((field for field in ADDRESSES if isinstance(entry.get(field), str)), "")
        words = _words(entry)
        if there := _known(words, entry.get(field), known):
            table[name] = _led(entry, field or "url", f"{gateway}/mcp/{there}", key)
            led.append(name)
        elif wrap is not None and OURS & {*pairwise(words)}:
            wrapped.append(name)  # it is guarded as it stands
        elif wrap is not None and words:
            table[name] = _wrapped(entry, words, wrap)
            wrapped.append(name)
        else:
            del table[name]
            left_out.append(name)
    return Routed(whole, tuple(led), tuple(wrapped), tuple(left_out))


def _words(entry: Mapping[str, Any]) -> list[str]:
    command, rest = entry.get("command"), entry.get("args") or []
    if not isinstance(command, str) or not isinstance(rest, list) or not all(isinstance(word, str) for word in rest):
        return []
    return [command, *rest]


def _known(words: list[str], address: object, known: Mapping[str, McpServer]) -> str | None:
    for name, server in known.items():
        if words and (tuple(words) == server.command or _serves(words, name)):
            return name
        if isinstance(address, str) and server.url and address.rstrip("/") == server.url.rstrip("/"):
            return name
    return None


def _serves(words: list[str], name: str) -> bool:
    """Whether this is `interlock mcp serve NAME`."""
    return ["mcp", "serve", name] in [words[at : at + 3] for at in range(len(words))]


def _led(entry: Mapping[str, Any], field: str, address: str, key: str) -> dict[str, Any]:
    kept = {name: value for name, value in entry.items() if name in ("disabled", "timeout", "trust", "alwaysAllow")}
    kind = {"type": "http"} if field == "url" else {}
    return {**kept, **kind, field: address, "headers": {"Authorization": f"Bearer {key}"}}


def _wrapped(entry: Mapping[str, Any], words: list[str], wrap: Sequence[str]) -> dict[str, Any]:
    env = entry.get("env")
    names = [part for name in env for part in ("--env", str(name))] if isinstance(env, dict) else []
    return {**entry, "command": wrap[0], "args": [*wrap[1:], *names, "--", *words]}
