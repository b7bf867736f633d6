"""Hides from the model what a workload's scope says is hidden, and gives it back in the answer."""

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from interlock.guard.edits import is_json
from interlock.guard.inspect import place_name
from interlock.guard.pseudonyms import DEEPEST, Pseudonyms
from interlock.guard.rules import Rules
from interlock.model.errors import ProtocolError
from interlock.model.event import Channel, Event, Media, Opaque, Path, Signal, Text, ToolCall
from interlock.model.record import Step, Verdict
from interlock.protocols import Adapter, Request, decode
from interlock.protocols import texts as strings

_MICRO = 1_000_000


class Hidden(NamedTuple):
    """What goes to the model instead of the request, and by what the answer is restored; `step` is for the log."""

    body: bytes
    pseudonyms: Pseudonyms | None = None
    step: Step | None = None


def hide(adapter: Adapter, request: Request, session: str, redact: frozenset[str], rules: Rules) -> Hidden:
    """The request without what `redact` names: detectors, or `detector:rule`.

    Values are the same for the whole session, wherever they stand: texts of every role, arguments of calls, settings.
    Raises: ProtocolError if something stands where it cannot be replaced, or there is too much of it.
    """
    if not redact:
        return Hidden(request.raw)

    def find(text: str) -> tuple[Signal, ...]:
        found = rules.engine.scan(text, Channel.OUTPUT)
        return tuple(s for s in found if s.detector in redact or f"{s.detector}:{s.rule}" in redact)

    assert rules.vault is not None, "policies that hide something come with a vault"
    now_s = rules.ticks_us() // _MICRO
    pseudonyms = rules.vault.recall(session, now_s)
    texts = [(event, _said(event)) for event in request.events]
    for _, text in texts:
        for piece in _pieces(text):
            if found := find(piece):
                pseudonyms.learn(piece, found)
    changed: dict[Path, str] = {}
    for event, text in texts:
        hidden = pseudonyms.hide_json(text, find)
        if hidden != text:
            if not _can_change(event, request.document):
                raise ProtocolError("holds what is to be hidden, where it cannot be", where=place_name(event.path))
            changed[event.path] = hidden
    rules.vault.keep(pseudonyms, now_s)
    if not changed:
        return Hidden(request.raw, pseudonyms)
    kinds = ", ".join(sorted({placeholder.partition("-")[0] for placeholder in pseudonyms.used}))
    step = Step("hidden", size=len(pseudonyms.used), tool=kinds, verdict=Verdict.ALLOWED)
    return Hidden(adapter.edit_request(request, changed), pseudonyms, step)


def _pieces(text: str, depth: int = 0) -> Iterator[str]:
    """The strings of a text that is a JSON document, as its readers see them; else the text itself."""
    if is_json(text) and depth < DEEPEST:
        with contextlib.suppress(ProtocolError):
            document = decode(f'{{"_":{text}}}'.encode("utf-8", "surrogatepass"))
            for _, piece in strings(document["_"], ()):
                yield from _pieces(piece, depth + 1)
            return
    yield text


def _said(event: Event) -> str:
    """The text of an event that can hold something; of inline media nobody reads it; tools are the workload's."""
    match event:
        case ToolCall(arguments=arguments):
            return arguments
        case Opaque(text=text) | Media(source="url", data=text):
            return text
        case Text(text=text):
            return text
        case _:
            return ""


def _can_change(event: Event, document: Mapping[str, Any]) -> bool:
    """Whether the text of an event can be put back at its place: the name of a setting, for one, cannot."""
    if isinstance(event, Text) and event.channel is Channel.PARAMETER:
        return _at(document, event.path) == event.text
    return isinstance(event, Text | ToolCall)


def _at(document: Any, path: Path) -> object:
    for part in path:
        try:
            document = document[part]
        except (KeyError, IndexError, TypeError):
            return None
    return document
