"""What a client's message to an MCP server sets off. A generator that does no I/O.

The order is the promise: nothing of a client goes to the server before it was read in full, decided and noted; a call
that can cause something goes out only after its record is durable; nothing goes to the client before it was inspected;
and every way out of here leaves a record.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from interlock.guard.commands import ClientGoneError, Emit, Note, Read
from interlock.guard.mcp.commands import McpExchange, Respond, Send
from interlock.guard.mcp.link import Refused, SessionLostError, Steps, connected
from interlock.guard.mcp.others import about, discover, read_other
from interlock.guard.mcp.state import SESSION_US, Link, Memories, Server, Session
from interlock.guard.mcp.tools import call_tool, list_tools
from interlock.guard.mcp.visit import Visit
from interlock.guard.records import Log
from interlock.guard.rules import Call, Rules
from interlock.mcp import messages
from interlock.mcp.eras import (
    ASKED,
    LEGACY,
    SESSION_HEADER,
    check_envelope,
    era_of,
    sent_headers,
    status_of,
    told_result,
)
from interlock.mcp.framing import event
from interlock.mcp.messages import MessageError, Notification, Request
from interlock.model.decision import Task
from interlock.model.errors import InterlockError, ProtocolError, UpstreamError
from interlock.model.event import Channel, Text
from interlock.model.record import Origin, Step

OK, ACCEPTED, BAD_REQUEST, FORBIDDEN, NOT_FOUND, NOT_ALLOWED, BAD_GATEWAY = 200, 202, 400, 403, 404, 405, 502
CLIENT_GONE = 499
GONE = "The client closed the connection before the end."
# What a client asks that costs nothing and says nothing: no record.
_QUIET = frozenset({"ping", "logging/setLevel"})


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
    memory = memories.of(task, rules.now_us())
    before = memory.chars
    visit = Visit(server, call, rules, task, memory, log)
    visit.may_stream = b"text/event-stream" in inbound.headers.get(b"accept", b"")
    try:
        yield from _served(visit, inbound)
    except ClientGoneError:
        yield Note(log.answer(CLIENT_GONE, tuple(visit.steps), GONE))
    finally:
        memories.grown(before, memory, rules.now_us())


def _served(visit: Visit, inbound: Inbound) -> McpExchange:
    settings = visit.server.settings
    if settings.workloads is not None and visit.workload not in settings.workloads:
        yield from _refused(visit, FORBIDDEN, f"{visit.workload} may not use this server")
        return
    if visit.task and visit.task.servers is not None and visit.server.name not in visit.task.servers:
        yield from _refused(visit, FORBIDDEN, "the task does not reach to this server")
        return
    if inbound.method == "DELETE":
        yield from _ended(visit, inbound)
        return
    if inbound.method != "POST":
        # No stream from the server to the client: nothing that a server says by itself is passed on.
        yield Respond(NOT_ALLOWED, messages.error(None, messages.INVALID_REQUEST, "use POST"))
        return
    try:
        message = messages.parse(inbound.body)
        if isinstance(message, Request):
            yield from _asked(visit, message, inbound)
        elif isinstance(message, Notification):
            yield from _notified(visit, inbound)
        else:
            yield from _faulty(visit, MessageError(messages.INVALID_REQUEST, "nobody has asked this client anything"))
    except MessageError as error:
        yield from _faulty(visit, error)


def _refused(visit: Visit, status: int, reason: str) -> McpExchange:
    yield Note(visit.log.refusal(status, reason))
    yield Respond(status, messages.error(None, messages.INVALID_REQUEST, "not permitted"))


def _faulty(visit: Visit, error: MessageError) -> McpExchange:
    """A message that could not be served: the client's fault, told in its era."""
    malformed = error.rpc_code in (messages.PARSE_ERROR, messages.INVALID_REQUEST)
    status = error.status if visit.era.is_modern or malformed else OK
    yield Note(visit.log.refusal(status, error.brief))
    yield Respond(status, messages.error(error.id, error.rpc_code, error.what, error.data))


def _notified(visit: Visit, inbound: Inbound) -> McpExchange:
    """Nothing that a client says without asking goes on: each request is ended by its own connection."""
    session = _session(visit, inbound)
    if session is None and SESSION_HEADER in inbound.headers:
        yield Respond(NOT_FOUND, messages.error(None, messages.INVALID_REQUEST, "the session has ended"))
        return
    yield Respond(ACCEPTED)


def _session(visit: Visit, inbound: Inbound) -> Session | None:
    """The client's session, if it has one that is its own and has not ended."""
    session = visit.server.sessions.get(inbound.headers.get(SESSION_HEADER, b"").decode("latin-1"))
    if session is None or session.principal != visit.call.principal or visit.now_us - session.used_us > SESSION_US:
        return None
    session.used_us = visit.now_us
    return session


def _ended(visit: Visit, inbound: Inbound) -> McpExchange:
    session = _session(visit, inbound)
    if session is None:
        yield Respond(NOT_FOUND, messages.error(None, messages.INVALID_REQUEST, "the session has ended"))
        return
    visit.server.sessions.pop(session.id)
    link = session.link
    if link.session:
        headers = sent_headers(link.era, "", {}, link.version, link.session)
        try:
            yield Send("DELETE", b"", tuple(headers))
            yield Read()
        except UpstreamError:
            # It is over for the client, whatever the server says to it.
            visit.block("server_request", "DELETE", "The server did not take the end of the session.")
    yield Note(visit.log.answer(OK, tuple(visit.steps)))
    yield Respond(OK)


def _asked(visit: Visit, request: Request, inbound: Inbound) -> McpExchange:
    visit.era = era_of(request, inbound.headers)
    if visit.era.is_modern:
        check_envelope(request, None if inbound.plain else inbound.headers)
    if request.method not in ASKED[visit.era.is_modern]:
        raise MessageError(messages.METHOD_NOT_FOUND, "the method is not known here", id=request.id)
    session = _session(visit, inbound)
    if not visit.era.is_modern and request.method != "initialize":
        if session is None:
            yield from _without_session(visit, request, inbound)
            return
        visit.log.session = visit.log.session or session.id[:16]
        if request.method in _QUIET:
            yield Respond(OK, messages.result(request.id, {}))
            return
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
    yield from _told(visit, OK, body, opened)


def _told(visit: Visit, status: int, body: bytes, session: str = "") -> McpExchange:
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
    status, code, reason = BAD_GATEWAY, messages.INTERNAL_ERROR, error.brief
    if isinstance(error, UpstreamError):
        status = error.status
    elif isinstance(error, Refused):
        status, code, reason = (
            status_of(error.rpc_code, visit.era),
            error.rpc_code,
            "The server answered with an error.",
        )
        said = Text((), Channel.TOOL_RESULT, error.what, request.method)
        told = "withheld" if visit.receive(said, Origin.UNTRUSTED) else error.what
    body = messages.error(request.id, code, told)
    yield Note(visit.log.answer(status, tuple(visit.steps), reason, len(body)))
    yield from _told(visit, status, body)


def _result(
    visit: Visit, request: Request, inbound: Inbound, session: Session | None
) -> Steps[tuple[dict[str, Any], str]]:
    """The result, and the id of the session that it opens. A session that the server has lost is begun anew, once."""
    opening = request.method == "initialize"
    # A program that was started here serves one workload, and has one link. Else each caller has a link of its own.
    started = bool(visit.server.settings.command)
    key = (visit.workload, "") if started else (visit.call.principal.credential, visit.log.session)
    known = session.link if session and not started else visit.server.links.get(key)
    if opening and not started:
        known = None
    link = yield from connected(visit, known)
    try:
        result = yield from _answered(visit, link, request, inbound)
    except SessionLostError:
        # Nothing was carried out. What was noted of the call stays true.
        link = yield from connected(visit, None)
        result = yield from _answered(visit, link, request, inbound)
    if session:
        session.link = link
    if started or (not session and not opening and not link.era.is_modern):
        visit.server.links.put(key, link)
    if not opening:
        return result, ""
    asked = request.params.get("protocolVersion")
    version = asked if asked in LEGACY else LEGACY[0]
    opened = Session(visit.server.fresh(), visit.call.principal, version, link, visit.now_us)
    visit.server.sessions.put(opened.id, opened)
    return {"protocolVersion": version} | result, opened.id


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
        case _:
            return (yield from read_other(visit, link, request))
