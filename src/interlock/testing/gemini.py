"""What a scripted model says, in Gemini's protocol, as Google's servers write it; each turn's first call is signed."""

import json
from collections.abc import Iterator
from dataclasses import dataclass

from interlock.testing.answering import Answered, Asked
from interlock.testing.model import Document, Say, Script

USAGE = {"promptTokenCount": 40, "candidatesTokenCount": 12, "totalTokenCount": 52}
SIGNATURE = "c2lnbmVk"


@dataclass
class GeminiModel:
    """The server's side: generateContent, streamGenerateContent, countTokens and the embedding methods, on any path.

    `fault`, an HTTP status, is answered to everything as long as it is set.
    """

    script: Script
    fault: int = 0

    def __call__(self, asked: Asked) -> Answered:
        """What is answered to a request."""
        document = asked.document
        if self.fault:
            message = {"code": self.fault, "message": "as the script says", "status": "UNAVAILABLE"}
            return Answered(_json({"error": message}), status=self.fault)
        path, _, query = asked.path.partition("?")
        model, _, method = path.rpartition("/")[2].partition(":")
        match method:
            case "generateContent":
                return Answered(whole(model, self.script(document)))
            case "streamGenerateContent" if query == "alt=sse":
                return Answered(b"".join(stream(model, self.script(document))), "text/event-stream")
            case "countTokens":
                return Answered(_json({"totalTokens": 7}))
            case "batchEmbedContents":
                vectors = [{"values": [0.5, -0.25]} for _ in document["requests"]]
                return Answered(_json({"embeddings": vectors}))
            case _:
                return Answered(_json({"error": {"code": 404, "message": path}}), status=404)


def whole(model: str, say: Say) -> bytes:
    """A whole answer's body."""
    parts: list[Document] = [{"text": say.text}] if say.text else []
    return _json(_document(model, [*parts, *_calls(say)], finish=True))


def stream(model: str, say: Say) -> Iterator[bytes]:
    """The events of a streamed answer, each as the bytes of one event: a piece of the text, or a whole call."""
    words = say.pieces if say.pieces is not None else tuple(word + " " for word in say.text.split(" "))
    parts = [*({"text": piece} for piece in words if say.text), *_calls(say)]
    for number, part in enumerate(parts):
        yield event(_document(model, [part], finish=number == len(parts) - 1))


def event(document: Document) -> bytes:
    """One event of a stream, with the line ends that Google's servers send."""
    return b"data: " + _json(document) + b"\r\n\r\n"


def _calls(say: Say) -> list[Document]:
    calls: list[Document] = [{"functionCall": {"name": call.name, "args": call.arguments}} for call in say.calls]
    if calls:
        calls[0]["thoughtSignature"] = SIGNATURE
    return calls


def _document(model: str, parts: list[Document], *, finish: bool = False) -> Document:
    content: Document = {"role": "model", "parts": parts} if parts else {"role": "model"}
    candidate: Document = {"content": content, "index": 0}
    if finish:
        candidate["finishReason"] = "STOP"
    return {"candidates": [candidate], "usageMetadata": USAGE, "modelVersion": model, "responseId": "r1"}


def _json(document: Document) -> bytes:
    return json.dumps(document).encode()
