"""A server on loopback that answers each request by a function: of its method, path, headers and document.

For protocols whose paths or methods say what is wanted. It is a real HTTP server, of the standard library.
"""

import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple

from interlock.testing.model import Document


class Asked(NamedTuple):
    """A request as it came; header names are in lower case, and a request without a body has an empty document."""

    method: str
    path: str
    headers: Mapping[str, str]
    document: Document


class Answered(NamedTuple):
    """What is answered to it."""

    body: bytes
    media_type: str = "application/json"
    status: int = 200


@dataclass
class AnsweringServer:
    """The server. Use it as a context manager; `url` is its base address, without a path."""

    answer: Callable[[Asked], Answered]
    asked: list[Asked] = field(default_factory=list)
    _server: ThreadingHTTPServer | None = None

    def __enter__(self) -> "AnsweringServer":
        owned = self

        class Handler(_Handler):
            owner = owned

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
        """Its base address."""
        assert self._server
        return f"http://127.0.0.1:{self._server.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    owner: AnsweringServer
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # head and body go out separately, and the second would wait for the first's ACK

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        headers = {name.lower(): value for name, value in self.headers.items()}
        asked = Asked(self.command, self.path, headers, json.loads(body or b"{}"))
        self.owner.asked.append(asked)
        answered = self.owner.answer(asked)
        self.send_response(answered.status)
        self.send_header("content-type", answered.media_type)
        self.send_header("content-length", str(len(answered.body)))
        self.end_headers()
        self.wfile.write(answered.body)

    def do_GET(self) -> None:
        self.do_POST()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is http.server's
        """Say nothing."""
