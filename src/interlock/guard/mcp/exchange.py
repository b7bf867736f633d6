"""What a client's message to an MCP server sets off. A generator that does no I/O.

The order is the promise: nothing of a client goes to the server before it was read in full, decided and noted; a call
that can cause something goes out only after its record is durable; nothing goes to the client before it was inspected;
and every way out of here leaves a record.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from interlock.guard.commands import Begin, ClientGoneError, Emit, Note, Read
from interlock.guard.mcp.asks import take_answer
from interlock.guard.mcp.commands import Bell, CancelledError, Heed, McpExchange, Respond, Ring, Send, Steps
from interlock.guard.mcp.heard import LEVELS
from interlock.guard.mcp.link import Refused, ask, linked, say
from interlock.guard.mcp.others import about, discover, read_other
from interlock.guard.mcp.parking import PartedError
from interlock.guard.mcp.state import SESSION_US, Link, Memories, Server, Session
from interlock.guard.mcp.streams import listen, opened
from interlock.guard.mcp.tools import call_tool, list_tools
from interlock.guard.mcp.visit import Visit
from interlock.guard.records import Log
from interlock.guard.rules import Call, Rules
from interlock.mcp import messages
from interlock.mcp.eras import (
    ASKED,
    CAPABILITIES_META,
    LEGACY,
    LEVEL_META,
    MODERN,
    SESSION_HEADER,
    VERSION_HEADER,
    check_envelope,
    era_of,
    sent_headers,
    status_of,
    told_result,
)
from interlock.mcp.framing import event
from interlock.mcp.messages import Id, MessageError, Notification, Request, Response
from interlock.model.decision import Task
from interlock.model.errors import InterlockError, ProtocolError, UpstreamError
from interlock.model.event import Channel, Text
from interlock.model.record import Origin, Step
from interlock.protocols import encode

OK, ACCEPTED, BAD_REQUEST, FORBIDDEN, NOT_FOUND, NOT_ALLOWED, BAD_GATEWAY = 200, 202, 400, 403, 404, 405, 502
CLIENT_GONE = 499
GONE = "The client closed the connection before the end."
CANCELLED = "The client wanted no answer any more."
ROOTS_CHANGED = "notifications/roots/list_changed"
# What a client asks that costs nothing and says nothing: no record.
_QUIET = frozenset({"ping"})


@dataclass(frozen=True, slots=True)
class Inbound:
    """A client's HTTP request. Header names are in lower case.

    `plain`: the message came on a line of its own, and no headers with it that could be compared.
    """

    method: str
    headers: Mapping[bytes, bytes]
    body: bytes
    plain: bool = False


def mcp_exchange(
    inbound: Inbound, server: Server, call: Call, rules: Rules, task: Task | None, memories: Memories
) -> McpExchange:
    """Run one exchange. The gateway performs each command and sends back what `commands.py` says.

    It may throw UpstreamError at `Send` and `Read`, and ClientGoneError anywhere; both end with a record.
    """
    log = Log(call, rules, session=task.id if task else "", bytes_in=len(inbound.body))
    memory = memories.of(task, rules.now_us(), call.principal.workload)
    visit = Visit(server, call, rules, task, memory, log)
    visit.may_stream = b"text/event-stream" in inbound.headers.get(b"accept", b"")
    try:
        yield from _served(visit, inbound)
    except CancelledError:
        yield Note(log.answer(CLIENT_GONE, tuple(visit.steps), CANCELLED))
        if not visit.streaming and not visit.parked:  # an answer without a message: the client wants none
            yield Begin()
    except PartedError:
        yield Note(log.answer(OK, tuple(visit.steps)))
    except ClientGoneError:
        yield Note(log.answer(CLIENT_GONE, tuple(visit.steps), GONE))
    finally:
        for id_ in visit.waiting:
            if visit.session:
                visit.session.asked.pop(id_, None)
        memories.grown(memory, rules.now_us())


def _served(visit: Visit, inbound: Inbound) -> McpExchange:
    if reason := barred(visit.server, visit.workload, visit.task):
        yield Note(visit.log.refusal(FORBIDDEN, reason))
        yield Respond(FORBIDDEN, messages.error(None, messages.INVALID_REQUEST, "not permitted"))
        return
    if inbound.method != "POST":
        yield from _without_body(visit, inbound)
        return
    try:
        message = messages.parse(inbound.body)
        if isinstance(message, Request):
            yield from _asked(visit, message, inbound)
        elif isinstance(message, Notification):
            yield from _notified(visit, message, inbound)
        else:
            yield from _answers(visit, message, inbound)
    except MessageError as error:
        yield from faulty(visit, error)


def barred(server: Server, workload: str, task: Task | None) -> str:
    """Why nothing of a server can be used in this task; empty if it can."""
    if server.settings.workloads is not None and workload not in server.settings.workloads:
        return f"{workload} may not use this server"
    if task and task.servers is not None and server.name not in task.servers:
        return "the task does not reach to this server"
    return ""


def faulty(visit: Visit, error: MessageError) -> McpExchange:
    """A message that could not be served: the client's fault, told in its era."""
    malformed = error.rpc_code in (messages.PARSE_ERROR, messages.INVALID_REQUEST)
    status = error.status if visit.era.is_modern or malformed else OK
    yield Note(visit.log.refusal(status, error.brief))
    yield from reply(visit, status, messages.error(error.id, error.rpc_code, error.what, error.data))


def _without_body(visit: Visit, inbound: Inbound) -> McpExchange:
    """GET and DELETE, which the newer era does not have."""
    session = _session(visit, inbound)
    if inbound.headers.get(VERSION_HEADER, b"").decode("latin-1") == MODERN or SESSION_HEADER not in inbound.headers:
        yield Respond(NOT_ALLOWED, messages.error(None, messages.INVALID_REQUEST, "use POST"))
    elif session is None:
        yield from _unknown_session()
    elif inbound.method == "DELETE":
        yield from _ended(visit, session)
    elif session.link is None:
        yield Respond(NOT_ALLOWED, messages.error(None, messages.INVALID_REQUEST, "the server has no stream"))
    else:
        visit.log.session = visit.log.session or session.id[:16]
        yield from opened(visit, session.link, inbound.headers)


def _unknown_session() -> McpExchange:
    yield Respond(NOT_FOUND, messages.error(None, messages.INVALID_REQUEST, "the session has ended"))


def _answers(visit: Visit, response: Response, inbound: Inbound) -> McpExchange:
    """The client answers what its server has asked."""
    if _session(visit, inbound) is None and SESSION_HEADER in inbound.headers:
        yield from _unknown_session()
        return
    yield from take_answer(visit, response)
    yield Respond(ACCEPTED)


def _notified(visit: Visit, said: Notification, inbound: Inbound) -> McpExchange:
    """What a client says without asking: that it wants an answer no more, or that its roots are others."""
    session = _session(visit, inbound)
    if session is None and SESSION_HEADER in inbound.headers:
        yield from _unknown_session()
        return
    id_ = said.params.get("requestId")
    if said.method == "notifications/cancelled" and isinstance(id_, int | str):
        if bell := visit.server.under_way.get(_key(visit, session, id_)):
            yield Ring(bell)
    elif said.method == ROOTS_CHANGED and session and session.link and _hears_roots(visit, session.link):
        yield say(session.link, said.method)
    yield Respond(ACCEPTED)


def _hears_roots(visit: Visit, link: Link) -> bool:
    return "roots" in visit.server.settings.offers and not link.era.is_modern


def _key(visit: Visit, session: Session | None, id_: Id) -> tuple[str, str, Id]:
    """Which request a client means: one of its own, in this session."""
    return visit.call.principal.credential, session.id if session else "", id_


def _session(visit: Visit, inbound: Inbound) -> Session | None:
    """The client's session, if it has one that is its own and has not ended."""
    session = visit.server.sessions.get(inbound.headers.get(SESSION_HEADER, b"").decode("latin-1"))
    if session is None or session.principal != visit.call.principal or visit.now_us - session.used_us > SESSION_US:
        return None
    session.used_us = visit.now_us
    visit.session, visit.capabilities, visit.level = session, session.capabilities, session.level
    return session


def _ended(visit: Visit, session: Session) -> McpExchange:
    yield from ended(visit, session)
    yield Note(visit.log.answer(OK, tuple(visit.steps)))
    yield Respond(OK)


def ended(visit: Visit, session: Session) -> Steps[None]:
    """Forget a client's session, and end the one that the server gave for it."""
    visit.server.sessions.pop(session.id)
    link = session.link
    if link and link.session:
        headers = sent_headers(link.era, "", {}, link.version, link.session)
        try:
            yield Send("DELETE", b"", tuple(headers))
            yield Read()
        except UpstreamError:
            # It is over for the client, whatever the server says to it.
            visit.block("server_request", "DELETE", "The server did not take the end of the session.")


def _asked(visit: Visit, request: Request, inbound: Inbound) -> McpExchange:
    visit.era, visit.id = era_of(request, inbound.headers), request.id
    if visit.era.is_modern:
        check_envelope(request, None if inbound.plain else inbound.headers)
    if request.method not in ASKED[visit.era.is_modern]:
        raise MessageError(messages.METHOD_NOT_FOUND, "the method is not known here", id=request.id)
    session = None if visit.era.is_modern else _session(visit, inbound)
    if visit.era.is_modern:
        meta = request.params["_meta"]
        visit.capabilities, level = meta[CAPABILITIES_META], meta.get(LEVEL_META)
        visit.level = level if level in LEVELS else ""
    elif request.method == "initialize":
        can = request.params.get("capabilities")
        visit.capabilities = can if isinstance(can, dict) else {}
    if not visit.era.is_modern and request.method != "initialize":
        if session is None:
            yield from _without_session(visit, request, inbound)
            return
        visit.log.session = visit.log.session or session.id[:16]
        if request.method in _QUIET:
            yield Respond(OK, messages.result(request.id, {}))
            return
    if session is None and not inbound.plain:
        yield from _carried(visit, request, inbound, session)
        return
    key, bell = _key(visit, session, request.id), Bell()
    if key in visit.server.under_way:
        raise MessageError(messages.INVALID_REQUEST, "a request with this id is under way", id=request.id)
    visit.server.under_way[key] = bell
    try:
        yield Heed(bell)
        yield from _carried(visit, request, inbound, session)
    finally:
        del visit.server.under_way[key]


def _carried(visit: Visit, request: Request, inbound: Inbound, session: Session | None) -> McpExchange:
    try:
        result, opened = yield from _result(visit, request, inbound, session)
    except (UpstreamError, ProtocolError) as error:
        if isinstance(error, MessageError):
            raise
        yield from _failed(visit, request, error)
        return
    ttl_ms = visit.server.settings.list_ttl_s * 1_000
    body = messages.result(request.id, told_result(result, request.method, visit.era, ttl_ms=ttl_ms))
    yield Note(visit.log.answer(OK, tuple(visit.steps), sent=len(body)))
    yield from reply(visit, OK, body, opened)


def reply(visit: Visit, status: int, body: bytes, session: str = "") -> McpExchange:
    """The answer, at the end of a stream if one was begun. `session` is what the client has to show."""
    if visit.by_stream and not visit.streaming and status == OK and not session:
        visit.streaming = True
        yield Begin()
    if visit.streaming:
        yield Emit(event(body))
    else:
        yield Respond(status, body, session)


def _without_session(visit: Visit, request: Request, inbound: Inbound) -> McpExchange:
    given = SESSION_HEADER in inbound.headers
    status = NOT_FOUND if given else BAD_REQUEST
    what = "the session has ended: begin with initialize" if given else "there is no session: begin with initialize"
    yield Note(visit.log.refusal(status, what))
    yield Respond(status, messages.error(request.id, messages.INVALID_REQUEST, what))


def _failed(visit: Visit, request: Request, error: InterlockError) -> McpExchange:
    """The server is at fault; or it answers with an error of its own, which is read like a result."""
    told = f"interlock: the server gave no usable answer: {error.what}"
    status, code, reason, data = BAD_GATEWAY, messages.INTERNAL_ERROR, error.brief, None
    if isinstance(error, UpstreamError):
        status = error.status
    elif isinstance(error, Refused):
        status, code, reason = (
            status_of(error.rpc_code, visit.era),
            error.rpc_code,
            "The server answered with an error.",
        )
        beside = "" if error.data is None else encode({"data": error.data}).decode()
        said = Text((), Channel.TOOL_RESULT, f"{error.what}\n{beside}", request.method)
        told, data = ("withheld", None) if visit.receive(said, Origin.UNTRUSTED) else (error.what, error.data)
    body = messages.error(request.id, code, told, data)
    yield Note(visit.log.answer(status, tuple(visit.steps), reason, len(body)))
    yield from reply(visit, status, body)


def _result(
    visit: Visit, request: Request, inbound: Inbound, session: Session | None
) -> Steps[tuple[dict[str, Any], str]]:
    """The result, and the id of the session that it opens."""
    opening = request.method == "initialize"
    result, link = yield from linked(
        visit, session, lambda link: _answered(visit, link, request, inbound), opening=opening
    )
    if not opening:
        return result, ""
    version = version_of(request)
    opened = Session(visit.server.fresh(), visit.call.principal, version, link, visit.now_us, visit.capabilities)
    visit.server.sessions.put(opened.id, opened)
    return {"protocolVersion": version} | result, opened.id


def version_of(request: Request) -> str:
    """The revision of the older era in which a client that begins is answered."""
    asked = request.params.get("protocolVersion")
    return asked if asked in LEGACY else LEGACY[0]


def _answered(visit: Visit, link: Link, request: Request, inbound: Inbound) -> Steps[dict[str, Any]]:
    match request.method:
        case "initialize" | "server/discover":
            yield Note(visit.log.request(0, (Step("request", tool=request.method),), None))
            return (yield from (about if request.method == "initialize" else discover)(visit, link))
        case "tools/list":
            yield Note(visit.log.request(0, (Step("request", tool=request.method),), None))
            return (yield from list_tools(visit, link, request))
        case "tools/call":
            return (yield from call_tool(visit, link, request, None if inbound.plain else inbound.headers))
        case "subscriptions/listen":
            return (yield from listen(visit, link, request))
        case "logging/setLevel":
            return (yield from _set_level(visit, link, request))
        case _:
            return (yield from read_other(visit, link, request))


def _set_level(visit: Visit, link: Link, request: Request) -> Steps[dict[str, Any]]:
    """From which level on a client of the older era wants to see the log; a server of the newer is told each time."""
    level = request.params.get("level")
    if level not in LEVELS:
        raise MessageError(messages.INVALID_PARAMS, "there is no such level", id=request.id)
    assert visit.session
    visit.session.level = level
    if "logging" in link.capabilities and not link.era.is_modern:
        yield from ask(visit, link, request.method, {"level": level})
    return {}
