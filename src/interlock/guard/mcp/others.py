"""Everything that is no tool: resources, prompts, completion, and what the server says of itself."""

import re
from collections.abc import Mapping
from typing import Any

from interlock.guard.commands import Note
from interlock.guard.mcp.asks import LEAK, leaks
from interlock.guard.mcp.commands import Steps
from interlock.guard.mcp.content import received, withheld
from interlock.guard.mcp.parking import RETRY, answerable, opened
from interlock.guard.mcp.rounds import UnwelcomeError, retried, settled
from interlock.guard.mcp.state import INSTRUCTIONS, Link
from interlock.guard.mcp.tools import refreshed
from interlock.guard.mcp.visit import Visit
from interlock.mcp.addresses import LONGEST, Place, is_odd, place
from interlock.mcp.eras import INPUT_REQUIRED, LISTS, MODERN
from interlock.mcp.messages import INVALID_PARAMS, MessageError, Request
from interlock.model.decision import Allow, Deny
from interlock.model.event import ToolCall
from interlock.model.record import Origin, Step, Verdict
from interlock.protocols import encode, texts

# What of a server's capabilities a client is told, and which of their parts.
_OFFERED = {
    "tools": ("listChanged",),
    "resources": ("listChanged", "subscribe"),
    "prompts": ("listChanged",),
    "completions": (),
    "logging": (),
}
_OWN = (Origin.USER, Origin.SYSTEM, Origin.INTERNAL)
_VERSION = re.compile(r"v?[0-9][0-9A-Za-z.+-]{0,30}")


def about(visit: Visit, link: Link) -> Steps[dict[str, Any]]:
    """What a client learns of the server when it connects, in the form of `initialize`."""
    yield from refreshed(visit, link)
    told: dict[str, Any] = {
        "capabilities": {name: _parts(visit, link, name) for name in _OFFERED if name in link.capabilities},
        # By the name that it has here: what a server calls itself nobody has approved.
        "serverInfo": {"name": visit.server.name, "version": _version(link)},
    }
    # They go into the model's system prompt: only those that are approved, as any tool is.
    # What another link was told is no approval of what this one says.
    approved = visit.server.catalogue.definition(INSTRUCTIONS)
    if link.instructions and approved and approved.description == link.instructions:
        told["instructions"] = link.instructions
    return told


def _version(link: Link) -> str:
    version = link.about.get("version")
    return version if isinstance(version, str) and _VERSION.fullmatch(version) else ""


def _parts(visit: Visit, link: Link, name: str) -> dict[str, bool]:
    said = link.capabilities[name]
    parts = {part: True for part in _OFFERED[name] if isinstance(said, dict) and said.get(part) is True}
    if link.era.is_modern and not visit.era.is_modern:
        # The newer era subscribes when it begins to listen, the older one at any time.
        parts.pop("subscribe", None)
    return parts


def discover(visit: Visit, link: Link) -> Steps[dict[str, Any]]:
    """The same, in the form of `server/discover`."""
    told = yield from about(visit, link)
    meta = {"io.modelcontextprotocol/serverInfo": told.pop("serverInfo")}
    return told | {"supportedVersions": [MODERN], "_meta": meta}


def read_other(visit: Visit, link: Link, request: Request) -> Steps[dict[str, Any]]:
    """The result of a request that only reads: a list, a resource, a prompt, a completion."""
    method = request.method
    request = request._replace(params=answerable(visit, method, request.params))
    call = ToolCall((), visit.call.request, method, encode(request.params).decode())
    refused = denied(visit, request)
    step = Step(
        kind="request",
        size=len(call.arguments),
        digest=visit.rules.digest(call.arguments),
        tool=method,
        sink="read",
        verdict=Verdict.BLOCKED if refused else Verdict.ALLOWED,
        reason=refused.reason if refused else "",
        policies=refused.policies if refused else (),
    )
    yield Note(visit.log.request(0, (step,), refused))
    said = {key: value for key, value in request.params.items() if key != "_meta"}
    visit.asked(call._replace(arguments=encode(said).decode()))
    if refused and method in LISTS:
        return {LISTS[method]: []}
    if refused:
        raise MessageError(INVALID_PARAMS, "not permitted", id=request.id)
    may_ask = bool(visit.server.settings.offers)
    params = {key: value for key, value in request.params.items() if may_ask or key not in RETRY}
    try:
        result = yield from settled(visit, link, method, params)
    except UnwelcomeError as error:
        raise MessageError(INVALID_PARAMS, "the result was withheld", id=request.id) from error
    if result.get("resultType") == INPUT_REQUIRED:
        opened(visit, method, params, result)
        return result
    if method in ("resources/list", "resources/templates/list"):
        _note_listed(visit, result)
    told = received(visit, result, call)
    if told == withheld():
        raise MessageError(INVALID_PARAMS, "the result was withheld", id=request.id)
    return told


def denied(visit: Visit, request: Request) -> Deny | None:
    """Why a request may not go to the server; None if it may."""
    asked = {key: value for key, value in request.params.items() if key not in RETRY}
    if visit.holds_secret([text for _, text in texts(asked, ())]):
        return Deny(LEAK)
    again = retried(visit, request.params)
    if again and leaks(visit, again):
        return Deny(LEAK)
    uri, sink = request.params.get("uri"), "read"
    if request.method in ("resources/read", "resources/subscribe"):
        if not isinstance(uri, str):
            raise MessageError(INVALID_PARAMS, "uri is missing", id=request.id)
        if is_odd(uri):
            return Deny("An address with white space or control characters.")
        if not visit.server.listed.get(uri):
            sink, denied_ = _elsewhere(visit, place(uri))
            if denied_ and visit.memory.conversation.find(uri).origins[0] not in _OWN:
                return Deny("An address that neither the user nor the server's own list holds.")
    decision = visit.allows(request.method, sink)
    return None if isinstance(decision, Allow) else decision


def _elsewhere(visit: Visit, where: Place | None) -> tuple[str, bool]:
    """(what reading at a place is, whether somebody must have named it): the web, or a host that is not the server's.

    A host of a scheme of the server's own matters once outsiders' text was read, which may have made it up.
    """
    listed = visit.server.listed
    if where is None or listed.get(where.key):
        return "read", False
    return ("fetch", True) if where.is_web else ("read", visit.memory.tainted and not listed.get(where.any_host))


def _note_listed(visit: Visit, result: Mapping[str, Any]) -> None:
    """Remember the addresses that a server lists as its own, and the hosts in them and in its templates.

    A list may hold links to the web: of that each is known by itself alone, and a host only from a template.
    """
    for key, member in (("resources", "uri"), ("resourceTemplates", "uriTemplate")):
        found = result.get(key)
        for one in found if isinstance(found, list) else ():
            uri = one.get(member) if isinstance(one, dict) else None
            if not isinstance(uri, str) or len(uri) > LONGEST or is_odd(uri):
                continue
            if member == "uri":
                visit.server.listed.put(uri, True)
            where = place(uri)
            if where and "{" in where.host and not where.is_web:
                visit.server.listed.put(where.any_host, True)
            elif where and where.host and (member == "uriTemplate" or not where.is_web):
                visit.server.listed.put(where.key, True)
