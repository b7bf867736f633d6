"""Embeddings of Amazon Titan and of Cohere: texts in, numbers out.

Source: the Bedrock user guide, "Amazon Titan Embeddings" and "Cohere Embed". Nobody says who wrote the texts of a
request, so they count as retrieved ones.
"""

from collections.abc import Iterator

from interlock.model.event import Channel, Event, Media, Path, Text
from interlock.protocols import Answer, Document, Usage
from interlock.protocols._json import is_empty, list_, opaque, text_, texts, values
from interlock.protocols._reading import is_count, is_name, others

_SETTINGS = frozenset({"dimensions", "normalize", "embeddingTypes"})
_COHERE = frozenset({"input_type", "truncate", "embedding_types", "output_dimension", "max_tokens"})
_VECTORS = frozenset({"embedding", "embeddings", "embeddingsByType"})


def is_asked(document: Document) -> bool:
    """Whether a request is one for embeddings, by what it has that no other body does."""
    return "input_type" in document or ("inputText" in document and "textGenerationConfig" not in document)


def request_events(document: Document) -> Iterator[Event]:
    """The events of a request."""
    for key, value in document.items():
        if is_empty(value):
            continue
        if key == "inputText":
            yield Text((key,), Channel.RETRIEVED, text_(value, (key,)))
        elif key == "texts":
            for index, text in enumerate(list_(value, (key,))):
                yield Text((key, index), Channel.RETRIEVED, text_(text, (key, index)))
        elif key == "images":
            for index, image in enumerate(list_(value, (key,))):
                yield Media((key, index), Channel.RETRIEVED, "image", "inline", text_(image, (key, index)))
        elif key in _SETTINGS or key in _COHERE:
            for path, text in texts(value, (key,)):
                yield Text(path, Channel.PARAMETER, text)
        else:
            yield opaque((key,), value)


def is_given(document: Document) -> bool:
    """Whether an answer is one of embeddings."""
    return bool(document.keys() & _VECTORS)


def read_vectors(data: bytes, document: Document) -> Answer:
    """An answer with vectors, which may be of several kinds; Cohere says the texts once more."""
    events: list[Event] = []
    for key in sorted(document.keys() & _VECTORS):
        events += _strange(document[key], (key,))
    for path, text in values(document.get("texts"), ("texts",)):
        events.append(Text(path, Channel.OUTPUT, text))
    quiet = {"inputTextTokenCount": is_count, "id": is_name, "response_type": is_name}
    events += others(document, (), {*_VECTORS, "texts"}, quiet)
    count = document.get("inputTextTokenCount")
    return Answer(data, document, "", tuple(events), Usage(count if isinstance(count, int) and is_count(count) else 0))


def _strange(value: object, path: Path) -> Iterator[Event]:
    """What of vectors is no number."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if not is_name(key):
                yield opaque((*path, key), key)
            yield from _strange(inner, (*path, key))
    elif isinstance(value, list):
        if not all(isinstance(number, float | int) for number in value):
            for index, inner in enumerate(value):
                yield from _strange(inner, (*path, index))
    elif not isinstance(value, float | int | None):
        yield opaque(path, value)
