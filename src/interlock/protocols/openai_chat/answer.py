"""A whole answer, and what a chunk of a stream shares with it."""

from collections.abc import Iterator

from interlock.model.errors import ProtocolError
from interlock.model.event import Channel, Event, Opaque, Path, Text
from interlock.protocols import (
    Answer,
    Document,
    Usage,
)
from interlock.protocols._json import (
    decode,
    is_empty,
    list_,
    object_,
    opaque,
    text_,
    values,
    where,
)
from interlock.protocols._reading import others
from interlock.protocols.openai_chat import servers
from interlock.protocols.openai_chat.fields import (
    ENVELOPE,
    FINISHES,
    MOST_CHOICES,
    TOKENS,
    message_fields,
    numbers,
)


def read_answer(data: bytes) -> Answer:
    """A whole answer, understood."""
    document = decode(data)
    events: list[Event] = [*envelope(document)]
    choices = list_(document.get("choices"), ("choices",))
    if len(choices) > MOST_CHOICES:
        raise ProtocolError(f"an answer with over {MOST_CHOICES} choices", where="choices", status=502)
    for position, value in enumerate(choices):
        path: Path = ("choices", position)
        choice = object_(value, path)
        events += message_fields(_output(choice, path), (*path, "message"), "assistant", Channel.OUTPUT, {})
        events += choice_rest(choice, path, "message")
    return Answer(data, document, text_(document.get("model", ""), ("model",)), tuple(events), usage_of(document))


def _output(choice: Document, path: Path) -> Document:
    message = object_(choice.get("message"), (*path, "message"))
    if message.get("role", "assistant") != "assistant":
        raise ProtocolError("an answer's role is not assistant", where=where((*path, "message", "role")), status=502)
    return message


def choice_rest(choice: Document, path: Path, body: str) -> Iterator[Event]:
    """What a choice holds beside its `body`, which is `message` or `delta`."""
    if not is_empty(choice.get("delta" if body == "message" else "message")):
        raise ProtocolError("a choice is both whole and a piece", where=where(path), status=502)
    finish = choice.get("finish_reason")
    if not is_empty(finish) and not (isinstance(finish, str) and finish in FINISHES):
        yield opaque((*path, "finish_reason"), finish)
    # The tokens repeat the text: what is taken out there must not stay here.
    if logprobs := choice.get("logprobs"):
        for key, text in zip(TOKENS, _tokens(logprobs), strict=True):
            if text:
                yield Text((*path, key), Channel.OUTPUT, text)
    yield from others(choice, path, {*numbers(choice), body, "finish_reason", "logprobs"}, servers.CHOICE)


def _tokens(logprobs: object) -> tuple[str, str]:
    """The chosen tokens in order, which a text can be read from, and whatever else holds strings."""
    chosen, other = "", ""
    for path, text in values(logprobs, ()):
        if len(path) == 3 and path[2] == "token":
            chosen += text
        else:
            other += text + "\n"
    return chosen, other


def envelope(document: Document) -> Iterator[Opaque]:
    """What is not expected around an answer; strings among the counts too, since no text belongs there."""
    for key, value in document.items():
        if key == "usage":
            for path, text in values(value, ("usage",)):
                yield Opaque(path, text)
        elif key != "choices" and (key not in ENVELOPE or isinstance(value, dict | list)):
            yield from servers.unknown({key: value}, (), servers.ENVELOPE)


def usage_of(document: Document) -> Usage:
    """The tokens that an answer or a chunk counts."""
    usage = document.get("usage")
    if not isinstance(usage, dict):
        return Usage()
    counts = [usage.get(key) for key in ("prompt_tokens", "completion_tokens")]
    return Usage(*(n if isinstance(n, int) and not isinstance(n, bool) and n >= 0 else 0 for n in counts))
