"""A tool's labels, derived from its name, description and schema by general knowledge; conservative in doubt.

No list of particular servers' tools: only the words that people name tools and arguments with, weighed by rules
(`sinks.py`, `outputs.py`) and by a model that was learned from labelled tools (`judgement.py`). A tool that says
nothing is `unknown`, which counts as a sink; its output is untrusted. An operator's override wins.
Annotations are claims of the server: they can make a label stricter, and a contradiction is told.
"""

import hashlib
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from interlock.knowledge import ToolModel, tool_model
from interlock.model.event import ToolDefinition
from interlock.model.record import Origin
from interlock.provenance.features import read
from interlock.provenance.judgement import HARMLESS as HARMLESS
from interlock.provenance.judgement import judged
from interlock.provenance.kinds import kind_of, names_recipient
from interlock.provenance.names import properties
from interlock.provenance.names import property_names as property_names
from interlock.provenance.names import words as words
from interlock.provenance.outputs import is_open, output_of
from interlock.provenance.settings import ToolOverride
from interlock.provenance.sinks import UNKNOWN as UNKNOWN
from interlock.provenance.sinks import sink_of

# All of their arguments decide what happens, whatever they are called.
WHOLLY_SENSITIVE = frozenset({"execute", "delete", "credential", "admin", UNKNOWN})
# They do harm to whatever they are told to; a call of one that tells nothing is not harmless.
DECIDED_BY_ARGUMENTS = WHOLLY_SENSITIVE | {"money"}
# They reach people, so that their recipients are lists of addresses, with names.
TO_PEOPLE = frozenset({"send", "publish", "write"})
# Another call cannot take back what one of these did.
IRREVERSIBLE = frozenset({"send", "publish", "delete", "money", "credential", "execute", "fetch", UNKNOWN})
KEPT = 4_096


@dataclass(frozen=True, slots=True)
class ToolLabels:
    """What policy may know of a tool.

    `output` is what an operator said of its results, INTERNAL or UNTRUSTED; `asserted`: as far as its definition
    tells, the service itself says all that it returns; `secret`: what it returns is confidential. `recipients` are
    the names of the arguments that an operator asked for, or None: then an argument's own name and value decide.
    `kinds` is what each argument of the schema decides, `undone` whether another call can take back what one did,
    and `why` the words that told.
    """

    output: Origin = Origin.UNTRUSTED
    sink: str = UNKNOWN
    recipients: frozenset[str] | None = None
    asserted: bool = False
    secret: bool = True
    open_world: bool = True
    kinds: Mapping[str, str] = field(default_factory=dict)
    name: str = ""
    undone: bool = True
    why: str = ""

    def is_sensitive(self, argument: str) -> bool:
        """Whether the argument (its last name, for a nested one) decides who receives or what is done."""
        if self.sink in HARMLESS:
            return False
        if self.recipients is not None:
            return argument in self.recipients
        return self.sink in WHOLLY_SENSITIVE or names_recipient(argument)

    @property
    def reversible(self) -> bool:
        """Whether another call can take back what this one did."""
        return self.undone and self.sink not in IRREVERSIBLE

    @property
    def output_label(self) -> str:
        """trusted, secret, untrusted or untrusted+secret."""
        trusted = self.asserted or self.output is Origin.INTERNAL
        return {(True, False): "trusted", (True, True): "secret", (False, False): "untrusted"}.get(
            (trusted, self.secret), "untrusted+secret"
        )


def derive(name: str, definition: ToolDefinition | None, overrides: Mapping[str, ToolOverride]) -> ToolLabels:
    """The labels of the tool called `name`; without a definition only the name can speak.

    What its server claims of it can make them stricter. An override of `server/name` is for that server's tool alone,
    and goes before one of the name.
    """
    labels = _remembered(name, definition)
    override = overrides.get(name)
    if definition is not None:
        labels = stricter(labels, definition.annotations)
        override = overrides.get(f"{definition.server}/{name}", override) if definition.server else override
    return labels if override is None else _overridden(labels, override)


def _overridden(labels: ToolLabels, override: ToolOverride) -> ToolLabels:
    return replace(
        labels,
        output=Origin.INTERNAL if override.output == "internal" else Origin.UNTRUSTED,
        sink=override.sink or labels.sink,
        recipients=None if override.recipients is None else frozenset(override.recipients),
        asserted=labels.asserted and not override.output,
    )


def label(name: str, definition: ToolDefinition | None, model: ToolModel | None = None) -> ToolLabels:
    """The labels as derived, with nothing remembered; with another model than the one that is shipped, if given."""
    said = read(name, definition) if definition else None
    if definition is None or said is None or not said.first:
        return _by_rules(name, definition)
    found = judged(name, definition, said, model or tool_model())
    return ToolLabels(
        sink=found.sink,
        asserted=not found.untrusted,
        secret=found.secret,
        open_world=found.open_world,
        kinds=found.kinds,
        name=name,
        undone=found.reversible,
        why=found.why,
    )


def _by_rules(name: str, definition: ToolDefinition | None) -> ToolLabels:
    """The labels of a tool that describes itself with no word."""
    sink = sink_of(name, definition)
    untrusted, secret = output_of(name, definition, sink)
    said = dict(properties(definition.schema)) if definition else {}
    return ToolLabels(
        sink=sink,
        asserted=not untrusted,
        secret=secret,
        open_world=is_open(name, definition, sink),
        kinds={argument: kind for argument, schema in said.items() if (kind := kind_of(argument, schema))},
        name=name,
    )


_labels: OrderedDict[bytes, ToolLabels] = OrderedDict()


def _remembered(name: str, definition: ToolDefinition | None) -> ToolLabels:
    """A chat offers the same tools with each request: their labels are derived once."""
    said = None if definition is None else (definition.description, definition.schema)
    key = hashlib.blake2b(repr((name, said)).encode(), digest_size=16).digest()
    labels = _labels.get(key)
    if labels is None:
        labels = _labels[key] = label(name, definition)
        if len(_labels) > KEPT:
            _labels.popitem(last=False)
    return labels


def conflicts(labels: ToolLabels, annotations: Mapping[str, object]) -> list[str]:
    """Where what a server claims of a tool (MCP's annotations) contradicts its labels, in words.

    >>> conflicts(ToolLabels(sink="delete"), {"readOnlyHint": True})
    ['understates: readOnlyHint=true but sink=delete']
    """
    harmless = labels.sink in HARMLESS
    found = []
    if annotations.get("readOnlyHint") is True and not harmless and labels.sink != "fetch":
        found.append(f"understates: readOnlyHint=true but sink={labels.sink}")
    if annotations.get("destructiveHint") is False and labels.sink in ("delete", "execute"):
        found.append(f"understates: destructiveHint=false but sink={labels.sink}")
    if annotations.get("openWorldHint") is False and labels.open_world and labels.sink != UNKNOWN:
        found.append("understates: openWorldHint=false but reaches outside parties")
    if annotations.get("readOnlyHint") is False and harmless:
        found.append(f"overstates: readOnlyHint=false but sink={labels.sink}")
    elif annotations.get("destructiveHint") is True and harmless:
        found.append(f"overstates: destructiveHint=true but sink={labels.sink}")
    return found


def stricter(labels: ToolLabels, annotations: Mapping[str, object]) -> ToolLabels:
    """The labels, made stricter where a server itself says that its tool does more than they say."""
    sink = labels.sink
    if annotations.get("destructiveHint") is True and annotations.get("readOnlyHint") is not True and sink in HARMLESS:
        sink = UNKNOWN
    elif annotations.get("readOnlyHint") is False and sink in HARMLESS:
        sink = "write"
    open_world = labels.open_world or annotations.get("openWorldHint") is True
    if (sink, open_world) == (labels.sink, labels.open_world):
        return labels
    return replace(labels, sink=sink, open_world=open_world)
