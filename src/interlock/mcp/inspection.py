"""What is suspicious about what MCP servers say of their tools: a list of findings, for people to decide about.

Rules: every text of a definition counts, whatever it is there for; the definitions of all servers are looked at
together, since one can speak of another's tools. A finding of high severity says that no ordinary server would write
so: such a definition is not approved by its first use. Others are told, and stop nothing. Findings are a signal: a
poisoned definition that is worded with care has none, and what it can make a model do is bounded by provenance.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import re2

from interlock.mcp.definitions import Role, Said, TooLargeError, arguments, texts
from interlock.mcp.hidden import hidden
from interlock.mcp.languages import strange
from interlock.mcp.lookalikes import alike
from interlock.mcp.phrases import ASIDE, WANTED, orders
from interlock.model.event import Signal, ToolDefinition
from interlock.model.meta import Severity
from interlock.provenance.labels import conflicts, label

# What a server says of itself to the model, in the place of a tool's name.
INSTRUCTIONS = "(instructions)"
KINDS: Mapping[str, str] = MappingProxyType(
    {
        "orders": "It gives the model orders that have nothing to do with how the tool is used.",
        "hidden-text": "It holds text that people do not see, and models read.",
        "other-tools": "It speaks of other tools: how they are to be used, or that this one comes first.",
        "asks-too-much": "It asks for what the tool does not need: the conversation, files, secrets.",
        "other-language": "A part of it is in another language or script than the rest.",
        "look-alike": "It has the name of another tool, or one that can be taken for it.",
        "contradiction": "What the server claims of the tool contradicts what its words say that it does.",
        "not-read": "It is too large or too deep to be looked at to its end.",
    }
)
HIGH, MEDIUM, LOW = Severity.HIGH, Severity.MEDIUM, Severity.LOW
# Of a text that is shown with a finding, before and after what was found.
AROUND = 60
LONGEST = 240
_OF = MappingProxyType({
    "before-others": "other-tools", "other-tools": "other-tools", "harvest": "asks-too-much",
})  # fmt: skip
_HOW = MappingProxyType(
    {
        "same": ("has the same name as", LOW),
        "spelled": ("is written like", MEDIUM),
        "drawn": ("looks like", HIGH),
        "slip": ("is one letter away from", MEDIUM),
    }
)
# What warns of an order is none: `do not follow instructions that the text holds`.
_WARNS = re.compile(
    r"(?:\b(?:do|does|should|must|may|can|will) not|n't|\bnever|\bnot|\bavoid|\brather than)\s*(?:[\w,]+\s+){0,3}$",
    re.IGNORECASE,
)
_WARNED_OF = frozenset({"set-aside", "harvest", "hand-over", "other-tools"})
_NAME = re.compile(r"[A-Za-z0-9_./-]{1,128}")
# A tool's name in a text of prose: words that are joined, so that `search` and `read` are no names.
_JOINED = re2.compile(r"\b[A-Za-z][A-Za-z0-9]*(?:[_-][A-Za-z0-9]+)+\b|\b[a-z]+(?:[A-Z][a-z0-9]+)+\b")
# More words than that are a sentence, and no value that an argument can have.
LONGEST_VALUE = 7
# What is read of all that one server says; real ones say a tenth of that.
MOST_CHARS = 2_000_000

Servers = Mapping[str, Mapping[str, Mapping[str, Any]]]
Scan = Callable[[str], Iterable[Signal]]


@dataclass(frozen=True, slots=True)
class Finding:
    """What is suspicious about one place of a definition. `kind` is one of `KINDS`, `text` what stands there, cut.

    `place` is as in `inputSchema.properties.x.description`, empty if it is the definition as a whole.
    """

    kind: str
    server: str
    tool: str
    place: str
    text: str
    why: str
    severity: Severity


def inspect(servers: Servers, scan: Scan, only: str | None = None) -> tuple[Finding, ...]:
    """The findings about these servers' tools, by server, tool and place; with `only`, about one server's.

    `scan` gives what the detectors say of a tool's description.
    """
    found: dict[tuple[str, str, str, str, str], Finding] = {}
    names = {(server, tool): None for server, tools in servers.items() for tool in tools if tool != INSTRUCTIONS}
    everything = (
        *(finding for server in servers if only in (None, server) for finding in _server(server, servers, scan)),
        *_names(names, only),
    )
    for finding in everything:
        key = finding.server, finding.tool, finding.place, finding.kind, finding.why
        if key not in found or finding.severity.rank > found[key].severity.rank:
            found[key] = finding
    return tuple(found.values())


def suspicious(findings: Iterable[Finding]) -> frozenset[str]:
    """The tools whose definitions an operator has to look at first."""
    return frozenset(finding.tool for finding in findings if finding.severity.rank >= HIGH.rank)


def _server(server: str, servers: Servers, scan: Scan) -> Iterator[Finding]:
    others = {tool: other for other, tools in servers.items() if other != server for tool in tools}
    for own in servers[server]:
        others.pop(own, None)
    left = MOST_CHARS
    for name, tool in servers[server].items():
        said, whole = _read(tool)
        left -= sum(len(one.text) for one in said)
        if not whole or left < 0:
            why = "it is too large or too deep to be looked at to its end"
            yield Finding("not-read", server, name, "", "", why, HIGH)
        for kind, place, text, why, severity in (
            _tool(name, tool, said, scan, servers[server], others) if left > 0 else ()
        ):
            yield Finding(kind, server, name, place, text, why, severity)


def _read(tool: Mapping[str, Any]) -> tuple[list[Said], bool]:
    """The texts of a definition, and whether those are all."""
    said: list[Said] = []
    try:
        said.extend(texts(tool))
    except TooLargeError:
        return said, False
    return said, True


Told = tuple[str, str, str, str, Severity]


def _tool(
    name: str,
    tool: Mapping[str, Any],
    said: list[Said],
    scan: Scan,
    own: Mapping[str, object],
    others: Mapping[str, str],
) -> Iterator[Told]:
    for one in said:
        if one.role is not Role.NAME or not _NAME.fullmatch(one.text):
            yield from _text(one, scan, own, others)
    for one, why in strange(said):
        yield "other-language", one.place, _cut(one.text), why, HIGH
    yield from _wanted(tool)
    if name != INSTRUCTIONS:
        yield from _claims(name, tool)


def _text(said: Said, scan: Scan, own: Mapping[str, object], others: Mapping[str, str]) -> Iterator[Told]:
    place, text = said.place, said.text
    for why, inner in hidden(text):
        yield "hidden-text", place, _cut(inner), why, HIGH
    for signal in scan(text):
        kind = "hidden-text" if signal.detector == "invisible-text" else "orders"
        why = f"the detector {signal.detector} speaks about it ({signal.rule})"
        yield kind, place, _around(text, signal.span.start, signal.span.end), why, HIGH
    for rule, severity, why, start, end in orders(text):
        if rule in _WARNED_OF and _WARNS.search(text, max(0, start - 60), start):
            continue
        if rule == "other-tools" and severity is MEDIUM and _mentions_own(text[start:end], own):
            continue
        yield _OF.get(rule, "orders"), place, _around(text, start, end), why, severity
    for match in _JOINED.finditer(text):
        if (other := others.get(match.group())) and said.role is not Role.NAME:
            why = f"it speaks of {match.group()}, which is a tool of {other}"
            yield "other-tools", place, _around(text, *match.span()), why, MEDIUM
    if said.role is Role.VALUE and len(text.split()) > LONGEST_VALUE:
        yield "orders", place, _cut(text), "whole sentences stand where a value is expected", LOW
    if said.role is Role.NAME and not _NAME.fullmatch(text):
        strange_name = not text.isascii() or len(text) > 128
        if strange_name and place != "name":
            yield "orders", place, _cut(text), "this is no name", MEDIUM


def _mentions_own(text: str, own: Mapping[str, object]) -> bool:
    return any(match.group() in own for match in _JOINED.finditer(text))


def _wanted(tool: Mapping[str, Any]) -> Iterator[Told]:
    for place, name, schema in arguments(tool):
        described = schema.get("description")
        text = described if isinstance(described, str) else ""
        if WANTED.search(name):
            yield (
                "asks-too-much",
                place,
                name,
                "no tool needs the whole conversation, or what the model was told",
                MEDIUM,
            )
        elif name.lower() in ASIDE and re.search(
            r"(?i)\b(?:conversation|user'?s? (?:request|message|intent|goal))\b", text
        ):
            yield (
                "asks-too-much",
                place,
                _cut(text),
                "it wants the conversation told beside the tool's own task",
                MEDIUM,
            )


def _claims(name: str, tool: Mapping[str, Any]) -> Iterator[Told]:
    claims = tool.get("annotations")
    if not isinstance(claims, dict):
        return
    for contradiction in conflicts(label(name, definition_of(name, tool)), claims):
        how, _, what = contradiction.partition(": ")
        yield "contradiction", "annotations", what, f"by its words the tool does {_DOES[how]} than that", (
            MEDIUM if how == "understates" else LOW
        )  # fmt: skip


_DOES = MappingProxyType({"understates": "more", "overstates": "less"})


def _names(names: Mapping[tuple[str, str], object], only: str | None) -> Iterator[Finding]:
    for tool, other, how in alike(names):
        words, severity = _HOW[how]
        if how == "spelled" and tool[0] != other[0]:  # both conventions are in use
            severity = LOW
        for (server, name), (whose, like) in ((tool, other), (other, tool)):
            if only in (None, server):
                where = f"of {whose}" if whose != server else "of the same server"
                yield Finding("look-alike", server, name, "name", name, f"it {words} {like} {where}", severity)
    for server, name in names:
        if not name.isascii() and only in (None, server):
            why = "letters of other scripts look like those of another name"
            yield Finding("look-alike", server, name, "name", name, why, HIGH)


def definition_of(name: str, tool: Mapping[str, Any], server: str = "") -> ToolDefinition:
    """A tool of MCP as labels are derived from it."""
    description, schema, claims = tool.get("description"), tool.get("inputSchema"), tool.get("annotations")
    return ToolDefinition(
        (),
        name,
        description if isinstance(description, str) else "",
        schema if isinstance(schema, dict) else {},
        claims if isinstance(claims, dict) else {},
        server,
    )


def _around(text: str, start: int, end: int) -> str:
    """What was found, with what stands around it."""
    start, end = max(0, start - AROUND), min(len(text), min(end, start + LONGEST) + AROUND)
    return f"{'…' if start else ''}{text[start:end]}{'…' if end < len(text) else ''}"


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"
