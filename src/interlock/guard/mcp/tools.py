"""Lists the tools that a caller may use, and calls one of them: the same judgement as at the model boundary."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from interlock.guard.answer import AnswerJudge, CallVerdict
from interlock.guard.commands import Note
from interlock.guard.inspect import Inspected, logged
from interlock.guard.mcp.approving import STATE, asker
from interlock.guard.mcp.approving import permitted as approved
from interlock.guard.mcp.asks import LEAK, leaks, say
from interlock.guard.mcp.commands import Keep, Steps
from interlock.guard.mcp.content import received, withheld
from interlock.guard.mcp.link import ask
from interlock.guard.mcp.parking import RETRY, answerable, opened
from interlock.guard.mcp.rounds import UnwelcomeError, retried, settled
from interlock.guard.mcp.state import INSTRUCTIONS, Link
from interlock.guard.mcp.visit import OUT_OF_TASK, Visit
from interlock.knowledge import redact
from interlock.mcp.eras import INPUT_REQUIRED
from interlock.mcp.headers import check_params
from interlock.mcp.inspection import Finding, inspect, suspicious
from interlock.mcp.messages import INVALID_PARAMS, MessageError, Request
from interlock.mcp.pins import Standing
from interlock.model.decision import Allow, Deny
from interlock.model.errors import ProtocolError
from interlock.model.event import Channel, ToolCall, ToolDefinition
from interlock.model.meta import Severity
from interlock.model.record import Noted, Step, Verdict
from interlock.protocols import encode
from interlock.provenance import derive

# What the caller is told of a denial: not which rule, nor what would be permitted.
NOT_PERMITTED = "Not permitted."
MOST_PAGES = 100
MOST_TOOLS = 2_000
# SEP-986: what a tool may be called. Anything else can look like another tool's name.
_NAME = re.compile(r"[A-Za-z0-9_./-]{1,128}")
# By which name the log calls what an inspection of definitions finds, and how sure that is.
DEFINITION = "tool-definition"
_SCORES = {Severity.MEDIUM: 600, Severity.HIGH: 900, Severity.CRITICAL: 990}
LONGEST_REASON = 300
_WHY = {
    Standing.NEW: "The tool is not approved: interlock mcp approve.",
    Standing.CHANGED: "The tool is not what was approved: interlock mcp diff.",
}


def refreshed(visit: Visit, link: Link, *, force: bool = False) -> Steps[None]:
    """Ask the server what it offers, if that was not done lately, and compare it with what is approved."""
    catalogue, ttl_us = visit.server.catalogue, visit.server.settings.list_ttl_s * 1_000_000
    if not force and not catalogue.is_stale(visit.now_us, ttl_us):
        return
    tools: dict[str, Mapping[str, Any]] = {}
    if "tools" in link.capabilities:
        tools = yield from _listed(visit, link)
    if link.instructions:
        tools[INSTRUCTIONS] = {"name": INSTRUCTIONS, "description": link.instructions}
    if tools != catalogue.tools:
        catalogue.findings = _inspected(visit, tools)
    try:
        changed = catalogue.observe(tools, suspicious(catalogue.findings), visit.now_us)
    except ValueError as error:
        raise ProtocolError(f"a tool's definition has no canonical form: {error}") from error
    if changed:
        yield Keep(changed)
    for name in tools:
        if (standing := catalogue.standing(name)) is not Standing.APPROVED:
            visit.block("tool_description", name, _WHY[standing])


def _listed(visit: Visit, link: Link) -> Steps[dict[str, Mapping[str, Any]]]:
    """Every tool of the server by name, over all its pages. Raises: ProtocolError for a list that is none."""
    tools: dict[str, Mapping[str, Any]] = {}
    cursor: object = None
    for _ in range(MOST_PAGES):
        result = yield from ask(visit, link, "tools/list", {} if cursor is None else {"cursor": cursor})
        page = result.get("tools")
        if not isinstance(page, list):
            raise ProtocolError("the server's list of tools is none")
        for tool in page:
            name = tool.get("name") if isinstance(tool, dict) else None
            if not isinstance(name, str) or name in tools:
                raise ProtocolError("the server offers a tool without a name, or two of one name")
            if _NAME.fullmatch(name):
                tools[name] = tool
            else:
                visit.block("tool_description", name, "No tool may be called so.")
        cursor = result.get("nextCursor")
        if not isinstance(cursor, str) or not cursor:
            return tools
        if len(tools) > MOST_TOOLS:
            break
    raise ProtocolError(f"the server offers over {MOST_TOOLS} tools, or its list does not end")


def _inspected(visit: Visit, tools: Mapping[str, Mapping[str, Any]]) -> tuple[Finding, ...]:
    """What is suspicious about what the server offers, beside what others offer; it is noted, but for trifles."""
    known = {name: other.catalogue.known for name, other in visit.server.others.items()}
    engine, name = visit.rules.engine, visit.server.name
    findings = inspect(known | {name: tools}, lambda text: engine.scan(text, Channel.TOOL_DESCRIPTION), only=name)
    for tool in dict.fromkeys(one.tool for one in findings):
        worth = [one for one in findings if one.tool == tool and one.severity is not Severity.LOW]
        if worth:
            signals = tuple(dict.fromkeys(Noted(DEFINITION, one.kind, _SCORES[one.severity]) for one in worth))
            reason = redact("; ".join(dict.fromkeys(one.why for one in worth)))[:LONGEST_REASON]
            visit.steps.append(Step(kind="tool_description", tool=logged(tool), signals=signals, reason=reason))
    return findings


def list_tools(visit: Visit, link: Link, request: Request) -> Steps[dict[str, Any]]:
    """The tools that this caller may use, approved ones only, in one page, in order of their names."""
    if "cursor" in request.params:
        raise MessageError(INVALID_PARAMS, "this list has one page", id=request.id)
    yield from refreshed(visit, link, force=True)
    return {"tools": [tool for _, tool in sorted(permitted(visit))]}


def permitted(visit: Visit) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The tools that this caller may see, by name."""
    catalogue = visit.server.catalogue
    for name, tool in catalogue.tools.items():
        definition = catalogue.definition(name)
        if definition is None or name == INSTRUCTIONS:
            continue
        labels = derive(name, definition, visit.rules.tools)
        if isinstance(visit.allows(name, labels.sink), Allow):
            yield name, tool


def call_tool(
    visit: Visit, link: Link, request: Request, headers: Mapping[bytes, bytes] | None
) -> Steps[dict[str, Any]]:
    """The result of a call, or that it is not permitted. `headers` are compared with it, if there are any."""
    name, arguments = request.params.get("name"), request.params.get("arguments", {})
    if not isinstance(name, str) or not isinstance(arguments, dict):
        raise MessageError(INVALID_PARAMS, "a call needs a name, and arguments that are an object", id=request.id)
    yield from refreshed(visit, link)
    definition = visit.server.catalogue.definition(name) if name != INSTRUCTIONS else None
    if visit.era.is_modern and definition and headers is not None:
        check_params(request.id, definition.schema, arguments, headers)
    call = ToolCall((), f"{visit.call.request}", name, encode(arguments).decode())
    judge, verdict, denied = _judged(visit, call, definition)
    question: dict[str, Any] | None = None
    ours = str(request.params.get("requestState", "")).startswith(STATE)
    request = request if ours else request._replace(params=answerable(visit, request.method, request.params))
    again = [] if ours else retried(visit, request.params)
    say(visit, name, again)
    if again and leaks(visit, again):
        denied = denied or Deny(LEAK)
    elif verdict.asking:
        outcome = yield from approved(visit, judge, verdict, request.params)
        question = outcome if isinstance(outcome, dict) else None
        verdict = outcome if isinstance(outcome, CallVerdict) else verdict
        denied = None if verdict.allowed else Deny(verdict.step.reason, verdict.step.policies)
    yield Note(visit.log.request(0, (*_taken(visit), verdict.step), denied), durable=verdict.risky)
    if denied:
        # What it says may come back all the same: it is no value that somebody else has said.
        visit.asked(call)
        return question or refusal()
    # What a client says to an earlier question goes on only to a server that may ask.
    known = ("name", "arguments", "_meta", *(RETRY if visit.server.settings.offers and not ours else ()))
    params = {key: value for key, value in request.params.items() if key in known}
    visit.asked(call)
    try:
        result = yield from settled(visit, link, "tools/call", params, definition.schema if definition else None)
    except UnwelcomeError:
        return withheld()
    if result.get("resultType") == INPUT_REQUIRED:
        opened(visit, request.method, request.params, result)
        return result
    return received(visit, result, call, derive(name, definition, visit.rules.tools))


def _taken(visit: Visit) -> tuple[Step, ...]:
    """The steps so far, which a record holds now."""
    steps, visit.steps = tuple(visit.steps), []
    return steps


def _judged(
    visit: Visit, call: ToolCall, definition: ToolDefinition | None
) -> tuple[AnswerJudge, CallVerdict, Deny | None]:
    """What the guard says of a call; what is not approved is refused, whatever policy says of it."""
    offered = {call.name: definition} if definition else {}
    memory, session = visit.memory, visit.log.session
    conversation = memory.conversation
    conversation.describe(_descriptions(visit))
    inspected = Inspected(conversation, offered, (), (), (), (), session, None, memory.confidential)
    judge = AnswerJudge(visit.call, inspected, visit.rules, asker=asker(visit))
    verdict = judge.call(call)
    denied: Deny | None = None
    if definition is None:
        denied = Deny(_WHY[visit.server.catalogue.standing(call.name)])
        if visit.server.catalogue.standing(call.name) is Standing.APPROVED:
            denied = Deny("The server does not offer the tool any more.")
    elif visit.task and visit.task.tools is not None and call.name not in visit.task.tools:
        denied = Deny(OUT_OF_TASK)
    elif not verdict.allowed:
        denied = Deny(verdict.step.reason, verdict.step.policies)
    if definition is None or (denied and denied.reason == OUT_OF_TASK):
        verdict = replace(verdict, asking=None)  # that is for no approval of a call to lift
    if denied and verdict.allowed:
        step = verdict.step._replace(verdict=Verdict.BLOCKED, reason=denied.reason, policies=denied.policies)
        verdict = CallVerdict(step, allowed=False, risky=False, told="", arguments=verdict.arguments, restored=False)
    return judge, verdict, denied


def _descriptions(visit: Visit) -> list[ToolDefinition]:
    """What the servers say of themselves to the agent's model: a value that stands there is an outsider's."""
    servers = visit.server.others or {visit.server.name: visit.server}
    catalogues = [one.catalogue for one in servers.values()]
    offered = (catalogue.definition(name) for catalogue in catalogues for name in catalogue.tools)
    return [one for one in offered if one]


def refusal() -> dict[str, Any]:
    """What a caller gets in place of a result."""
    return {"content": [{"type": "text", "text": NOT_PERMITTED}], "isError": True}
