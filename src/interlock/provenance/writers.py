"""Who can write into a source that is declared trusted: a value that anybody can write there comes back as one's own.

A source is a tool whose results count as the organisation's. A writer is a tool that changes something of the same
server, or of the same kind of object by its name. It is constrained if every text that it takes is judged: then nothing
that outsiders wrote gets there without a person.
"""

from collections.abc import Collection, Iterator, Mapping
from typing import NamedTuple

from interlock.model.event import ToolDefinition
from interlock.model.record import Origin
from interlock.provenance.labels import HARMLESS, ToolLabels, derive
from interlock.provenance.names import properties, words
from interlock.provenance.settings import ToolOverride
from interlock.provenance.sinks import class_of

# What has room for no value of an outsider's choice.
_NARROW = frozenset({"boolean", "integer", "number", "null"})
# Words that stand in names of tools about anything.
_WEAK = frozenset("a all by data for from get in info item items list my new of on read search the to with".split())


class OpenWriter(NamedTuple):
    """A tool that can put an outsider's text into a trusted source: by these arguments, or by any of a workload's."""

    source: str
    writer: str
    arguments: tuple[str, ...]
    excused: bool

    @property
    def fix(self) -> str:
        """What to set."""
        if self.excused:
            return f'take {self.writer} out of unsafe_tools, or set [tools.{self.source}] output = "untrusted"'
        listed = ", ".join(f'"{name}"' for name in self.arguments)
        return f'set [tools.{self.writer}] recipients = [{listed}], or [tools.{self.source}] output = "untrusted"'


def open_writers(
    tools: Mapping[str, tuple[str, ToolDefinition | None]],
    overrides: Mapping[str, ToolOverride],
    unsafe: Collection[str],
) -> Iterator[OpenWriter]:
    """Every unconstrained writer of every trusted source. `tools` are (server, definition) by name.

    `unsafe` are the tools of which some workload's manifest says that their arguments may come from anywhere.
    """
    known = {name: (server, one, derive(name, one, overrides)) for name, (server, one) in tools.items()}
    spoken_of = known.keys() | {f"{server}/{name}" for name, (server, _) in tools.items()}
    for name in overrides.keys() - spoken_of:
        known[name] = "", None, derive(name, None, overrides)
    sources = [name for name, (_, _, labels) in known.items() if labels.output is Origin.INTERNAL]
    for source in sorted(sources):
        for writer, (server, definition, labels) in sorted(known.items()):
            if writer == source or labels.sink in HARMLESS or labels.sink in ("fetch", "unknown"):
                continue
            if not (server and server == known[source][0]) and _nouns(writer).isdisjoint(_nouns(source)):
                continue
            arguments = _unjudged(labels, definition)
            if arguments or writer in unsafe:
                yield OpenWriter(source, writer, arguments, excused=not arguments)


def _unjudged(labels: ToolLabels, definition: ToolDefinition | None) -> tuple[str, ...]:
    """The arguments that could carry an outsider's text and are not judged."""
    said = dict(properties(definition.schema)) if definition else {}
    return tuple(
        name
        for name, schema in said.items()
        if str(schema.get("type")) not in _NARROW and not labels.is_sensitive(name)
    )


def _nouns(tool: str) -> frozenset[str]:
    return frozenset(word.removesuffix("s") for word in words(tool) if not class_of(word) and word not in _WEAK)
