"""What the protocols of Amazon Bedrock share: how an error is told, and what stands around the events of a stream.

Source: the `bedrock-runtime` model of botocore 1.44 (what is raised, and by which name), and its parsers.
"""

import re
from collections.abc import Mapping

from interlock.model.errors import ProtocolError
from interlock.model.event import Opaque
from interlock.protocols import Document, Frame, TextDelta
from interlock.protocols._eventstream import Message, Messages, message
from interlock.protocols._json import decode, encode
from interlock.protocols._reading import is_name

STREAM_TYPE = b"application/vnd.amazon.eventstream"
# What comes after the end of the message is of no choice that could have been finished.
AFTER = 1
_EXCEPTIONS = {
    400: "ValidationException", 401: "AccessDeniedException", 403: "AccessDeniedException",
    404: "ResourceNotFoundException", 408: "ModelTimeoutException", 424: "ModelErrorException",
    429: "ThrottlingException", 503: "ServiceUnavailableException",
}  # fmt: skip
# What an exception says.
_WORDS = ("message", "Message", "originalMessage")
_KIND = re.compile(r"[A-Za-z]{1,64}")
# Random letters in each event, so that its length tells nothing of its text: a prefix of these.
_PADDING = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
_JSON = {":content-type": "application/json"}


def error(status: int, code: str, message: str) -> bytes:  # noqa: ARG001 - Bedrock has one name for an error, not two
    """The body of an error: the SDKs raise the exception that `__type` names."""
    kind = _EXCEPTIONS.get(status, "ValidationException" if status < 500 else "InternalServerException")
    return encode({"message": message, "__type": kind})


def stream_error(code: str, message: str) -> bytes:  # noqa: ARG001 - as above
    """An error as an event of a stream, which the SDKs raise."""
    return _exception("modelStreamErrorException", {"message": message})


def event(kind: str, document: Document) -> bytes:
    """An event of a stream."""
    return message({":event-type": kind, ":message-type": "event", **_JSON}, encode(document))


def kind_of(found: Message) -> tuple[str, tuple[Opaque, ...]]:
    """The name of an event, empty if it is an error; and the headers of which nothing is known."""
    headers = found.headers
    kind, said = headers.get(":event-type", ""), headers.get(":message-type")
    if said == "event" and kind and len(headers) == 3 and headers.get(":content-type") == "application/json":
        return kind, ()
    known = {
        "event": {":message-type", ":event-type"},
        "exception": {":message-type", ":exception-type"},
        "error": {":message-type", ":error-code", ":error-message"},
    }.get(said or "")
    if known is None or (said == "event" and not kind):
        raise ProtocolError("a message of the stream does not say what it is", status=502)
    if _JSON.items() <= headers.items():
        known.add(":content-type")
    aside = tuple(Opaque((name,), text) for name, text in headers.items() if name not in known and text)
    return kind if said == "event" else "", aside


def reopened(frame: Frame) -> tuple[str, Document]:
    """An event of a stream once more: its name, and its document."""
    (found,) = Messages().feed(frame.raw)
    return found.headers.get(":event-type", ""), decode(found.payload)


def padding(document: Document) -> frozenset[str]:
    """The field that only pads an event, if it does nothing else."""
    filler = document.get("p")
    return frozenset({"p"} if isinstance(filler, str) and _PADDING.startswith(filler) else ())


def fault(found: Message, aside: tuple[Opaque, ...]) -> Frame:
    """An error that the server reports in a stream. Only its words go on: a client may read whatever else is there."""
    headers = found.headers
    if headers[":message-type"] == "exception":
        kind, document = headers.get(":exception-type", ""), decode(found.payload or b"{}")
    else:
        kind, document = headers.get(":error-code", ""), {"message": headers.get(":error-message")}
    if not _KIND.fullmatch(kind):
        raise ProtocolError("an error in the stream has no name", status=502)
    kept = {key: text for key in _WORDS if isinstance(text := document.get(key), str)}
    raw = found.raw if found.raw == _exception(kind, document) and document == kept else _exception(kind, kept)
    said_so = tuple(TextDelta((key, AFTER), text, again=True) for key, text in kept.items() if text)
    return Frame(raw, kept, (*aside, *said_so), error=True)


def edit_fault(frame: Frame, texts: Mapping[tuple[str, int], str]) -> bytes:
    """The bytes of an error with its words replaced."""
    (found,) = Messages().feed(frame.raw)
    changed = {name: text for (name, _), text in texts.items()}
    return _exception(found.headers[":exception-type"], {**(frame.document or {}), **changed})


def _exception(kind: str, document: Document) -> bytes:
    return message({":exception-type": kind, ":message-type": "exception", **_JSON}, encode(document))


def is_figures(value: object) -> bool:
    """Whether it is counts, however they are nested; only how long a cache lives is told in letters."""
    if isinstance(value, dict):
        return all(
            is_name(key) and (is_figures(inner) or (key == "ttl" and inner in ("5m", "1h")))
            for key, inner in value.items()
        )
    return all(map(is_figures, value)) if isinstance(value, list) else isinstance(value, int | float)
