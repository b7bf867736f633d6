"""Observations become assets, each once, whatever their order."""

import doctest

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock.inventory import Inventory, graph, identity, model_names
from interlock.inventory.model_names import canonical
from interlock.model.asset import AssetKind, Evidence, Fact, Link, Observation, Relation, Site, Verb


def seen(
    kind: AssetKind, name: str, path: str = "app/bot.py", line: int = 1, *links: Link, **facts: Fact
) -> Observation:
    return Observation(kind, name, Site(path, line), Evidence.USED, "python-code", facts, links)


@pytest.mark.parametrize("module", [graph, identity, model_names], ids=lambda m: m.__name__)
def test_doctests(module: object) -> None:
    assert doctest.testmod(module).failed == 0  # type: ignore[arg-type]


def test_one_model_by_all_its_names() -> None:
    names = ["gpt-4o", "openai/gpt-4o", "openai:gpt-4o", "openrouter/openai/gpt-4o"]
    inventory = Inventory.build(seen(AssetKind.MODEL, name, line=n) for n, name in enumerate(names, 1))
    (asset,) = inventory.assets
    assert (asset.id, asset.name) == ("model:gpt-4o", "gpt-4o")
    assert [site.line for site in asset.sites] == [1, 2, 3, 4]


@pytest.mark.parametrize(
    ("written", "name"),
    [
        (
            "arn:aws:bedrock:us-east-1::foundation-model/anthropic.claude-3-haiku-20240307-v1:0",
            "claude-3-haiku-20240307",
        ),
        ("eu.amazon.nova-pro-v1:0", "nova-pro-v1"),
        ("publishers/google/models/gemini-2.0-flash", "gemini-2.0-flash"),
        ("amazon.titan-embed-text-v2:0", "titan-embed-text-v2"),
        ("models/gemini-1.5-pro", "gemini-1.5-pro"),
        ("bedrock/us.meta.llama3-1-70b-instruct-v1:0", "llama3-1-70b-instruct-v1"),
        ("ollama/qwen2.5:7b", "qwen2.5:7b"),
        ("gpt-4.1", "gpt-4.1"),
        ("BAAI/bge-m3", "BAAI/bge-m3"),
        ("openai:", "openai:"),
        ("", ""),
    ],
)
def test_canonical_names(written: str, name: str) -> None:
    assert canonical(written) == name


@given(st.text(max_size=60))
def test_a_canonical_name_is_its_own(name: str) -> None:
    once = canonical(name)
    assert len(once) <= len(name) + 1


def test_agents_of_one_name_in_two_files_are_two() -> None:
    inventory = Inventory.build([seen(AssetKind.AGENT, "helper", "a.py"), seen(AssetKind.AGENT, "helper", "b.py")])
    assert [asset.id for asset in inventory.assets] == ["agent:a.py#helper", "agent:b.py#helper"]


def test_weak_evidence_makes_no_asset() -> None:
    imported = Observation(AssetKind.DEPENDENCY, "openai", Site("a.py", 1), Evidence.IMPORTED, "python-code")
    assert Inventory.build([imported]).assets == ()
    assert len(Inventory.build([imported], frozenset(Evidence)).assets) == 1


def test_facts_are_merged_and_each_sighting_keeps_its_own() -> None:
    first = seen(AssetKind.MCP_SERVER, "db", "a.json", 1, package="npm:db", unpinned=False, command="npx")
    second = seen(AssetKind.MCP_SERVER, "db", "b.json", 1, package="npm:db", unpinned=True, command="bunx")
    inventory = Inventory.build([second, first])
    (asset,) = inventory.assets
    assert asset.facts == {"command": "bunx | npx", "package": "npm:db", "unpinned": "False | True"}
    shown = [(seen.id, seen.sites, seen.facts["unpinned"]) for seen in inventory.sightings(asset.id)]
    assert shown == [(asset.id, (Site("a.json", 1),), False), (asset.id, (Site("b.json", 1),), True)]
    assert inventory.sightings("tool:none") == ()


def test_a_literal_credential_is_not_the_variable_of_that_name() -> None:
    read = seen(AssetKind.CREDENTIAL, "OPENAI_API_KEY", "a.py", 1, env=True)
    literal = seen(AssetKind.CREDENTIAL, "OPENAI_API_KEY", ".mcp.json", 3, literal=True)
    assert len(Inventory.build([read, literal]).assets) == 2


def test_relations_prefer_the_same_file_and_never_guess() -> None:
    uses = Link(Verb.USES, AssetKind.TOOL, "pay")
    near = Inventory.build([
        seen(AssetKind.AGENT, "clerk", "a.py", 5, uses),
        seen(AssetKind.TOOL, "pay", "a.py"),
        seen(AssetKind.TOOL, "pay", "b.py"),
    ])  # fmt: skip
    assert near.relations == (Relation("agent:a.py#clerk", "uses", "tool:a.py#pay"),)
    far = Inventory.build([
        seen(AssetKind.AGENT, "clerk", "c.py", 5, uses),
        seen(AssetKind.TOOL, "pay", "a.py"),
        seen(AssetKind.TOOL, "pay", "b.py"),
    ])  # fmt: skip
    assert far.relations == ()


def test_a_link_finds_a_model_by_any_of_its_names() -> None:
    link = Link(Verb.USES, AssetKind.MODEL, "openai/gpt-4o")
    inventory = Inventory.build([seen(AssetKind.AGENT, "a", "a.py", 1, link), seen(AssetKind.MODEL, "gpt-4o", "b.py")])
    assert [asset.id for asset in inventory.related("agent:a.py#a", "uses")] == ["model:gpt-4o"]
    assert [asset.id for asset in inventory.relating("model:gpt-4o")] == ["agent:a.py#a"]
    assert inventory.related("agent:a.py#a", "calls") == ()


def test_questions() -> None:
    inventory = Inventory.build([seen(AssetKind.TOOL, "t", "apps/a/x.py"), seen(AssetKind.PROMPT, "p", "apps2/y.py")])
    assert inventory.get("tool:apps/a/x.py#t") is not None
    assert inventory.get("tool:none") is None
    assert [a.name for a in inventory.of(AssetKind.PROMPT)] == ["p"]
    assert [a.name for a in inventory.below("apps")] == ["t"]
    assert len(inventory.below(".")) == 2


OBSERVATIONS = st.builds(
    Observation,
    st.sampled_from(AssetKind),
    st.text(min_size=1, max_size=8),
    st.builds(Site, st.sampled_from(["a.py", "b/c.py"]), st.integers(1, 3)),
    st.sampled_from(Evidence),
    st.sampled_from(["python-code", "dotenv"]),
    st.dictionaries(st.sampled_from(["literal", "package"]), st.one_of(st.booleans(), st.text(max_size=3)), max_size=2),
)


@given(st.lists(OBSERVATIONS, max_size=12), st.randoms(use_true_random=False))
def test_the_order_of_observations_does_not_matter(observations: list[Observation], shuffler: object) -> None:
    expected = Inventory.build(observations)
    shuffled = list(observations)
    shuffler.shuffle(shuffled)  # type: ignore[attr-defined]
    assert Inventory.build(shuffled) == expected
    assert len({asset.id for asset in expected.assets}) == len(expected.assets)
    assert all(asset.id.isprintable() and " " not in asset.id for asset in expected.assets)
