"""What an operator reviews of each MCP tool: its standing, its labels and why, what is suspicious, what has changed."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from interlock.mcp.changes import Change, changes
from interlock.mcp.inspection import INSTRUCTIONS, Finding, Scan, definition_of, inspect
from interlock.mcp.labels import SetLabels, key, overrides
from interlock.mcp.pins import Pin, Standing
from interlock.model.meta import Severity
from interlock.model.record import Record, RecordKind, Step
from interlock.provenance.labels import UNKNOWN, ToolLabels, conflicts, derive, label
from interlock.provenance.settings import ToolOverride


@dataclass(frozen=True, slots=True)
class Reviewed:
    """One tool of one server, as far as it is known.

    `derived` are the labels that its definition says, made stricter by its claims; `labels` those in force. `why` says
    of the derived ones where they come from. `file` is what interlock.toml sets for it, and under which name;
    `console` what was set on the console. `changes` are those since it was approved, the dangerous first.
    """

    pin: Pin
    derived: ToolLabels
    labels: ToolLabels
    why: tuple[str, ...]
    contradictions: tuple[str, ...]
    findings: tuple[Finding, ...]
    changes: tuple[Change, ...]
    file: ToolOverride | None
    file_key: str
    console: SetLabels | None

    @property
    def is_tool(self) -> bool:
        """Whether it is a tool, and not the server's instructions to the model."""
        return self.pin.tool != INSTRUCTIONS

    @property
    def waits(self) -> bool:
        """Whether nobody may use it before a person has looked."""
        return self.pin.standing is not Standing.APPROVED

    @property
    def worst(self) -> Severity | None:
        """How bad the worst finding is; None if there is none."""
        return max((one.severity for one in self.findings), key=lambda severity: severity.rank, default=None)

    @property
    def console_counts(self) -> bool:
        """Whether what was set on the console is in force: the file can say something of this very tool."""
        return self.console is not None and self.file_key != self.console.key


def review(
    pins: Iterable[Pin], scan: Scan, file: Mapping[str, ToolOverride], console: Iterable[SetLabels]
) -> tuple[Reviewed, ...]:
    """Everything that is known of tools, in the order of the pins. `scan` gives what detectors say of a description."""
    known, set_ = list(pins), {one.key: one for one in console}
    in_force = overrides(file, set_.values())
    offered: dict[str, dict[str, dict[str, Any]]] = {}
    for pin in known:
        offered.setdefault(pin.server, {})[pin.tool] = json.loads(pin.seen_document)
    findings: dict[tuple[str, str], list[Finding]] = {}
    for finding in inspect(offered, scan):
        findings.setdefault((finding.server, finding.tool), []).append(finding)
    reviewed = []
    for pin in known:
        definition = definition_of(pin.tool, offered[pin.server][pin.tool], pin.server)
        derived = derive(pin.tool, definition, {})
        changed = pin.standing is Standing.CHANGED
        own = key(pin.server, pin.tool)
        file_key = own if own in file else pin.tool if pin.tool in file else ""
        found = findings.get((pin.server, pin.tool), [])
        reviewed.append(
            Reviewed(
                pin=pin,
                derived=derived,
                labels=derive(pin.tool, definition, in_force),
                why=_why(pin.tool, offered[pin.server][pin.tool]),
                contradictions=tuple(conflicts(label(pin.tool, definition), definition.annotations)),
                findings=tuple(sorted(found, key=lambda one: -one.severity.rank)),
                changes=changes(json.loads(pin.document), offered[pin.server][pin.tool], scan) if changed else (),
                file=file.get(file_key) if file_key else None,
                file_key=file_key,
                console=set_.get(own),
            )
        )
    return tuple(reviewed)


def approval_record(pin: Pin, who: str, at_us: int, reason: str = "") -> Record:
    """What the log says before a definition is approved: by whom, which one, and why, in that person's words."""
    return operator_record(
        pin, who, at_us, f"approved the definition {pin.seen_digest}", Step("approval", reason=reason)
    )


def operator_record(pin: Pin, who: str, at_us: int, what: str, step: Step) -> Record:
    """What the log says before somebody does something about a tool."""
    return Record(
        RecordKind.OPERATOR,
        at_us,
        credential=who,
        protocol="mcp",
        upstream=pin.server,
        reason=f"{pin.server}/{pin.tool}: {what}",
        steps=(step._replace(tool=pin.tool),),
    )


def _why(name: str, tool: Mapping[str, Any]) -> tuple[str, ...]:
    """Where the derived labels come from, in words."""
    definition = definition_of(name, tool)
    whole = label(name, definition)
    strict = derive(name, definition, {})
    if strict.sink != whole.sink:
        sink = f"sink {strict.sink}: its server claims that it does more than its words say ({whole.sink})"
    elif whole.why:
        sink = f"sink {whole.sink}, above all by these words: {whole.why}"
    elif whole.sink == UNKNOWN:
        sink = "sink unknown: neither its name nor its description says what it does, which counts as harmful"
    else:
        sink = f"sink {whole.sink}: its name says so"
    if strict.asserted:
        output = f"output {strict.output_label}: the service itself says all that comes back"
    else:
        output = (
            f"output {strict.output_label}: others can write into what comes back, or nothing says that they cannot"
        )
    sensitive = sorted(argument for argument in strict.kinds if strict.is_sensitive(argument))
    decide = f"decides who receives or what is done: {', '.join(sensitive)}" if sensitive else "no argument decides"
    return sink, output, decide
