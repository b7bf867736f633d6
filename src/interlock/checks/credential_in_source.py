"""A provider's key that stands in a file of the repository instead of in a secret store."""

from interlock.checks import Check, Judgement
from interlock.inventory import Inventory
from interlock.model.asset import Asset, AssetKind, Evidence, Fact, Observation, Site, Status
from interlock.model.meta import Confidence, Example, Meta, Severity


def judge(asset: Asset, inventory: Inventory) -> Judgement:  # noqa: ARG001
    """FAIL where a source met the value itself, with less confidence if its format is not known.

    PASS where it comes from the environment or a secret store; UNKNOWN where no source could tell.
    """
    if asset.facts.get("literal"):
        if asset.facts.get("format"):
            return Judgement(Status.FAIL, f"The value itself stands in the file: {asset.name}.")
        message = f"A value that looks like a secret, though of no known format, stands in the file: {asset.name}."
        return Judgement(Status.FAIL, message, Confidence.MEDIUM)
    if asset.facts.get("env") or asset.facts.get("stored"):
        return Judgement(Status.PASS, "It is read from the environment or a secret store.")
    return Judgement(Status.UNKNOWN, "Where its value comes from was not seen.")


def _credential(**facts: Fact) -> tuple[Observation, ...]:
    return (Observation(AssetKind.CREDENTIAL, "OpenAI key", Site("bot.py", 4), Evidence.USED, "python-code", facts),)


CHECK = Check(
    meta=Meta(
        id="credential-in-source",
        title="Credential in source",
        why="Everybody who can read the repository, its history, its forks and its builds can use the key at your cost "
        "and in your name. Deleting the line leaves it in the history.",
        since="0.1.0",
        confidence=Confidence.HIGH,
        severity=Severity.CRITICAL,
        fix="Revoke the key at its provider first, then read the new one from the environment or a secret store.",
        refs=("owasp_nhi_2025:NHI2:2025", "owasp_mcp_2025:MCP01:2025", "owasp_llm_2025:LLM02:2025"),
    ),
    kinds=(AssetKind.CREDENTIAL,),
    judge=judge,
    examples=(
        Example("the value stands in the code", _credential(literal=True, format="openai_project"), Status.FAIL),
        Example("a value of no known format", _credential(literal=True, service="openai"), Status.FAIL),
        Example("read from the environment", _credential(env=True, service="openai"), Status.PASS),
        Example("a .env file that is set is where a value belongs", _credential(env=True, value_set=True), Status.PASS),
        Example("named in a secret store", _credential(stored=True), Status.PASS),
        Example("not known where it comes from", _credential(service="openai"), Status.UNKNOWN),
    ),
)
