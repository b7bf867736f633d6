"""A model's server that says what its script tells it, on loopback, streamed or not: OpenAI chat completions, or
what another `Speech` makes of the same words.

For tests, demos and benches. The script is a function from a request's document to a `Say`; nothing about it is
random, and what it was asked is kept. It is a real HTTP server on a thread of its own, with the standard
library's `http.server`, so that no bug of interlock's own HTTP can hide on both sides.
"""

import json
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class ModelCall:
    """A tool call that the model asks for; `arguments` become JSON."""

    name: str
    arguments: Document


@dataclass(frozen=True, slots=True)
class Say:
    """What the model answers. `pieces` cuts the text of a streamed answer; None cuts it into words."""

    text: str = ""
    calls: tuple[ModelCall, ...] = ()
    pieces: tuple[str, ...] | None = None


Script = Callable[[Document], Say]


class Speech(NamedTuple):
    """A protocol in which the server answers: a whole answer's body, and the events of a streamed one."""

    whole: Callable[[Document, Say], bytes]
    stream: Callable[[Document, Say], Iterator[bytes]]


@dataclass
class ModelServer:
    """The server. Use it as a context manager; `url` is the base address for an SDK or an upstream.

    `speech` is chat completions if it is None.
    """

    script: Script
    asked: list[Document] = field(default_factory=list)
    speech: Speech | None = None
    tls: ssl.SSLContext | None = None
    _server: ThreadingHTTPServer | None = None

    def __enter__(self) -> "ModelServer":
        model = self

        class Handler(_Handler):
            owner = model

        self._server = _Server(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        if self.tls:
            self._server.socket = self.tls.wrap_socket(self._server.socket, server_side=True)
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        assert self._server
        self._server.shutdown()
        self._server.server_close()

    @property
    def url(self) -> str:
        """Its base address, with `/v1`; over TLS by the name `localhost`."""
        assert self._server
        host = "https://localhost" if self.tls else "http://127.0.0.1"
        return f"{host}:{self._server.server_address[1]}/v1"


class _Server(ThreadingHTTPServer):
    request_queue_size = 1_024  # the default of 5 makes the sixth at once wait a second for its next SYN


class _Handler(BaseHTTPRequestHandler):
    owner: ModelServer
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # head and body go out separately, and the second would wait for the first's ACK

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        document: Document = json.loads(body)
        self.owner.asked.append(document)
        say = self.owner.script(document)
        speech = self.owner.speech or Speech(whole, stream)
        if document.get("stream"):
            self._send(b"".join(speech.stream(document, say)), "text/event-stream")
        else:
            self._send(speech.whole(document, say), "application/json")

    def _send(self, data: bytes, kind: str) -> None:
        self.send_response(200)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is http.server's
        """Say nothing."""


def whole(request: Document, say: Say) -> bytes:
    """A whole answer's body."""
    message: Document = {"role": "assistant", "content": say.text or None, "refusal": None}
    if say.calls:
        message["tool_calls"] = [_call(index, call, request) for index, call in enumerate(say.calls)]
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": _finish(say)}
    usage = {"prompt_tokens": 40, "completion_tokens": 12, "total_tokens": 52}
    document = _envelope(request, "chat.completion") | {"choices": [choice], "usage": usage}
    return json.dumps(document, separators=(",", ":")).encode()


def stream(request: Document, say: Say) -> Iterator[bytes]:
    """The events of a streamed answer, each as the bytes of one event."""
    envelope = _envelope(request, "chat.completion.chunk")

    def event(delta: Document, finish: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        return b"data: " + json.dumps(envelope | {"choices": [choice]}, separators=(",", ":")).encode() + b"\n\n"

    yield event({"role": "assistant", "content": ""})
    words = say.pieces if say.pieces is not None else tuple(word + " " for word in say.text.split(" "))
    for piece in words if say.text else ():
        yield event({"content": piece})
    for index, call in enumerate(say.calls):
        made = _call(index, call, request)
        arguments = made["function"].pop("arguments")
        yield event({"tool_calls": [{"index": index, **made, "function": made["function"] | {"arguments": ""}}]})
        for at in range(0, len(arguments), 7):
            part = {"index": index, "function": {"arguments": arguments[at : at + 7]}}
            yield event({"tool_calls": [part]})
    yield event({}, _finish(say))
    yield b"data: [DONE]\n\n"


def _envelope(request: Document, kind: str) -> Document:
    return {"id": f"chatcmpl-{len(request['messages'])}", "object": kind, "created": 1, "model": request["model"]}


def _call(index: int, call: ModelCall, request: Document) -> Document:
    arguments = json.dumps(call.arguments, ensure_ascii=False)
    call_id = f"call_{len(request['messages'])}_{index}"
    return {"id": call_id, "type": "function", "function": {"name": call.name, "arguments": arguments}}


def _finish(say: Say) -> str:
    return "tool_calls" if say.calls else "stop"
