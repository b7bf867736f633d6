"""A whole answer, the `response` object, which the events of a stream hold too."""

from collections.abc import Iterator

from interlock.model.event import Channel, Event, Opaque, Path, Text
from interlock.protocols import Answer, Document, Usage
from interlock.protocols._json import decode, encode, list_, object_, text_, texts, values
from interlock.protocols.openai_responses.fields import ECHO, SETTINGS, aside
from interlock.protocols.openai_responses.items import answer_item

# The place of the echo, which is many places in truth.
ECHOED = "echo"


def read_answer(data: bytes) -> Answer:
    """A whole answer, understood."""
    document = decode(data)
    list_(document.get("output"), ("output",))
    model = text_(document.get("model") or "", ("model",))
    return Answer(data, document, model, tuple(response_events(document, ())), usage_of(document))


def response_events(response: Document, path: Path) -> Iterator[Event]:
    """The events of a response: of its items, error and instructions, and one text of all else that it echoes."""
    for index, item in enumerate(list_(response.get("output") or [], (*path, "output"))):
        yield from answer_item(item, (*path, "output", index))
    for key in ("error", "incomplete_details"):
        for at, text in values(response.get(key), (*path, key)):
            if text not in _REASONS:
                yield Text(at, Channel.OUTPUT, text)
    # What a client gave to be hidden is put back here too; all else that is said once more goes as a whole.
    if isinstance(instructions := response.get("instructions"), str):
        yield Text((*path, "instructions"), Channel.PARAMETER, instructions)
    if echoed := _echo(response):
        yield Text((*path, ECHOED), Channel.PARAMETER, echoed)
    for at, text in values(response.get("usage"), (*path, "usage")):
        yield Opaque(at, text)
    yield from aside(response, path, ECHO | _READ)


_READ = {"model", "output", "error", "incomplete_details", "usage"}
# Why an answer is not complete.
_REASONS = frozenset({"max_output_tokens", "max_messages", "content_filter", "steered"})


def _echo(response: Document) -> str:
    """What an answer says once more of its request, as one text: an edit takes all of it out.

    A client has written it itself, so words that are mere settings are left out, and tools, which are long and come
    with three events of each stream, are taken as the JSON that they are.
    """
    said: list[str] = []
    for key, value in response.items():
        if key == "tools" and value and isinstance(value, list):
            said.append(encode(value).decode().replace("\\n", "\n"))
        elif is_echoed(key, value):
            said += [text for _, text in texts(value, ()) if text not in SETTINGS]
    return "\n".join(said)


def is_echoed(key: str, value: object) -> bool:
    """Whether a field of an answer is a part of the echo."""
    return key in ECHO and not (key == "instructions" and isinstance(value, str))


def usage_of(response: Document) -> Usage:
    """The tokens that a response counts."""
    usage = response.get("usage")
    if not isinstance(usage, dict):
        return Usage()
    counts = [usage.get(key) for key in ("input_tokens", "output_tokens")]
    return Usage(*(n if isinstance(n, int) and not isinstance(n, bool) and n >= 0 else 0 for n in counts))


def response_of(document: Document) -> Document:
    """The response that an event of a stream holds. Raises: ProtocolError."""
    return object_(document.get("response"), ("response",))
