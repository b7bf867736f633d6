"""A whole answer: a message of Anthropic's, embeddings, or a body of a family that is not read."""

from collections.abc import Iterator

from interlock.model.event import Channel, Event, Opaque, Text
from interlock.protocols import Answer, Document, Usage, decode, encode
from interlock.protocols._anthropic.answer import read_message
from interlock.protocols._json import values
from interlock.protocols._reading import is_name, others
from interlock.protocols.bedrock_invoke import embeddings
from interlock.protocols.bedrock_invoke.chunks import ADDED, TRACE, own
from interlock.protocols.bedrock_invoke.request import UNREAD


def read_answer(data: bytes) -> Answer:
    """A whole answer, understood, or opaque as a whole. What could be taken for a message is read as one."""
    document = decode(data)
    body = own(document)
    if "content" in body or "role" in body or body.get("type") in ("message", "error"):
        answer = read_message(data, body)
    elif embeddings.is_given(body):
        answer = embeddings.read_vectors(data, body)
    else:
        answer = Answer(data, body, "", (Opaque((UNREAD,), encode(body).decode()),), Usage())
    return answer._replace(document=document, events=(*answer.events, *added(document)))


def added(document: Document) -> Iterator[Event]:
    """What Bedrock adds to a model's document: what a guardrail did, and the words in which it says so."""
    for path, text in values(document.get(TRACE), (TRACE,)):
        yield Text(path, Channel.OUTPUT, text)
    yield from _odd_keys(document.get(TRACE))
    yield from others({key: document[key] for key in ADDED if key in document}, (), frozenset(), ADDED)


def _odd_keys(value: object) -> Iterator[Event]:
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        if isinstance(key, str) and not is_name(key):
            yield Opaque((TRACE, key), key)
        yield from _odd_keys(inner)
