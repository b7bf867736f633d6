"""Speaks with the server: finds its era, begins what that era wants begun, asks, and refuses what it asks back."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from interlock.guard.commands import ClientGoneError, Note, Read
from interlock.guard.mcp.asks import EVERYTHING, offered, pass_on, show
from interlock.guard.mcp.commands import Answered, Await, Bell, Send, Steps, Tell
from interlock.guard.mcp.heard import heard
from interlock.guard.mcp.parking import park
from interlock.guard.mcp.state import Link, Session
from interlock.guard.mcp.visit import Visit
from interlock.mcp import messages
from interlock.mcp.eras import (
    LEGACY,
    LEVEL_META,
    MODERN,
    TRACE_STATE,
    Era,
    plain_capabilities,
    sent_headers,
    sent_params,
)
from interlock.mcp.framing import Framing, Messages
from interlock.mcp.headers import param_headers
from interlock.mcp.messages import Notification, Request, Response
from interlock.model.errors import ProtocolError, UpstreamError

R = TypeVar("R")
ACCEPTED, NOT_FOUND, OK = 202, 404, 200
NOTHING: Mapping[str, Any] = {}
CLIENT = {"name": "interlock", "version": "1"}
# What a server on stdin is told that asks outside of any answer.
ASKED_BACK = "A server may not ask its client for this now."
# How often a stream may end before its answer, and how soon it is asked for again.
MOST_RESUMED = 20
AGAIN_S = 0.2
LAST_ID = b"last-event-id"
# Messages of one answer before its end. Progress comes a few times a second.
MOST_MESSAGES = 100_000
# What is said before an answer comes into records of so many steps each.
MOST_STEPS = 100


class SessionLostError(UpstreamError):
    """The server does not know our session any more. Nothing was carried out."""


class NoHandshakeError(UpstreamError):
    """The server does not begin with `initialize`: it speaks the newer era alone."""


class Refused(ProtocolError):  # noqa: N818 - an answer, not a fault of ours
    """The server answers with an error of JSON-RPC; `data` is what it says beside it."""

    def __init__(self, code: int, message: str, data: object = None) -> None:
        super().__init__(message)
        self.rpc_code = code
        self.data = data


def connected(visit: Visit, known: Link | None) -> Steps[Link]:
    """A link to the server: `known` if there is one, the one that all share, or a new one.

    A client is served in its own era if the server speaks it, so that nothing has to be translated.
    """
    server = visit.server
    if known:
        return known
    if visit.era.is_modern and server.shared:
        return server.shared
    if not visit.era.is_modern and server.era is not Era.MODERN:
        try:
            return (yield from _initialized(visit))
        except NoHandshakeError:
            if not server.settings.url:
                raise
            server.era = Era.MODERN
    if server.shared:
        return server.shared
    link = None
    if server.era is not Era.LEGACY and server.settings.url:
        link = yield from _discovered(visit)
    if link is None:
        link = yield from _initialized(visit)
        server.era = Era.LEGACY
    else:
        server.shared = link
    return link


def linked(
    visit: Visit, session: Session | None, work: Callable[[Link], Steps[R]], *, opening: bool = False
) -> Steps[tuple[R, Link]]:
    """What `work` gives over the link of this client. A session that the server has lost is begun anew, once."""
    # A program that was started here serves one workload, and has one link. Else each caller has a link of its own.
    started = bool(visit.server.settings.command)
    key = (visit.workload, "") if started else (visit.call.principal.credential, visit.log.session)
    known = session.link if session and not started else visit.server.links.get(key)
    if opening and not started:
        known = None
    link = yield from connected(visit, known)

    def keep() -> None:
        """At once: the call may last for long, and others come meanwhile."""
        if session:
            session.link = link
        if started or (not session and not opening and not link.era.is_modern):
            visit.server.links.put(key, link)

    keep()
    try:
        done = yield from work(link)
    except SessionLostError:
        # Nothing was carried out. What was noted of the call stays true.
        link = yield from connected(visit, None)
        keep()
        done = yield from work(link)
    return done, link


def ask(
    visit: Visit, link: Link, method: str, params: Mapping[str, Any], schema: Mapping[str, Any] | None = None,
    capabilities: Mapping[str, Any] = NOTHING,
) -> Steps[dict[str, Any]]:  # fmt: skip
    """The result of a request. `schema` is that of the tool that is called, `capabilities` what can be had meanwhile.

    Raises: Refused if the server answers with an error, SessionLostError, UpstreamError, ProtocolError.
    """
    id_ = visit.server.next_id()
    sent = sent_params(params, link.era, CLIENT, capabilities)
    state = sent.get("_meta", {}).get(TRACE_STATE)
    if state is not None and visit.holds_secret([state]):
        del sent["_meta"][TRACE_STATE]
    if link.era.is_modern and visit.session and visit.level:
        sent["_meta"][LEVEL_META] = visit.level
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
        raise Refused(response.error["code"], str(response.error.get("message", "")), response.error.get("data"))
    assert response.result is not None
    return response.result


def say(link: Link, method: str, params: Mapping[str, Any] | None = None) -> Tell:
    """A notification to the server."""
    return Tell(messages.notification(method, params), link.headers)


def _response(visit: Visit, link: Link, answered: Answered, id_: int) -> Steps[Response]:
    """The response to our request `id_`, past everything else that comes with it.

    A server of the older era may end the stream in between, and go on where it is asked to (SEP-1699).
    """
    if answered.status in (401, 403):
        raise UpstreamError("refused interlock's credential", where=visit.server.name)
    visit.by_stream = answered.framing is Framing.EVENTS and visit.may_stream and not visit.era.is_modern
    for _ in range(MOST_RESUMED):
        reader = Messages(answered.framing, visit.server.settings.max_result_bytes)
        response = yield from _read(visit, link, answered, reader, id_)
        if response is not None:
            return response
        if not reader.last_id or not link.session:
            break
        yield Await(Bell(), AGAIN_S)
        answered = yield from resumed(link, reader.last_id)
    if answered.status != OK:
        raise UpstreamError(f"answered {answered.status}", where=visit.server.name)
    raise UpstreamError("ended without an answer", where=visit.server.name)


def resumed(link: Link, last_id: str) -> Steps[Answered]:
    """What the server says after the event `last_id`, or from now on if that is empty."""
    after = ((LAST_ID, last_id.encode()),) if last_id else ()
    answered = yield Send("GET", b"", (*link.headers, *after))
    assert isinstance(answered, Answered)
    return answered


def _read(visit: Visit, link: Link, answered: Answered, reader: Messages, id_: int) -> Steps[Response | None]:
    """The response in one answer of HTTP; None if it ends without."""
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
    return None


def _parsed(raw: bytes, status: int) -> messages.Message:
    try:
        return messages.parse(raw)
    except ProtocolError as error:
        if status != OK:  # a proxy's page
            raise UpstreamError(f"answered {status}") from error
        raise ProtocolError(f"the server sent what is no message: {error.what}") from error


def _aside(visit: Visit, link: Link, message: Request | Notification) -> Steps[None]:
    """What a server says before it answers: as far as it may, it goes on to the client."""
    if isinstance(message, Request) and visit.parks and message.method != "ping":
        yield from park(visit, link, message)
    elif isinstance(message, Request):
        yield from pass_on(visit, link, message)
    elif visit.may_stream and (told := heard(visit, message)):
        yield from show(visit, told)
    if len(visit.steps) >= MOST_STEPS:
        yield Note(visit.log.answer(OK, tuple(visit.steps)))
        visit.steps.clear()


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
    settings = visit.server.settings
    # A program serves many clients; any other link of the older era one, of which each request is looked at again.
    can = EVERYTHING if settings.command else visit.capabilities
    offer = {
        "protocolVersion": LEGACY[0],
        "capabilities": plain_capabilities(offered(settings, can)),
        "clientInfo": CLIENT,
    }
    answered = yield Send("POST", messages.request(id_, "initialize", offer), (), id_, opens=True)
    assert isinstance(answered, Answered)
    unlinked = Link(Era.LEGACY, "", answered.session, {}, {}, "")
    try:
        response = yield from _response(visit, unlinked, answered, id_)
    except UpstreamError as error:
        if answered.status // 100 == 4 and answered.status not in (401, 403):
            raise NoHandshakeError(error.what, where=visit.server.name) from error
        raise
    if response.result is None:
        raise NoHandshakeError("refused the handshake", where=visit.server.name)
    version = response.result.get("protocolVersion")
    if version not in LEGACY:
        raise UpstreamError("speaks a revision of MCP that is not known here", where=visit.server.name)
    result = response.result
    link = Link(
        Era.LEGACY, version, answered.session, _object(result.get("capabilities")),
        _object(result.get("serverInfo")), _text(result),
    )  # fmt: skip
    # Waited for: a request that overtakes it would be refused.
    yield Send("POST", messages.notification("notifications/initialized"), link.headers)
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
