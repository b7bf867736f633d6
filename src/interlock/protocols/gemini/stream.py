"""An answer as a stream of chunks, each a whole answer's shape with the next piece in it."""

from collections import Counter
from collections.abc import Iterator, Mapping

from interlock.model.errors import ProtocolError
from interlock.model.event import Media, Opaque, Text, ToolCall
from interlock.protocols import CallDelta, Delta, Document, Frame, TextDelta, Usage
from interlock.protocols._json import decode, encode, where
from interlock.protocols._sse import Events
from interlock.protocols.gemini.answer import GROWING, MOST_CANDIDATES, candidate_events, envelope, usage_of
from interlock.protocols.gemini.fields import ERROR, IDS, Field, fields, inside, is_plain, several
from interlock.protocols.gemini.partial import Calls

# A chunk with the next piece of the text and nothing else, as most are.
_PLAIN = IDS | {"candidates", "usageMetadata"}
_PLAIN_CANDIDATE = frozenset({"content", "index"})
_PLAIN_CONTENT = frozenset({"parts", "role"})
_PLAIN_PART = frozenset({"text"})


class Reader:
    """Chunks of `streamGenerateContent` with `alt=sse`.

    Rules: there is no end mark, so the answer is complete when the stream ends and each candidate has said why it
    finished, or the prompt was blocked. A candidate may go on after its reason: some servers give one in each chunk.
    """

    def __init__(self) -> None:
        self._events = Events()
        self._calls = Calls()
        self._called: Counter[int] = Counter()
        self._finished: dict[int, bool] = {}
        self._blocked = False
        self._error = False
        self._usage = Usage()
        self._number = 0

    def feed(self, data: bytes) -> list[Frame]:
        """The frames that `data` completes."""
        return [self._frame(*event) for event in self._events.feed(data)]

    def end(self) -> None:
        """The stream is over."""
        self._events.end()
        if not self._error and (not self._complete or self._calls.unfinished):
            raise ProtocolError("the stream ended before the answer was complete", status=502)

    @property
    def _complete(self) -> bool:
        return self._blocked if not self._finished else all(self._finished.values())

    def _frame(self, raw: bytes, data: bytes | None, other: Mapping[str, str]) -> Frame:
        if self._error and (data is not None or other):
            raise ProtocolError("the stream goes on after an error", status=502)
        aside = tuple(Opaque((name or "comment",), text) for name, text in other.items() if text)
        if data is None:
            return Frame(raw, deltas=aside)
        document = decode(data)
        if document.get("error") is not None:
            self._error = True
            return _error_frame(raw, document, aside)
        if not aside and not self._calls.unfinished and (text := _plain_text(document)) is not None:
            self._finished.setdefault(0, False)
            return self._made(raw, document, (TextDelta(("text", 0), text),) if text else ())
        found = fields(document, ())
        if self._put_together(found):
            raw = b"data: " + encode(document) + b"\n\n"
        deltas = (*aside, *envelope(found), *self._deltas(found))
        self._blocked = self._blocked or "blockReason" in inside(found.get("promptFeedback"))
        return self._made(raw, document, deltas)

    def _made(self, raw: bytes, document: Document, deltas: tuple[Delta, ...]) -> Frame:
        usage = None
        if "usageMetadata" in document:
            counted = usage_of(document)
            usage = self._usage = Usage(*map(max, self._usage, counted)) if counted != self._usage else counted
        return Frame(raw, document, deltas, usage, document.get("modelVersion") or "", last=self._complete)

    def _put_together(self, found: dict[str, Field]) -> bool:
        """Put whole calls in the place of their pieces; whether any of them was there."""
        changed = False
        for at, value in several(found.get("candidates")):
            candidate = fields(value, at)
            content = inside(candidate.get("content"))
            parts = self._calls.take(index_of(candidate), several(content.get("parts")))
            if parts is not None:
                candidate["content"].value[content["parts"].key] = parts
                changed = True
        return changed

    def _deltas(self, found: dict[str, Field]) -> Iterator[Delta]:
        self._number += 1
        seen = set()
        for path, value in several(found.get("candidates")):
            candidate = fields(value, path)
            choice = index_of(candidate)
            if choice in seen:
                raise ProtocolError("a candidate stands twice in one event", where=where(path), status=502)
            seen.add(choice)
            for name, event in candidate_events(candidate, path):
                match event:
                    case Text():
                        # A text that stands for itself is another one in each chunk.
                        stream = name if name in GROWING else f"{self._number}:{name}"
                        yield TextDelta((stream, choice), event.text)
                    case ToolCall():
                        yield CallDelta(
                            choice, self._called[choice], event.call_id, event.name, event.arguments, numbered=False
                        )
                        self._called[choice] += 1
                    case Media() | Opaque():
                        yield event
                    case _:
                        raise AssertionError("an answer offers no tools")
            finished = "finishReason" in candidate and candidate["finishReason"].value not in (0, "", _UNSPECIFIED)
            self._finished[choice] = self._finished.get(choice, False) or finished


_UNSPECIFIED = "FINISH_REASON_UNSPECIFIED"


def index_of(candidate: dict[str, Field]) -> int:
    """Which candidate it is; protobuf leaves a 0 out."""
    index = candidate["index"].value if "index" in candidate else 0
    if not isinstance(index, int) or isinstance(index, bool) or not 0 <= index < MOST_CANDIDATES:
        raise ProtocolError("expected an index from 0", where=where(candidate["index"].path), status=502)
    return index


def _plain_text(document: Document) -> str | None:
    """The text of a chunk that brings a piece of it and nothing else; None if it is another one."""
    candidates = document.get("candidates")
    if not document.keys() <= _PLAIN or not isinstance(candidates, list) or len(candidates) != 1:
        return None
    if not isinstance(candidate := candidates[0], dict) or not candidate.keys() <= _PLAIN_CANDIDATE:
        return None
    if not isinstance(content := candidate.get("content"), dict) or not content.keys() <= _PLAIN_CONTENT:
        return None
    if content.get("role", "model") != "model" or candidate.get("index", 0) != 0:
        return None
    parts = content.get("parts")
    if not isinstance(parts, list) or len(parts) != 1 or not isinstance(part := parts[0], dict):
        return None
    if part.keys() != _PLAIN_PART or not isinstance(text := part["text"], str):
        return None
    ids = all(isinstance(document[name], str) for name in IDS & document.keys())
    return text if ids and is_plain(document.get("usageMetadata")) else None


def _error_frame(raw: bytes, document: Document, aside: tuple[Delta, ...]) -> Frame:
    """An error that the server reports. Only its words go on: a client may read whatever else stands in there."""
    reported = document["error"]
    words = reported if isinstance(reported, dict) else {"message": reported}
    kept = {key: words[key] for key in ERROR if isinstance(words.get(key), str | int) and key in words}
    if document != {"error": kept}:
        document = {"error": kept}
        raw = b"data: " + encode(document) + b"\n\n"
    return Frame(raw, document, aside, error=True)
