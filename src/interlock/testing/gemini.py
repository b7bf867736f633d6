"""A server of Gemini's protocol that says what its script tells it, on loopback, streamed or not.

It answers generateContent, streamGenerateContent, countTokens and the embedding methods, on any of their paths, with
the standard library's `http.server`; the first call of a turn is signed, as newer models do it.
"""

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from interlock.testing.model import Document, Say, Script

USAGE = {"promptTokenCount": 40, "candidatesTokenCount": 12, "totalTokenCount": 52}
SIGNATURE = "c2lnbmVk"


@dataclass
class GeminiServer:
    """The server. Use it as a context manager; `url` is the base address for an SDK or an upstream.

    `fault`, an HTTP status, is answered to everything as long as it is set. `asked` are the requests' documents.
    """

    script: Script
    fault: int = 0
    asked: list[Document] = field(default_factory=list)
    _server: ThreadingHTTPServer | None = None

    def __enter__(self) -> "GeminiServer":
        model = self

        class Handler(_Handler):
            owner = model

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        assert self._server
        self._server.shutdown()
        self._server.server_close()

    @property
    def url(self) -> str:
        """Its base address, without a version."""
        assert self._server
        return f"http://127.0.0.1:{self._server.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    owner: GeminiServer
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_POST(self) -> None:
        document: Document = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.owner.asked.append(document)
        if self.owner.fault:
            message = {"code": self.owner.fault, "message": "as the script says", "status": "UNAVAILABLE"}
            self._send(_json({"error": message}), "application/json", self.owner.fault)
            return
        path, _, query = self.path.partition("?")
        model, _, method = path.rpartition("/")[2].partition(":")
        match method:
            case "generateContent":
                self._send(whole(model, self.owner.script(document)), "application/json")
            case "streamGenerateContent" if query == "alt=sse":
                self._send(b"".join(stream(model, self.owner.script(document))), "text/event-stream")
            case "countTokens":
                self._send(_json({"totalTokens": 7}), "application/json")
            case "batchEmbedContents":
                vectors = [{"values": [0.5, -0.25]} for _ in document["requests"]]
                self._send(_json({"embeddings": vectors}), "application/json")
            case _:
                self._send(_json({"error": {"code": 404, "message": path}}), "application/json", 404)

    def _send(self, data: bytes, kind: str, status: int = 200) -> None:
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is http.server's
        """Say nothing."""


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
