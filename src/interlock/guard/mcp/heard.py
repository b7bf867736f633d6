"""What a server says without being asked: progress, its log, what has changed. As far as it may, a client hears it."""

from collections.abc import Mapping
from typing import Any

from interlock.guard.mcp.content import is_number
from interlock.guard.mcp.visit import Visit
from interlock.mcp import messages
from interlock.mcp.eras import LEVELS as LEVELS
from interlock.mcp.eras import SUBSCRIPTION_META
from interlock.mcp.messages import Id, Notification
from interlock.model.event import Channel, Text
from interlock.model.record import Origin
from interlock.protocols import encode

TOOLS_CHANGED = "notifications/tools/list_changed"
UPDATED = "notifications/resources/updated"
# The filter of a subscription -> what it lets through (2026-07-28).
CHANGES = {
    "toolsListChanged": TOOLS_CHANGED,
    "promptsListChanged": "notifications/prompts/list_changed",
    "resourcesListChanged": "notifications/resources/list_changed",
}
_PROGRESS, _LOG, _DONE = "notifications/progress", "notifications/message", "notifications/elicitation/complete"


def heard(visit: Visit, said: Notification) -> bytes | None:
    """The message to the client that a notification in the answer to its request becomes, if it becomes one."""
    match said.method:
        case "notifications/progress":
            return _progressed(visit, said.params)
        case "notifications/message":
            return _logged(visit, said.params)
        case "notifications/elicitation/complete" if "elicitation-url" in visit.server.settings.offers:
            id_ = said.params.get("elicitationId")
            return _told(visit, _DONE, {"elicitationId": id_}, id_) if isinstance(id_, str) else None
        case _:
            told_change = changed(visit, said, None)
            return None if visit.era.is_modern else told_change


def changed(visit: Visit, said: Notification, subscription: Id | None) -> bytes | None:
    """The message that says to a client what has changed; tools are compared with their pins before the next use.

    `subscription` is the id under which a client of the newer era listens.
    """
    meta = {} if subscription is None else {"_meta": {SUBSCRIPTION_META: subscription}}
    if said.method == TOOLS_CHANGED:
        visit.server.catalogue.expire()
    if said.method in CHANGES.values():
        return messages.notification(said.method, meta)
    uri = said.params.get("uri")
    if said.method == UPDATED and isinstance(uri, str):
        return _told(visit, UPDATED, {"uri": uri} | meta, uri)
    return None


def _progressed(visit: Visit, params: Mapping[str, Any]) -> bytes | None:
    """How far the server is: numbers that are some, and a text."""
    if visit.token is None or not is_number(params.get("progress")):
        return None
    told = {key: params[key] for key in ("progress", "total") if is_number(params.get(key))}
    message = params.get("message")
    text = message if isinstance(message, str) else ""
    told |= {"progressToken": visit.token} | ({"message": text} if text else {})
    return _told(visit, _PROGRESS, told, text)


def _logged(visit: Visit, params: Mapping[str, Any]) -> bytes | None:
    level, data = params.get("level"), params.get("data")
    if level not in LEVELS or (visit.era.is_modern and not visit.level):
        return None
    if visit.level and LEVELS.index(level) < LEVELS.index(visit.level):
        return None
    logger = params.get("logger")
    told = {"level": level, "data": data} | ({"logger": logger} if isinstance(logger, str) else {})
    return _told(visit, _LOG, told, encode({"said": [data, logger]}).decode())


def _told(visit: Visit, method: str, params: Mapping[str, Any], text: str) -> bytes | None:
    """The notification, unless a detector's finding in its text keeps it from going on."""
    if text and visit.receive(Text((), Channel.TOOL_RESULT, text), Origin.UNTRUSTED):
        return None
    return messages.notification(method, params)
