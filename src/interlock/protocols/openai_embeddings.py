"""OpenAI embeddings, as the official SDKs speak it and as most model servers answer it.

Source: the OpenAI API reference, `POST /v1/embeddings`, and the types of `openai` 3.57. Nobody says who wrote the
texts of a request, so they count as retrieved ones. Tokens as input cannot be read, so they are opaque: send texts
(LangChain: `check_embedding_ctx_length=False`). The vectors of an answer are numbers, no text: they are looked at as
bytes. In base64 they must be floats of one dimension and of a size that embeddings have, which most text is not. What
takes the vectors out of an answer leaves an empty list, for which the SDKs raise an error. Nothing is streamed: of a
stream only an error is understood.
"""

import binascii
import re
from collections.abc import Iterator, Mapping

import msgspec

from interlock.model.errors import ProtocolError
from interlock.model.event import Channel, Event, Opaque, Path, Text
from interlock.model.meta import Example, Meta
from interlock.protocols import Adapter, Answer, AnswerEdit, Document, Frame, FrameEdit, Request, Target, Usage, Wire
from interlock.protocols._json import (
    decode,
    encode,
    is_empty,
    list_,
    object_,
    opaque,
    replace,
    rest,
    text_,
    texts,
    values,
    where,
)
from interlock.protocols._openai import Unstreamed, addressed, error, stream_error

_PARAMETERS = frozenset({"dimensions", "encoding_format", "user"})
_NUMBERS = b"0123456789+-.eE, \t\r\n"
# A number of an embedding is below 1, or 100 where a model does not normalise. By the highest byte of a float, its
# sign and exponent but a bit, it is below 2^21 (IEEE 754); small letters, infinity and what is no number are above.
_FLOAT_BYTES = 4
_SMALL = bytes(byte for byte in range(256) if byte & 0x7F <= 0x49)
_ANSWER = frozenset({"object", "data", "model", "usage"})
_ENTRY = frozenset({"object", "index", "embedding"})
_ID = re.compile(r"[!-~]{1,256}")


class _Entry(msgspec.Struct):
    """One vector, as the bytes that stand in the answer."""

    embedding: msgspec.Raw


class _Answer(msgspec.Struct):
    data: list[_Entry]


_decode = msgspec.json.Decoder(_Answer).decode


def _read_request(data: bytes, target: Target) -> Request:
    data, document, model = addressed(data, target)
    return Request(data, document, model, False, tuple(_events(document)), frozenset({"embeddings"}))


def _events(document: Document) -> Iterator[Event]:
    given = document.get("input")
    if isinstance(given, str):
        yield Text(("input",), Channel.RETRIEVED, given)
    elif isinstance(given, list) and given and all(isinstance(text, str) for text in given):
        yield from (Text(("input", index), Channel.RETRIEVED, text) for index, text in enumerate(given))
    elif isinstance(given, list) and given:
        yield opaque(("input", 0), given)
    else:
        raise ProtocolError("input is missing or empty", where="input", hint="send a text, or a list of texts")
    for key, value in document.items():
        if key in _PARAMETERS:
            for path, text in texts(value, (key,)):
                yield Text(path, Channel.PARAMETER, text)
        elif key not in ("model", "input") and not is_empty(value):
            yield opaque((key,), value)


def _read_answer(data: bytes) -> Answer:
    """The answer without its vectors: each stands as 0 in the document."""
    document = decode(_without_vectors(data))
    entries = list_(document.get("data"), ("data",))
    events: list[Event] = []
    for index, value in enumerate(entries):
        path: Path = ("data", index)
        entry = object_(value, path)
        if entry.get("embedding") != 0:
            raise ProtocolError("an entry holds no vector", where=where(path), status=502)
        number = ("index",) if isinstance(entry.get("index"), int) else ()
        events += rest(entry, path, _ENTRY - {"index"} | {*number})
        events += _marks(entry, path, ("object",))
    events += rest(document, (), _ANSWER)
    events += _marks(document, (), ("object", "model"))
    events += (Opaque(at, text) for at, text in values(document.get("usage"), ("usage",)))
    return Answer(data, document, text_(document.get("model") or "", ("model",)), tuple(events), _usage(document))


def _marks(value: Document, path: Path, names: tuple[str, ...]) -> Iterator[Opaque]:
    """Fields that name something, unless they are a name without spaces."""
    for name in names:
        inner = value.get(name)
        if not is_empty(inner) and not (isinstance(inner, str) and _ID.fullmatch(inner)):
            yield opaque((*path, name), inner)


def _without_vectors(data: bytes) -> bytes:
    """The answer's bytes with 0 for each vector, so that reading it strictly costs nothing. Raises: ProtocolError."""
    try:
        entries = _decode(data).data
    except (msgspec.DecodeError, msgspec.ValidationError, UnicodeDecodeError, RecursionError) as wrong:
        raise ProtocolError(f"the answer is not one of embeddings: {wrong}", status=502) from wrong
    sizes = {_dimension(bytes(entry.embedding)) for entry in entries}
    if len(sizes) > 1:
        raise ProtocolError("the vectors of an answer differ in their dimension", where="data", status=502)
    pieces, start = [], 0
    for entry in entries:
        vector = bytes(entry.embedding)
        at = data.index(vector, start)
        pieces += [data[start:at], b"0"]
        start = at + len(vector)
    return b"".join((*pieces, data[start:]))


def _dimension(vector: bytes) -> int:
    """How many numbers a vector has, and that it has nothing else. Raises: ProtocolError."""
    if vector.startswith(b"[") and vector.translate(None, _NUMBERS) == b"[]":
        return vector.count(b",") + 1 if vector.strip(b"[] \t\r\n") else 0
    if not vector.startswith(b'"'):
        raise ProtocolError("a vector is neither a list of numbers nor a text", where="data[].embedding", status=502)
    try:
        packed = binascii.a2b_base64(vector[1:-1], strict_mode=True)
    except binascii.Error as wrong:
        raise ProtocolError(f"a vector is not in base64: {wrong}", where="data[].embedding", status=502) from wrong
    if len(packed) % _FLOAT_BYTES:
        raise ProtocolError("a vector does not consist of floats", where="data[].embedding", status=502)
    # Little-endian: the highest byte is the last one.
    if packed[_FLOAT_BYTES - 1 :: _FLOAT_BYTES].translate(None, _SMALL):
        raise ProtocolError("a vector holds what no embedding is", where="data[].embedding", status=502)
    return len(packed) // _FLOAT_BYTES


def _usage(document: Document) -> Usage:
    usage = document.get("usage")
    count = usage.get("prompt_tokens") if isinstance(usage, dict) else None
    return Usage(count if isinstance(count, int) and not isinstance(count, bool) and count >= 0 else 0)


def _edit_request(request: Request, changed: Mapping[Path, str]) -> bytes:
    document = decode(request.raw)
    for path, text in changed.items():
        replace(document, path, text)
    return encode(document)


def _edit_answer(answer: Answer, edit: AnswerEdit) -> bytes:
    return encode(answer.document | {"data": []}) if "embeddings" in edit.stripped else answer.raw


def _edit_frame(frame: Frame, _: FrameEdit) -> bytes:
    return frame.raw


ADAPTER = Adapter(
    meta=Meta(
        id="openai-embeddings",
        title="OpenAI embeddings",
        why="What is embedded leaves the house, and vectors of many texts help to copy a model.",
        since="0.1.0",
    ),
    routes=("/v1/embeddings", "/openai/deployments/{model}/embeddings"),
    base="/v1",
    query=frozenset({"api-version"}),
    headers=(b"openai-beta", b"idempotency-key"),
    request=_read_request,
    answer=_read_answer,
    reader=Unstreamed,
    edit_request=_edit_request,
    edit_answer=_edit_answer,
    edit_frame=_edit_frame,
    error=error,
    stream_error=stream_error,
    examples=(
        Example(
            "two texts, as the SDK asks for them",
            Wire("request", b'{"model":"m","input":["a","b"],"encoding_format":"base64"}'),
            ("retrieved:a", "retrieved:b", "parameter:base64"),
        ),
        Example(
            "tokens, of a deployment of Azure OpenAI",
            Wire("request", b'{"input":[[1,2],[3]]}', "/openai/deployments/m/embeddings?api-version=2024-10-21"),
            ("opaque:input[0]=[[1,2],[3]]",),
        ),
        Example(
            "vectors",
            Wire(
                "answer",
                b'{"object":"list","data":[{"object":"embedding","index":0,"embedding":[0.5,-0.5]},{"object":"embedding",'
                b'"index":1,"embedding":"AAAAPwAAAL8="}],"model":"m","usage":{"prompt_tokens":2,"total_tokens":2}}',
            ),
            (),
        ),
        Example(
            "an error where a stream was not to be expected",
            Wire("stream", b'data: {"error":{"message":"busy","type":"server_error","param":null,"code":"busy"}}\n\n'),
            ('opaque:error={"message":"busy","type":"server_error","param":null,"code":"busy"}',),
        ),
    ),
)
