"""Streams on which a server says what has changed: GET until 2025-11-25, `subscriptions/listen` from 2026-07-28 on.

A client of either era can follow a server of either. What goes on is what the client wants to hear, under its own id,
and inspected; tools that have changed are compared with their pins before the next use.
"""

from collections.abc import Mapping
from typing import Any

from interlock.guard.commands import Begin, ClientGoneError, Emit, Note, Read
from interlock.guard.mcp.asks import pass_on, show
from interlock.guard.mcp.commands import Answered, CancelledError, McpExchange, Respond, Send, Steps
from interlock.guard.mcp.heard import CHANGES, TOOLS_CHANGED, UPDATED, changed, heard
from interlock.guard.mcp.link import CLIENT, LAST_ID, Refused, ask, resumed
from interlock.guard.mcp.others import denied
from interlock.guard.mcp.parking import PartedError
from interlock.guard.mcp.state import Link
from interlock.guard.mcp.tools import permitted
from interlock.guard.mcp.visit import Visit
from interlock.mcp import messages
from interlock.mcp.eras import SUBSCRIPTION_META, sent_headers, sent_params
from interlock.mcp.framing import Framing, Messages, event, is_event_id
from interlock.mcp.messages import INVALID_PARAMS, Id, MessageError, Notification, Request, Response
from interlock.model.errors import ProtocolError, UpstreamError
from interlock.model.record import Step

OK, NOT_ALLOWED = 200, 405
LISTEN, ACKNOWLEDGED = "subscriptions/listen", "notifications/subscriptions/acknowledged"
MOST_SUBSCRIBED = 100
# A stream may last for days: so many steps are a record.
MOST_STEPS = 100


def opened(visit: Visit, link: Link, headers: Mapping[bytes, bytes]) -> McpExchange:
    """The stream that a client of the older era opens with GET; 405 if its server has none."""
    yield Note(visit.log.request(0, (Step("request", tool="GET"),), None))
    wanted: dict[str, Any] = dict.fromkeys(CHANGES, True)
    shown = headers.get(LAST_ID, b"").decode("latin-1")
    last = shown if is_event_id(shown) else ""
    try:
        answered = yield from (_listened(visit, link, wanted) if link.era.is_modern else resumed(link, last))
        if answered.status != OK or answered.framing is Framing.BODY:
            yield Note(visit.log.answer(NOT_ALLOWED, tuple(visit.steps)))
            yield Respond(NOT_ALLOWED, messages.error(None, messages.INVALID_REQUEST, "the server has no stream"))
            return
        visit.streaming = visit.may_stream = True
        yield Begin()
        yield from _heard_out(visit, link, answered, wanted, None)
    except (UpstreamError, ProtocolError) as error:
        yield Note(visit.log.answer(error.status, tuple(visit.steps), error.brief))
        if not visit.streaming:
            yield Respond(error.status, messages.error(None, messages.INTERNAL_ERROR, "the server has no stream now"))
        return
    yield Note(visit.log.answer(OK, tuple(visit.steps)))


def listen(visit: Visit, link: Link, request: Request) -> Steps[dict[str, Any]]:
    """What a client of the newer era hears until the server ends it; the result says under which id that was."""
    wanted = _wanted(visit, request)
    yield Note(visit.log.request(0, (Step("request", tool=LISTEN),), None))
    meta: dict[str, Any] = {"_meta": {SUBSCRIPTION_META: request.id}}
    if link.era.is_modern:
        answered = yield from _listened(visit, link, wanted)
    else:
        for uri in wanted.get("resourceSubscriptions", ()):
            yield from ask(visit, link, "resources/subscribe", {"uri": uri})
        answered = yield from resumed(link, "")
        yield from show(visit, messages.notification(ACKNOWLEDGED, {"notifications": wanted} | meta))
    if link.era.is_modern or (answered.status == OK and answered.framing is not Framing.BODY):
        yield from _heard_out(visit, link, answered, wanted, request.id)
    return meta


def _wanted(visit: Visit, request: Request) -> dict[str, Any]:
    """The client's filter, as far as it is known and permitted. Raises: MessageError if it is none."""
    asked = request.params.get("notifications")
    if not isinstance(asked, dict):
        raise MessageError(INVALID_PARAMS, "notifications is no object", id=request.id)
    wanted: dict[str, Any] = {name: True for name in CHANGES if asked.get(name) is True}
    uris = asked.get("resourceSubscriptions", [])
    if not isinstance(uris, list) or len(uris) > MOST_SUBSCRIBED or not all(isinstance(uri, str) for uri in uris):
        raise MessageError(INVALID_PARAMS, "resourceSubscriptions is no short list of addresses", id=request.id)
    # Each is a request for that address: what may not be subscribed to in the older era is not heard of here.
    subscribed = [uri for uri in uris if not denied(visit, Request(request.id, "resources/subscribe", {"uri": uri}))]
    if len(subscribed) < len(uris):
        visit.block("request", "resources/subscribe", "An address that this caller may not ask for.")
    if subscribed:
        wanted["resourceSubscriptions"] = subscribed
    return wanted


def _listened(visit: Visit, link: Link, wanted: Mapping[str, Any]) -> Steps[Answered]:
    id_ = visit.server.next_id()
    params = sent_params({"notifications": dict(wanted)}, link.era, CLIENT, {})
    headers = sent_headers(link.era, LISTEN, params, link.version, "")
    answered = yield Send("POST", messages.request(id_, LISTEN, params), tuple(headers), id_)
    assert isinstance(answered, Answered)
    return answered


def _heard_out(
    visit: Visit, link: Link, answered: Answered, wanted: Mapping[str, Any], subscription: Id | None
) -> Steps[None]:
    """The same, until its client closes it: that is how it ends. Raises: PartedError then."""
    try:
        yield from _followed(visit, link, answered, wanted, subscription)
    except CancelledError:
        raise
    except ClientGoneError:
        raise PartedError from None


def _followed(
    visit: Visit, link: Link, answered: Answered, wanted: Mapping[str, Any], subscription: Id | None
) -> Steps[None]:
    """Pass on what the server says, until it ends. Raises: Refused, UpstreamError, ProtocolError."""
    reader = Messages(answered.framing, visit.server.settings.max_result_bytes)
    ended = False
    while not ended:
        data = yield Read()
        assert data is None or isinstance(data, bytes)
        ended = data is None or answered.framing is Framing.BODY
        found = reader.numbered(data) if data else []
        for raw, id_ in found + ([(one, "") for one in reader.end()] if ended else []):
            message = messages.parse(raw)
            if isinstance(message, Response):
                if message.error is not None:
                    raise Refused(message.error["code"], str(message.error.get("message", "")))
                return
            yield from _said(visit, link, message, wanted, subscription, id_)
            if len(visit.steps) >= MOST_STEPS:
                yield Note(visit.log.answer(OK, tuple(visit.steps)))
                visit.steps.clear()


def _said(
    visit: Visit, link: Link, message: Request | Notification, wanted: Mapping[str, Any], subscription: Id | None,
    id_: str,
) -> Steps[None]:  # fmt: skip
    if isinstance(message, Request):
        yield from pass_on(visit, link, message)
        return
    told: bytes | None = None
    if message.method == ACKNOWLEDGED and subscription is not None:
        meta = {"_meta": {SUBSCRIPTION_META: subscription}}
        told = messages.notification(ACKNOWLEDGED, {"notifications": dict(wanted)} | meta)
    elif subscription is None:
        told = heard(visit, message) if _is_seen(visit, message) else None
    elif _is_wanted(message, wanted):
        told = changed(visit, message, subscription) if _is_seen(visit, message) else None
    if told:
        if not visit.streaming:
            visit.streaming = True
            yield Begin()
        yield Emit(event(told, id_))


def _is_wanted(message: Notification, wanted: Mapping[str, Any]) -> bool:
    if message.method == UPDATED:
        # What is told may lie below what was subscribed to.
        uri = message.params.get("uri")
        uris = wanted.get("resourceSubscriptions", ())
        return isinstance(uri, str) and any(uri == one or uri.startswith(one.rstrip("/") + "/") for one in uris)
    return any(wanted.get(name) is True and message.method == method for name, method in CHANGES.items())


def _is_seen(visit: Visit, message: Notification) -> bool:
    """Whether the client can see anything of what has changed; the server's tools are looked at again in any case."""
    if message.method != TOOLS_CHANGED:
        return True
    visit.server.catalogue.expire()
    return not visit.server.catalogue.tools or any(True for _ in permitted(visit))
