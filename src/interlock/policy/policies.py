"""Compiles Cedar policies once, and answers questions. Fails closed in every direction."""

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

import cedarpy
import msgspec

from interlock.model.decision import Allow, Ask, Decision, Deny
from interlock.model.errors import PolicyError
from interlock.policy.arguments import Fields, MisfitError, fitted, record_text
from interlock.policy.questions import CallTool, Question, request_of
from interlock.policy.statements import Force, Policy, Source, forced, refuse_twice, split, validated

# Equal questions have equal answers, so they are kept; this bounds the memory, not the meaning.
KEPT_ANSWERS = 10_000
# Names come from requests and from models, so their length is bounded too. No API has longer names.
LONGEST_KEPT = 256
NOT_PERMITTED = "No policy permits it."
MISFIT = "An argument that a policy reads is not what the tool's schema says."
_json = msgspec.json.Encoder().encode
# Where a schema has the types of a tool's arguments, if it is about one.
_SLOT = "type Arguments = {};"


class Mode(Enum):
    """How a text of an answer is held back until it is decided. Tool calls are held and judged in every mode.

    BLOCK: no byte leaves before the whole answer was decided. WINDOW: a text leaves up to where a match could still be
    growing, so nothing that a detector flags in the whole text leaves, however the stream is cut. OBSERVE: a text
    leaves at once and as it is; what was found is recorded.
    """

    BLOCK = "block"
    WINDOW = "window"
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
class _Reader:
    """What policies read of one tool's arguments, and the schema that has their types."""

    schema: cedarpy.Schema
    fields: Fields
    policies: tuple[Policy, ...]


@dataclass(frozen=True, slots=True)
class _Set:
    """Some of the policies, compiled; in Cedar's answers each is named by its place among them."""

    compiled: cedarpy.PolicySet
    policies: tuple[Policy, ...]


class Policies:
    """A validated set of policies. Not for use by several threads at once.

    Rules: policies that do not validate are never used; every policy has an @id of its own; an error during
    evaluation is a Deny (Cedar itself would skip an erring `forbid`); what no policy permits is a Deny; a refusal is an
    Ask only if every policy that refuses asks; equal questions get equal answers. A call whose arguments are not what
    the schema says is refused by each policy that reads them, with its force. `loaded` are its statements, in order. It
    does NOT read files.
    """

    def __init__(
        self,
        schema: Source,
        sources: tuple[Source, ...],
        scopes: Mapping[str, Scope],
        mode: Mode = Mode.WINDOW,
        redact: tuple[str, ...] = (),
        forces: Mapping[str, Force] | None = None,
        tools: Mapping[str, Fields] | None = None,
    ) -> None:
        """`mode` and `redact` hold for workloads whose scope names none; `forces` by @id, in place of their own.

        `tools` are the arguments of the tools that are known, so that policies can read them.
        Raises: PolicyError with file and line.
        """
        self._mode = mode
        self._redact = redact
        self._text = schema
        self._tools = tools or {}
        self._schema = _schema(schema)
        statements = [(source.name, line, text) for source in sources for line, text in split(source)]
        loaded = tuple([validated(self._schema, self._typed, name, line, text) for name, line, text in statements])
        refuse_twice(loaded)
        self.loaded = forced(loaded, forces or {})
        self._texts = tuple(text for _, _, text in statements)
        self._sets: dict[tuple[str, bool, bool], _Set] = {}
        self._readers = {policy.tool: self._reader(policy.tool) for policy in self.loaded if policy.reads}
        self._scopes = scopes
        self._entities: dict[str, cedarpy.Entities] = {}
        self._answers: dict[Question, Decision] = {}
        data = {name: dataclasses.astuple(scope) for name, scope in sorted(scopes.items())}
        parts = [schema.text, *(source.text for source in sources), repr(data), mode.value, repr(redact)]
        parts.append(repr([policy.force.value for policy in self.loaded]))
        parts += [f"{tool} {record_text(reader.fields)}" for tool, reader in sorted(self._readers.items())]
        self.hash = hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:16]

    def mode(self, workload: str) -> Mode:
        """How this workload's answers are held back."""
        scope = self._scopes.get(workload)
        return scope.mode if scope and scope.mode else self._mode

    def redact(self, workload: str) -> frozenset[str]:
        """What is hidden from the models that this workload calls: detectors, or `detector:rule`."""
        scope = self._scopes.get(workload)
        return frozenset(self._redact if scope is None or scope.redact is None else scope.redact)

    @property
    def reads_of(self) -> frozenset[str]:
        """The tools of which a policy reads arguments."""
        return frozenset(self._readers)

    def decide(self, question: Question, arguments: object = None) -> Decision:
        """Allow only if a policy permits it, none forbids it, and nothing went wrong.

        `arguments` are those of a call, decoded; None if they are no JSON object.
        """
        if isinstance(question, CallTool) and (reader := self._readers.get(question.tool)):
            return self._decide_typed(question, reader, arguments)
        if (known := self._answers.get(question)) is not None:
            return known
        request = request_of(question)
        answer = self._evaluate(request, self._schema)
        if len(request["resource"]["id"]) > LONGEST_KEPT:
            return answer
        if len(self._answers) >= KEPT_ANSWERS:
            self._answers.clear()
        self._answers[question] = answer
        return answer

    def at_best(self, question: CallTool) -> Decision:
        """The decision if the arguments were to the liking of every policy that reads them."""
        reader = self._readers.get(question.tool)
        if reader is None:
            return self.decide(question)
        answer = self._evaluate(request_of(question), self._schema, reading=False)
        permits = tuple(policy.id for policy in reader.policies if policy.permits)
        return Allow(permits) if permits and answer == Deny(NOT_PERMITTED) else answer

    def _decide_typed(self, question: CallTool, reader: _Reader, arguments: object) -> Decision:
        """Nothing of this is kept: arguments can be long, and hardly come twice."""
        request = request_of(question)
        try:
            request["context"]["args"] = fitted(arguments, reader.fields)
        except MisfitError:
            refusing = [policy for policy in reader.policies if not policy.permits]
            return self._evaluate(request, self._schema, reading=False, misfit=refusing)
        return self._evaluate(request, reader.schema)

    def _evaluate(
        self,
        request: dict[str, Any],
        schema: cedarpy.Schema,
        *,
        reading: bool = True,
        misfit: list[Policy] | None = None,
    ) -> Decision:
        """`misfit` refuse as well, because they could not read what they want to."""
        asked = self._ask(request, schema, reading=reading)
        if isinstance(asked, Deny):
            return asked
        allowed, named = asked
        forbids = [*(misfit or ()), *(() if allowed else named)]
        if not forbids:
            return Allow(_ids(named)) if allowed else Deny(NOT_PERMITTED)
        refusing = sorted((one for one in forbids if one.force is not Force.OBSERVE), key=lambda policy: policy.id)
        why = " ".join([MISFIT] * bool(misfit) + [policy.reason for policy in refusing])
        if any(policy.force is Force.ENFORCE for policy in forbids):
            return Deny(why, _ids(refusing))
        # What would hold if nobody asked and nothing was observed.
        strict = self._ask(request, schema, reading=reading, strict=True)
        if isinstance(strict, Deny) or not strict[0]:
            return Deny(NOT_PERMITTED)
        return Ask(why, _ids(refusing)) if refusing else Allow(_ids(strict[1]), _ids(forbids))

    def _ask(
        self, request: dict[str, Any], schema: cedarpy.Schema, *, reading: bool, strict: bool = False
    ) -> tuple[bool, list[Policy]] | Deny:
        """(whether it is allowed, by which policies), or the Deny that a fault comes to."""
        among = self._among(request["action"]["id"], strict=strict, reading=reading)
        try:
            entities = self._entity(request["principal"]["id"])
            said = request | {"context": _json(request["context"]).decode()}
            result = cedarpy.is_authorized(said, among.compiled, entities, schema)
        except ValueError as error:
            return Deny(f"The question could not be put to the policies: {error}")
        if errors := result.diagnostics.errors:
            return Deny(f"A policy went wrong, which denies: {errors[0]}")
        named = [among.policies[int(reason.removeprefix("policy"))] for reason in result.diagnostics.reasons]
        return result.decision == cedarpy.Decision.Allow, named

    def _among(self, action: str, *, strict: bool, reading: bool) -> _Set:
        """The policies that speak of an action: of those all, or the enforced ones, or those that read no arguments."""
        if (known := self._sets.get((action, strict, reading))) is not None:
            return known
        kept = [
            (policy, text)
            for policy, text in zip(self.loaded, self._texts, strict=True)
            if (policy.force is Force.ENFORCE or not strict)
            and (reading or not policy.reads)
            and (not policy.actions or action in policy.actions)
        ]
        compiled = cedarpy.PolicySet.from_str("\n".join(text for _, text in kept))
        made = self._sets[action, strict, reading] = _Set(compiled, tuple(policy for policy, _ in kept))
        return made

    def _reader(self, tool: str) -> _Reader:
        policies = tuple(policy for policy in self.loaded if policy.tool == tool and policy.reads)
        read = frozenset[str]().union(*(policy.reads for policy in policies))
        fields = {name: one for name, one in self._tools[tool].items() if name in read}
        return _Reader(_schema(self._text, fields), fields, policies)

    def _typed(self, tool: str) -> tuple[cedarpy.Schema, str] | None:
        """The schema with all that is known of a tool's arguments, and their types."""
        known = self._tools.get(tool)
        return None if known is None else (_schema(self._text, known), record_text(known))

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


def _schema(source: Source, fields: Fields | None = None) -> cedarpy.Schema:
    """The schema, with these arguments of a tool in it."""
    text = source.text.replace(_SLOT, f"type Arguments = {record_text(fields)};") if fields else source.text
    try:
        return cedarpy.Schema.from_str(text)
    except ValueError as error:
        raise PolicyError(str(error), where=source.name, hint="correct the schema") from error


def _ids(policies: list[Policy]) -> tuple[str, ...]:
    return tuple(sorted(policy.id for policy in policies))
