"""One tool call: its arguments, which of them are sensitive, and where each of those came from."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from interlock.model.record import Argument, Origin
from interlock.provenance.labels import HARMLESS, ToolLabels
from interlock.provenance.values import Conversation, shown

# What is an address whatever its argument is called: mail, web or other URL, IBAN, phone number, wallet.
_ADDRESS = re.compile(
    r"[^\s@]+@[^\s@]+\.\w+|\w[\w+.-]*://\S+|(?:www\.)\S+|[A-Z]{2}\d{2}(?:[ ]?[0-9A-Z]{2,4}){3,8}|\+\d[\d\s()/-]{6,}"
    r"|0x[0-9a-fA-F]{40}|(?:[13]|bc1)[a-zA-HJ-NP-Z0-9]{25,60}"
)


@dataclass(frozen=True, slots=True)
class Judged:
    """What is known of a call. `origins` holds the best origin of each sensitive argument."""

    sink: str
    origins: frozenset[Origin]
    arguments: tuple[Argument, ...]
    understood: bool


def judge(arguments: object, labels: ToolLabels, conversation: Conversation) -> Judged:
    """Where the sensitive arguments of a call came from. `arguments` is the decoded JSON, None if it is none."""
    if labels.sink in HARMLESS:
        return Judged(labels.sink, frozenset(), (), isinstance(arguments, dict))
    if not isinstance(arguments, dict):
        return Judged(labels.sink, frozenset({Origin.MODEL}), (), understood=False)
    found = []
    best = set()
    for name, value in _leaves(arguments, "", inherited=False, labels=labels):
        for address in _addresses(value):
            seen = conversation.find(address)
            best.add(seen.origins[0])
            found.append(Argument(name, shown(address), seen.origins, seen.tools))
    return Judged(labels.sink, frozenset(best), tuple(found), understood=True)


def _leaves(value: object, name: str, *, inherited: bool, labels: ToolLabels) -> Iterator[tuple[str, str]]:
    """(dotted name, text) of each sensitive leaf: named so, inside one named so, or an address by its form."""
    if isinstance(value, dict):
        for key, inner in value.items():
            dotted = f"{name}.{key}" if name else key
            yield from _leaves(inner, dotted, inherited=inherited or labels.is_sensitive(key), labels=labels)
            if _ADDRESS.fullmatch(key):
                yield f"{dotted} (name)", key
    elif isinstance(value, list):
        for inner in value:
            yield from _leaves(inner, name, inherited=inherited, labels=labels)
    elif isinstance(value, bool) or value is None:
        return
    elif isinstance(value, str | int | float):
        text = str(value)
        if text.strip() and (inherited or _ADDRESS.fullmatch(text.strip())):
            yield name, text


def _addresses(text: str) -> Iterator[str]:
    """The single recipients in a text that lists several: `a@x.org, Bob <b@x.org>`. Every part must be known."""
    for part in re.split(r"[,;\n]", text) if "@" in text else [text]:
        named = re.fullmatch(r"([^<>@]*)<([^<>]+)>\s*", part)
        wanted = named[2] if named else part
        if wanted.strip():
            yield wanted.strip()
