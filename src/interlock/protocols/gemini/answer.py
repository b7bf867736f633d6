"""A whole answer, and what a chunk of a stream shares with it."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from interlock.model.errors import ProtocolError
from interlock.model.event import Channel, Event, Opaque, Path, Text
from interlock.protocols import Answer, Document, Usage
from interlock.protocols._json import decode, is_empty, opaque, text_, where
from interlock.protocols.gemini.fields import (
    FINISHES,
    IDS,
    SOURCES,
    TOKENS,
    Field,
    fields,
    inside,
    is_number,
    is_plain,
    several,
    structure,
    unknown,
)
from interlock.protocols.gemini.parts import part_events, said

# Far more than `candidateCount` allows.
MOST_CANDIDATES = 128
# Texts of a candidate that go on from part to part and from chunk to chunk, as clients put them together.
GROWING = frozenset({"text", "thought", *TOKENS})
_COUNTS = frozenset(
    {
        "usageMetadata", "totalTokens", "totalBillableCharacters", "cachedContentTokenCount", "promptTokensDetails",
        "cacheTokensDetails", "metadata", "truncated",
    }
)  # fmt: skip
_VECTOR = frozenset({"values", "statistics", "shape", "tokenCount", "truncated"})
_FEEDBACK = frozenset({"blockReason", "safetyRatings"})


class Said(NamedTuple):
    """An event of a candidate, and the name of the text that it goes on with: a growing one's, or that of its place."""

    name: str
    event: Event


def read_answer(data: bytes) -> Answer:
    """A whole answer of any of the methods, understood. A text in several parts is one event: clients join them."""
    document = decode(data)
    found = fields(document, ())
    if found.keys().isdisjoint(("candidates", "promptFeedback", "totalTokens", "embedding", "embeddings")):
        raise ProtocolError("the answer holds none", status=502)
    events: list[Event] = [*envelope(found)]
    candidates = several(found.get("candidates"))
    if len(candidates) > MOST_CANDIDATES:
        raise ProtocolError(f"an answer with over {MOST_CANDIDATES} candidates", where="candidates", status=502)
    for path, value in candidates:
        events += _joined(candidate_events(fields(value, path), path))
    return Answer(data, document, said(found, "modelVersion"), tuple(events), usage_of(document))


def _joined(said_there: Iterator[Said]) -> Iterator[Event]:
    grown: dict[str, list[Text]] = {}
    others: list[Event] = []
    for name, event in said_there:
        if name in GROWING and isinstance(event, Text):
            grown.setdefault(name, []).append(event)
        else:
            others.append(event)
    for pieces in grown.values():
        yield pieces[0]._replace(text="".join(piece.text for piece in pieces))
    yield from others


def candidate_events(found: dict[str, Field], path: Path) -> Iterator[Said]:
    """What one candidate says, whole or a chunk of it."""
    if "content" in found:
        yield from _content(found["content"], len(path))
    for name, field in found.items():
        if name in SOURCES or name == "finishMessage":
            for text in structure(field, Channel.OUTPUT):
                yield Said(place(text.path[len(path) :]), text)
        elif name == "logprobsResult":
            yield from _tokens(field, path)
        elif name != "content" and not _says_nothing(name, field.value) and not is_empty(field.value):
            yield Said("", opaque(*field))


def _says_nothing(name: str, value: object) -> bool:
    """Whether a field of a candidate holds what it always does: a number, a reason to finish, ratings."""
    match name:
        case "index" | "tokenCount" | "avgLogprobs":
            return is_number(value)
        case "finishReason":
            # With `enum-encoding=int` it is a number.
            return value in FINISHES if isinstance(value, str) else isinstance(value, int)
        case "safetyRatings":
            return is_plain(value)
        case _:
            return False


def _content(field: Field, depth: int) -> Iterator[Said]:
    found = inside(field)
    if said(found, "role") not in ("model", ""):
        raise ProtocolError("an answer's role is not model", where=where(found["role"].path), status=502)
    for at, part in several(found.get("parts")):
        for event in part_events(part, at, Channel.OUTPUT):
            if isinstance(event, Text) and event.path == (*at, "text"):
                yield Said("thought" if part.get("thought") else "text", event)
            else:
                yield Said(place(event.path[depth:]), event)
    for event in unknown(found, frozenset({"role", "parts"})):
        yield Said("", event)


def place(path: Path) -> str:
    """The name of a text that stands for itself; `path` begins below the candidate.

    >>> place(("content", "parts", 2, "inlineData", "displayName"))
    'content.parts.2.inlineData.displayName'
    """
    return ".".join(map(str, path))


def _tokens(field: Field, path: Path) -> Iterator[Said]:
    """The chosen tokens in order, which a text can be read from, and all of it, with the alternatives.

    They repeat the text: what is taken out there must not stay here.
    """
    chosen, whole = TOKENS
    tokens = [said(fields(token, at), "token") for at, token in several(inside(field).get(chosen))]
    yield Said(chosen, Text((*path, chosen), Channel.OUTPUT, "".join(tokens)))
    for text in structure(field, Channel.OUTPUT):
        yield Said(whole, text)


def envelope(found: dict[str, Field]) -> Iterator[Opaque]:
    """What is not expected around an answer."""
    for name, field in found.items():
        if name == "candidates" or is_empty(field.value) or (name in _COUNTS and _is_count(field.value)):
            continue
        if name in IDS:
            text_(field.value, field.path)
        elif name == "promptFeedback":
            feedback = inside(field)
            plain = frozenset(key for key in _FEEDBACK & feedback.keys() if is_plain(feedback[key].value))
            yield from unknown(feedback, plain)
        elif name in ("embedding", "embeddings"):
            for at, vector in several(field):
                inner = fields(vector, at)
                yield from unknown(
                    inner, frozenset(key for key in _VECTOR & inner.keys() if is_plain(inner[key].value))
                )
        else:
            yield opaque(*field)


def _is_count(value: object) -> bool:
    return is_number(value) or is_plain(value)


def usage_of(document: Document) -> Usage:
    """The tokens that an answer or a chunk counts: what tools brought is of the prompt, thoughts are of the answer."""
    usage = document.get("usageMetadata")
    if not isinstance(usage, dict):
        return Usage()
    return Usage(
        _count(usage, "promptTokenCount") + _count(usage, "toolUsePromptTokenCount"),
        _count(usage, "candidatesTokenCount") + _count(usage, "thoughtsTokenCount"),
    )


def _count(usage: Document, key: str) -> int:
    count: Any = usage.get(key)
    return count if isinstance(count, int) and not isinstance(count, bool) and count >= 0 else 0
