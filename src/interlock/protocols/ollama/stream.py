"""An answer as a stream: lines of JSON, each an answer's shape with the next piece in it."""

import re
from collections.abc import Iterator

from interlock.model.errors import ProtocolError
from interlock.model.event import Media, Opaque, Text, ToolCall
from interlock.protocols import CallDelta, Delta, Document, Finish, Frame, TextDelta
from interlock.protocols._json import decode, is_empty, opaque
from interlock.protocols._reading import is_name
from interlock.protocols.ollama.answer import events_of, model_of, usage_of, without_context
from interlock.protocols.ollama.fields import line

# A line is one token, mostly; one with calls or a picture may be long.
MAX_LINE_BYTES = 4_194_304
# Ends of lines for some readers and not for others; see `fields.line`.
_OTHER_ENDS = re.compile(rb"\r|\xc2\x85|\xe2\x80[\xa8\xa9]")
# A line that is one piece of content.
_PLAIN = {"model", "created_at", "message", "done"}
_PLAIN_MESSAGE = {"role", "content"}


class Reader:
    """Lines of a stream. Rules: the line that is `done` ends it, or one that is an error, and nothing may follow."""

    def __init__(self) -> None:
        self._held = bytearray()
        self._searched = 0
        self._calls = 0
        self._done = False

    def feed(self, data: bytes) -> list[Frame]:
        """The frames that `data` completes."""
        self._held += data
        frames, start = [], 0
        while (end := self._held.find(b"\n", max(start, self._searched)) + 1) > 0:
            _check_length(end - start)
            frames.append(self._frame(bytes(self._held[start:end])))
            start = end
        del self._held[:start]
        self._searched = len(self._held)
        _check_length(self._searched)
        return frames

    def end(self) -> None:
        """The stream is over."""
        if self._held.strip() or not self._done:
            raise ProtocolError("the stream ended before its last line", status=502)

    def _frame(self, raw: bytes) -> Frame:
        if not raw.strip():
            return Frame(raw)
        if self._done:
            raise ProtocolError("the stream goes on after its last line", status=502)
        document = decode(raw[:-1])
        if not is_empty(document.get("error")):
            self._done = True
            return _error_frame(raw, document)
        if without_context(document) or _could_be_two(raw):
            raw = line(document)
        plain = _plain(document)
        deltas = tuple(self._deltas(document)) if plain is None else plain
        self._done = document.get("done") is True
        if self._done:
            deltas += (Finish(0),)
        usage = usage_of(document) if "eval_count" in document or "prompt_eval_count" in document else None
        return Frame(raw, document, deltas, usage, model_of(document), done=self._done)

    def _deltas(self, document: Document) -> Iterator[Delta]:
        for event in events_of(document):
            match event:
                case Text(path=path, text=text):
                    yield TextDelta((".".join(map(str, path)), 0), text)
                case ToolCall(call_id=call_id, name=name, arguments=arguments):
                    # The index is not always given, nor always another one: clients go by the order.
                    yield CallDelta(0, self._calls, call_id, name, arguments, numbered=False)
                    self._calls += 1
                case Media() | Opaque():
                    yield event
                case _:
                    raise AssertionError("an answer offers no tools")


def _could_be_two(raw: bytes) -> bool:
    """Whether some reader would take it for more than one line. CR before LF is an end like LF alone."""
    if raw.isascii() and b"\r" not in raw:
        return False
    return _OTHER_ENDS.search(raw, 0, len(raw) - len(b"\r\n")) is not None


def _check_length(size: int) -> None:
    if size > MAX_LINE_BYTES:
        raise ProtocolError(f"a line of the stream has over {MAX_LINE_BYTES} bytes", status=502)


def _plain(document: Document) -> tuple[Delta, ...] | None:
    """The deltas of a line with one piece of content and nothing else, or None. Most lines of a stream are such."""
    message = document.get("message")
    if document.keys() != _PLAIN or not isinstance(message, dict) or message.keys() != _PLAIN_MESSAGE:
        return None
    text = message["content"]
    if message["role"] != "assistant" or not isinstance(text, str) or document["done"] is not False:
        return None
    if not is_name(document["created_at"]) or not isinstance(document["model"], str):
        return None
    return (TextDelta(("message.content", 0), text),) if text else ()


def _error_frame(raw: bytes, document: Document) -> Frame:
    """An error that the server reports. Only its words go on: a client may read whatever else stands in there."""
    reported = document["error"]
    words = reported.get("message") if isinstance(reported, dict) else reported
    kept = {"error": words if isinstance(words, str) and words else "the model's server reported an error"}
    if document != kept:
        raw = line(kept)
    return Frame(raw, kept, (opaque(("error",), kept["error"]),), error=True)
