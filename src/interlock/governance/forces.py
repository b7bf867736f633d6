"""Writes into interlock.toml what a policy's refusal means, and leaves the rest of the file as it is, comments too."""

import json
import re
import tomllib
from collections.abc import Iterator
from typing import Any

from interlock.model.errors import ConfigError
from interlock.policy import Force

_TABLE = re.compile(r"^[ \t]*\[[ \t]*policy[ \t]*\][ \t]*(?:#.*)?$", re.MULTILINE)
_NEXT = re.compile(r"^[ \t]*\[", re.MULTILINE)
# What a list of texts is made of.
_TOKEN = re.compile(r'"(?:[^"\\\n]|\\.)*"|\'[^\'\n]*\'|#[^\n]*|[\[\],]|\s+|.', re.DOTALL)


def with_force(text: str, policy: str, force: Force) -> str:
    """`text` with the policy, by its @id, under this force in [policy] and under no other.

    Raises: ConfigError if the table is written in a way that is not understood here; then it is to be edited by hand.
    """
    before = _parsed(text)
    wanted = _wanted(before, policy, force)
    for one in Force:
        text = _without(text, one.value, policy)
    text = _with(text, force.value, policy)
    try:
        understood = _parsed(text) == wanted
    except ConfigError:
        understood = False
    if not understood:
        hint = f"write {json.dumps(policy, ensure_ascii=False)} into [policy] {force.value} by hand"
        raise ConfigError("the table [policy] is written in a way that is not understood", hint=hint)
    return text


def _parsed(text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"not TOML: {error}", hint="mend that line") from error
    except RecursionError:
        raise ConfigError("not TOML: nested too deeply", hint="a list holds texts alone") from None


def _wanted(document: dict[str, Any], policy: str, force: Force) -> dict[str, Any]:
    """The document as it is to be."""
    table = dict(document.get("policy", {}))
    for one in Force:
        if one.value in table or one is force:
            kept = [name for name in table.get(one.value, []) if name != policy]
            table[one.value] = [policy, *kept] if one is force else kept
    return document | {"policy": table}


def _section(text: str) -> tuple[int, int] | None:
    """Where the lines of [policy] begin and end; None if there is no such table."""
    head = _TABLE.search(text)
    if not head:
        return None
    after = _NEXT.search(text, head.end())
    # A list of several lines may have one that begins with a bracket: then what is made of it does not parse.
    return head.end(), after.start() if after else len(text)


def _list(text: str, name: str) -> tuple[int, int] | None:
    """Where the brackets of a list in [policy] begin and end."""
    section = _section(text)
    found = re.compile(rf"^[ \t]*{name}[ \t]*=[ \t]*(?=\[)", re.MULTILINE).search(text, *section) if section else None
    if not found:
        return None
    for token in _TOKEN.finditer(text, found.end()):
        if token[0] == "]":
            return found.end(), token.end()
    return None


def _items(text: str, name: str) -> Iterator[re.Match[str]]:
    at = _list(text, name)
    yield from (token for token in _TOKEN.finditer(text, *at) if token[0][0] in "\"'") if at else ()


def _without(text: str, name: str, policy: str) -> str:
    """The list without the policy, and without the comma that stood behind it, or else before it."""
    for item in list(_items(text, name)):
        if tomllib.loads(f"x = {item[0]}")["x"] != policy:
            continue
        behind = re.compile(r"[ \t]*,[ \t]*").match(text, item.end())
        if behind:
            return _without(text[: item.start()] + text[behind.end() :], name, policy)
        return _without(re.sub(r",[ \t]*\Z", "", text[: item.start()]) + text[item.end() :], name, policy)
    return text


def _with(text: str, name: str, policy: str) -> str:
    quoted = json.dumps(policy, ensure_ascii=False)
    if at := _list(text, name):
        begin = at[0] + 1
        space = re.compile(r"\s*").match(text, begin)
        lead = space[0] if space else ""
        empty = text[begin : at[1] - 1].strip() == ""
        return text[:begin] + (quoted if empty else f"{lead}{quoted},{lead or ' '}") + text[begin + len(lead) :]
    line = f"{name} = [{quoted}]\n"
    if section := _section(text):
        return f"{text[: section[0]]}\n{line.rstrip()}{text[section[0] :]}"
    end = "" if not text or text.endswith("\n") else "\n"
    return f"{text}{end}{chr(10) * bool(text)}[policy]\n{line}"
