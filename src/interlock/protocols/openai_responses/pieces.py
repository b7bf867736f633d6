"""What an event of a stream says, and where in it: its pieces of texts and calls. Without any memory.

A piece has two places: where it stands in the event (`response.output_text.delta` has its text in `delta`), and
where it belongs in the whole answer (`output[0].content[0].text`). The second is the name of what is growing.
"""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from interlock.model.errors import ProtocolError
from interlock.model.event import Channel, Event, Path, Text, ToolCall
from interlock.protocols import Document
from interlock.protocols._json import opaque, text_
from interlock.protocols.openai_responses.answer import ECHOED, response_events, response_of
from interlock.protocols.openai_responses.content import annotation_events, part_events, token_events
from interlock.protocols.openai_responses.fields import CLIENT_RUN, TOKENS, aside, index_of
from interlock.protocols.openai_responses.items import answer_item

RESPONSE = frozenset(
    f"response.{name}" for name in ("queued", "created", "in_progress", "completed", "incomplete", "failed")
)
LAST = frozenset(("response.completed", "response.incomplete", "response.failed"))
ADDED, DONE = "response.output_item.added", "response.output_item.done"


class Grows(NamedTuple):
    """A text that an event brings: which item it is part of, in which list of that, and its field in the whole."""

    item: str
    parts: str
    number: str
    field: str


_OUTPUT = Grows("message", "content", "content_index", "text")
_REFUSAL = Grows("message", "content", "content_index", "refusal")
_THOUGHT = Grows("reasoning", "content", "content_index", "text")
_SUMMARY = Grows("reasoning", "summary", "summary_index", "text")
# The events of a piece of text; the field in which each has it is `delta`, or that of the whole.
TEXTS: Mapping[str, Grows] = {
    f"response.{name}.{end}": grows
    for name, grows in (
        ("output_text", _OUTPUT),
        ("refusal", _REFUSAL),
        ("reasoning_text", _THOUGHT),
        ("reasoning_summary_text", _SUMMARY),
    )
    for end in ("delta", "done")
}
# The events of a part: in which list of its item that stands, and which field is its index.
PARTS: Mapping[str, tuple[str, str]] = {
    f"response.{name}.{end}": place
    for name, place in (
        ("content_part", ("content", "content_index")),
        ("reasoning_part", ("content", "content_index")),  # as vLLM calls it
        ("reasoning_summary_part", ("summary", "summary_index")),
    )
    for end in ("added", "done")
}
# The events of a call's arguments: the item that they belong to.
CALLS: Mapping[str, str] = {
    f"response.{name}.{end}": item
    for name, item in (
        ("function_call_arguments", "function_call"),
        ("custom_tool_call_input", "custom_tool_call"),
    )
    for end in ("delta", "done")
}
# The second is what the API called it at first.
ANNOTATIONS = frozenset({"response.output_text.annotation.added", "response.output_text_annotation.added"})
# Events of what the server runs itself whose names are not those of their items.
_ITEMS = {
    "code_interpreter_call_code": "code_interpreter_call",
    "mcp_call_arguments": "mcp_call",
    "shell_call_command": "shell_call",
    "shell_call_output_content": "shell_call_output",
}
_INDEXES = frozenset({"output_index", "content_index", "summary_index", "annotation_index"})


class Piece(NamedTuple):
    """`event` has its path in the whole answer; `at` is its path in the event of the stream."""

    at: Path
    event: Event


def pieces(document: Document) -> Iterator[Piece]:
    """The pieces of one event. A piece of a call is a ToolCall; only a whole item's has a name and an id.

    Raises: ProtocolError.
    """
    kind = document["type"]
    if kind in RESPONSE:
        response = response_of(document)
        yield from _moved(response_events(response, ("response",)), ("response",), ())
        yield from _rest(document, "response")
        return
    if kind not in _KNOWN:
        yield Piece((), opaque(_provider(document, kind), document))
        return
    item: Path = ("output", index_of(document, "output_index"))
    if kind in (ADDED, DONE):
        if document.get("item") is not None:
            yield from _moved(answer_item(document["item"], ("item",)), ("item",), item)
        yield from _rest(document, "item")
    elif kind in CALLS:
        field = _field(document, "input" if CALLS[kind] == "custom_tool_call" else "arguments")
        yield Piece((field,), ToolCall(item, "", "", text_(document.get(field), (field,))))
        yield from _rest(document, field, "call_id", "name")
    elif kind in PARTS:
        parts, index = PARTS[kind]
        place = (*item, parts, index_of(document, index))
        yield from _moved(part_events(document.get("part"), ("part",), Channel.OUTPUT), ("part",), place)
        yield from _rest(document, "part", "status")
    elif kind in ANNOTATIONS:
        place = (*item, "content", index_of(document, "content_index"), "annotations")
        place = (*place, index_of(document, "annotation_index"))
        if document.get("annotation") is not None:
            notes = annotation_events(document["annotation"], ("annotation",), Channel.OUTPUT)
            yield from _moved(notes, ("annotation",), place)
        yield from _rest(document, "annotation")
    else:
        yield from _text(document, TEXTS[kind], item)


_KNOWN = frozenset({ADDED, DONE, *ANNOTATIONS, *CALLS, *PARTS, *TEXTS})


def _text(document: Document, grows: Grows, item: Path) -> Iterator[Piece]:
    place = (*item, grows.parts, index_of(document, grows.number))
    field = _field(document, grows.field)
    text = text_(document.get(field), (field,))
    yield Piece((field,), Text((*place, grows.field), Channel.OUTPUT, text))
    yield from _moved(token_events(document.get("logprobs"), (), Channel.OUTPUT), (), place)
    yield from _rest(document, field, "logprobs")


def _field(document: Document, whole: str) -> str:
    return "delta" if str(document["type"]).endswith(".delta") else whole


def _moved(events: Iterator[Event], at: Path, place: Path) -> Iterator[Piece]:
    """Events of a part of the document at `at`, which belongs to `place` in the whole answer."""
    for event in events:
        yield Piece(event.path, event._replace(path=place + event.path[len(at) :]))


def _rest(document: Document, *known: str) -> Iterator[Piece]:
    """What an event holds beside what is known; an index must be a number, and says nothing else."""
    for event in aside(document, (), {"type", *known, *_INDEXES}):
        yield Piece(event.path, event)
    for name in _INDEXES & document.keys():
        index_of(document, name)


def _provider(document: Document, kind: str) -> Path:
    """The place of an event of something that the server runs: the same as that of its item, for policies."""
    name = kind.removeprefix("response.").partition(".")[0]
    name = _ITEMS.get(name, name)
    if name in CLIENT_RUN:
        raise ProtocolError("an event of the stream is not covered", where="type", status=502)
    return ("output", 0, name) if "output_index" in document else (name,)


def name_of(piece: Piece, kind: str) -> str:
    """The name of the text that a piece belongs to.

    Tokens are not the same in every event that says them once more: they are texts of their own in each.
    """
    name = ".".join(map(str, piece.event.path))
    return f"{name}@{kind}" if piece.event.path[-1] in TOKENS else name


def is_echo(name: str) -> bool:
    """Whether a text of this name is what responses say once more of their request."""
    return name.partition("@")[0] == ECHOED
