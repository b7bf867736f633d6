"""What can be asked of the policies: one frozen value for each action of the schema, equal if the facts are."""

from dataclasses import dataclass
from typing import TypeAlias

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
