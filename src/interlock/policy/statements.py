"""Reads Cedar files into the statements that are in force: each valid, with an @id of its own and a force."""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any

import cedarpy

from interlock.model.errors import PolicyError

# Strings and comments first, so that a semicolon inside them ends no policy. Nothing is left out: a quotation mark
# without its partner must reach Cedar, which refuses it.
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|//[^\n]*|;|\n|[^"/;\n]+|["/]', re.DOTALL)
# `context.args`, as Cedar's JSON form writes it.
_ARGUMENTS = {".": {"left": {"Var": "context"}, "attr": "args"}}
# A scope that only names the kind limits nothing: each action has one kind of principal and of resource.
_ALL = frozenset({"All", "is"})
# Nobody writes such a policy by hand, and Cedar reads what is nested on the stack: it would end the process.
LONGEST, DEEPEST = 20_000, 100


@dataclass(frozen=True, slots=True)
class Source:
    """One Cedar file: its name for error messages, and its text."""

    name: str
    text: str


class Force(Enum):
    """What it means that a policy forbids something: its @force, or what the settings say of its @id.

    ENFORCE: it is refused. ASK: it is refused until a person approves. OBSERVE: it is only noted.
    """

    ENFORCE = "enforce"
    ASK = "ask"
    OBSERVE = "observe"


@dataclass(frozen=True, slots=True)
class Policy:
    """One statement as it was loaded. `where` is file:line; `actions` is what it speaks of, none if of everything.

    `workload` and `tool` are those that it is about, if its scope names one; `reads` the arguments of a call that it
    looks at. `written` is its force before the settings spoke; `everything`, whether nothing limits whom or what of its
    actions it is about.
    """

    id: str
    reason: str
    where: str
    permits: bool
    actions: tuple[str, ...]
    force: Force = Force.ENFORCE
    workload: str = ""
    tool: str = ""
    reads: frozenset[str] = frozenset()
    written: Force = Force.ENFORCE
    everything: bool = False


Typed = Callable[[str], tuple[cedarpy.Schema, str] | None]
"""The schema in which `context.args` has the types of a tool's arguments, and those types as Cedar writes them.

None for a tool that nobody knows.
"""


def split(source: Source) -> Iterator[tuple[int, str]]:
    """(line of its first word, text) of each policy in a file."""
    line, begin, held = 1, 0, ""
    for token in _TOKEN.findall(source.text):
        if not begin and token.strip() and not token.startswith("//"):
            begin = line
        held += token
        line += token.count("\n")
        if token == ";":
            yield begin, held
            begin, held = 0, ""
    if begin:
        yield begin, held


def validated(schema: cedarpy.Schema, typed: Typed, name: str, line: int, text: str) -> Policy:
    """The one policy in `text`. Raises: PolicyError with file and line."""
    where = f"{name}:{line}"
    if len(text) > LONGEST or _depth(text) > DEEPEST:
        what = f"the policy that begins here has over {LONGEST:,} characters, or is nested over {DEEPEST} deep"
        raise PolicyError(what, where=where, hint="make several of it; nothing was loaded")
    documents = _documents(text)
    policy = documents[0] if documents and len(documents) == 1 else {}
    reads = frozenset(_reads([clause["body"] for clause in policy.get("conditions", ())]))
    tool = _named(policy.get("resource", {}), "Tool")
    known, types = (schema, "") if not reads else _typed_schema(typed, tool, reads, where)
    result = cedarpy.validate_policies(text, known)
    if not result.validation_passed:
        said = "; ".join(error.error for error in result.errors)
        hint = f"nothing was loaded. Arguments of {tool} that can be read: {types}" if types else "nothing was loaded"
        raise PolicyError(f"the policy that begins here is not valid: {said}", where=where, hint=hint)
    if documents is None:
        raise PolicyError("the policy that begins here is too long", where=where, hint="make several of it")
    if len(documents) != 1:
        hint = "write out the principal or the resource instead of ?principal or ?resource"
        raise PolicyError("templates are not used here", where=where, hint=hint)
    annotations = policy.get("annotations", {})
    if not annotations.get("id"):
        raise PolicyError("the policy has no @id", where=where, hint='write @id("what-it-says") before it')
    scope = policy["action"]
    actions = (
        tuple(entity["id"] for entity in scope.get("entities") or [scope["entity"]]) if scope["op"] != "All" else ()
    )
    permits = policy["effect"] == "permit"
    force = _force(annotations.get("force", "enforce"), permits, where)
    return Policy(
        id=annotations["id"],
        reason=annotations.get("reason") or annotations["id"],
        where=where,
        permits=permits,
        actions=actions,
        force=force,
        workload=_named(policy["principal"], "Workload"),
        tool=tool,
        reads=reads,
        written=force,
        everything=not policy["conditions"] and all(policy[part]["op"] in _ALL for part in ("principal", "resource")),
    )


def _depth(text: str) -> int:
    """How deeply its brackets are nested."""
    depth = deepest = 0
    for token in _TOKEN.findall(text):
        if token.startswith(('"', "//")):
            continue
        for character in token:
            if character in "([{":
                depth += 1
                deepest = max(deepest, depth)
            elif character in ")]}":
                depth -= 1
    return deepest


def _documents(text: str) -> list[dict[str, Any]] | None:
    """The policies in Cedar's JSON form; None if it has none for them, or they do not parse."""
    try:
        return list(json.loads(cedarpy.policies_to_json_str(text))["staticPolicies"].values())
    except (ValueError, RecursionError):
        return None


def _typed_schema(typed: Typed, tool: str, reads: frozenset[str], where: str) -> tuple[cedarpy.Schema, str]:
    if not tool:
        hint = 'give it a tool: resource == Tool::"name"'
        raise PolicyError("the policy reads arguments and is not about one tool", where=where, hint=hint)
    if "" in reads:
        hint = "read arguments by their names: context.args.amount"
        raise PolicyError("the policy reads all arguments at once", where=where, hint=hint)
    known = typed(tool)
    if known is None:
        what = f"the policy reads arguments of {tool!r}, and nobody has said what arguments it has"
        hint = f"approve the tool (interlock mcp approve), or declare them: [tools.{tool}] arguments"
        raise PolicyError(what, where=where, hint=hint)
    return known


def _named(scope: Mapping[str, Any], kind: str) -> str:
    """The one entity of this kind that a policy's scope names, else an empty text."""
    entity = scope.get("entity", {})
    named: str = entity.get("id", "") if entity.get("type") == kind else ""
    return named


def _reads(bodies: list[Any]) -> Iterator[str]:
    """The names of the arguments that conditions look at; an empty one if they look at all of them at once."""
    left: list[Any] = list(bodies)
    while left:
        node = left.pop()
        if node == _ARGUMENTS:
            yield ""
        elif isinstance(node, list):
            left += node
        elif isinstance(node, dict):
            for key, inner in node.items():
                if key in (".", "has") and isinstance(inner, dict) and inner.get("left") == _ARGUMENTS:
                    yield inner["attr"]
                else:
                    left.append(inner)


def _force(name: str, permits: bool, where: str) -> Force:
    if name not in {force.value for force in Force}:
        raise PolicyError(f"there is no force {name!r}", where=where, hint="enforce, ask or observe")
    if permits and name != Force.ENFORCE.value:
        raise PolicyError("a policy that permits has no force", where=where, hint="only a forbid can ask or observe")
    return Force(name)


def forced(loaded: tuple[Policy, ...], forces: Mapping[str, Force]) -> tuple[Policy, ...]:
    """The same with what the settings say. Raises: PolicyError for a name that none of them has, or a permit's."""
    known = {policy.id: policy for policy in loaded}
    for name in forces:
        if name not in known:
            forbids = ", ".join(policy.id for policy in loaded if not policy.permits)
            raise PolicyError(f"there is no policy {name!r}", where="[policy]", hint=f"one of {forbids}")
        if known[name].permits:
            hint = "only a forbid can be enforced, asked or observed"
            raise PolicyError(f"{name!r} permits something", where="[policy]", hint=hint)
    return tuple(replace(policy, force=forces.get(policy.id, policy.force)) for policy in loaded)


def refuse_twice(policies: tuple[Policy, ...]) -> None:
    """Refuse two policies with one @id. Raises: PolicyError."""
    seen: dict[str, str] = {}
    for policy in policies:
        if policy.id in seen:
            raise PolicyError(
                f"two policies have the @id {policy.id!r}",
                where=policy.where,
                hint=f"the other one is at {seen[policy.id]}",
            )
        seen[policy.id] = policy.where
