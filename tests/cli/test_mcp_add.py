"""`interlock mcp add` and `import`, as a user sees them: what is written, what is left alone, what is refused."""

import hashlib
import json
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock.cli import main
from interlock.cli._mcp_add import toml
from interlock.config import load

PROGRAM = Path(__file__).parent.parent / "gateway" / "mcp_program.py"
BEFORE = '# ours\n[gateway]\nport = 7800   # not the usual one\n\n[mcp.servers.old]\nurl = "https://old.example/mcp"'


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("INTERLOCK_CONFIG", raising=False)
    monkeypatch.setenv("INTERLOCK_DATA", str(tmp_path / "data"))
    return tmp_path


def test_a_table_is_put_at_the_end_and_the_rest_stays(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = folder / "interlock.toml"
    file.write_text(BEFORE)
    file.chmod(0o640)
    words = ["add", "notes", "--env", "KEY", "--sandbox", "--writable", "w", "--", "notes-mcp", "--all", 'a "b"']
    assert main(["mcp", *words]) == 0
    text = file.read_text()
    assert text.startswith(BEFORE + "\n\n[mcp.servers.notes]\n")
    assert file.stat().st_mode & 0o777 == 0o640
    server = load(str(file)).mcp_servers["notes"]
    assert server.command == ("notes-mcp", "--all", 'a "b"')
    assert (server.env, server.sandbox, server.writable) == (("KEY",), True, (str(folder / "w"),))
    told = capsys.readouterr().out
    shown = json.loads(told.split("\n\n")[2])["mcpServers"]["notes"]
    last = ["mcp", "serve", "notes", "--config", str(file), "--data", str(folder / "data")]
    assert shown["args"][-len(last) :] == last
    assert "http://127.0.0.1:7800/mcp/notes" in told
    assert "claude mcp add notes -- " in told


def test_the_file_is_made_if_there_is_none(folder: Path) -> None:
    words = ["add", "far", "--url", "https://far.example/mcp", "--api-key-env", "FAR", "--pin", "approve"]
    assert main(["mcp", *words]) == 0
    server = load().mcp_servers["far"]
    assert (server.url, server.api_key_env, server.pin) == ("https://far.example/mcp", "FAR", "approve")
    assert main(["mcp", "add", "--config", str(folder / "other.toml"), "far", "--url", "https://o.example/mcp"]) == 0
    assert load(str(folder / "other.toml")).mcp_servers["far"].url == "https://o.example/mcp"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["new"], "--url"),
        (["new", "--url", "https://a.example", "--", "x"], "--url"),
        (["old", "--url", "https://a.example/mcp"], "already"),
        (["new", "--url", "ftp://a.example"], "cannot be at"),
        (["new", "--url", "https://a.example/mcp?k=v"], "a query"),
        (["a]\n[gateway", "--url", "https://a.example"], "cannot be called"),
        (["new", "--api-key-env", "K", "--", "x"], "is started"),
        (["new", "--sha256", "--", "no-such-program"], "no such program"),
        (["new", "--", "a\udcff"], "not valid text"),
    ],
)
def test_what_is_refused_changes_nothing(
    folder: Path, words: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "interlock.toml").write_text(BEFORE)
    assert main(["mcp", "add", *words]) in (2, 3)
    assert says in capsys.readouterr().err
    assert (folder / "interlock.toml").read_text() == BEFORE
    assert [path.name for path in folder.iterdir()] == ["interlock.toml"]


def test_options_that_are_none_are_refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["mcp", "add", "new", "--sandbocks", "--", "x"])
    assert ended.value.code == 2
    assert "--sandbocks" in capsys.readouterr().err
    assert not list(folder.iterdir())


def test_the_digest_and_what_it_does_not_say(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["mcp", "add", "one", "--sha256", "--", sys.executable, "-m", "x"]) == 0
    assert load().mcp_servers["one"].sha256 == hashlib.sha256(Path(sys.executable).read_bytes()).hexdigest()
    capsys.readouterr()
    assert main(["mcp", "add", "two", "--", "npx", "-y", "@scope/server"]) == 0
    assert "name an exact version" in capsys.readouterr().out
    assert folder.is_dir()


def test_it_is_reached_only_when_that_is_asked_for(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["mcp", "add", "one", "--", sys.executable, str(PROGRAM)]) == 0
    assert not (folder / "data").exists()
    assert main(["mcp", "add", "two", "--connect", "--", sys.executable, str(PROGRAM)]) == 0
    assert ": read_asking, " in capsys.readouterr().out
    assert main(["mcp", "add", "three", "--connect", "--url", "http://127.0.0.1:9/mcp"]) == 0
    assert "does not answer" in capsys.readouterr().out


@given(st.dictionaries(st.sampled_from(["url", "cwd"]), st.text(st.characters(exclude_categories=["Cs"]))))
def test_any_text_is_the_same_in_toml(table: dict[str, str]) -> None:
    assert tomllib.loads(toml("a", table)) == {"mcp": {"servers": {"a": table}}}


# --- import --------------------------------------------------------------------------------------------------

CLIENT: dict[str, Any] = {
    "theme": "dark",
    "mcpServers": {
        "Git Hub": {"type": "stdio", "command": "npx", "args": ["-y", "@s/gh@1.2.3"], "env": {"GH_TOKEN": "s3cret-1"}},
        "far": {"url": "https://far.example/mcp", "headers": {"Authorization": "Bearer s3cret-2"}},
        "open": {"type": "http", "url": "https://open.example/mcp"},
    },
}


def test_the_servers_of_a_client_go_behind_interlock(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = folder / "claude_desktop_config.json"
    text = json.dumps(CLIENT)
    file.write_text("// mine\n" + text)
    assert main(["mcp", "import", str(file)]) == 0
    assert "[mcp.servers.Git-Hub]" in (told := capsys.readouterr().out)
    assert "s3cret" not in told
    assert [path.name for path in folder.iterdir()] == [file.name]
    assert main(["mcp", "import", str(file), "--write"]) == 0
    servers = load().mcp_servers
    assert servers["Git-Hub"].command == ("npx", "-y", "@s/gh@1.2.3")
    assert servers["Git-Hub"].env == ("GH_TOKEN",)
    assert (servers["far"].api_key_env, servers["open"].api_key_env) == ("FAR_TOKEN", "")
    assert "s3cret" not in (folder / "interlock.toml").read_text()
    after = json.loads(file.read_text())
    assert after["theme"] == "dark"
    hub, far, open_ = (after["mcpServers"][name] for name in ("Git Hub", "far", "open"))
    assert hub["type"] == "stdio"
    assert hub["env"] == {"GH_TOKEN": "s3cret-1"}
    assert far["env"] == {"FAR_TOKEN": "s3cret-2"}
    assert "url" not in far
    assert "env" not in open_
    for name, entry in (("Git-Hub", hub), ("far", far), ("open", open_)):
        assert entry["args"][entry["args"].index("mcp") :][:3] == ["mcp", "serve", name]
    # A second time there is nothing left to do, and what stood there before can be put back.
    assert main(["mcp", "import", str(file), "--write"]) == 0
    assert "no server to take over" in capsys.readouterr().out
    assert (folder / (file.name + ".before-interlock")).read_text() == "// mine\n" + text


def test_a_backup_is_not_written_over(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = folder / "mcp.json"
    file.write_text(json.dumps(CLIENT))
    (folder / "mcp.json.before-interlock").write_text("{}")
    assert main(["mcp", "import", str(file), "--write"]) == 2
    assert "from before" in capsys.readouterr().err
    assert json.loads(file.read_text()) == CLIENT
    assert not (folder / "interlock.toml").exists()


@pytest.mark.parametrize(
    ("entry", "says"),
    [
        ({}, "neither"),
        ({"url": 5}, "neither"),
        ({"command": "x", "args": "y"}, "usual form"),
        ({"command": "x", "args": [5]}, "usual form"),
        ({"command": "x", "env": ["A"]}, "usual form"),
        ({"url": "https://a.example", "type": "sse"}, "2024"),
        ({"url": "https://a.example", "headers": {"X-Key": "k"}}, "headers other than"),
        ({"url": "https://a.example", "headers": {"Authorization": "Basic eDp5"}}, "no bearer"),
        ({"url": "https://a.example", "headers": ["x"]}, "headers other than"),
        ({"url": "https://a.example/mcp?profile=one"}, "a query"),
        ({"url": "https://me@a.example/mcp"}, "has a user"),
        ({"url": "https://a.example/mcp#here"}, "a fragment"),
        ({"url": "file:///etc/passwd"}, "cannot be at"),
        ({"url": "https://[a/mcp"}, "address"),
        ("a text", "no server"),
        (None, "no server"),
    ],
)
def test_what_cannot_be_taken_over_is_left_and_said(
    folder: Path, entry: object, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    file = folder / "mcp.json"
    file.write_text(json.dumps({"servers": {"one\x1b[31m": entry}}))
    assert main(["mcp", "import", str(file), "--write"]) == 1
    out = capsys.readouterr().out
    assert says in out
    assert "\x1b" not in out
    assert not (folder / "interlock.toml").exists()


SECRET = "k7Qz93jfPq02mXc81LsW"


@pytest.mark.parametrize(
    "entry",
    [
        {"command": "x", "args": ["--token", "hunter2"]},
        {"command": "x", "args": [f"--api-key={SECRET}"]},
        {"command": "x", "args": ["--header", f"Authorization: Bearer {SECRET}"]},
        {"command": "x", "args": [SECRET]},
        {"command": "x", "args": ["ghp_" + "A1b2C3d4E5f6" * 3]},
        {"command": "npx", "args": ["mcp-remote", f"https://a.example/mcp?k={SECRET}"]},
        {"command": "x", "args": [f"postgres://me:{SECRET}@db.example/x"]},
        {"url": f"https://a.example/mcp?key={SECRET}"},
        {"url": f"https://me:{SECRET}@a.example/mcp"},
        {"url": f"https://a.example/s/{SECRET}/mcp"},
    ],
)
def test_credentials_among_arguments_are_left_where_they_are(
    folder: Path, entry: object, capsys: pytest.CaptureFixture[str]
) -> None:
    file = folder / "mcp.json"
    file.write_text(json.dumps({"mcpServers": {"one": entry, "two": {"command": "notes-mcp"}}}))
    for more in ([], ["--write"]):
        assert main(["mcp", "import", str(file), *more]) == 1
        out = capsys.readouterr().out
        assert "left as it is: one: a credential stands in its" in " ".join(out.split())
        assert SECRET not in out
    assert list(load().mcp_servers) == ["two"]
    assert (folder / "interlock.toml").stat().st_mode & 0o777 == 0o600
    assert json.loads(file.read_text())["mcpServers"]["one"] == entry


@pytest.mark.parametrize(
    "args",
    [
        ["-y", "@modelcontextprotocol/server-filesystem@2025.8.21", "/home/me/notes"],
        ["--token", "${GITHUB_TOKEN}", "--api-key-file", "/etc/keys/one.txt"],
        ["-m", "mcp_server_git", "--repository", "/srv/App2/Main", "--port=8080"],
        ["run", "-i", "--rm", "-e", "GITHUB_PERSONAL_ACCESS_TOKEN", "ghcr.io/github/github-mcp-server:v0.5.0"],
        ["mcp-remote", "https://a.example/mcp/v1/Server2?profile=home"],
    ],
)
def test_usual_arguments_are_no_credentials(folder: Path, args: list[str]) -> None:
    (folder / "mcp.json").write_text(json.dumps({"mcpServers": {"one": {"command": "npx", "args": args}}}))
    assert main(["mcp", "import", "mcp.json", "--write"]) == 0
    assert load().mcp_servers["one"].command[1:] == tuple(args)


@pytest.mark.parametrize("text", ["", "[]", "{", "[" * 10_000, '"x"'])
def test_a_file_that_is_no_clients(folder: Path, text: str, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "mcp.json").write_text(text)
    assert main(["mcp", "import", "mcp.json"]) == 2
    assert "mcp.json is" in capsys.readouterr().err
    assert main(["mcp", "import", "gone.json"]) == 2


def test_two_servers_that_would_be_called_the_same(folder: Path) -> None:
    servers = {"a b": {"command": "one"}, "a-b": {"command": "two"}, "!": {"command": "three"}}
    (folder / "mcp.json").write_text(json.dumps({"mcp": {"servers": servers}}))
    assert main(["mcp", "import", "mcp.json", "--write"]) == 0
    assert {name: server.command[0] for name, server in load().mcp_servers.items()} == {
        "a-b": "one", "a-b-2": "two", "server": "three",
    }  # fmt: skip
