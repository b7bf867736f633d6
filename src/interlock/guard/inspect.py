"""What is found in a request or an answer before anything is decided: signals, origins, labels."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import lru_cache

from interlock.guard.own_prompt import OwnPrompt
from interlock.guard.rules import Rules
from interlock.guard.sessions import mark, text_of
from interlock.knowledge import redact
from interlock.model.event import Channel, Event, Media, Opaque, Path, Signal, Text, ToolDefinition
from interlock.model.record import Noted, Origin, Step
from interlock.protocols import encode, named
from interlock.provenance import Conversation, ToolLabels, derive
from interlock.provenance.secrets import Confidential

BEGINNING = date(1970, 1, 1)
PLACE_CHARS = 120
# A tool's name or an id has at most 64 characters by the APIs; a client or a model can write anything there.
LONGEST_NAME = 128


@dataclass(frozen=True, slots=True)
class Inspected:
    """A request, inspected: what was said and by whom, the tools it offers, and the steps that are new."""

    conversation: Conversation
    offered: Mapping[str, ToolDefinition]
    steps: tuple[Step, ...]
    signals: tuple[tuple[str, str], ...]
    opaque: tuple[Opaque, ...]
    media: tuple[Media, ...]
    session: str
    own_prompt: OwnPrompt | None
    confidential: Confidential = field(default_factory=Confidential)
    beginning: str = ""

    def labels(self, tool: str, rules: Rules) -> ToolLabels:
        """The labels of a tool, offered or not."""
        return derive(tool, self.offered.get(tool), rules.tools)


def inspect(events: tuple[Event, ...], workload: str, request: str, rules: Rules) -> Inspected:
    """Inspect a request's events. Steps are made only for what the session has not seen before."""
    digests = [None if (text := text_of(event)) is None else rules.digest(text) for event in events]
    marks = ["" if digest is None else mark(event, digest) for event, digest in zip(events, digests, strict=True)]
    place = rules.sessions.place(workload, marks, request)
    offered = {event.name: event for event in events if isinstance(event, ToolDefinition)}
    today = BEGINNING + timedelta(microseconds=rules.now_us())
    conversation, confidential = Conversation(today), Confidential()
    known: dict[str, ToolLabels] = {}
    steps: list[Step] = []
    signals: dict[tuple[str, str], None] = {}
    for index, event in enumerate(events):
        found = _scan(event, digests[index], rules)
        if found:
            signals.update(dict.fromkeys((signal.detector, channel.value) for signal, channel in found))
        tool = event.tool if isinstance(event, Text | Media) else ""
        if tool and tool not in known:
            known[tool] = derive(tool, offered.get(tool), rules.tools)
        labels = known.get(tool)
        output = labels.output if labels else Origin.UNTRUSTED
        origin = conversation.add(event, output, labels if tool in offered else None)
        confidential.add(event, labels if tool in offered else None)
        if isinstance(event, Text | Media) and index >= place.known and origin is not None:
            steps.append(_step(event, origin, tuple(signal for signal, _ in found), digests[index] or ""))
        elif isinstance(event, ToolDefinition) and found:
            signaled = noted(signal for signal, _ in found)
            steps.append(Step(kind=Channel.TOOL_DESCRIPTION.value, tool=logged(event.name), signals=signaled))
    opaque = tuple(event for event in events if isinstance(event, Opaque))
    media = tuple(event for event in events if isinstance(event, Media))
    system = {
        digest: event.text
        for event, digest in zip(events, digests, strict=True)
        if digest and isinstance(event, Text) and event.channel is Channel.SYSTEM
    }
    own = rules.prompts.of(system)
    parts = offered, tuple(steps), tuple(signals), opaque, media, place.session, own, confidential, place.beginning
    return Inspected(conversation, *parts)


def _scan(event: Event, digest: str | None, rules: Rules) -> list[tuple[Signal, Channel]]:
    """The signals of one event; what the adapter does not understand is read as a document.

    `digest` is that of its text, if it is one of the conversation's.
    """
    match event:
        case Text():
            text, channel = event.text, event.channel
        case ToolDefinition():
            return [(signal, Channel.TOOL_DESCRIPTION) for signal in scan_description(event, rules)]
        case Opaque():
            text, channel = event.text, Channel.RETRIEVED
        case Media(source="url"):
            text, channel = event.data, event.channel
        case _:
            return []
    found = rules.verdicts.scan(rules.engine, text, channel, digest) if digest else rules.engine.scan(text, channel)
    return [(signal, channel) for signal in found]


def scan_description(tool: ToolDefinition, rules: Rules) -> tuple[Signal, ...]:
    """The signals of all that a tool says of itself: its description, and those of its arguments."""
    schema = encode(tool.schema).decode().replace("\\n", "\n").replace("\\t", "\t")
    text = f"{tool.description}\n{schema}"
    return rules.verdicts.scan(rules.engine, text, Channel.TOOL_DESCRIPTION, rules.digest(text))


def _step(event: Text | Media, origin: Origin, found: tuple[Signal, ...], digest: str) -> Step:
    return Step(
        kind=event.channel.value if isinstance(event, Text) else event.kind,
        size=len(event.text if isinstance(event, Text) else event.data),
        digest=digest,
        tool=logged(event.tool),
        call_id=logged(event.call_id),
        origin=origin,
        signals=noted(found),
        facts=(f"channel:{event.channel.value}", f"source:{event.source}") if isinstance(event, Media) else (),
    )


def logged(name: str) -> str:
    """A name that a client or a model chose, as the log may keep it: cut, and with no credential in it."""
    # Cut before it is remembered: a name can be as long as a body.
    return _logged(name[: 2 * LONGEST_NAME])


@lru_cache(maxsize=4_096)
def _logged(name: str) -> str:
    return redact(name)[:LONGEST_NAME]


def noted(found: Iterable[Signal]) -> tuple[Noted, ...]:
    """Signals as the log keeps them: each detector and rule once, with its highest score."""
    best: dict[tuple[str, str], int] = {}
    for signal in found:
        key = (signal.detector, signal.rule)
        best[key] = max(best.get(key, 0), signal.score)
    return tuple(Noted(detector, rule, score) for (detector, rule), score in best.items())


def place_name(path: Path) -> str:
    """A path without its indexes, as policies name places: `messages[].content[].image_url`.

    A long one is cut: a key can be as long as a body, and this stands in the log.
    """
    place = redact("".join(_place_parts(path))[: 2 * PLACE_CHARS])
    return place if len(place) <= PLACE_CHARS else f"{place[:PLACE_CHARS]}..."


def _place_parts(path: Path) -> Iterator[str]:
    for number, part in enumerate(path):
        yield "[]" if isinstance(part, int) else f".{named(part)}" if number else named(part)
