"""All servers that a caller may use, behind one address: their tools and prompts under their server's name.

Rules: a list holds what each server would list for this caller, in one order, and says which servers could not be
asked; a message that names something is the exchange of that one server, with the name that it knows; what nobody may
use, or nobody has, is answered alike. It does NOT pass on what servers say unasked: for that each has its own address.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from interlock.guard.commands import ClientGoneError, Note
from interlock.guard.mcp.commands import McpExchange, Respond, Ring, Steps, Turn
from interlock.guard.mcp.exchange import (
    ACCEPTED,
    BAD_REQUEST,
    CLIENT_GONE,
    GONE,
    NOT_ALLOWED,
    NOT_FOUND,
    OK,
    Inbound,
    barred,
    ended,
    faulty,
    mcp_exchange,
    reply,
    version_of,
)
from interlock.guard.mcp.heard import LEVELS
from interlock.guard.mcp.link import Refused, linked
from interlock.guard.mcp.others import read_other
from interlock.guard.mcp.state import SESSION_US, Joined, Link, Memories, Server, Session, Union
from interlock.guard.mcp.tools import list_tools, refusal
from interlock.guard.mcp.visit import Visit
from interlock.guard.records import Log
from interlock.guard.rules import Call, Rules
from interlock.mcp import messages
from interlock.mcp.eras import (
    CAPABILITIES_META,
    LISTS,
    MODERN,
    NAME_HEADER,
    SESSION_HEADER,
    check_envelope,
    era_of,
    told_result,
)
from interlock.mcp.headers import encoded
from interlock.mcp.messages import INVALID_PARAMS, MessageError, Notification, Request, Response
from interlock.model.decision import Task
from interlock.model.errors import ProtocolError, UpstreamError
from interlock.model.record import Step, Verdict

ABOUT = {"name": "interlock", "version": "1"}
UNAVAILABLE = "interlock/unavailable"
# What is listed on one page; and how many pages a server is asked for.
PAGE = 500
MOST_PAGES = 100
_NAMED = ("tools/call", "prompts/get")
_READS = ("resources/read", "completion/complete")
_CONNECTED = ("initialize", "ping", "logging/setLevel")


@dataclass(slots=True)
class _Party:
    """One exchange under way with all servers. `whole` is the visit that stands for all of them."""

    inbound: Inbound
    union: Union
    task: Task | None
    memories: Memories
    whole: Visit
    joined: Joined | None = None
    missing: list[str] = field(default_factory=list)

    @property
    def servers(self) -> list[Server]:
        """Those that the caller may use, in order of their names."""
        held = self.union.servers
        return [held[name] for name in sorted(held) if not barred(held[name], self.whole.workload, self.task)]

    def call(self, server: Server) -> Call:
        """The exchange as one with this server."""
        return replace(self.whole.call, upstream=server.name)

    def part(self, server: Server) -> Session | None:
        """The caller's session with one server, which may not have been spoken with yet."""
        joined, now_us = self.joined, self.whole.now_us
        if joined is None:
            return None
        session = server.sessions.get(joined.parts.get(server.name, ""))
        if session is None:
            session = Session(
                server.fresh(), joined.principal, joined.version, None, now_us, joined.capabilities, level=joined.level
            )
            server.sessions.put(session.id, session)
            joined.parts[server.name] = session.id
        session.used_us = now_us
        return session

    def visit(self, server: Server) -> Visit:
        """The visit to one server for a list, in which nobody is asked anything; its steps are the whole's."""
        call, session = self.call(server), self.part(server)
        return replace(self.whole, server=server, call=call, session=session, may_stream=False)


def union_exchange(
    inbound: Inbound, union: Union, call: Call, rules: Rules, task: Task | None, memories: Memories
) -> McpExchange:
    """Run one exchange with all servers; see `mcp_exchange`."""
    log = Log(call, rules, session=task.id if task else "", bytes_in=len(inbound.body))
    stand_in = next(iter(union.servers.values()))
    memory = memories.of(task, rules.now_us(), call.principal.workload)
    whole = Visit(stand_in, call, rules, task, memory, log)
    whole.may_stream = b"text/event-stream" in inbound.headers.get(b"accept", b"")
    party = _Party(inbound, union, task, memories, whole)
    try:
        yield from _served(party)
    except MessageError as error:
        yield from faulty(whole, error)
    except ClientGoneError:
        yield Note(log.answer(CLIENT_GONE, tuple(whole.steps), GONE))


def _served(party: _Party) -> McpExchange:
    inbound, shown = party.inbound, party.inbound.headers.get(SESSION_HEADER, b"").decode("latin-1")
    joined = party.union.sessions.get(shown)
    known = joined and joined.principal == party.whole.call.principal
    if joined and known and party.whole.now_us - joined.used_us <= SESSION_US:
        joined.used_us, party.joined = party.whole.now_us, joined
    if shown and party.joined is None:
        yield Respond(NOT_FOUND, messages.error(None, messages.INVALID_REQUEST, "the session has ended"))
    elif inbound.method == "DELETE" and party.joined:
        yield from _left(party, party.joined)
    elif inbound.method != "POST":
        yield Respond(NOT_ALLOWED, messages.error(None, messages.INVALID_REQUEST, "use POST"))
    else:
        message = messages.parse(inbound.body)
        match message:
            case Request():
                yield from _asked(party, message)
            case Response():
                yield from _answered(party, message)
            case Notification():
                yield from _notified(party, message)


def _left(party: _Party, joined: Joined) -> McpExchange:
    """The client ends its session with all of them."""
    party.union.sessions.pop(joined.id)
    for server, session in _parts(party):
        yield Turn(server.name)
        yield from ended(party.visit(server), session)
    yield Note(party.whole.log.answer(OK, tuple(party.whole.steps)))
    yield Respond(OK)


def _parts(party: _Party) -> Iterator[tuple[Server, Session]]:
    """The sessions that the client has with single servers."""
    for server in party.servers:
        session = server.sessions.get(party.joined.parts.get(server.name, "")) if party.joined else None
        if session:
            yield server, session


def _answered(party: _Party, response: Response) -> McpExchange:
    for server, session in _parts(party):
        if str(response.id) in session.asked:
            yield from _passed(party, server, party.inbound.body, {})
            return
    raise MessageError(messages.INVALID_REQUEST, "this client was not asked for this")


def _notified(party: _Party, said: Notification) -> McpExchange:
    id_ = said.params.get("requestId")
    if said.method == "notifications/cancelled" and isinstance(id_, int | str):
        for server, session in _parts(party):
            if bell := server.under_way.get((party.whole.call.principal.credential, session.id, id_)):
                yield Ring(bell)
    yield Respond(ACCEPTED)


def _asked(party: _Party, request: Request) -> McpExchange:
    whole, inbound, method = party.whole, party.inbound, request.method
    whole.era = era_of(request, inbound.headers)
    if whole.era.is_modern:
        check_envelope(request, None if inbound.plain else inbound.headers)
        whole.capabilities = request.params["_meta"][CAPABILITIES_META]
    own = ("server/discover",) if whole.era.is_modern else _CONNECTED
    if method not in (*LISTS, *_NAMED, *_READS, *own):
        raise MessageError(messages.METHOD_NOT_FOUND, "the method is not known here", id=request.id)
    if not whole.era.is_modern and method != "initialize" and party.joined is None:
        what = "there is no session: begin with initialize"
        yield Note(whole.log.refusal(BAD_REQUEST, what))
        yield Respond(BAD_REQUEST, messages.error(request.id, messages.INVALID_REQUEST, what))
    elif method in (*_NAMED, *_READS):
        yield from _sent(party, request)
    elif method in LISTS:
        yield from _listed(party, request)
    else:
        yield from _own(party, request)


def _own(party: _Party, request: Request) -> McpExchange:
    """What is answered here: the handshake, and what says nothing to a server."""
    whole, opened = party.whole, ""
    can: dict[str, Any] = {"tools": {}, "prompts": {}, "resources": {}, "completions": {}}
    result: dict[str, Any] = {}
    match request.method:
        case "initialize":
            said, version = request.params.get("capabilities"), version_of(request)
            capabilities = said if isinstance(said, dict) else {}
            joined = Joined(party.union.fresh(), whole.call.principal, version, whole.now_us, capabilities)
            party.union.sessions.put(joined.id, joined)
            opened = joined.id
            result = {"protocolVersion": version, "capabilities": can | {"logging": {}}, "serverInfo": ABOUT}
        case "server/discover":
            meta = {"io.modelcontextprotocol/serverInfo": ABOUT}
            result = {"supportedVersions": [MODERN], "capabilities": can, "_meta": meta}
        case "logging/setLevel":
            level = request.params.get("level")
            if level not in LEVELS:
                raise MessageError(INVALID_PARAMS, "there is no such level", id=request.id)
            assert party.joined
            party.joined.level = level
            for _, session in _parts(party):
                session.level = level
    body = messages.result(request.id, told_result(result, request.method, whole.era, ttl_ms=_ttl_ms(party)))
    if request.method in ("initialize", "server/discover"):
        yield Note(whole.log.answer(OK, (Step("request", tool=request.method),), sent=len(body)))
    yield from reply(whole, OK, body, opened)


def _ttl_ms(party: _Party) -> int:
    return min((server.settings.list_ttl_s for server in party.servers), default=1) * 1_000


# --- lists -----------------------------------------------------------------------------------------------------


def _listed(party: _Party, request: Request) -> McpExchange:
    """One page of what all servers list; those that could not be asked are named in its `_meta`."""
    whole, key = party.whole, LISTS[request.method]
    after = request.params.get("cursor", "")
    if not isinstance(after, str):
        raise MessageError(INVALID_PARAMS, "the cursor is no text", id=request.id)
    found: dict[str, Any] = {}
    yield Note(whole.log.request(0, (Step("request", tool=request.method),), None))
    for server in party.servers:
        yield Turn(server.name)
        for name, item in (yield from _of_one(party, server, request)):
            if name in found:
                whole.block("tool_description", name, "Two servers offer one under this name.")
                found[name] = None
            elif len(name) <= messages.LONGEST_NAME:
                found[name] = item
            else:
                whole.block("tool_description", name, "With its server's name it is too long.")
    party.memories.grown(whole.memory, whole.now_us)
    names = sorted(name for name, item in found.items() if item is not None and name > after)
    result: dict[str, Any] = {key: [found[name] for name in names[:PAGE]]}
    if len(names) > PAGE:
        result["nextCursor"] = names[PAGE - 1]
    if party.missing:
        result["_meta"] = {UNAVAILABLE: party.missing}
    body = messages.result(request.id, told_result(result, request.method, whole.era, ttl_ms=_ttl_ms(party)))
    yield Note(whole.log.answer(OK, tuple(whole.steps), sent=len(body)))
    yield from reply(whole, OK, body)


def _of_one(party: _Party, server: Server, request: Request) -> Steps[list[tuple[str, Any]]]:
    """(name here, item) of what one server lists; it is noted if the server cannot be asked."""
    visit = party.visit(server)
    try:
        items, _ = yield from linked(visit, visit.session, lambda link: _items(visit, link, request))
    except Refused:
        return []
    except (UpstreamError, ProtocolError) as error:
        party.missing.append(server.name)
        party.whole.steps.append(Step("upstream", tool=server.name, verdict=Verdict.FAILED, reason=error.brief))
        return []
    separated = request.method in ("tools/list", "prompts/list")
    lead = server.name + party.union.separator
    out = []
    for item in items:
        name = item.get("name") if isinstance(item, dict) else None
        if separated and isinstance(name, str):
            out.append((lead + name, item | {"name": lead + name}))
        elif not separated and isinstance(item, dict):
            out.append((str(item.get("uri", item.get("uriTemplate", ""))), item))
    return out


def _items(visit: Visit, link: Link, request: Request) -> Steps[list[Any]]:
    """All that a server lists, over all of its pages."""
    if request.method.partition("/")[0] not in link.capabilities:
        return []
    meta = {"_meta": request.params["_meta"]} if "_meta" in request.params else {}
    asked = request._replace(params=meta)
    if request.method == "tools/list":
        return list((yield from list_tools(visit, link, asked))["tools"])
    items: list[Any] = []
    for _ in range(MOST_PAGES):
        result = yield from read_other(visit, link, asked)
        page, cursor = result.get(LISTS[request.method]), result.get("nextCursor")
        items += page if isinstance(page, list) else []
        if not isinstance(cursor, str) or not cursor:
            break
        asked = request._replace(params={**meta, "cursor": cursor})
    return items


# --- what one server is asked ----------------------------------------------------------------------------------


def _sent(party: _Party, request: Request) -> McpExchange:
    """A request that names something goes to the server that has it, by the name that this server knows."""
    found = _target(party, request)
    if found is None:
        yield Note(party.whole.log.refusal(OK, "nothing of this name is here for this caller"))
        if request.method == "tools/call":
            result = told_result(refusal(), request.method, party.whole.era)
            yield from reply(party.whole, OK, messages.result(request.id, result))
        else:
            yield from reply(party.whole, OK, messages.error(request.id, INVALID_PARAMS, "not permitted"))
        return
    server, params, name = found
    headers = {NAME_HEADER: encoded(name)} if NAME_HEADER in party.inbound.headers else {}
    yield from _passed(party, server, messages.request(request.id, request.method, params), headers)


def _target(party: _Party, request: Request) -> tuple[Server, dict[str, Any], str] | None:
    """(server, params as it knows them, the name in them); None if no server, or more than one, can be meant."""
    params = request.params
    ref = params.get("ref")
    if request.method == "completion/complete" and isinstance(ref, dict) and "name" in ref:
        split = _split(party, ref["name"], tools=False)
        return split and (split[0], params | {"ref": ref | {"name": split[1]}}, split[1])
    if request.method in _NAMED:
        split = _split(party, params.get("name"), tools=request.method == "tools/call")
        return split and (split[0], params | {"name": split[1]}, split[1])
    uri = ref.get("uri") if isinstance(ref, dict) else params.get("uri")
    holding = [one for one in party.servers if isinstance(uri, str) and one.listed.get(uri)]
    return (holding[0], params, str(uri)) if len(holding) == 1 else None


def _split(party: _Party, name: object, *, tools: bool) -> tuple[Server, str] | None:
    """The server that a name begins with, and the rest of it."""
    found = []
    for server in party.servers:
        lead = server.name + party.union.separator
        if isinstance(name, str) and name.startswith(lead):
            found.append((server, name.removeprefix(lead)))
    if len(found) > 1 and tools:
        # One server's name begins with another's: whoever has such a tool is meant, if that is one.
        found = [(server, rest) for server, rest in found if server.catalogue.definition(rest)]
    return found[0] if len(found) == 1 else None


def _passed(party: _Party, server: Server, body: bytes, headers: Mapping[bytes, bytes]) -> McpExchange:
    """The exchange with one server."""
    session = party.part(server)
    shown = {SESSION_HEADER: session.id.encode()} if session else {}
    inbound = replace(party.inbound, body=body, headers={**party.inbound.headers, **headers, **shown})
    yield Turn(server.name)
    yield from mcp_exchange(inbound, server, party.call(server), party.whole.rules, party.task, party.memories)
