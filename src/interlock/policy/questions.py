"""What can be asked of the policies: one frozen value for each action of the schema, equal if the facts are."""

from dataclasses import dataclass
from typing import Any, TypeAlias, assert_never

from interlock.model.record import Origin


@dataclass(frozen=True, slots=True)
class CallModel:
    """May this workload send a request to this model?"""

    workload: str
    model: str


@dataclass(frozen=True, slots=True)
class CallTool:
    """May the model's call of this tool reach the workload? See `schema.cedarschema` for the facts."""

    workload: str
    tool: str
    sink: str
    origins: frozenset[Origin]
    tainted: bool
    offered: bool
    understood: bool
    asked: bool = False
    private: bool = False
    carries_secret: bool = False
    over_cap: bool = False
    asked_by_model: str = "unknown"

    @property
    def facts(self) -> tuple[str, ...]:
        """What the log keeps of it, beside the tool and its sink, so that it can be asked again: see `call_of`."""
        held = [name for name in _SWITCHES if getattr(self, name)]
        seen = [f"{_ORIGIN}{origin.value}" for origin in Origin if origin in self.origins]
        return (f"{_BY_MODEL}{self.asked_by_model}", *held, *seen)


_SWITCHES = ("offered", "understood", "tainted", "asked", "private", "carries_secret", "over_cap")
_ORIGIN, _BY_MODEL = "origin:", "by-model:"


def call_of(workload: str, tool: str, sink: str, facts: tuple[str, ...]) -> CallTool | None:
    """The question that `facts` were kept of; None if none were, or some that this version does not know."""
    origins = [fact.removeprefix(_ORIGIN) for fact in facts if fact.startswith(_ORIGIN)]
    model = [fact.removeprefix(_BY_MODEL) for fact in facts if fact.startswith(_BY_MODEL)]
    held = {fact for fact in facts if not fact.startswith((_ORIGIN, _BY_MODEL))}
    if len(model) != 1 or not held <= set(_SWITCHES) or not set(origins) <= {origin.value for origin in Origin}:
        return None
    switches = {name: name in held for name in _SWITCHES}
    return CallTool(
        workload, tool, sink, frozenset(map(Origin, origins)), asked_by_model=model[0], **switches
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class ReadText:
    """May a text that this detector spoke about go to the model?"""

    workload: str
    detector: str
    channel: str


@dataclass(frozen=True, slots=True)
class ReleaseText:
    """May a piece of text that this detector spoke about go out as it is?"""

    workload: str
    detector: str


@dataclass(frozen=True, slots=True)
class PassOpaque:
    """May something pass that the adapter does not understand? `direction` is request or answer."""

    workload: str
    place: str
    direction: str


@dataclass(frozen=True, slots=True)
class PassMedia:
    """May an image, sound, film or file pass, which nobody looks into? See `schema.cedarschema` for the facts."""

    workload: str
    kind: str
    channel: str
    source: str


@dataclass(frozen=True, slots=True)
class Obtain:
    """May this workload have something beside an answer: `logprobs`, `embeddings`? Denied means: it is taken out."""

    workload: str
    what: str


Question: TypeAlias = CallModel | CallTool | ReadText | ReleaseText | PassOpaque | PassMedia | Obtain


def request_of(question: Question) -> dict[str, Any]:
    """The question as Cedar takes it. A call's arguments are in none of it: `args` is empty."""
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
                "private": question.private,
                "carriesSecret": question.carries_secret,
                "overCap": question.over_cap,
                "askedByModel": question.asked_by_model,
                "args": {},
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
