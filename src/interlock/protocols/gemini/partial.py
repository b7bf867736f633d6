"""Calls whose arguments come in pieces, as Vertex AI streams them if a request asks for it, put together again.

The pieces are taken out of their chunks, and in place of the last one stands the whole call, which is the protocol's
usual form: so there is one reading of how the pieces fit, ours, and it is the one that is judged. Nothing is lost by
it, since no piece of a call may leave before the whole call was judged.
"""

import re
from dataclasses import dataclass, field
from typing import Any

from interlock.model.errors import ProtocolError
from interlock.model.event import Path
from interlock.protocols import Document
from interlock.protocols._json import text_
from interlock.protocols.gemini.fields import Field, fields, inside, several
from interlock.protocols.gemini.parts import said

# All texts and places of one call together; the bound of one event of a stream.
MOST_CHARS = 4_194_304
MOST_LEAVES = 10_000
# Deeper than any real argument; with what stands around a call it is within what `decode` allows.
MOST_STEPS = 32
# RFC 9535, as far as arguments need it: members by name, and elements by index.
_STEP = re.compile(r"""\.([^\s.\[\]'"\\*?@$:,()]+)|\['([^'\\]*)'\]|\["([^"\\]*)"\]|\[(\d{1,5})\]""")
_VALUES = ("stringValue", "numberValue", "boolValue", "nullValue")
_PIECE = frozenset({*_VALUES, "jsonPath", "willContinue"})
_CALL = frozenset({"name", "id", "args", "partialArgs", "willContinue"})
_PART = frozenset({"functionCall", "thoughtSignature"})


@dataclass(slots=True)
class _Open:
    """A call that is not whole yet. `leaves` are its arguments by place; a text is a list of its pieces."""

    name: str = ""
    call_id: str = ""
    signature: str = ""
    leaves: dict[Path, object] = field(default_factory=dict)
    growing: set[Path] = field(default_factory=set)
    chars: int = 0


class Calls:
    """The open calls of a stream, at most one for each candidate.

    Rules: a call's pieces follow each other, and no other call of the candidate begins before its end; a place is
    said once, but for a text that goes on; a list grows at its end. What breaks them is refused.
    """

    def __init__(self) -> None:
        self._open: dict[int, _Open] = {}

    @property
    def unfinished(self) -> bool:
        """Whether a call is not whole."""
        return bool(self._open)

    def take(self, choice: int, parts: list[tuple[Path, Any]]) -> list[Document] | None:
        """The parts of a chunk without pieces of calls, but with a call that is whole now; None if they stay as is."""
        kept: list[Document] = []
        changed = False
        for at, part in parts:
            found = fields(part, at)
            call = inside(found.get("functionCall"))
            if "functionCall" in found and self._is_piece(choice, call):
                changed = True
                kept += self._add(choice, found, call)
            else:
                kept.append(part)
        return kept if changed else None

    def _is_piece(self, choice: int, call: dict[str, Field]) -> bool:
        return choice in self._open or _switch(call, "willContinue") or bool(several(call.get("partialArgs")))

    def _add(self, choice: int, part: dict[str, Field], found: dict[str, Field]) -> list[Document]:
        """Take a piece; the part with the whole call if it is the last one."""
        if not part.keys() <= _PART or not found.keys() <= _CALL or ("args" in found and found["args"].value != {}):
            raise _refused("a piece of a call holds more than its piece")
        call = self._open.setdefault(choice, _Open())
        name, call_id = said(found, "name"), said(found, "id")
        if name not in ("", call.name or name) or call_id not in ("", call.call_id or call_id):
            raise _refused("a call begins before the end of another one")
        call.name, call.call_id = call.name or name, call.call_id or call_id
        call.signature = call.signature or said(part, "thoughtSignature")
        for at, piece in several(found.get("partialArgs")):
            _take(call, fields(piece, at), piece)
        if _switch(found, "willContinue"):
            return []
        return [_whole(self._open.pop(choice))]


def _take(call: _Open, found: dict[str, Field], piece: Document) -> None:
    """One piece of an argument. `piece` is the same as it came: only there does a null stand."""
    values = {name: found[name].value for name in _VALUES if name in found}
    if not found.keys() <= _PIECE or len(values) > 1:
        raise _refused("a piece of an argument is two things at once, or an unknown one")
    said_path = said(found, "jsonPath")
    at = _steps(said_path)
    kind, value = next(iter(values.items()), ("nullValue" if {"nullValue", "null_value"} & piece.keys() else "", None))
    call.chars += len(said_path) + (len(value) if isinstance(value, str) else 0)
    if call.chars > MOST_CHARS or len(call.leaves) > MOST_LEAVES:
        raise _refused("a call's arguments are too long")
    goes_on = _switch(found, "willContinue")
    if kind == "stringValue" or (not kind and (goes_on or at in call.growing)):
        if at in call.leaves and at not in call.growing:
            raise _refused("an argument is said twice")
        pieces = call.leaves.setdefault(at, [])
        assert isinstance(pieces, list)  # only texts go on
        pieces.append(text_("" if value is None else value, ("stringValue",)))
        (call.growing.add if goes_on else call.growing.discard)(at)
        return
    if at in call.leaves or not kind or goes_on or not _is_scalar(kind, value):
        raise _refused("an argument is said twice, or is none")
    call.leaves[at] = None if kind == "nullValue" else value


def _is_scalar(kind: str, value: object) -> bool:
    match kind:
        case "boolValue":
            return isinstance(value, bool)
        case "numberValue":
            return isinstance(value, int | float) and not isinstance(value, bool)
        case _:
            return value in (None, "NULL_VALUE", 0)


def _steps(path: str) -> Path:
    """The members and indexes that a JSON path such as `$.to[0].name` goes through."""
    steps: list[str | int] = []
    at = 1 if path.startswith("$") else len(path) + 1
    while at < len(path) and len(steps) <= MOST_STEPS and (step := _STEP.match(path, at)):
        at = step.end()
        steps.append(int(step[4]) if step[4] else step[step.lastindex or 0])
    if at != len(path) or not steps or len(steps) > MOST_STEPS:
        raise _refused("the place of an argument is not understood")
    return tuple(steps)


def _whole(call: _Open) -> Document:
    args: Document = {}
    for path, leaf in call.leaves.items():
        _put(args, path, "".join(leaf) if isinstance(leaf, list) else leaf)
    made: Document = {"functionCall": {"name": call.name, "args": args}}
    if call.call_id:
        made["functionCall"]["id"] = call.call_id
    if call.signature:
        made["thoughtSignature"] = call.signature
    return made


def _put(args: Document, path: Path, leaf: object) -> None:
    node: Any = args
    for number, step in enumerate(path):
        last = number == len(path) - 1
        new: object = leaf if last else [] if isinstance(path[number + 1], int) else {}
        if isinstance(node, dict) and isinstance(step, str) and (not last or step not in node):
            node = node.setdefault(step, new)
        elif isinstance(node, list) and isinstance(step, int) and step == len(node):
            node.append(new)
            node = new
        elif isinstance(node, list) and isinstance(step, int) and step < len(node) and not last:
            node = node[step]
        else:
            raise _refused("the arguments of a call do not fit together")


def _switch(found: dict[str, Field], name: str) -> bool:
    value = found[name].value if name in found else False
    if not isinstance(value, bool):
        raise _refused("expected true or false")
    return value


def _refused(what: str) -> ProtocolError:
    return ProtocolError(what, where="functionCall", status=502)
