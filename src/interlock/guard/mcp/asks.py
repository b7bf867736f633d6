"""What a server may ask its client for: a completion by its model, its user, its roots.

Rules: only what the settings offer, and the client can do; only the members that the protocol knows; every text is
untrusted, is scanned and remembered before it goes on; a form does not ask for credentials, an address is https; what
the client answers goes back only if it holds no secret. It does NOT tell who answers: a hijacked client may.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from interlock.guard.commands import Begin, Emit, Note
from interlock.guard.inspect import logged
from interlock.guard.mcp.commands import Ring, Steps, Tell
from interlock.guard.mcp.content import block
from interlock.guard.mcp.settings import McpServer
from interlock.guard.mcp.state import Asked, Link
from interlock.guard.mcp.visit import Visit
from interlock.mcp import messages
from interlock.mcp.framing import event
from interlock.mcp.messages import Id, MessageError, Request, Response
from interlock.model.decision import Deny
from interlock.model.event import Channel, Media, Text, ToolCall
from interlock.model.record import Origin, Step, Verdict
from interlock.protocols import encode, texts

SAMPLING, ELICITATION, ROOTS = "sampling/createMessage", "elicitation/create", "roots/list"
# All that a server on stdin is offered, whose program is older than its clients: each request is looked at again.
EVERYTHING: Mapping[str, Any] = {"sampling": {"tools": {}}, "elicitation": {"form": {}, "url": {}}, "roots": {}}
# Not `includeContext`: it would let a server read what others have said. Not `task`: nobody here keeps tasks.
_KNOWN = {
    SAMPLING: (
        "messages", "modelPreferences", "systemPrompt", "temperature", "maxTokens", "stopSequences", "metadata",
        "tools", "toolChoice",
    ),
    ELICITATION: ("mode", "message", "requestedSchema", "url", "elicitationId"),
    ROOTS: (),
}  # fmt: skip
_ANSWERS = {SAMPLING: ("role", "content", "model", "stopReason"), ELICITATION: ("action", "content"), ROOTS: ("roots",)}
_SECRET = re.compile(
    r"pass.?(?:word|phrase|code)|passwd|secret|(?:api|private|access).?key|token|credential|\b(?:pin|cvv|cvc|otp)\b",
    re.IGNORECASE,
)
_ADDRESS = re.compile(r"https://[A-Za-z0-9.-]+(?::\d{1,5})?(?:[/?#][!-~]*)?")
_LOCAL = re.compile(r"http://(?:localhost|127\.0\.0\.1|\[::1\])(?::\d{1,5})?(?:[/?#][!-~]*)?")
NOT_OFFERED = "A server may not ask its client for this: nothing of it is offered."
NO_STREAM = "The client's request leaves no way to ask it anything."
ASKS_SECRETS = "A form may not ask for credentials."
ODD_ADDRESS = "The user may be sent to https addresses only."
ODD = "The request is not in the protocol's shape."
LEAK = "It holds what a detector took for a secret."
# JSON-RPC's code for what a person, or a policy, has turned down; MCP uses it so for sampling.
TURNED_DOWN = -1
# Requests that wait for one client at once.
MOST_ASKED = 16
MOST_FIELDS = 64


def offered(settings: McpServer, capabilities: Mapping[str, Any]) -> dict[str, Any]:
    """What a server is told that its client can do: what the client says, as far as the settings offer it."""
    told: dict[str, Any] = {}
    for name, extra in (("sampling", "tools"), ("roots", "listChanged")):
        can = capabilities.get(name)
        if name in settings.offers and isinstance(can, dict):
            told[name] = {extra: can[extra]} if isinstance(can.get(extra), dict | bool) else {}
    can = capabilities.get("elicitation")
    if isinstance(can, dict):
        form = "elicitation" in settings.offers and ("form" in can or "url" not in can)
        url = "elicitation-url" in settings.offers and "url" in can
        if form or url:
            told["elicitation"] = ({"form": {}} if form else {}) | ({"url": {}} if url else {})
    return told


def pass_on(visit: Visit, link: Link, request: Request) -> Steps[None]:
    """Ask the client of the older era what its server asks; or refuse it."""
    if request.method == "ping":
        yield Tell(messages.result(request.id, {}), link.headers)
        return
    reason = why_not(visit, request.method, request.params) if visit.session else NOT_OFFERED
    if reason:
        yield from refuse(visit, link, request, reason)
    else:
        yield from put(visit, request.params, Asked(request.method, link, request.id))


def refuse(visit: Visit, link: Link, request: Request, reason: str) -> Steps[None]:
    """Tell a server that it does not get what it asks, and note why."""
    visit.block("server_request", request.method, reason)
    code = messages.METHOD_NOT_FOUND if reason == NOT_OFFERED else TURNED_DOWN
    yield Tell(messages.error(request.id, code, "not permitted"), link.headers)


def take_answer(visit: Visit, response: Response) -> Steps[None]:
    """A client of the older era answers what it was asked. Raises: MessageError if it was not."""
    asked = visit.session.asked.pop(str(response.id), None) if visit.session else None
    if asked is None:
        raise MessageError(messages.INVALID_REQUEST, "this client was not asked for this")
    answer = checked(visit, asked.method, response)
    say(visit, asked.method, answer.result)
    yield Note(visit.log.answer(202, tuple(visit.steps)))
    if asked.link is None:
        asked.answer = answer
        yield Ring(asked.bell)
    else:
        yield give(asked.link, asked.id, answer)


def say(visit: Visit, name: str, answers: object) -> None:
    """Remember what a client has answered: it is no news if a result holds it later. `name` is what that goes to."""
    if answers:
        visit.asked(ToolCall((), visit.call.request, name, encode({"answers": answers}).decode()))


def give(link: Link, id_: Id, answer: Response) -> Tell:
    """The server gets the answer to its request `id_`."""
    if answer.result is not None:
        return Tell(messages.result(id_, answer.result), link.headers)
    assert answer.error
    return Tell(messages.error(id_, answer.error["code"], answer.error["message"]), link.headers)


def leaks(visit: Visit, said: object) -> bool:
    """Whether what a client answers holds what may not go out; it is noted."""
    found = visit.holds_secret([text for _, text in texts(said, ())])
    text = encode({"said": said}).decode()
    step = Step(kind="client_answer", size=len(text), digest=visit.rules.digest(text))
    visit.steps.append(step._replace(verdict=Verdict.BLOCKED, reason=LEAK) if found else step)
    return found


def show(visit: Visit, message: bytes) -> Steps[None]:
    """Send a message to the client before its answer."""
    if not visit.streaming:
        visit.streaming = True
        yield Begin()
    yield Emit(event(message))


def capabilities(visit: Visit) -> dict[str, Any]:
    """What can be had of the client in this exchange."""
    can_be_asked = visit.era.is_modern or visit.may_stream
    return offered(visit.server.settings, visit.capabilities) if can_be_asked else {}


def put(visit: Visit, params: Mapping[str, Any], asked: Asked) -> Steps[None]:
    """Ask a client of the older era; `take_answer` takes the answer."""
    assert visit.session
    id_ = visit.server.fresh()
    visit.session.asked[id_] = asked
    visit.waiting.append(id_)
    yield from show(visit, messages.request(id_, asked.method, clean(asked.method, params)))


def clean(method: str, params: Mapping[str, Any]) -> dict[str, Any]:
    """What the protocol knows of a request's params."""
    return {key: params[key] for key in _KNOWN[method] if key in params}


def why_not(visit: Visit, method: str, params: Mapping[str, Any]) -> str:
    """Why a server's request does not reach the client; empty if it does, and then all of it was taken in."""
    if not _is_offered(visit, method, params):
        return NOT_OFFERED
    if not visit.era.is_modern and (visit.session is None or not visit.may_stream):
        return NO_STREAM
    if visit.session and len(visit.session.asked) >= MOST_ASKED:
        return "The client is asked too much at once."
    if method == ELICITATION and (reason := _odd_elicitation(params)):
        return reason
    if method == SAMPLING and not isinstance(params.get("messages"), list):
        return ODD
    decision = visit.allows(method, "none")
    if isinstance(decision, Deny):
        return decision.reason
    for one in _events(method, clean(method, params)):
        if denied := visit.receive(one, Origin.UNTRUSTED):
            return denied.reason
    return ""


def _is_offered(visit: Visit, method: str, params: Mapping[str, Any]) -> bool:
    can = capabilities(visit)
    if method == ELICITATION:
        return params.get("mode", "form") in can.get("elicitation", {})
    return {SAMPLING: "sampling", ROOTS: "roots"}.get(method, "") in can


def _odd_elicitation(params: Mapping[str, Any]) -> str:
    if not isinstance(params.get("message"), str):
        return ODD
    if params.get("mode") == "url":
        url = params.get("url")
        good = isinstance(url, str) and (_ADDRESS.fullmatch(url) or _LOCAL.fullmatch(url))
        return "" if good else ODD_ADDRESS
    schema = params.get("requestedSchema")
    fields = schema.get("properties") if isinstance(schema, dict) else None
    if not isinstance(fields, dict) or len(fields) > MOST_FIELDS:
        return ODD
    for name, field in fields.items():
        if not isinstance(field, dict) or field.get("type") not in ("string", "number", "integer", "boolean", "array"):
            return ODD
        if any(_SECRET.search(str(text)) for text in (name, field.get("title", ""), field.get("description", ""))):
            return ASKS_SECRETS
    return ""


def _events(method: str, params: Mapping[str, Any]) -> Iterator[Text | Media]:
    """Everything in a request that somebody can read."""
    call = ToolCall((), "", method, "")
    rest = dict(params)
    for index, message in enumerate(rest.pop("messages", [])):
        content = message.get("content") if isinstance(message, dict) else message
        for one in content if isinstance(content, list) else [content]:
            yield from block(one, ("messages", index, "content"), call)
        beside = {key: value for key, value in message.items() if key != "content"} if isinstance(message, dict) else {}
        if beside.get("role") in ("user", "assistant"):
            del beside["role"]
        if said := "\n".join(text for _, text in texts(beside, ())):
            yield Text(("messages", index), Channel.TOOL_RESULT, said, method)
    if said := "\n".join(text for _, text in texts(rest, ())):
        yield Text((), Channel.TOOL_RESULT, said, method)


def checked(visit: Visit, method: str, response: Response) -> Response:
    """A client's answer as it goes back: what the protocol knows of it, or an error in its place."""
    if response.result is None:
        assert response.error
        return Response(response.id, None, {"code": response.error["code"], "message": "the client refused"})
    said = {key: response.result[key] for key in _ANSWERS[method] if key in response.result}
    if method == ELICITATION and said.get("action") != "accept":
        said.pop("content", None)
    if not _is_shaped(method, said):
        visit.block("client_answer", logged(method), "The answer is not in the protocol's shape.")
        return Response(response.id, None, {"code": messages.INVALID_PARAMS, "message": "the answer is none"})
    if leaks(visit, said):
        return Response(response.id, None, {"code": TURNED_DOWN, "message": "not permitted"})
    return Response(response.id, said, None)


def _is_shaped(method: str, said: Mapping[str, Any]) -> bool:
    match method:
        case "sampling/createMessage":
            return isinstance(said.get("content"), dict | list) and isinstance(said.get("model"), str)
        case "elicitation/create":
            return said.get("action") in ("accept", "decline", "cancel") and isinstance(said.get("content", {}), dict)
        case _:
            roots = said.get("roots")
            return isinstance(roots, list) and all(
                isinstance(one, dict) and str(one.get("uri", "")).startswith("file://") for one in roots
            )
