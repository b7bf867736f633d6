"""Speaks with the server: finds its era, begins what that era wants begun, asks, and refuses what it asks back."""

from collections.abc import Generator, Mapping
from typing import Any, TypeAlias, TypeVar

from interlock.guard.commands import Begin, ClientGoneError, Emit, Read
from interlock.guard.mcp.commands import Answered, Headers, McpCommand, McpTold, Send, Tell
from interlock.guard.mcp.state import Link
from interlock.guard.mcp.visit import Visit
from interlock.mcp import messages
from interlock.mcp.eras import LEGACY, MODERN, Era, sent_headers, sent_params
from interlock.mcp.framing import Framing, Messages, event
from interlock.mcp.headers import param_headers
from interlock.mcp.messages import Notification, Request, Response
from interlock.model.errors import ProtocolError, UpstreamError
from interlock.model.event import Channel, Text
from interlock.model.record import Origin

R = TypeVar("R")
Steps: TypeAlias = Generator[McpCommand, McpTold, R]

ACCEPTED, NOT_FOUND, OK = 202, 404, 200
CLIENT = {"name": "interlock", "version": "1"}
# What servers ask of their clients. The gateway offers none of it, and one that asks anyway is refused.
ASKED_BACK = "A server may not ask its client for this: nothing of it is offered."
# Messages of one answer before its end. Progress comes a few times a second.
MOST_MESSAGES = 100_000


class SessionLostError(UpstreamError):
    """The server does not know our session any more. Nothing was carried out."""


class Refused(ProtocolError):  # noqa: N818 - an answer, not a fault of ours
    """The server answers with an error of JSON-RPC."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.rpc_code = code


def connected(visit: Visit, known: Link | None) -> Steps[Link]:
    """A link to the server: `known` if there is one, the one that all share, or a new one."""
    server = visit.server
    if known:
        return known
    if server.shared:
        return server.shared
    link = None
    if server.era is not Era.LEGACY and server.settings.url:
        link = yield from _discovered(visit)
    link = link or (yield from _initialized(visit))
    server.era = link.era
    if link.era.is_modern:
        server.shared = link
    return link


def ask(
    visit: Visit, link: Link, method: str, params: Mapping[str, Any], schema: Mapping[str, Any] | None = None
) -> Steps[dict[str, Any]]:
    """The result of a request. `schema` is that of the tool that is called.

    Raises: Refused if the server answers with an error, SessionLostError, UpstreamError, ProtocolError.
    """
    id_ = visit.server.next_id()
    sent = sent_params(params, link.era, CLIENT)
    if "progressToken" in sent.get("_meta", {}):
        visit.token, sent["_meta"]["progressToken"] = sent["_meta"]["progressToken"], id_
    headers = sent_headers(link.era, method, sent, link.version, link.session)
    if schema is not None and link.era.is_modern and isinstance(sent.get("arguments"), dict):
        headers += param_headers(schema, sent["arguments"])
    try:
        answered = yield Send("POST", messages.request(id_, method, sent), tuple(headers), id_)
        assert isinstance(answered, Answered)
        if answered.status == NOT_FOUND and (link.session or visit.server.settings.command):
            raise SessionLostError("does not know our session any more", where=visit.server.name)
        response = yield from _response(visit, link, answered, id_)
    except ClientGoneError:
        if not link.era.is_modern:  # there, the end of the connection says it
            yield say(link, "notifications/cancelled", {"requestId": id_})
        raise
    if response.error is not None:
        raise Refused(response.error["code"], str(response.error.get("message", "")))
    assert response.result is not None
    return response.result


def say(link: Link, method: str, params: Mapping[str, Any] | None = None) -> Tell:
    """A notification to the server."""
    return Tell(messages.notification(method, params), _session_headers(link))


def _session_headers(link: Link) -> Headers:
    return tuple(sent_headers(link.era, "", {}, link.version, link.session))


def _response(visit: Visit, link: Link, answered: Answered, id_: int) -> Steps[Response]:
    """The response to our request `id_`, past everything else that comes with it."""
    if answered.status in (401, 403):
        raise UpstreamError("refused interlock's credential", where=visit.server.name)
    reader = Messages(answered.framing, visit.server.settings.max_result_bytes)
    ended, seen = False, 0
    while not ended:
        data = yield Read()
        assert data is None or isinstance(data, bytes)
        ended = data is None or answered.framing is Framing.BODY
        found = reader.feed(data) if data else []
        for raw in found + (reader.end() if ended else []):
            seen += 1
            if seen > MOST_MESSAGES:
                raise ProtocolError(f"the server sent over {MOST_MESSAGES} messages and no answer")
            message = _parsed(raw, answered.status)
            if isinstance(message, Response):
                if message.id not in (id_, None) or (message.id is None and message.error is None):
                    raise ProtocolError("the server answered a request that nobody made")
                return message
            yield from _aside(visit, link, message)
    if answered.status != OK:
        raise UpstreamError(f"answered {answered.status}", where=visit.server.name)
    raise UpstreamError("ended without an answer", where=visit.server.name)


def _parsed(raw: bytes, status: int) -> messages.Message:
    try:
        return messages.parse(raw)
    except ProtocolError as error:
        if status != OK:  # a proxy's page
            raise UpstreamError(f"answered {status}") from error
        raise ProtocolError(f"the server sent what is no message: {error.what}") from error


def _aside(visit: Visit, link: Link, message: Request | Notification) -> Steps[None]:
    """What a server says before it answers: progress goes on to the client, a request is refused."""
    if isinstance(message, Request):
        if message.method == "ping":
            answer = messages.result(message.id, {})
        else:
            visit.block("server_request", message.method, ASKED_BACK)
            answer = messages.error(message.id, messages.METHOD_NOT_FOUND, "not permitted")
        yield Tell(answer, _session_headers(link))
    elif message.method == "notifications/tools/list_changed":
        visit.server.catalogue.expire()
    elif message.method == "notifications/progress" and visit.token is not None and visit.may_stream:
        told = {key: message.params[key] for key in ("progress", "total", "message") if key in message.params}
        said = Text((), Channel.TOOL_RESULT, str(told.get("message", "")))
        if said.text and visit.receive(said, Origin.UNTRUSTED):
            return
        if not visit.streaming:
            visit.streaming = True
            yield Begin()
        yield Emit(event(messages.notification(message.method, told | {"progressToken": visit.token})))


def _discovered(visit: Visit) -> Steps[Link | None]:
    """The link to a server of the newer era; None if it says in whatever way that it is none."""
    probe = Link(Era.MODERN, MODERN, "", {}, {}, "")
    try:
        result = yield from ask(visit, probe, "server/discover", {})
    except (Refused, ProtocolError):
        return None
    except UpstreamError as error:
        # Refused by HTTP alone is the older era's way to say that it does not know; silence is an outage.
        if not error.what.startswith(("answered 4", "ended without")):
            raise
        return None
    versions = result.get("supportedVersions")
    if not isinstance(versions, list) or MODERN not in versions:
        return None
    meta = result.get("_meta")
    about = meta.get("io.modelcontextprotocol/serverInfo") if isinstance(meta, dict) else None
    return Link(Era.MODERN, MODERN, "", _object(result.get("capabilities")), _object(about), _text(result))


def _initialized(visit: Visit) -> Steps[Link]:
    """The link to a server of the older era, with a session of its own if it gives one."""
    id_ = visit.server.next_id()
    offer = {"protocolVersion": LEGACY[0], "capabilities": {}, "clientInfo": CLIENT}
    answered = yield Send("POST", messages.request(id_, "initialize", offer), (), id_, opens=True)
    assert isinstance(answered, Answered)
    unlinked = Link(Era.LEGACY, "", answered.session, {}, {}, "")
    response = yield from _response(visit, unlinked, answered, id_)
    if response.result is None:
        raise UpstreamError("refused the handshake", where=visit.server.name)
    version = response.result.get("protocolVersion")
    if version not in LEGACY:
        raise UpstreamError("speaks a revision of MCP that is not known here", where=visit.server.name)
    result = response.result
    link = Link(
        Era.LEGACY, version, answered.session, _object(result.get("capabilities")),
        _object(result.get("serverInfo")), _text(result),
    )  # fmt: skip
    # Waited for: a request that overtakes it would be refused.
    yield Send("POST", messages.notification("notifications/initialized"), _session_headers(link))
    yield Read()
    return link


def _object(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(result: Mapping[str, Any]) -> str:
    value = result.get("instructions")
    return value if isinstance(value, str) else ""


def unasked(message: messages.Message) -> tuple[bytes, str]:
    """What a server on stdin is told that says something outside of any answer, and what it was refused, if it was."""
    if not isinstance(message, Request):
        return b"", ""
    if message.method == "ping":
        return messages.result(message.id, {}), ""
    return messages.error(message.id, messages.METHOD_NOT_FOUND, "not permitted"), message.method
