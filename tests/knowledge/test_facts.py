"""The facts load, are consistent, and hold what they promise."""

import re
from importlib.resources import files

import pytest
import re2

from interlock import knowledge
from interlock.knowledge.facts import FRAMEWORKS


def test_ids_are_unique() -> None:
    for ids in (
        [c.id for c in (*knowledge.credentials(), *knowledge.secrets())],
        [s.id for s in knowledge.symbols().entries],
        [(s.symbol, s.lang, s.package) for s in knowledge.symbols().entries],
    ):
        assert len(ids) == len(set(ids))
    assert len(knowledge.services()) == 410


def test_every_fact_says_where_it_was_seen() -> None:
    assert all(s.ref and all(s.ref) for s in knowledge.services().values())
    assert all(c.ref for c in knowledge.credentials())
    assert all(s.ref and s.checked for s in knowledge.symbols().entries)


@pytest.mark.parametrize("credential", [*knowledge.credentials(), *knowledge.secrets()], ids=lambda c: c.id)
def test_each_credential_expression_matches_its_example(credential: knowledge.Credential) -> None:
    assert re2.search(credential.regex, credential.example)
    assert credential.needs_context or any(word in credential.example.lower() for word in credential.keywords)
    assert credential.severity in {"low", "medium", "high", "critical"}


def test_packages_are_normalised_and_belong_to_known_services() -> None:
    assert len(knowledge.packages()) >= 60
    for name, package in knowledge.packages().items():
        assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name)
        assert package.imports
        assert not package.service or package.service in knowledge.services()
    assert {p.role for p in knowledge.packages().values()} == {
        "sdk", "framework", "gateway", "mcp", "vector_store", "guardrail", "observability", "inference",
    }  # fmt: skip


def test_aliases_end_at_a_symbol() -> None:
    known = {s.symbol for s in knowledge.symbols().entries}
    classes = {s.partition("#")[0] for s in known}
    for start in knowledge.symbols().aliases:
        seen, name = {start}, start
        while name in knowledge.symbols().aliases:
            name = knowledge.symbols().aliases[name]
            assert name not in seen, f"{start} goes round in a circle"
            seen.add(name)
        assert name in known or name in classes


def test_every_framework_file_is_listed_and_loads() -> None:
    there = {f.name.removesuffix(".json") for f in files(knowledge).joinpath("frameworks").iterdir()}
    assert there == set(FRAMEWORKS)
    for framework in knowledge.frameworks().values():
        assert framework.items
        assert len(framework.ids()) == len(framework.items) + len(framework.tactics) + len(framework.mitigations)
    assert "LLM02:2025" in knowledge.frameworks()["owasp_llm_2025"].ids()


def test_variables_of_clients_are_named_once_and_say_where_they_were_seen() -> None:
    protocols = knowledge.client_protocols()
    assert [p.name for p in protocols] == ["openai", "anthropic", "gemini", "bedrock", "ollama", "azure"]
    names = [v.name for p in protocols for v in p.variables]
    assert len(names) == len(set(names))
    for protocol in protocols:
        assert set(protocol.services) <= set(knowledge.services())
        assert {v.holds for v in protocol.variables} >= {"address", "key"}
        assert all(v.readers and v.ref for v in protocol.variables)
        assert all(knowledge.model_credential(v.name, "x") for v in protocol.variables if v.holds != "address")
        assert not any(knowledge.model_credential(v.name, "x") for v in protocol.variables if v.holds == "address")


def test_a_model_credential_is_known_by_its_name_or_its_value() -> None:
    assert knowledge.model_credential("AWS_SECRET_ACCESS_KEY", "x")
    key = next(c.example for c in knowledge.credentials() if c.id == "groq").replace("EXAMPLE", "Wq7Zt4N")
    assert knowledge.model_credential("MY_OWN_NAME", key)
    for name in ("PATH", "GITHUB_TOKEN", "TAVILY_API_KEY", "LANGSMITH_API_KEY", "OPENAI_ORG_ID"):
        assert not knowledge.model_credential(name, "x")
