"""Prompts, answers and credentials that cross a network in clear text."""

import re

from interlock.checks import Check, Judgement
from interlock.inventory import Inventory
from interlock.knowledge import host_of
from interlock.model.asset import Asset, AssetKind, Evidence, Fact, Observation, Site, Status
from interlock.model.meta import Confidence, Example, Meta, Severity

# This machine: nothing leaves it. host.docker.internal is the machine around a container.
LOCAL = re.compile(r"localhost|.*\.localhost|127(?:\.\d+){3}|::1|0\.0\.0\.0|host\.docker\.internal")

# What says of a thing without an address that it is a program or a library on this machine.
HERE = {AssetKind.MCP_SERVER: ("command", "role"), AssetKind.VECTOR_STORE: ("sdk",)}


def judge(asset: Asset, inventory: Inventory) -> Judgement:  # noqa: ARG001
    """FAIL for http or ws to another machine; PASS for TLS, this machine, or the own address of a known service.

    UNKNOWN where the address, its scheme or its host is set elsewhere, or nothing says whom it talks to.
    """
    address = str(asset.facts.get("endpoint") or "")
    if address:
        return _by_address(address)
    if asset.facts.get("endpoint_env") or asset.facts.get("endpoint_unknown"):
        return Judgement(Status.UNKNOWN, "Its address is set elsewhere and was not seen.")
    if asset.facts.get("service") or any(asset.facts.get(fact) for fact in HERE.get(asset.kind, ())):
        return Judgement(Status.PASS, "It has no address of its own: it talks over TLS, or not beyond this machine.")
    return Judgement(Status.UNKNOWN, "Whom it talks to was not seen.")


def _by_address(address: str) -> Judgement:
    host = host_of(address)
    if re.match(r"(?i)(?:https|wss)://", address) or LOCAL.fullmatch(host):
        return Judgement(Status.PASS, "It talks over TLS, or not beyond this machine.")
    if re.match(r"(?i)(?:http|ws)://", address) and host and not re.search(r"[${}<>%]", host):
        return Judgement(Status.FAIL, f"It talks to {address} without TLS.")
    return Judgement(Status.UNKNOWN, f"Whether {address} is reached over TLS was not seen.")


def _client(**facts: Fact) -> tuple[Observation, ...]:
    return (Observation(AssetKind.LLM, "openai.OpenAI", Site("bot.py", 4), Evidence.USED, "python-code", facts),)


CHECK = Check(
    meta=Meta(
        id="endpoint-without-tls",
        title="AI endpoint without TLS",
        why="Whoever is on the path reads prompts, answers and the credential, and can change what the model says and "
        "which tools it calls. Networks inside a cluster or an office are such a path too.",
        since="0.1.0",
        confidence=Confidence.MEDIUM,
        severity=Severity.MEDIUM,
        fix="Serve the endpoint over https, or keep it on the loopback interface behind a proxy that speaks TLS.",
        refs=("owasp_llm_2025:LLM02:2025", "owasp_nhi_2025:NHI4:2025", "nist_csf_2_0:PR.DS-02"),
    ),
    kinds=(AssetKind.LLM, AssetKind.MCP_SERVER, AssetKind.VECTOR_STORE),
    judge=judge,
    examples=(
        Example("http to another machine", _client(endpoint="http://gpu-1.internal:8000/v1"), Status.FAIL),
        Example("https", _client(endpoint="https://api.deepseek.com"), Status.PASS),
        Example("a model server on this machine", _client(endpoint="http://localhost:11434/v1"), Status.PASS),
        Example("the SDK's own address", _client(service="openai"), Status.PASS),
        Example("set in the environment", _client(endpoint_env="OPENAI_BASE_URL"), Status.UNKNOWN),
        Example("a client that another file makes", _client(), Status.UNKNOWN),
    ),
)
