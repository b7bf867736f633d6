"""Validates Cedar policies, compiles them once, and answers questions. Fails closed in every direction."""

import dataclasses
import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, assert_never

import cedarpy

from interlock.model.decision import Allow, Ask, Decision, Deny
from interlock.model.errors import PolicyError
from interlock.policy.questions import (
    CallModel,
    CallTool,
    Obtain,
    PassMedia,
    PassOpaque,
    Question,
    ReadText,
    ReleaseText,
)

# Equal questions have equal answers, so they are kept; this bounds the memory, not the meaning.
KEPT_ANSWERS = 10_000
# Names come from requests and from models, so their length is bounded too. No API has longer names.
LONGEST_KEPT = 256
NOT_PERMITTED = "No policy permits it."
# Strings and comments first, so that a semicolon inside them ends no policy. Nothing is left out: a quotation mark
# without its partner must reach Cedar, which refuses it.
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|//[^\n]*|;|\n|[^"/;\n]+|["/]', re.DOTALL)


@dataclass(frozen=True, slots=True)
class Source:
    """One Cedar file: its name for error messages, and its text."""

    name: str
    text: str


class Mode(Enum):
    """How a text of an answer is held back until it is decided. Tool calls are held and judged in every mode.

    BLOCK: no byte leaves before the whole answer was decided. WINDOW: a text leaves up to where a match could still be
    growing, so nothing that a detector flags in the whole text leaves, however the stream is cut. OBSERVE: a text
    leaves at once and as it is; what was found is recorded.
    """

    BLOCK = "block"
    WINDOW = "window"
    OBSERVE = "observe"


class Force(Enum):
    """What it means that a policy forbids something: its @force, or what the settings say of its @id.

    ENFORCE: it is refused. ASK: it is refused until a person approves. OBSERVE: it is only noted.
    """

    ENFORCE = "enforce"
    ASK = "ask"
    OBSERVE = "observe"


@dataclass(frozen=True, slots=True)
class Scope:
    """What a workload's manifest says, as policy sees it. A list that is None does not limit."""

    models: tuple[str, ...] | None = None
    tools: tuple[str, ...] | None = None
    unsafe_tools: tuple[str, ...] = ()
    extras: tuple[str, ...] | None = None
    mode: Mode | None = None
    redact: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Policy:
    """One statement as it was loaded. `where` is file:line; `actions` is what it speaks of, none if of everything."""

    id: str
    reason: str
    where: str
    permits: bool
    actions: tuple[str, ...]
    force: Force = Force.ENFORCE


class Policies:
    """A validated set of policies. Not for use by several threads at once.

    Rules: policies that do not validate are never used; every policy has an @id of its own; an error during
    evaluation is a Deny (Cedar itself would skip an erring `forbid`); what no policy permits is a Deny; a refusal is an
    Ask only if every policy that refuses asks; equal questions get equal answers. `loaded` are its statements, in
    order. It does NOT read files.
    """

    def __init__(
        self,
        schema: Source,
        sources: tuple[Source, ...],
        scopes: Mapping[str, Scope],
        mode: Mode = Mode.WINDOW,
        redact: tuple[str, ...] = (),
        forces: Mapping[str, Force] | None = None,
    ) -> None:
        """`mode` and `redact` hold for workloads whose scope names none; `forces` by @id, in place of their own.

        Raises: PolicyError with file and line.
        """
        self._mode = mode
        self._redact = redact
        try:
            self._schema = cedarpy.Schema.from_str(schema.text)
        except ValueError as error:
            raise PolicyError(str(error), where=schema.name, hint="correct the schema") from error
        statements = [(source.name, line, text) for source in sources for line, text in _statements(source)]
        loaded = tuple([_validated(self._schema, name, line, text) for name, line, text in statements])
        _refuse_twice(loaded)
        self.loaded = _forced(loaded, forces or {})
        texts = [text for _, _, text in statements]
        self._set = cedarpy.PolicySet.from_str("\n".join(texts))
        # What would hold if nobody asked and nothing was observed; None if that is all there is.
        strict = [text for text, policy in zip(texts, self.loaded, strict=True) if policy.force is Force.ENFORCE]
        self._strict = cedarpy.PolicySet.from_str("\n".join(strict)) if len(strict) < len(texts) else None
        self._scopes = scopes
        self._entities: dict[str, cedarpy.Entities] = {}
        self._answers: dict[Question, Decision] = {}
        data = {name: dataclasses.astuple(scope) for name, scope in sorted(scopes.items())}
        parts = [schema.text, *(source.text for source in sources), repr(data), mode.value, repr(redact)]
        parts.append(repr([policy.force.value for policy in self.loaded]))
        self.hash = hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]

    def mode(self, workload: str) -> Mode:
        """How this workload's answers are held back."""
        scope = self._scopes.get(workload)
        return scope.mode if scope and scope.mode else self._mode

    def redact(self, workload: str) -> frozenset[str]:
        """What is hidden from the models that this workload calls: detectors, or `detector:rule`."""
        scope = self._scopes.get(workload)
        return frozenset(self._redact if scope is None or scope.redact is None else scope.redact)

    def decide(self, question: Question) -> Decision:
        """Allow only if a policy permits it, none forbids it, and nothing went wrong."""
        if (known := self._answers.get(question)) is not None:
            return known
        answer = self._evaluate(question)
        if len(_request(question)["resource"]["id"]) > LONGEST_KEPT:
            return answer
        if len(self._answers) >= KEPT_ANSWERS:
            self._answers.clear()
        self._answers[question] = answer
        return answer

    def _evaluate(self, question: Question) -> Decision:
        request = _request(question)
        try:
            entities = self._entity(question.workload)
            result = cedarpy.is_authorized(request, self._set, entities, self._schema)
        except ValueError as error:
            return Deny(f"The question could not be put to the policies: {error}")
        if errors := result.diagnostics.errors:
            return Deny(f"A policy went wrong, which denies: {errors[0]}")
        named = [self.loaded[int(reason.removeprefix("policy"))] for reason in result.diagnostics.reasons]
        named.sort(key=lambda policy: policy.id)
        if result.decision == cedarpy.Decision.Allow:
            return Allow(tuple(policy.id for policy in named))
        return self._refused(request, entities, named)

    def _refused(self, request: dict[str, Any], entities: cedarpy.Entities, named: list[Policy]) -> Decision:
        """What a refusal by these policies comes to, with the force of each."""
        refusing = [policy for policy in named if policy.force is not Force.OBSERVE]
        if not named or self._strict is None or any(policy.force is Force.ENFORCE for policy in named):
            return Deny(_reasons(refusing), tuple(policy.id for policy in refusing))
        result = cedarpy.is_authorized(request, self._strict, entities, self._schema)
        if result.diagnostics.errors or result.decision != cedarpy.Decision.Allow:
            return Deny(NOT_PERMITTED)
        if refusing:
            return Ask(_reasons(refusing), tuple(policy.id for policy in refusing))
        kept = [policy for policy in self.loaded if policy.force is Force.ENFORCE]
        permits = sorted(kept[int(reason.removeprefix("policy"))].id for reason in result.diagnostics.reasons)
        return Allow(tuple(permits), tuple(policy.id for policy in named))

    def _entity(self, workload: str) -> cedarpy.Entities:
        if (known := self._entities.get(workload)) is not None:
            return known
        scope = self._scopes.get(workload, Scope())
        entity = {
            "uid": {"type": "Workload", "id": workload},
            "parents": [],
            "attrs": {
                "limitsModels": scope.models is not None,
                "models": [{"__entity": {"type": "Model", "id": name}} for name in scope.models or ()],
                "limitsTools": scope.tools is not None,
                "tools": [{"__entity": {"type": "Tool", "id": name}} for name in scope.tools or ()],
                "unsafeTools": [{"__entity": {"type": "Tool", "id": name}} for name in scope.unsafe_tools],
                "limitsExtras": scope.extras is not None,
                "extras": [{"__entity": {"type": "Extra", "id": name}} for name in scope.extras or ()],
            },
        }
        entities = cedarpy.Entities.from_json_str(json.dumps([entity]), self._schema)
        if len(self._entities) >= KEPT_ANSWERS:
            self._entities.clear()
        self._entities[workload] = entities
        return entities


def _reasons(policies: list[Policy]) -> str:
    return " ".join(policy.reason for policy in policies) or NOT_PERMITTED


def _request(question: Question) -> dict[str, Any]:
    match question:
        case CallModel(model=model):
            action, resource, context = "callModel", ("Model", model), {}
        case CallTool(tool=tool):
            action, resource = "callTool", ("Tool", tool)
            context = {
                "sink": question.sink,
                "origins": sorted(origin.value for origin in question.origins),
                "tainted": question.tainted,
                "offered": question.offered,
                "understood": question.understood,
                "asked": question.asked,
            }
        case ReadText(detector=detector, channel=channel):
            action, resource, context = "readText", ("Detector", detector), {"channel": channel}
        case ReleaseText(detector=detector):
            action, resource, context = "releaseText", ("Detector", detector), {}
        case PassOpaque(place=place, direction=direction):
            action, resource, context = "passOpaque", ("Place", place), {"direction": direction}
        case PassMedia(kind=kind, channel=channel, source=source):
            action, resource, context = "passMedia", ("Media", kind), {"channel": channel, "source": source}
        case Obtain(what=what):
            action, resource, context = "obtain", ("Extra", what), {}
        case _:
            assert_never(question)
    return {
        "principal": {"type": "Workload", "id": question.workload},
        "action": {"type": "Action", "id": action},
        "resource": {"type": resource[0], "id": resource[1]},
        "context": context,
    }


def _statements(source: Source) -> Iterator[tuple[int, str]]:
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


def _validated(schema: cedarpy.Schema, name: str, line: int, text: str) -> Policy:
    where = f"{name}:{line}"
    result = cedarpy.validate_policies(text, schema)
    if not result.validation_passed:
        said = "; ".join(error.error for error in result.errors)
        raise PolicyError(f"the policy that begins here is not valid: {said}", where=where, hint="nothing was loaded")
    policies = list(json.loads(cedarpy.policies_to_json_str(text))["staticPolicies"].values())
    if len(policies) != 1:
        hint = "write out the principal or the resource instead of ?principal or ?resource"
        raise PolicyError("templates are not used here", where=where, hint=hint)
    (policy,) = policies
    annotations = policy.get("annotations", {})
    if not annotations.get("id"):
        raise PolicyError("the policy has no @id", where=where, hint='write @id("what-it-says") before it')
    scope = policy["action"]
    actions = (
        tuple(entity["id"] for entity in scope.get("entities") or [scope["entity"]]) if scope["op"] != "All" else ()
    )
    reason = annotations.get("reason") or annotations["id"]
    permits = policy["effect"] == "permit"
    force = _force(annotations.get("force", "enforce"), permits, where)
    return Policy(annotations["id"], reason, where, permits, actions, force)


def _force(name: str, permits: bool, where: str) -> Force:
    if name not in {force.value for force in Force}:
        raise PolicyError(f"there is no force {name!r}", where=where, hint="enforce, ask or observe")
    if permits and name != Force.ENFORCE.value:
        raise PolicyError("a policy that permits has no force", where=where, hint="only a forbid can ask or observe")
    return Force(name)


def _forced(loaded: tuple[Policy, ...], forces: Mapping[str, Force]) -> tuple[Policy, ...]:
    """The same with what the settings say."""
    known = {policy.id: policy for policy in loaded}
    for name in forces:
        if name not in known:
            forbids = ", ".join(policy.id for policy in loaded if not policy.permits)
            raise PolicyError(f"there is no policy {name!r}", where="[policy]", hint=f"one of {forbids}")
        if known[name].permits:
            hint = "only a forbid can be enforced, asked or observed"
            raise PolicyError(f"{name!r} permits something", where="[policy]", hint=hint)
    return tuple(dataclasses.replace(policy, force=forces.get(policy.id, policy.force)) for policy in loaded)


def _refuse_twice(policies: tuple[Policy, ...]) -> None:
    seen: dict[str, str] = {}
    for policy in policies:
        if policy.id in seen:
            raise PolicyError(
                f"two policies have the @id {policy.id!r}",
                where=policy.where,
                hint=f"the other one is at {seen[policy.id]}",
            )
        seen[policy.id] = policy.where
