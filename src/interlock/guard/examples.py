"""Examples of what policies are to decide, from a TOML file, and whether they do: no gateway, no model.

An example gives a workload and a call, and either what was said before it, so that all facts are found as they are in
traffic, or the facts themselves:

    [[example]]
    name = "mail goes to whom the user names"
    workload = "mailer"
    tool = "send_mail"
    arguments = { to = "ann@corp.example", body = "Done." }
    conversation = [{ user = "Tell ann@corp.example that it is done." }]
    expect = "allow"

`expect` is allow, ask or deny; `by` names the policies that decide so. `facts` are those of the schema, in its words
(`tainted = true`, `origins = ["untrusted"]`, `sink = "send"`). A turn of the conversation is one of `user`, `system`,
`call` (with `arguments`) and `result` (with `tool`). `[tools.<name>]` holds the `description` and `schema` of a tool
that is offered. With `model` in place of `tool` the example is about a request to it.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from interlock.guard.answer import AnswerJudge
from interlock.guard.caps import Counters
from interlock.guard.inspect import inspect
from interlock.guard.rules import Call, Rules
from interlock.guard.sessions import Sessions
from interlock.model.decision import Allow, Ask, Decision, Principal
from interlock.model.errors import ProtocolError, UsageError
from interlock.model.event import Channel, Event, Text, ToolCall, ToolDefinition
from interlock.model.record import Origin, Step
from interlock.policy import CallModel, CallTool, call_of
from interlock.protocols import decode, encode

ANYBODY = "example"
EXPECTED = ("allow", "ask", "deny")
MOST = 10_000
# The schema's words for the facts, and this room's.
_FACTS = {
    "tainted": "tainted",
    "offered": "offered",
    "understood": "understood",
    "asked": "asked",
    "private": "private",
    "carriesSecret": "carries_secret",
    "overCap": "over_cap",
}
_KEYS: Mapping[str, type | tuple[type, ...]] = {
    "name": str,
    "workload": str,
    "tool": str,
    "model": str,
    "arguments": (dict, str),
    "conversation": list,
    "facts": dict,
    "expect": str,
    "by": list,
}


@dataclass(frozen=True, slots=True)
class Example:
    """One example. `arguments` is the call's JSON text; `facts` is None where the conversation is to give them."""

    name: str
    where: str
    workload: str
    tool: str
    model: str
    arguments: str
    events: tuple[Event, ...]
    facts: Mapping[str, Any] | None
    expect: str
    by: frozenset[str] | None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of an example: `decided` is allow, ask or deny, `by` which policies, `observed` those only watched."""

    example: Example
    decided: str
    by: tuple[str, ...]
    observed: tuple[str, ...]
    reason: str

    @property
    def holds(self) -> bool:
        """Whether it is what the example expects."""
        named = {*self.by, *self.observed}
        return self.decided == self.example.expect and (self.example.by is None or self.example.by <= named)


def examples(name: str, text: str) -> tuple[Example, ...]:
    """The examples in a file called `name`. Raises: UsageError that says what is wrong with which."""
    try:
        document = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise UsageError(f"not TOML: {error}", where=name) from error
    tools = document.pop("tools", {})
    listed = document.pop("example", [])
    if document or not isinstance(listed, list) or not isinstance(tools, dict) or len(listed) > MOST:
        hint = "a file of examples has [[example]] and [tools.<name>]"
        raise UsageError(f"not understood: {', '.join(document) or 'example or tools'}", where=name, hint=hint)
    offered = tuple(_definition(tool, said, name) for tool, said in tools.items())
    return tuple(_example(f"{name}, example {number}", one, offered) for number, one in enumerate(listed, 1))


def tried(example: Example, rules: Rules) -> Outcome:
    """What these rules decide of an example; nothing of it is remembered or counted in them."""
    rules = replace(rules, sessions=Sessions(), caps=replace(rules.caps, counters=Counters()))
    if example.model:
        decision: Decision = rules.policies.decide(CallModel(example.workload, example.model))
        return _outcome(example, decision)
    if example.facts is not None:
        return _by_facts(example, example.facts, rules)
    call = Call(Principal(example.workload, "example"), example.where, "example", "", "", 0)
    inspected = inspect(example.events, example.workload, example.where, rules)
    verdict = AnswerJudge(call, inspected, rules).call(ToolCall((), "example", example.tool, example.arguments))
    decided = "allow" if verdict.allowed else "ask" if verdict.asking else "deny"
    return Outcome(
        example, decided, verdict.step.policies, _observed(example, verdict.step, rules), verdict.step.reason
    )


def _observed(example: Example, step: Step, rules: Rules) -> tuple[str, ...]:
    """The policies that would have refused it, had they not only been observed."""
    question = call_of(example.workload, example.tool, step.sink, step.facts)
    decision = rules.policies.decide(question, _decoded(example.arguments)) if question else None
    return decision.observed if isinstance(decision, Allow) else ()


def _by_facts(example: Example, facts: Mapping[str, Any], rules: Rules) -> Outcome:
    switches = {ours: bool(facts.get(theirs, theirs in ("offered", "understood"))) for theirs, ours in _FACTS.items()}
    question = CallTool(
        example.workload,
        example.tool,
        facts.get("sink", "unknown"),
        frozenset(map(Origin, facts.get("origins", ()))),
        asked_by_model=facts.get("askedByModel", "unknown"),
        **switches,
    )
    return _outcome(example, rules.policies.decide(question, _decoded(example.arguments)))


def _outcome(example: Example, decision: Decision) -> Outcome:
    if isinstance(decision, Allow):
        return Outcome(example, "allow", decision.policies, decision.observed, "")
    return Outcome(example, "ask" if isinstance(decision, Ask) else "deny", decision.policies, (), decision.reason)


def _decoded(arguments: str) -> object:
    try:
        return decode(arguments.encode("utf-8", "surrogatepass"))
    except ProtocolError:
        return None


def _example(where: str, said: object, offered: tuple[ToolDefinition, ...]) -> Example:
    if not isinstance(said, dict):
        raise UsageError("an example is a table", where=where, hint="begin it with [[example]]")
    for key, value in said.items():
        if key not in _KEYS:
            raise UsageError(f"unknown key {key!r}", where=where, hint=f"known ones: {', '.join(_KEYS)}")
        if not isinstance(value, _KEYS[key]):
            raise UsageError(f"{key} is of the wrong kind", where=where, hint="see interlock policy test --help")
    if bool(said.get("tool")) == bool(said.get("model")):
        raise UsageError("an example is about a tool, or about a model", where=where, hint='such as tool = "send_mail"')
    if said.get("expect") not in EXPECTED:
        raise UsageError("an example has to say what it expects", where=where, hint="expect = allow, ask or deny")
    if "facts" in said and "conversation" in said:
        hint = "leave one of them out"
        raise UsageError("the facts come from the conversation, or are given", where=where, hint=hint)
    arguments = said.get("arguments", {})
    return Example(
        name=said.get("name", "") or where,
        where=where,
        workload=said.get("workload", ANYBODY),
        tool=said.get("tool", ""),
        model=said.get("model", ""),
        arguments=arguments if isinstance(arguments, str) else _json(arguments, where),
        events=(*_offered(said.get("tool", ""), offered), *_events(said.get("conversation", []), where)),
        facts=_facts(said["facts"], where) if "facts" in said else None,
        expect=said["expect"],
        by=frozenset(map(str, said["by"])) if "by" in said else None,
    )


def _offered(tool: str, offered: tuple[ToolDefinition, ...]) -> tuple[ToolDefinition, ...]:
    """What the request offers: the tools of the file, and the one that is called, if only by its name."""
    if not tool or any(one.name == tool for one in offered):
        return offered
    return (*offered, ToolDefinition((), tool, "", {}))


def _facts(facts: dict[str, Any], where: str) -> Mapping[str, Any]:
    known = {origin.value for origin in Origin}
    for name, value in facts.items():
        if name == "origins":
            right = isinstance(value, list) and all(isinstance(one, str) and one in known for one in value)
        else:
            wanted = bool if name in _FACTS else str if name in ("sink", "askedByModel") else None
            right = wanted is not None and isinstance(value, wanted)
        if not right:
            hint = f"known ones: {', '.join((*_FACTS, 'sink', 'askedByModel', 'origins'))}; origins: {', '.join(known)}"
            raise UsageError(f"there is no such fact: {name} = {value!r}", where=where, hint=hint)
    return facts


def _events(turns: list[Any], where: str) -> tuple[Event, ...]:
    """The conversation. A call's id is its tool's name, so that a result belongs to the call before it."""
    found: list[Event] = []
    for turn in turns:
        match turn:
            case {"user": str(text), **rest} if not rest:
                found.append(Text((), Channel.USER, text))
            case {"system": str(text), **rest} if not rest:
                found.append(Text((), Channel.SYSTEM, text))
            case {"call": str(tool), **rest} if rest.keys() <= {"arguments"}:
                found.append(ToolCall((), tool, tool, _json(rest.get("arguments", {}), where)))
            case {"result": str(text), "tool": str(tool), **rest} if not rest:
                found.append(Text((), Channel.TOOL_RESULT, text, tool, tool))
            case _:
                hint = 'such as { user = "..." }, { call = "read_mail" } or { tool = "read_mail", result = "..." }'
                raise UsageError(f"this is no turn of a conversation: {turn!r}", where=where, hint=hint)
    return tuple(found)


def _definition(name: str, said: object, where: str) -> ToolDefinition:
    match said:
        case {"description": str(description), "schema": dict(schema), **rest} if not rest:
            return ToolDefinition((), name, description, schema)
        case {"description": str(description), **rest} if not rest:
            return ToolDefinition((), name, description, {})
    raise UsageError(f"[tools.{name}] is no definition", where=where, hint="it has a description, and a schema")


def _json(arguments: object, where: str) -> str:
    try:
        return encode(arguments).decode()
    except (TypeError, ValueError) as error:
        raise UsageError(f"the arguments cannot be written as JSON: {error}", where=where) from error
