"""Events of a stream: `chunk`, in which a model's own event is carried as base64 of JSON."""

import binascii
from typing import Any

from interlock.model.errors import ProtocolError
from interlock.protocols import Document, decode, encode
from interlock.protocols._bedrock import event, is_figures
from interlock.protocols._reading import Fits

CHUNK = "chunk"
# What Bedrock adds to a model's own documents, answers and the last events of streams.
TRACE = "amazon-bedrock-trace"
ADDED: dict[str, Fits] = {
    "amazon-bedrock-invocationMetrics": is_figures,
    "amazon-bedrock-guardrailAction": lambda action: action in ("INTERVENED", "NONE"),
}


def unpacked(document: Document) -> Document:
    """The model's own event. Raises: ProtocolError."""
    packed = document.get("bytes")
    try:
        # Strictly: what one reader skips, another stops at.
        data = binascii.a2b_base64(packed, strict_mode=True) if isinstance(packed, str) else b""
    except (binascii.Error, ValueError):
        data = b""
    if not data:
        raise ProtocolError("a chunk holds no base64", where="bytes", status=502)
    return decode(data)


def packed(document: Document) -> bytes:
    """An event of a stream that carries the model's own."""
    return event(CHUNK, {"bytes": binascii.b2a_base64(encode(document), newline=False).decode()})


def own(document: Document) -> dict[str, Any]:
    """A model's document without what Bedrock added."""
    if TRACE not in document and not document.keys() & ADDED.keys():
        return document
    return {key: value for key, value in document.items() if key != TRACE and key not in ADDED}
