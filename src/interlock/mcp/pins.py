"""Whether a tool is still the one that was approved: SHA-256 over the RFC 8785 form of its whole definition."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any

from interlock.mcp.canonical import canonical

FIRST_USE = "first-use"
# Of a key in the name of a place; SEP-986 gives a tool's name so much.
LONGEST_KEY = 128


class Standing(Enum):
    """What stands behind a tool that a server offers. Only `APPROVED` may be seen and called."""

    APPROVED = "approved"
    NEW = "new"
    CHANGED = "changed"


@dataclass(frozen=True, slots=True)
class Pin:
    """What is known of one tool of one server. Times in us; documents are canonical JSON.

    `digest` is that of the definition which was approved, "" if none was; `seen_digest` of the one that the server
    offered last. `approved_by` is `first-use`, or who approved it.
    """

    server: str
    tool: str
    digest: str
    document: str
    approved_us: int | None
    approved_by: str
    seen_digest: str
    seen_document: str
    seen_us: int

    @property
    def standing(self) -> Standing:
        """Whether what the server offers is what was approved."""
        if not self.digest:
            return Standing.NEW
        return Standing.APPROVED if self.digest == self.seen_digest else Standing.CHANGED

    def approved(self, by: str, at_us: int) -> "Pin":
        """The same with what the server offers approved."""
        return replace(self, digest=self.seen_digest, document=self.seen_document, approved_us=at_us, approved_by=by)


def offered(server: str, tool: Mapping[str, Any], before: Pin | None, *, trusted: bool, now_us: int) -> Pin:
    """The pin of a tool as its server offers it now. `trusted`: it is the first use of the whole server.

    Raises: ValueError for a definition that has no canonical form.
    """
    document = canonical(dict(tool)).decode("utf-8", "surrogatepass")
    digest = hashlib.sha256(document.encode("utf-8", "surrogatepass")).hexdigest()
    if before is None:
        new = Pin(server, str(tool["name"]), "", "", None, "", digest, document, now_us)
        return new.approved(FIRST_USE, now_us) if trusted else new
    if before.seen_digest == digest:
        return before
    return replace(before, seen_digest=digest, seen_document=document, seen_us=now_us)


def differences(pin: Pin) -> Iterator[tuple[str, str, str]]:
    """(place, approved, offered now) of each place where the two definitions differ; "" for what is not there."""
    was = dict(_leaves(json.loads(pin.document), "")) if pin.document else {}
    now = dict(_leaves(json.loads(pin.seen_document), ""))
    for place in dict.fromkeys((*was, *now)):
        if was.get(place) != now.get(place):
            yield place, was.get(place, ""), now.get(place, "")


def inside(place: str, key: str) -> str:
    """The place of a key. A very long one is cut, and its hash tells it from others: places are many.

    >>> inside("inputSchema", "type"), inside("", "x" * 500)[-14:]
    ('inputSchema.type', '…#c38c2bf3055c')
    """
    if len(key) > LONGEST_KEY:
        key = f"{key[:LONGEST_KEY]}…#{hashlib.sha256(key.encode('utf-8', 'surrogatepass')).hexdigest()[:12]}"
    return f"{place}.{key}" if place else key


def _leaves(value: object, place: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from _leaves(inner, inside(place, key))
    elif isinstance(value, list) and value:
        for index, inner in enumerate(value):
            yield from _leaves(inner, f"{place}[{index}]")
    else:
        yield place, value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
