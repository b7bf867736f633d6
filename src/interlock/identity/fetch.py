"""One request to an issuer or a token endpoint, beside the traffic: few, small, and never in its way."""

import asyncio
import contextlib
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlencode, urlsplit

import httptools

from interlock.identity.settings import is_safe
from interlock.model.errors import ConfigError, UpstreamError

TIMEOUT_S = 10.0
# A set of keys has a few kilobytes; the largest public ones about thirty.
LONGEST_BYTES = 524_288
_CHUNK = 65_536


def tls(ca_file: str, where: str) -> ssl.SSLContext:
    """What verifies a server. Raises: ConfigError."""
    try:
        return ssl.create_default_context(cafile=ca_file or None)
    except OSError as error:
        raise ConfigError(f"cannot read the authorities: {error}", where=where, hint="name a PEM file") from error


@dataclass(slots=True)
class Fetched:
    """An answer: its status, and its body once it is whole."""

    status: int = 0
    body: bytearray = field(default_factory=bytearray, repr=False)
    framed: bool = False
    whole: bool = False


async def fetch(
    url: str,
    context: ssl.SSLContext,
    *,
    form: Mapping[str, str] | None = None,
    authorization: str = "",
    timeout_s: float = TIMEOUT_S,
) -> Fetched:
    """The answer to GET, or to POST of a `form`. Redirects are not followed, and no proxy is used.

    Raises: UpstreamError, which names the host and nothing of what was sent.
    """
    host = urlsplit(url).hostname or ""
    if not is_safe(url):
        raise UpstreamError("is neither https nor this machine", where=host)
    try:
        async with asyncio.timeout(timeout_s):
            return await _fetched(url, context, form, authorization)
    except TimeoutError:
        raise UpstreamError(f"did not answer within {timeout_s:.0f} s", where=host, status=504) from None
    except ssl.SSLCertVerificationError as error:
        raise UpstreamError(f"its certificate was refused, {error.verify_message}", where=host) from None
    except (OSError, UnicodeError) as error:
        why = getattr(error, "strerror", None) or type(error).__name__
        raise UpstreamError(f"cannot be reached: {why}", where=host) from None
    except httptools.HttpParserError:
        raise UpstreamError("did not answer in HTTP/1.1", where=host) from None


async def _fetched(url: str, context: ssl.SSLContext, form: Mapping[str, str] | None, authorization: str) -> Fetched:
    parts = urlsplit(url)
    secure, host = parts.scheme == "https", parts.hostname or ""
    port = parts.port or (443 if secure else 80)
    reader, writer = await asyncio.open_connection(host, port, ssl=context if secure else None)
    try:
        writer.write(_request(url, form, authorization))
        return await _answer(reader, host)
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


def _request(url: str, form: Mapping[str, str] | None, authorization: str) -> bytes:
    parts = urlsplit(url)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    body = urlencode(form).encode() if form is not None else b""
    lines = [f"{'GET' if form is None else 'POST'} {target} HTTP/1.1", f"host: {parts.netloc}"]
    lines += ["accept: application/json", "accept-encoding: identity", "connection: close"]
    if authorization:
        lines.append(f"authorization: {authorization}")
    if form is not None:
        lines += ["content-type: application/x-www-form-urlencoded", f"content-length: {len(body)}"]
    return "\r\n".join([*lines, "", ""]).encode() + body


async def _answer(reader: asyncio.StreamReader, host: str) -> Fetched:
    answer, seen = Fetched(), 0
    parser = httptools.HttpResponseParser(_Parsed(answer))
    while not answer.whole and (data := await reader.read(_CHUNK)):
        seen += len(data)
        if seen > LONGEST_BYTES:
            raise UpstreamError(f"answered over {LONGEST_BYTES} bytes", where=host)
        parser.feed_data(data)
        answer.status = parser.get_status_code()
    if not answer.whole and (answer.framed or not answer.status):
        raise UpstreamError("closed the connection before its answer was whole", where=host)
    return answer


class _Parsed:
    """Takes what the parser finds. The names are the parser's."""

    def __init__(self, answer: Fetched) -> None:
        self._answer = answer

    def on_header(self, name: bytes, _: bytes) -> None:
        """A header: whether the answer has an end of its own, or ends with the connection."""
        self._answer.framed |= name.lower() in (b"content-length", b"transfer-encoding")

    def on_body(self, data: bytes) -> None:
        """A piece of the body."""
        self._answer.body += data

    def on_message_complete(self) -> None:
        """Its end."""
        self._answer.whole = True
