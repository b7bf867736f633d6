"""`interlock mcp wrap` as a client starts it: lines in, lines out, and nothing else on stdout."""

import json
import os
import secrets
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from interlock.app import now_us
from interlock.cli._mcp_wrap import server_name
from interlock.identity.keys import mint
from interlock.mcp import messages
from interlock.mcp.eras import CAPABILITIES_META, MODERN, VERSION_META
from interlock.store.database import address
from interlock.store.segments import is_log, read
from interlock.store.sql import SqlStore

PROGRAM = Path(__file__).parent.parent / "gateway" / "mcp_program.py"
HELLO = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "c", "version": "1"}}
LIMIT_S = 60


def wrapped(folder: Path, *lines: bytes, options: tuple[str, ...] = (), **env: str) -> list[dict[str, object]]:
    """Everything that comes back to these lines; each waits for the answer of the one before."""
    (folder / "interlock.toml").write_text("")
    command = [sys.executable, "-m", "interlock", "mcp", "wrap", *options, "--data", str(folder / "data")]
    process = subprocess.Popen(
        [*command, "--config", str(folder / "interlock.toml"), "--", sys.executable, str(PROGRAM)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={**os.environ, **env}, cwd=folder,
    )  # fmt: skip
    assert process.stdin
    assert process.stdout
    said = []
    with process:
        for line in lines:
            process.stdin.write(line + b"\n")
            process.stdin.flush()
            if b'"id"' in line or not line.startswith(b'{"jsonrpc"'):
                said.append(json.loads(process.stdout.readline()))
        rest, _ = process.communicate(timeout=LIMIT_S)
    assert rest == b""
    assert process.returncode == 0
    return said


def served(folder: Path, *options: str, **env: str) -> subprocess.Popen[bytes]:
    config = folder / "interlock.toml"
    config.write_text(f"[mcp.servers.notes]\ncommand = {json.dumps([sys.executable, str(PROGRAM)])}\n")
    command = [sys.executable, "-m", "interlock", "mcp", "serve", "notes", *options, "--config", str(config)]
    return subprocess.Popen(
        [*command, "--data", str(folder / "data")], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, env={**os.environ, **env}, cwd=folder,
    )  # fmt: skip


def asked(process: subprocess.Popen[bytes], line: bytes) -> dict[str, object]:
    assert process.stdin
    assert process.stdout
    process.stdin.write(line + b"\n")
    process.stdin.flush()
    answer: dict[str, object] = json.loads(process.stdout.readline())
    return answer


def workloads(folder: Path) -> set[str]:
    (log,) = [one for one in (folder / "data/audit").iterdir() if is_log(one)]
    return {stored.record.workload for stored in read(log) if stored.record.route}


@pytest.mark.parametrize(("options", "workload"), [((), "notes"), (("--workload", "desk"), "desk")])
def test_a_configured_server_is_served(tmp_path: Path, options: tuple[str, ...], workload: str) -> None:
    with served(tmp_path, *options) as process:
        assert "PATH" in text(asked(process, call(1, "read_names", modern=True)))
        process.communicate(timeout=LIMIT_S)
    assert process.returncode == 0
    assert workloads(tmp_path) == {workload}


def test_all_servers_are_served_as_one(tmp_path: Path) -> None:
    config = tmp_path / "interlock.toml"
    command = json.dumps([sys.executable, str(PROGRAM)])
    config.write_text("".join(f"[mcp.servers.{name}]\ncommand = {command}\n" for name in ("notes", "mail")))
    program = [sys.executable, "-m", "interlock", "mcp", "serve", "--config", str(config)]
    with subprocess.Popen(
        [*program, "--data", str(tmp_path / "data")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=tmp_path
    ) as process:
        assert asked(process, ask(0, "initialize", **HELLO))["id"] == 0
        listed = asked(process, ask(1, "tools/list"))["result"]
        assert isinstance(listed, dict)
        names = [tool["name"] for tool in listed["tools"]]
        assert {name.partition("__")[0] for name in names} == {"mail", "notes"}
        mine = next(name for name in names if name.startswith("mail") and name.endswith("read_names"))
        assert "PATH" in text(asked(process, call(2, mine)))
        process.communicate(timeout=LIMIT_S)
    assert process.returncode == 0
    assert workloads(tmp_path) == {"all"}


def test_a_key_says_who_it_is_until_it_is_revoked(tmp_path: Path) -> None:
    store = SqlStore(address("", tmp_path / "data"))
    key, secret = mint("desk", now_us(), None, secrets.token_bytes)
    store.add_key(key)
    with served(tmp_path, INTERLOCK_KEY=secret) as process:
        assert "PATH" in text(asked(process, call(1, "read_names", modern=True)))
        store.revoke_key(key.id, now_us())
        assert process.stderr
        told = process.stderr.read()  # until it has ended, by itself
    assert b"was revoked" in told
    assert workloads(tmp_path) == {"desk"}
    for options in ((), ("--workload", "other")):
        with served(tmp_path, *options, INTERLOCK_KEY=secret) as process:
            out, told = process.communicate(timeout=LIMIT_S)
        assert (out, process.returncode) == (b"", 3)
        assert b"was revoked" in told
        assert secret.encode() not in told
    store.close()


def test_a_server_that_nobody_has_configured(tmp_path: Path) -> None:
    with served(tmp_path, "--workload", "w") as process:
        process.communicate(timeout=LIMIT_S)
    done = subprocess.run(
        [sys.executable, "-m", "interlock", "mcp", "serve", "nope", "--config", str(tmp_path / "interlock.toml")],
        capture_output=True, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert b"known: notes" in done.stderr


@pytest.mark.parametrize("what", ["/dev/null", "file"])
def test_a_client_that_is_no_pipe_is_told(tmp_path: Path, what: str) -> None:
    (tmp_path / "interlock.toml").write_text("")
    (tmp_path / "file").write_bytes(ask(1, "ping") + b"\n")
    program = [sys.executable, "-m", "interlock", "mcp", "wrap", "--data", str(tmp_path / "data")]
    with open(tmp_path / what, "rb") as stdin:
        done = subprocess.run(
            [*program, "--config", str(tmp_path / "interlock.toml"), "--", sys.executable, str(PROGRAM)],
            stdin=stdin, capture_output=True, check=False,
        )  # fmt: skip
    assert (done.returncode, done.stdout) == (2, b"")
    assert b"stdin is no pipe" in done.stderr


@pytest.mark.parametrize("words", [("serve", "gone"), ("wrap", "--", "/nowhere/notes-mcp")])
def test_a_program_that_is_not_there_is_said_at_once(tmp_path: Path, words: tuple[str, ...]) -> None:
    config = tmp_path / "interlock.toml"
    config.write_text('[mcp.servers.gone]\ncommand = ["/nowhere/notes-mcp"]\n')
    given = [words[0], "--config", str(config), "--data", str(tmp_path / "data"), *words[1:]]
    done = subprocess.run(
        [sys.executable, "-m", "interlock", "mcp", *given],
        stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=LIMIT_S,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (3, b"")
    assert b"there is no program '/nowhere/notes-mcp'" in done.stderr


def ask(id_: messages.Id, method: str, **params: object) -> bytes:
    return messages.request(id_, method, params)


def call(id_: messages.Id, name: str, modern: bool = False) -> bytes:
    meta: Mapping[str, object] = {"_meta": {VERSION_META: MODERN, CAPABILITIES_META: {}}} if modern else {}
    return messages.request(id_, "tools/call", {"name": name, "arguments": {}, **meta})


def text(answer: dict[str, object]) -> str:
    result = answer["result"]
    assert isinstance(result, dict)
    return str(result["content"][0]["text"])


def test_a_client_of_the_older_era(tmp_path: Path) -> None:
    hello, listed, named, crashed, again = wrapped(
        tmp_path,
        ask(0, "initialize", **HELLO),
        messages.notification("notifications/initialized"),
        ask("l", "tools/list"),
        call(2, "read_names"),
        call(3, "read_crash"),
        call(4, "read_names"),
        options=("--env", "SHOWN"),
        SHOWN="1",
        HIDDEN="1",
    )
    assert (hello["id"], listed["id"], named["id"]) == (0, "l", 2)
    assert "SHOWN" in text(named)
    assert "HIDDEN" not in text(named)
    assert "error" in crashed
    assert text(again) == text(named)
    (log,) = [folder for folder in (tmp_path / "data/audit").iterdir() if is_log(folder)]
    records = [stored.record for stored in read(log)]
    assert {record.workload for record in records if record.route} == {"mcp_program"}


def test_a_client_of_the_newer_era_and_one_that_talks_nonsense(tmp_path: Path) -> None:
    junk, batch, named, unknown = wrapped(
        tmp_path, b"nonsense", b"[]", call(7, "read_names", modern=True), call(8, "nothing_here", modern=True)
    )
    assert junk["error"]["code"] == messages.PARSE_ERROR  # type: ignore[index]
    assert batch["error"]["code"] == messages.INVALID_REQUEST  # type: ignore[index]
    assert "PATH" in text(named)
    assert text(unknown) == "Not permitted."


@pytest.mark.parametrize(
    ("command", "name"),
    [
        (["npx", "-y", "@scope/server-x@1.2.3"], "scope-server-x"),
        (["uvx", "mcp-server-git"], "mcp-server-git"),
        (["python", "/srv/notes.py"], "notes"),
        (["/opt/bin/tracker-mcp", "--port"], "tracker-mcp"),
        (["..."], "server"),
    ],
)
def test_a_server_has_a_name(command: list[str], name: str) -> None:
    assert server_name(command) == name
