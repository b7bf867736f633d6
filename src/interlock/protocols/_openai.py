"""What the protocols of OpenAI have in common: how an error is told, and what is never streamed."""

from collections.abc import Mapping

from interlock.model.errors import ProtocolError
from interlock.protocols import Document, Frame, Target
from interlock.protocols._json import decode, encode, opaque
from interlock.protocols._sse import Events

_KINDS = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}


def error(status: int, code: str, message: str) -> bytes:
    """The body of an error, as the API's own servers write it."""
    kind = _KINDS.get(status, "invalid_request_error" if status < 500 else "server_error")
    return encode({"error": {"message": message, "type": kind, "param": None, "code": code}})


def stream_error(code: str, message: str) -> bytes:
    """An error as an event of a stream, which the SDKs raise."""
    return b"data: " + error(500, code, message) + b"\n\n"


def addressed(data: bytes, target: Target) -> tuple[bytes, Document, str]:
    """A request as it is forwarded, its document, and the model that it is for.

    That is the deployment where the path names one (Azure OpenAI), else the body's. SDKs may write the model that
    stands behind a deployment into the body; servers differ in which of the two they go by, so the body gets the
    deployment's name as well.
    """
    document = decode(data)
    deployment, given = target.fields.get("model"), document.get("model")
    model = deployment if given is None else given
    if not isinstance(model, str) or not model:
        raise ProtocolError("model is missing or not a text", where="model", hint="name the model to call")
    if not deployment:
        return data, document, model
    if model != deployment:
        document = {**document, "model": deployment}
        data = encode(document)
    return data, document, deployment


class Unstreamed:
    """The stream of what is not streamed: only one error is understood, with nothing but its words."""

    def __init__(self) -> None:
        self._events = Events()
        self._done = False

    def feed(self, data: bytes) -> list[Frame]:
        """The error that `data` completes."""
        return [self._frame(*event) for event in self._events.feed(data)]

    def end(self) -> None:
        """The stream is over."""
        self._events.end()
        if not self._done:
            raise ProtocolError("this is not streamed", status=502)

    def _frame(self, raw: bytes, data: bytes | None, fields: Mapping[str, str]) -> Frame:
        document = decode(data) if data and not fields and not self._done else {}
        words = document.get("error")
        if document.keys() != {"error"} or not isinstance(words, dict) or not _is_error(words):
            raise ProtocolError("this is not streamed", status=502)
        self._done = True
        return Frame(raw, deltas=(opaque(("error",), words),), error=True)


def _is_error(words: Document) -> bool:
    known = words.keys() <= {"message", "type", "param", "code"}
    return known and all(isinstance(word, str | None) for word in words.values())
