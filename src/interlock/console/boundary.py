"""What every request passes before a page sees it, and what every answer carries."""

import ipaddress
import logging
import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from interlock.console.access import Access

logger = logging.getLogger(__name__)

LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
METHODS = ("GET", "HEAD", "POST")
# RFC 9110 4.1 asks for at least 8,000 octets of URI; no page of ours needs more in its query.
MAX_QUERY_BYTES = 8_000
# No form here sends more than a button.
MAX_BODY_BYTES = 16_384
# Everything comes from us, nothing is inline; `form-action` and `frame-ancestors` do not fall back to default-src.
POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    # Not no-referrer: under it a browser sends `Origin: null` with our own forms. Nothing reaches another site.
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "x-frame-options": "DENY",
    "cache-control": "no-store",
}


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a request goes no further: the page's `status`, and two sentences: what is wrong, what to do."""

    status: int
    what: str
    hint: str


class Boundary:
    """ASGI middleware round the whole console. Pure ASGI: it reads no body and holds nothing of an answer.

    It enforces, in this order: the Host is one of ours (DNS rebinding), the method is GET, HEAD or POST, the
    query is bounded, a POST comes from our own origin (CSRF) and is small, and everything but `open_paths`
    needs a session. Every answer gets a request id and the security headers, and is not stored unless it
    says otherwise. A fault of a page is logged under that id and never shown.
    It does NOT do TLS, and does not know who a person is.
    `names` are the hosts under which it may be reached, besides the very address a connection came in on.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        access: Access,
        names: Iterable[str],
        open_paths: tuple[str, ...],
        refused: Callable[[Scope, Refusal], Response],
    ) -> None:
        self._app = app
        self._access = access
        self._names = frozenset(name.lower().rstrip(".") for name in names)
        self._open_paths = open_paths
        self._refused = refused

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request. A websocket is closed: the console has none."""
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
            return
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = secrets.token_hex(8)
        scope.setdefault("state", {})["request_id"] = request_id
        answer = _Answer(send, request_id)
        try:
            await (self._refusal(scope) or self._app)(scope, receive, answer.send)
        except Exception:  # the edge of the process: a page's fault must not end the server
            # The path alone: a query can hold a token.
            logger.exception("request %s: %s %r failed", request_id, scope["method"], scope["path"])
            if not answer.begun:
                failed = PlainTextResponse(f"This page failed. Request {request_id}.\n", 500)
                await failed(scope, receive, answer.send)

    def _refusal(self, scope: Scope) -> Response | None:
        headers = Headers(scope=scope)
        if not self._is_ours(headers.getlist("host"), scope):
            # To a stranger's page, nothing of ours: no look, no name.
            return PlainTextResponse("This console is not reached under that name.\n", 421)
        if scope["method"] not in METHODS:
            return PlainTextResponse("Method not allowed.\n", 405, headers={"allow": ", ".join(METHODS)})
        refusal = self._against_rules(scope, headers)
        return self._refused(scope, refusal) if refusal else None

    def _against_rules(self, scope: Scope, headers: Headers) -> Refusal | None:
        if len(scope["query_string"]) > MAX_QUERY_BYTES:
            return Refusal(414, "This address is too long.", f"A query may have {MAX_QUERY_BYTES:,} bytes.")
        if scope["method"] == "POST":
            if not _same_origin(headers):
                return Refusal(403, "This request came from another site.", "Go to the console itself and try again.")
            length = headers.get("content-length", "0")
            if not length.isdecimal() or len(length) > len(str(MAX_BODY_BYTES)) or int(length) > MAX_BODY_BYTES:
                return Refusal(413, "This request is too large.", f"A form may have {MAX_BODY_BYTES:,} bytes.")
        open_to_all = any(_below(scope["path"], path) for path in self._open_paths)
        if not open_to_all and not any(self._access.admits(held) for held in session_ids(scope)):
            return Refusal(401, "You are not signed in.", "")
        return None

    def _is_ours(self, hosts: list[str], scope: Scope) -> bool:
        """Whether the one Host header (RFC 9112 3.2) names us.

        A name must be in the list. An address needs not if the connection came in on it: a page can only
        have that address for its origin if we sent it, so it is no use for rebinding.
        """
        if len(hosts) != 1:
            return False
        name = host_name(hosts[0])
        return name in self._names or (name != "" and _is_address(name) and name == _reached(scope))


class _Answer:
    """Adds to the beginning of an answer what every answer carries."""

    def __init__(self, send: Send, request_id: str) -> None:
        self._send = send
        self._request_id = request_id
        self.begun = False

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.begun = True
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers.setdefault(name, value)
            headers["x-request-id"] = self._request_id
        await self._send(message)


def host_name(host: str) -> str:
    """The name in a Host header or an authority, lower case, without port and brackets; "" if it is none.

    >>> host_name("LocalHost:7701"), host_name("[::1]:7701"), host_name("a@b"), host_name("::1")
    ('localhost', '::1', '', '')
    """
    try:
        parts = urlsplit(f"//{host}")
        name, _ = parts.hostname or "", parts.port
    except ValueError:
        return ""
    # urlsplit forgives user names, paths and queries; a Host header has none of them.
    if parts.netloc != host or "@" in host or (":" in name and not host.startswith("[")):
        return ""
    return name.rstrip(".")


def session_ids(scope: Scope) -> list[str]:
    """What the request offers as session ids. Whether one of them holds is for `Access` to say."""
    wanted = cookie_name(scope)
    pairs = [pair.strip().partition("=") for line in Headers(scope=scope).getlist("cookie") for pair in line.split(";")]
    return [value for name, _, value in pairs if name == wanted]


def cookie_name(scope: Scope) -> str:
    """The session cookie's name; `__Host-` (RFC 6265bis) wherever it is `Secure`.

    Cookies do not know ports, so the name holds ours: two consoles on one machine do not sign each other out.
    """
    server = scope.get("server")
    name = f"interlock-{server[1]}" if server else "interlock"
    return f"__Host-{name}" if is_secure(scope) else name


def is_secure(scope: Scope) -> bool:
    """Whether the session cookie is for TLS only: always, unless the console is reached over loopback."""
    return host_name(Headers(scope=scope).get("host", "")) not in LOOPBACK_NAMES


def _same_origin(headers: Headers) -> bool:
    """Whether a browser says that our own page sent this. One that says nothing is not believed."""
    if any(site != "same-origin" for site in headers.getlist("sec-fetch-site")):
        return False
    host = headers.get("host", "").lower()
    return [origin.lower() for origin in headers.getlist("origin")] in ([f"http://{host}"], [f"https://{host}"])


def _below(path: str, open_path: str) -> bool:
    return path.startswith(open_path) if open_path.endswith("/") else path == open_path


def _reached(scope: Scope) -> str:
    server = scope.get("server")
    return str(server[0]) if server else ""


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
