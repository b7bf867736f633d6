"""Requirements, MCP configuration and .env files; any bytes can be read by each."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock.model.asset import AssetKind, Evidence
from interlock.sources import file_sources
from interlock.sources.dotenv import SOURCE as DOTENV
from interlock.sources.mcp_config import SOURCE as MCP
from interlock.sources.mcp_config import plain_json
from interlock.sources.requirements import SOURCE as REQUIREMENTS
from tests.made_up import ANTHROPIC_KEY, OPENAI_KEY

TEXTS = st.text(alphabet='{}[]":,\\/*\n #=openai-mcpServers.command', max_size=200)


@pytest.mark.parametrize("source", file_sources().values(), ids=lambda s: s.meta.id)
@pytest.mark.parametrize("path", ["a.py", ".mcp.json", ".env", "requirements.txt", "pyproject.toml", "uv.lock"])
@given(data=st.one_of(st.binary(max_size=200), TEXTS.map(str.encode)))
def test_any_bytes_can_be_read(source: object, path: str, data: bytes) -> None:
    observations, not_scanned = source.read(path, data)  # type: ignore[attr-defined]
    assert len(not_scanned) <= 1
    assert all(
        o.site.path == path and 1 <= o.site.line <= data.count(b"\n") + data.count(b"\r") + 9 for o in observations
    )


@pytest.mark.parametrize(
    ("path", "wanted"),
    [
        (".mcp.json", "mcp-config"),
        ("a/.cursor/mcp.json", "mcp-config"),
        (".vscode/mcp.json", "mcp-config"),
        ("claude_desktop_config.json", "mcp-config"),
        ("package.json", None),
        ("a/.env", "dotenv"),
        (".env.production.local", "dotenv"),
        ("prod.env", "dotenv"),
        ("environment.py", "python-code"),
        ("requirements-dev.txt", "requirements"),
        ("requirements/base.txt", "requirements"),
        ("a/pyproject.toml", "requirements"),
        ("poetry.lock", "requirements"),
        ("notes.txt", None),
        ("stub.pyi", None),
    ],
)
def test_which_files_are_wanted(path: str, wanted: str | None) -> None:
    assert [id_ for id_, source in file_sources().items() if source.wants(path)] == ([wanted] if wanted else [])


def test_requirements_with_hashes_are_a_lock() -> None:
    data = b"openai==1.99.0 \\\n    --hash=sha256:00\n"
    (observation,), _ = REQUIREMENTS.read("requirements.txt", data)
    assert observation.evidence is Evidence.MENTIONED
    (declared,), _ = REQUIREMENTS.read("requirements.txt", b"openai==1.99.0\n")
    assert (declared.evidence, declared.facts["version"]) == (Evidence.DECLARED, "1.99.0")


def test_a_range_is_no_version() -> None:
    (observation,), _ = REQUIREMENTS.read("requirements.in", b"openai[datalib] >=1,<2 ; python_version>'3'\n")
    assert observation.facts["specifier"] == ">=1,<2"
    assert "version" not in observation.facts


@pytest.mark.parametrize(
    "data", [b"project = 1", b"[project]\ndependencies = 'openai'", b"[dependency-groups]\na = [{x=1}]"]
)
def test_a_strange_pyproject_is_read(data: bytes) -> None:
    assert REQUIREMENTS.read("pyproject.toml", data) == ((), ())


def test_a_broken_pyproject_is_said() -> None:
    _, (missed,) = REQUIREMENTS.read("pyproject.toml", b"[project")
    assert "not valid TOML" in missed.reason


@pytest.mark.parametrize(
    ("value", "is_set"),
    [
        ("", False), ("your-key", False), ('"<key>"', False), ("${KEY}", False), ("sk-xxxxxxxx", False),
        ("changeme", False), ("# later", False), ("q9w8e7r6t5", True), ("'z4c6v8b0'", True), ("placeholder", False),
    ],
)  # fmt: skip
def test_whether_a_value_is_set(value: str, is_set: bool) -> None:
    (observation,), _ = DOTENV.read(".env", f"OPENAI_API_KEY={value}\n".encode())
    assert observation.facts["value_set"] is is_set


def test_what_is_kept_of_an_mcp_server() -> None:
    data = f"""{{"mcpServers": {{
      "files": {{"command": "/home/me/bin/npx", "args": ["-y", "files-mcp", "--token", "{OPENAI_KEY}"],
                 "env": {{"FILES_TOKEN": "k7Qz93jfPq02mXc81LsW", "LEVEL": "debug", "MY_KEY": "${{K}}"}}}},
      "docs": {{"url": "https://u:p@h.example/mcp?key={ANTHROPIC_KEY}"}},
      "nothing": {{}}, "odd": 3}}}}""".encode()
    observations, _ = MCP.read(".mcp.json", data)
    servers = {o.name: o for o in observations if o.kind is AssetKind.MCP_SERVER}
    assert dict(servers["files"].facts) == {
        "command": "npx", "env_names": "FILES_TOKEN LEVEL MY_KEY", "package": "npm:files-mcp", "transport": "stdio",
        "unpinned": True,
    }  # fmt: skip
    assert servers["docs"].facts["endpoint"] == "https://h.example/mcp"
    assert set(servers) == {"files", "docs"}
    credentials = {
        o.name: (o.site.line, o.facts.get("literal")) for o in observations if o.kind is AssetKind.CREDENTIAL
    }
    assert credentials == {"OpenAI project key": (2, True), "Anthropic API key": (4, True), "FILES_TOKEN": (3, True)}
    assert "k7Qz93" not in repr(observations)
    assert OPENAI_KEY not in repr(observations)


@pytest.mark.parametrize(
    "data",
    [
        b'{"mcp": {"servers": {"s": {"command": "x"}}}}',
        b'{"projects": {"/p": {"mcpServers": {"s": {"command": "x"}}}}}',
        b'{"context_servers": {"s": {"command": {"path": "x", "args": ["y"]}}}}',
        b'{"servers": {"s": {"command": ["x", "y"]}}}',
        b'\xef\xbb\xbf{"servers": {"s": {"command": "x y"},}, /* c */ } // end',
    ],
)
def test_every_client_has_its_own_shape(data: bytes) -> None:
    observations, not_scanned = MCP.read("mcp.json", data)
    assert not not_scanned
    assert [(o.name, o.facts["command"]) for o in observations] == [("s", "x")]


@pytest.mark.parametrize(
    "data", [b'{"mcpServers": {', b"\xff", b'{"servers":' + b"[" * 100_000, b"/*" * 100_000 + b"ervers"]
)
def test_broken_configuration_is_said(data: bytes) -> None:
    observations, (missed,) = MCP.read("mcp.json", data)
    assert observations == ()
    assert missed.reason.startswith("not ")


@given(st.text(alphabet='/*",\\\n]} a', max_size=60))
def test_taking_comments_out_moves_nothing(text: str) -> None:
    assert len(plain_json(text)) == len(text)
    assert plain_json(text).count("\n") == text.count("\n")
