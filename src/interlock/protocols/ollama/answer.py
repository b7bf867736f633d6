"""A whole answer, and what a line of a stream shares with it: they have the same shape."""

from collections.abc import Iterator, Mapping

from interlock.model.errors import ProtocolError
from interlock.model.event import Channel, Event, Media, Path, Text
from interlock.protocols import Answer, Document, Usage
from interlock.protocols._json import decode, encode, is_empty, object_, opaque, text_, values, where
from interlock.protocols._reading import Fits, Voice, holds, is_count, is_name, is_number, is_switch
from interlock.protocols.ollama.fields import calls_of, message_events, unknown

FINISHES = frozenset({"stop", "length", "load", "unload", "tool_calls"})
# What an answer is, each in its own method.
_BODIES = frozenset({"message", "response", "embeddings", "embedding"})
_KNOWN = frozenset({"message", "response", "thinking", "tool_calls", "image", "logprobs", "model"})
_OUTPUT = Voice(Channel.OUTPUT)


def _are_numbers(value: object) -> bool:
    return isinstance(value, list) and set(map(type, value)) <= {int, float}


def _is_matrix(value: object) -> bool:
    return isinstance(value, list) and all(map(_are_numbers, value))


def _is_text(value: object) -> bool:
    return isinstance(value, str)


_TOKEN = {"token": _is_text, "logprob": is_number, "bytes": _are_numbers}
_IS_TOKEN = holds(**_TOKEN)
_IS_CHOSEN = holds(**_TOKEN, top_logprobs=lambda value: isinstance(value, list) and all(map(_IS_TOKEN, value)))

# What says nothing, as long as it is what it should be.
_QUIET: Mapping[str, Fits] = {
    "created_at": is_name,
    "remote_model": is_name,
    "remote_host": is_name,
    "done": is_switch,
    "done_reason": lambda value: isinstance(value, str) and value in FINISHES,
    "total_duration": is_count,
    "load_duration": is_count,
    "prompt_eval_count": is_count,
    "prompt_eval_duration": is_count,
    "eval_count": is_count,
    "eval_duration": is_count,
    "completed": is_count,
    "total": is_count,
    "embedding": _are_numbers,
    "embeddings": _is_matrix,
}


def read_answer(data: bytes) -> Answer:
    """A whole answer of any of the methods, understood."""
    document = decode(data)
    if document.keys().isdisjoint(_BODIES):
        raise ProtocolError("the answer holds none", status=502)
    if without_context(document):
        data = encode(document)
    return Answer(data, document, model_of(document), tuple(events_of(document)), usage_of(document))


def without_context(document: Document) -> bool:
    """Take `context` out, if it is what it should be: the conversation as tokens, which nobody here can read."""
    found = _are_numbers(document.get("context"))
    if found:
        del document["context"]
    return found


def model_of(document: Document) -> str:
    """The model that answers, as the server calls it."""
    return text_(document.get("model") or "", ("model",))


def events_of(document: Document) -> Iterator[Event]:
    """What an answer, or a line of a streamed one, says."""
    given = document.get("message")
    message = object_({} if given is None else given, ("message",))
    if message.get("role", "assistant") not in ("assistant", ""):
        raise ProtocolError("an answer's role is not assistant", where=where(("message", "role")), status=502)
    yield from message_events(message, ("message",), Channel.OUTPUT, {})
    for key in ("response", "thinking"):
        if isinstance(text := document.get(key), str) and text:
            yield _OUTPUT.says((key,), text)
        elif not is_empty(text):
            yield opaque((key,), text)
    if isinstance(image := document.get("image"), str) and image:
        yield Media(("image",), Channel.OUTPUT, "image", "inline", image)
    elif not is_empty(image):
        yield opaque(("image",), image)
    yield from calls_of(document, ())
    yield from _tokens(document.get("logprobs"))
    yield from unknown(document, (), _KNOWN, _QUIET)


def _tokens(logprobs: object) -> Iterator[Event]:
    """The chosen tokens in order, which a text can be read from, and the alternatives.

    They repeat the text: what is taken out there must not stay here.
    """
    path: Path = ("logprobs",)
    if is_empty(logprobs):
        return
    if not isinstance(logprobs, list) or not all(map(_IS_CHOSEN, logprobs)):
        yield opaque(path, logprobs)
        return
    yield Text(path, Channel.OUTPUT, "".join(entry.get("token") or "" for entry in logprobs))
    others = [text for entry in logprobs for _, text in values(entry.get("top_logprobs"), ())]
    if others:
        yield Text((*path, "top_logprobs"), Channel.OUTPUT, "\n".join(others))


def usage_of(document: Document) -> Usage:
    """The tokens that an answer or its last line counts."""
    counts = [document.get(key) for key in ("prompt_eval_count", "eval_count")]
    return Usage(*(count if is_count(count) else 0 for count in counts))  # type: ignore[arg-type]
