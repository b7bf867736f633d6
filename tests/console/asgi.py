"""A browser of a few lines: one request to an ASGI application, and the answer whole. No sockets."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlencode

from starlette.types import ASGIApp, Message

from interlock.console.access import Access
from interlock.console.app import build
from interlock.console.settings import ConsoleSettings
from interlock.console.sources import Sources

HOST = "127.0.0.1:7701"
ORIGIN = f"http://{HOST}"
OWN = (("origin", ORIGIN), ("sec-fetch-site", "same-origin"))


@dataclass(frozen=True)
class Answer:
    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode("utf-8")

    def header(self, name: str) -> str:
        found = [value for key, value in self.headers if key == name]
        assert len(found) == 1, f"{name}: {found}"
        return found[0]

    def has(self, name: str) -> bool:
        return any(key == name for key, _ in self.headers)


class Browser:
    """Keeps the console's cookie as a browser does, and sends what it is told to send."""

    def __init__(self, sources: Sources, settings: ConsoleSettings | None = None) -> None:
        self.clock = 1000.0
        self.access = Access(clock=lambda: self.clock)
        self.app = build(sources, self.access, settings or ConsoleSettings())
        self.cookie = ""

    def sign_in(self) -> "Browser":
        answer = self.get(self.link())
        assert answer.status == 303
        self.cookie = answer.header("set-cookie").partition(";")[0]
        return self

    def link(self) -> str:
        """A fresh one-time link, without its host."""
        return self.access.mint_link(ORIGIN).removeprefix(ORIGIN)

    def get(self, target: str, *headers: tuple[str, str], host: str = HOST) -> Answer:
        return self.ask("GET", target, headers, host=host)

    def post(self, target: str, *headers: tuple[str, str], host: str = HOST) -> Answer:
        return self.ask("POST", target, headers, host=host)

    def fill(self, target: str, fields: Mapping[str, str], *headers: tuple[str, str], token: bool = True) -> Answer:
        """Send a form as a browser sends one of our own pages, with its session's token unless told otherwise."""
        session = self.cookie.partition("=")[2]
        own = {"form": self.access.form_token(session)} if token else {}
        return self.send(target, urlencode({**own, **fields}).encode(), *headers)

    def send(self, target: str, body: bytes, *headers: tuple[str, str]) -> Answer:
        """Send any body as a form."""
        sent = {"content-type": "application/x-www-form-urlencoded", "content-length": str(len(body)), **dict(OWN)}
        sent |= {"host": HOST, "cookie": self.cookie} | dict(headers)
        return asyncio.run(request(self.app, "POST", target, [*sent.items()], body=body))

    def ask(self, method: str, target: str, headers: Iterable[tuple[str, str]] = (), host: str = HOST) -> Answer:
        own = [("host", host)] if host else []
        cookies = [("cookie", self.cookie)] if self.cookie else []
        return asyncio.run(request(self.app, method, target, [*own, *cookies, *headers]))


def scope(
    method: str, target: str, headers: Sequence[tuple[str, str]], server: tuple[str, int] = ("127.0.0.1", 7701)
) -> dict[str, Any]:
    path, _, query = target.partition("?")
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": unquote(path),
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers],
        "client": ("127.0.0.1", 50000),
        "server": server,
    }


async def request(
    app: ASGIApp,
    method: str,
    target: str,
    headers: Sequence[tuple[str, str]],
    server: tuple[str, int] = ("127.0.0.1", 7701),
    body: bytes = b"",
) -> Answer:
    """One request. The application must send exactly one answer."""
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    await app(scope(method, target, headers, server), receive, send)
    start, *rest = sent
    assert start["type"] == "http.response.start"
    return Answer(
        start["status"],
        tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in start["headers"]),
        b"".join(message.get("body", b"") for message in rest),
    )
