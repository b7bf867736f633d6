"""One sentence: the fault, as it stands in somebody's code or configuration."""

from interlock.checks import Check, Judgement
from interlock.inventory import Inventory
from interlock.model.asset import Asset, AssetKind, Evidence, Fact, Observation, Site, Status
from interlock.model.meta import Example, Maturity, Meta, Severity


def judge(asset: Asset, inventory: Inventory) -> Judgement:  # noqa: ARG001 - `inventory.related(asset.id)` and more
    """FAIL where the fact says so, PASS where it says the contrary, UNKNOWN where no source could tell."""
    match asset.facts.get("reviewed"):
        case True:
            return Judgement(Status.PASS, "It was reviewed.")
        case False:
            return Judgement(Status.FAIL, "It was never reviewed.")
        case _:
            return Judgement(Status.UNKNOWN, "No source says whether it was reviewed.")


def _seen(**facts: Fact) -> tuple[Observation, ...]:
    return (Observation(AssetKind.LLM, "OpenAI client", Site("app.py", 1), Evidence.USED, "python-code", facts),)


CHECK = Check(
    meta=Meta(
        id="new-check",
        title="New check",
        why="What an attacker gains by it.",
        since="0.1.0",
        maturity=Maturity.SANDBOX,
        severity=Severity.MEDIUM,
        fix="What to change, in one sentence.",
        refs=("owasp_llm_2025:LLM06:2025",),
    ),
    kinds=(AssetKind.LLM,),
    judge=judge,
    examples=(
        Example("never reviewed", _seen(reviewed=False), Status.FAIL),
        Example("reviewed", _seen(reviewed=True), Status.PASS),
        Example("not known", _seen(), Status.UNKNOWN),
    ),
)
