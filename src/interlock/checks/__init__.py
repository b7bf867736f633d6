"""CATALOGUE of checks: inventory -> PASS, FAIL or UNKNOWN for each asset that a check is about.

One file is one check. It holds its docstring, and `CHECK`: its `Meta`, the kinds of asset it judges, one
pure function, and three to six examples. The id states the fault (`mcp-server-without-auth`).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from interlock.catalog import load
from interlock.inventory import Inventory
from interlock.model.asset import Asset, AssetKind, Observation, Status
from interlock.model.meta import Confidence, Example, Meta


@dataclass(frozen=True, slots=True)
class Judgement:
    """A check's answer for one asset, and the sentence that says why. UNKNOWN if it was not understood.

    `confidence` is said where it is another than the check's own.
    """

    status: Status
    message: str
    confidence: Confidence | None = None


@dataclass(frozen=True, slots=True)
class Check:
    """An entry of this room. `judge` gets the asset as one sighting shows it (one site, the facts seen there)
    and the whole inventory; an example gives observations and expects the status of the first one's asset."""

    meta: Meta
    kinds: tuple[AssetKind, ...]
    judge: Callable[[Asset, Inventory], Judgement]
    examples: tuple[Example[tuple[Observation, ...], Status], ...]


def checks() -> Mapping[str, Check]:
    """Every check by id."""
    return load("checks", "CHECK", Check)
