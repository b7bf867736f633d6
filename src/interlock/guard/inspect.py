"""What is found in a request or an answer before anything is decided: signals, origins, labels."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from interlock.guard.rules import Rules
from interlock.model.event import Event, Opaque, Path, Signal, Text, ToolDefinition
from interlock.model.record import Noted, Origin, Step
from interlock.provenance import Conversation, ToolLabels, derive


@dataclass(frozen=True, slots=True)
class Inspected:
    """A request, inspected: what was said and by whom, the tools it offers, and the steps that are new."""

    conversation: Conversation
    offered: Mapping[str, ToolDefinition]
    steps: tuple[Step, ...]
    signals: tuple[tuple[str, str], ...]
    opaque: tuple[Opaque, ...]
    session: str

    def labels(self, tool: str, rules: Rules) -> ToolLabels:
        """The labels of a tool, offered or not."""
        return derive(tool, self.offered.get(tool), rules.tools)


def inspect(events: tuple[Event, ...], workload: str, request: str, rules: Rules) -> Inspected:
    """Inspect a request's events. Steps are made only for what the session has not seen before."""
    place = rules.sessions.place(workload, events, request)
    offered = {event.name: event for event in events if isinstance(event, ToolDefinition)}
    conversation = Conversation()
    steps: list[Step] = []
    signals: dict[tuple[str, str], None] = {}
    for index, event in enumerate(events):
        if not isinstance(event, Text):
            continue
        output = derive(event.tool, offered.get(event.tool), rules.tools).output if event.tool else Origin.UNTRUSTED
        origin = conversation.add(event, output)
        found = rules.engine.scan(event.text, event.channel)
        signals.update(dict.fromkeys((signal.detector, event.channel.value) for signal in found))
        if index >= place.known and origin is not None:
            steps.append(_step(event, origin, found, rules))
    opaque = tuple(event for event in events if isinstance(event, Opaque))
    return Inspected(conversation, offered, tuple(steps), tuple(signals), opaque, place.session)


def _step(event: Text, origin: Origin, found: tuple[Signal, ...], rules: Rules) -> Step:
    return Step(
        kind=event.channel.value,
        size=len(event.text),
        digest=rules.digest(event.text),
        tool=event.tool,
        call_id=event.call_id,
        origin=origin,
        signals=noted(found),
    )


def noted(found: Iterable[Signal]) -> tuple[Noted, ...]:
    """Signals as the log keeps them: each detector and rule once, with its highest score."""
    best: dict[tuple[str, str], int] = {}
    for signal in found:
        key = (signal.detector, signal.rule)
        best[key] = max(best.get(key, 0), signal.score)
    return tuple(Noted(detector, rule, score) for (detector, rule), score in best.items())


def place_name(path: Path) -> str:
    """A path without its indexes, as policies name places: `messages[].content[].image_url`."""
    return "".join(_place_parts(path))


def _place_parts(path: Path) -> Iterator[str]:
    for number, part in enumerate(path):
        yield "[]" if isinstance(part, int) else f".{part}" if number else part
