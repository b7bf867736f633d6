"""An MCP server whose program is fetched anew at each start, in whatever version is newest."""

import re

from interlock.checks import Check, Judgement
from interlock.inventory import Inventory
from interlock.model.asset import Asset, AssetKind, Evidence, Fact, Observation, Site, Status
from interlock.model.meta import Confidence, Example, Meta, Severity

# Programs that run what their arguments say, and a command that is itself a variable.
OPAQUE = re.compile(
    r"(?i)(?:.*[\\/])?(?:npx|bunx|uvx|pipx|docker|podman|nerdctl|sh|bash|zsh|cmd|powershell|pwsh)(?:\.(?:exe|cmd))?|.*[${<%].*"
)


def judge(asset: Asset, inventory: Inventory) -> Judgement:  # noqa: ARG001
    """FAIL for a launcher such as npx or uvx without an exact version; PASS for a pinned one.

    A server that is called by its address, or that is this project's own program, fetches nothing: PASS.
    UNKNOWN if it was not seen how the server starts, or what a launcher or a shell is to run.
    """
    package, unpinned, command = (asset.facts.get(name) for name in ("package", "unpinned", "command"))
    match package, unpinned:
        case (None | "", _):
            return _without_package(asset, command)
        case (_, True):
            return Judgement(Status.FAIL, f"It runs {package} in whatever version is newest when it starts.")
        case (_, False):
            return Judgement(Status.PASS, f"It runs one version of {package}.")
        case _:
            return Judgement(Status.UNKNOWN, f"Which version of {package} it runs was not seen.")


def _without_package(asset: Asset, command: Fact) -> Judgement:
    if command and OPAQUE.fullmatch(str(command)):
        return Judgement(Status.UNKNOWN, f"What {command} runs was not seen.")
    is_remote = any(asset.facts.get(name) for name in ("endpoint", "endpoint_env", "endpoint_unknown"))
    if command or is_remote or asset.facts.get("role") == "implementation":
        return Judgement(Status.PASS, "It fetches no package when it starts.")
    return Judgement(Status.UNKNOWN, "How it starts was not seen.")


def _server(**facts: Fact) -> tuple[Observation, ...]:
    return (Observation(AssetKind.MCP_SERVER, "files", Site(".mcp.json", 3), Evidence.DECLARED, "mcp-config", facts),)


CHECK = Check(
    meta=Meta(
        id="mcp-server-without-pin",
        title="MCP server is not pinned to a version",
        why="Whoever can publish the package, its maintainer or a thief of the account, runs code on this machine at "
        "the next start, with all that the client and its agent can reach. Yesterday's review proves nothing.",
        since="0.1.0",
        confidence=Confidence.HIGH,
        severity=Severity.HIGH,
        fix="Name an exact version (npx -y PACKAGE@1.2.3, uvx PACKAGE==1.2.3, IMAGE@sha256:...) and review new ones.",
        refs=("owasp_mcp_2025:MCP04:2025", "owasp_asi_2026:ASI04", "owasp_llm_2025:LLM03:2025"),
    ),
    kinds=(AssetKind.MCP_SERVER,),
    judge=judge,
    examples=(
        Example(
            "npx of the newest version", _server(command="npx", package="npm:files-mcp", unpinned=True), Status.FAIL
        ),
        Example("an exact version", _server(command="uvx", package="pypi:files-mcp", unpinned=False), Status.PASS),
        Example("the project's own program", _server(command="python"), Status.PASS),
        Example("a launcher whose package was not understood", _server(command="npx"), Status.UNKNOWN),
        Example("not known how it starts", _server(), Status.UNKNOWN),
        Example("a remote server", _server(endpoint="https://mcp.acme.example/v1"), Status.PASS),
    ),
)
