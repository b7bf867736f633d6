"""What makes two sightings the same thing: one rule for each kind of asset, and the readable id it gives."""

import re
from collections.abc import Callable, Mapping

from interlock.inventory.model_names import canonical
from interlock.model.asset import AssetKind, Observation


def _by_name(observation: Observation) -> str:
    return observation.name


def _by_place(observation: Observation) -> str:
    return f"{observation.site.path}#{observation.name}"


def _by_model(observation: Observation) -> str:
    return canonical(observation.name).casefold()


def _by_package(observation: Observation) -> str:
    return package_name(observation.name)


def _credential(observation: Observation) -> str:
    """An environment variable is one thing wherever it is read; a literal is what stands in that file."""
    return _by_place(observation) if observation.facts.get("literal") else observation.name


def _mcp_server(observation: Observation) -> str:
    """Two clients that start the same program, or call the same address, have one server between them."""
    target = observation.facts.get("package") or observation.facts.get("endpoint")
    return f"{observation.name}@{target}" if target else _by_place(observation)


IDENTITY: Mapping[AssetKind, Callable[[Observation], str]] = {
    AssetKind.MODEL: _by_model,
    AssetKind.LLM: _by_place,
    AssetKind.AGENT: _by_place,
    AssetKind.TOOL: _by_place,
    AssetKind.PROMPT: _by_place,
    AssetKind.EMBEDDING: _by_place,
    AssetKind.VECTOR_STORE: _by_place,
    AssetKind.MCP_SERVER: _mcp_server,
    AssetKind.MCP_CLIENT: _by_place,
    AssetKind.GUARDRAIL: _by_place,
    AssetKind.CREDENTIAL: _credential,
    AssetKind.DEPENDENCY: _by_package,
    AssetKind.DATASET: _by_name,
    AssetKind.INFERENCE_SERVER: _by_place,
    AssetKind.CLOUD: _by_name,
    AssetKind.IDENTITY: _by_name,
    AssetKind.OBSERVABILITY: _by_place,
}


def identity(observation: Observation) -> str:
    """The id of the asset that this is a sighting of: `kind:readable identity`, without blanks or control characters.

    >>> from interlock.model.asset import Evidence, Site
    >>> seen = Observation(AssetKind.TOOL, "pay", Site("app/tools.py", 7), Evidence.DECLARED, "python-code")
    >>> identity(seen)
    'tool:app/tools.py#pay'
    """
    return f"{observation.kind.value}:{_readable(IDENTITY[observation.kind](observation))}"


def shown_name(observation: Observation) -> str:
    """The name that people see: a model's canonical name, a package's normalised one, else as it was seen."""
    if observation.kind is AssetKind.MODEL:
        return canonical(observation.name)
    if observation.kind is AssetKind.DEPENDENCY:
        return package_name(observation.name)
    return observation.name


def package_name(name: str) -> str:
    """A Python package's normalised name (PEP 503).

    >>> package_name("LangChain_OpenAI")
    'langchain-openai'
    """
    return re.sub(r"[-_.]+", "-", name).lower()


def _readable(text: str) -> str:
    """Printable and without blanks: everything else as %XX of its UTF-8, so that ids stay different."""
    return "".join(c if c.isprintable() and c not in " %?" else _escaped(c) for c in text)


def _escaped(character: str) -> str:
    return "".join(f"%{byte:02X}" for byte in character.encode("utf-8", "surrogatepass"))
