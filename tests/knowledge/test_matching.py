"""Credentials, hosts, models and launchers are recognised, and nothing else is."""

import doctest
import random
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock import knowledge
from interlock.knowledge import addresses, launchers, matching
from tests.made_up import ANTHROPIC_KEY, OPENAI_KEY

PASSWORD = "s3cr3tPw99"  # not in the addresses themselves, or a scan of this repository would find them


@pytest.mark.parametrize("module", [addresses, launchers, matching], ids=lambda m: m.__name__)
def test_doctests(module: object) -> None:
    assert doctest.testmod(module).failed == 0  # type: ignore[arg-type]


def test_a_credential_is_found_exactly_where_it_stands() -> None:
    text = f'client = OpenAI(api_key="{OPENAI_KEY}")'
    (hit,) = knowledge.find_credentials(text)
    assert text[hit.start : hit.end] == OPENAI_KEY
    assert hit.credential.service == "openai"


def test_several_credentials_come_in_order() -> None:
    text = f"{ANTHROPIC_KEY}\n{OPENAI_KEY}"
    assert [hit.credential.service for hit in knowledge.find_credentials(text)] == ["anthropic", "openai"]


@pytest.mark.parametrize("credential", knowledge.credentials(), ids=lambda c: c.id)
def test_fillers_are_no_findings_but_are_redacted(credential: knowledge.Credential) -> None:
    text = f"{' '.join(credential.keywords)} {credential.example}"
    assert "EXAMPLE" not in credential.example or not knowledge.find_credentials(text)
    assert credential.example not in knowledge.redact(text)


def test_a_common_format_needs_its_keyword_nearby() -> None:
    value = "pa-" + "".join(random.Random(3).choices(string.ascii_letters + string.digits, k=43))
    assert not knowledge.find_credentials(f"token = '{value}'")
    assert knowledge.find_credentials(f"voyage_token = '{value}'")


@given(st.text(max_size=300), st.text(max_size=300))
def test_redaction_leaves_nothing_of_a_key(before: str, after: str) -> None:
    shown = knowledge.redact(f"{before} {OPENAI_KEY} {after}")
    assert OPENAI_KEY not in shown
    assert knowledge.redact(shown) == shown


@pytest.mark.parametrize(
    ("host", "service"),
    [
        ("api.openai.com", "openai"),
        ("me.openai.azure.com", "azure_openai"),
        ("API.Anthropic.com.", "anthropic"),
        ("notapi-openai.com", None),
        ("openai.com.evil.example", None),
        ("localhost", None),
        ("", None),
    ],
)
def test_hosts(host: str, service: str | None) -> None:
    found = knowledge.service_at(host)
    assert (found.id if found else None) == service


def test_general_credentials_are_not_ai() -> None:
    assert knowledge.credential_service("OPENAI_API_KEY") == "openai"
    assert knowledge.credential_service("GITHUB_TOKEN") is None
    assert knowledge.credential_service("OPENAI_BASE_URL") is None


@pytest.mark.parametrize(
    ("name", "provider"),
    [
        ("gpt-4o", "openai"),
        ("o3-mini", "openai"),
        ("claude-sonnet-4-20250514", "anthropic"),
        ("meta-llama/Llama-3.1-8B-Instruct", "meta"),
        ("qwen2.5-coder:7b", "qwen"),
        ("text-embedding-3-small", "openai"),
        ("gpt", None),
        ("User", None),
        ("model", None),
        ("gpt-4o is good", None),
    ],
)
def test_models(name: str, provider: str | None) -> None:
    assert knowledge.model_provider(name) == provider


@pytest.mark.parametrize(
    ("words", "package", "pinned"),
    [
        ("npx -y @acme/mcp", "npm:@acme/mcp", False),
        ("npx -y @acme/mcp@latest", "npm:@acme/mcp", False),
        ("npx -y @acme/mcp@^1.2.0", "npm:@acme/mcp", False),
        ("npx -y @acme/mcp@1.2.0 --root /", "npm:@acme/mcp", True),
        ("npx --package=acme@1.0.0 acme", "npm:acme", True),
        ("cmd /c npx acme", "npm:acme", False),
        ("C:\\bin\\npx.cmd acme@2.0.1", "npm:acme", True),
        ("pnpm dlx acme", "npm:acme", False),
        ("npm exec acme@1.2.3", "npm:acme", True),
        ("bunx acme", "npm:acme", False),
        ("npx github:acme/mcp#" + "a" * 40, "npm:github:acme/mcp", True),
        ("npx github:acme/mcp", "npm:github:acme/mcp", False),
        ("uvx acme", "pypi:acme", False),
        ("uvx acme==1.2", "pypi:acme", True),
        ("uvx acme@1.2.3", "pypi:acme", True),
        ("uvx acme@latest", "pypi:acme", False),
        ("uvx --python 3.12 acme", "pypi:acme", False),
        ("uvx --from acme[cli]==1.0.1 run", "pypi:acme", True),
        ("uvx --from git+https://h.example/r run", "pypi:git+https://h.example/r", False),
        ("uvx --from git+https://h.example/r@" + "b" * 40 + " run", "pypi:git+https://h.example/r", True),
        ("uv tool run acme", "pypi:acme", False),
        ("pipx run acme==3.0", "pypi:acme", True),
        ("docker run -i --rm -e KEY acme/mcp", "image:acme/mcp", False),
        ("docker run --name x h.example:5000/acme/mcp:1.2", "image:h.example:5000/acme/mcp", False),
        ("podman run acme/mcp@sha256:" + "0" * 64, "image:acme/mcp", True),
    ],
)
def test_launchers(words: str, package: str, pinned: bool) -> None:
    command, *args = words.split()
    assert knowledge.launched(command, args) == knowledge.Launch(package, pinned)


@pytest.mark.parametrize(
    "words", ["python server.py", "node dist/index.js", "npx ./local", "npx", "uvx --python", "uv run x"]
)
def test_what_is_there_already_is_not_launched(words: str) -> None:
    command, *args = words.split()
    assert knowledge.launched(command, args) is None


@given(st.text(max_size=40), st.lists(st.text(max_size=40), max_size=6))
def test_any_command_can_be_asked(command: str, args: list[str]) -> None:
    launch = knowledge.launched(command, args)
    assert launch is None or launch.package


@given(st.text(max_size=200))
def test_any_address_can_be_asked(text: str) -> None:
    assert "?" not in knowledge.bare_url(text)
    assert "@" not in knowledge.host_of(text)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('{"type": "service_account"}', False),
        ("if '-----BEGIN PRIVATE KEY-----' in text:", False),
        ("-----BEGIN RSA PRIVATE KEY-----\n" + "MIIEpAIBAAKCAQEA7vZq" * 3, True),
        ('"-----BEGIN PRIVATE KEY-----\\n" + "' + "MIIEpAIBAAKCAQEA7vZq" * 3, True),
        (f"postgresql://app:{PASSWORD}@localhost:5432/app", False),
        (f"postgresql://app:{PASSWORD}@db:5432/app", False),
        ("postgresql://app:{password}@db.prod.acme.io:5432/app", False),
        (f"postgresql://app:{PASSWORD}@db.prod.acme.io:5432/app", True),
    ],
)
def test_what_only_looks_like_a_secret(text: str, found: bool) -> None:
    assert bool(knowledge.find_credentials(text)) is found
