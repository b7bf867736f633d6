"""A request: Anthropic's, one for embeddings, or a body of a family that is not read."""

from collections.abc import Iterator

from interlock.model.event import Channel, Event, Opaque, Text
from interlock.protocols import Document, Request, Target, decode, encode
from interlock.protocols._anthropic.request import conversation
from interlock.protocols._json import texts
from interlock.protocols.bedrock_invoke import embeddings

# What only Bedrock asks for in Anthropic's body; the model is in the path, and whether it is streamed.
_BESIDE = frozenset({"anthropic_version", "anthropic_beta"})
# How a body that is not read is called, in policies and in what a client is told.
UNREAD = "invoke-body-of-this-model-family"


def read_request(data: bytes, target: Target) -> Request:
    """A request, understood, or opaque as a whole."""
    document = decode(data)
    model = target.fields.get("model", "")
    stream = target.path.endswith("-stream")
    if "anthropic_version" in document:
        events = (*conversation(document, _BESIDE), *_settings(document))
        return Request(data, document, model, stream, events)
    if embeddings.is_asked(document):
        found = tuple(embeddings.request_events(document))
        return Request(data, document, model, stream, found, frozenset({"embeddings"}))
    return Request(data, document, model, stream, (Opaque((UNREAD,), encode(document).decode()),))


def _settings(document: Document) -> Iterator[Event]:
    for key in sorted(_BESIDE & document.keys()):
        for path, text in texts(document[key], (key,)):
            yield Text(path, Channel.PARAMETER, text)
