"""A request for a message, or for the count of its tokens."""

from interlock.model.errors import ProtocolError
from interlock.protocols import Request, Target, decode
from interlock.protocols._anthropic.request import conversation
from interlock.protocols._json import is_empty

COUNT = "/count_tokens"


def read_request(data: bytes, target: Target) -> Request:
    """A request, understood; one that only counts tokens is read the same."""
    document = decode(data)
    model, stream = document.get("model"), document.get("stream")
    if not isinstance(model, str) or not model:
        raise ProtocolError("model is missing or not a text", where="model", hint="name the model to call")
    if not isinstance(stream, bool | None) or (stream and target.path.endswith(COUNT)):
        raise ProtocolError("stream is neither true nor false", where="stream", hint="send true or false")
    if not is_empty(document.get("thread")):
        # The SDK's tool runner asks for a thread; by this code it goes on without one, and sends the whole history.
        raise ProtocolError(
            "a conversation that the API keeps cannot be read here", where="thread", hint="send the whole history",
            code="thread_unsupported_request",
        )  # fmt: skip
    return Request(data, document, model, bool(stream), conversation(document, {"model", "stream"}))
