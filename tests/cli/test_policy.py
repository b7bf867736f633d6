"""What `interlock policy` prints, answers and writes."""

import json
from pathlib import Path

import pytest

from interlock.cli import main

OWN = """@id("no-large-payments")
@reason("Payments over 1,000 are made by people.")
forbid (principal, action == Action::"callTool", resource == Tool::"pay")
when { context.args.amount > 1000 };
"""
EXAMPLES = """[[example]]
name = "a small payment"
tool = "pay"
arguments = { amount = 10, to = "ann" }
conversation = [{ user = "Pay 10 to ann." }]
expect = "allow"

[[example]]
name = "a large one"
tool = "pay"
arguments = { amount = 1001, to = "ann" }
conversation = [{ user = "Pay 1001 to ann." }]
expect = "deny"
by = ["no-large-payments"]
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "own.cedar").write_text(OWN)
    (tmp_path / "examples.toml").write_text(EXAMPLES)
    (tmp_path / "interlock.toml").write_text(
        '# ours\n[policy]\nfiles = ["own.cedar"]\n[tools.pay]\nsink = "money"\narguments = ["amount: Long"]\n'
    )
    return tmp_path


def run(folder: Path, *words: str) -> int:
    return main(["policy", *words, "--config", str(folder / "interlock.toml"), "--data", str(folder / "data")])


def test_check_lists_what_would_be_in_force(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(folder, "check", "--strict") == 0
    out = capsys.readouterr().out
    assert "forbid  enforce  no-large-payments" in out.replace("\n", " ")
    assert "18 policies, valid" in out
    assert all(len(line) <= 80 for line in out.splitlines())
    assert not (folder / "data").exists()  # nothing is begun by looking
    assert run(folder, "list", "--format", "json") == 0
    said = json.loads(capsys.readouterr().out)["policies"][-1]
    assert (said["tool"], said["reads"], said["force"]) == ("pay", ["amount"], "enforce")


@pytest.mark.parametrize(
    ("file", "text", "says"),
    [
        ("own.cedar", OWN.replace("amount", "amuont"), "own.cedar:1"),
        ("own.cedar", OWN + OWN, "two policies have the @id"),
        ("interlock.toml", '[policy]\nobserve = ["nobody"]\n', "there is no policy 'nobody'"),
        ("interlock.toml", '[policy]\ncaps = ["delete"]\n', "is no cap"),
        ("interlock.toml", '[policy]\nfils = []\n', "interlock.toml:2"),
        ("interlock.toml", '[tools.pay]\narguments = ["amount"]\n', "declares no argument"),
    ],
)  # fmt: skip
def test_check_says_what_is_wrong_and_where(
    folder: Path, capsys: pytest.CaptureFixture[str], file: str, text: str, says: str
) -> None:
    (folder / file).write_text(text)
    assert run(folder, "check") == 3
    assert says in capsys.readouterr().err


def test_check_takes_files_in_place_of_those_of_the_settings(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = folder / "other.cedar"
    other.write_text(
        '@id("dead") permit (principal, action, resource); @id("all") forbid (principal, action, resource);'
    )
    assert run(folder, "check", str(other)) == 0
    out = capsys.readouterr().out
    assert "dead never permits anything: all forbids all that it is about" in out
    assert "no-large-payments" not in out
    assert run(folder, "check", str(other), "--strict") == 1


def test_check_tells_of_a_trusted_source_that_anybody_can_write(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = folder / "interlock.toml"
    tables = ('[tools.list_notes]\noutput = "internal"', '[workloads.w]\nunsafe_tools = ["create_note"]')
    file.write_text("\n".join([*tables, "[tools.create_note]"]))
    assert run(folder, "check", "--strict") == 1
    out = capsys.readouterr().out
    assert "list_notes is trusted, and create_note can write into it" in " ".join(out.split())
    assert "unsafe_tools" in out


def test_examples_hold_or_are_shown(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(folder, "test", str(folder / "examples.toml"), "bundled") == 0
    out = capsys.readouterr().out
    assert "ok     a large one" in out
    assert "17 of 17 examples held" in out
    (folder / "examples.toml").write_text(EXAMPLES.replace("1001", "999"))
    assert run(folder, "test", str(folder / "examples.toml")) == 1
    out = capsys.readouterr().out
    assert "FAILED a large one" in out
    assert "expected deny, by no-large-payments" in out
    assert "decided  allow, by tool-in-scope" in out
    assert run(folder, "test", str(folder / "absent.toml")) == 2


def test_mode_writes_what_loads_and_nothing_else(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = folder / "interlock.toml"
    file.chmod(0o640)
    assert run(folder, "mode", "no-large-payments", "observe") == 0
    after = file.read_text()
    assert after.startswith('# ours\n[policy]\nobserve = ["no-large-payments"]\nfiles')
    assert file.stat().st_mode & 0o777 == 0o640
    assert run(folder, "list") == 0
    assert "observe (was enforce)" in " ".join(capsys.readouterr().out.split())
    for name in ("nobody", "tool-in-scope"):
        assert run(folder, "mode", name, "ask") == 3
        assert file.read_text() == after
    assert [one.name for one in folder.iterdir() if one.name.startswith(".")] == []
    assert main(["policy", "mode", "x", "ask", "--data", str(folder)]) == 2


def test_replay_of_nothing_is_nothing(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(folder, "replay", "--fail-on-change", "--since", "7d") == 0
    assert "0 records" in capsys.readouterr().out
    assert run(folder, "replay", "--since", "lately") == 2


def test_a_file_without_examples_shows_nothing(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "none.toml").write_text("# later\n")
    assert run(folder, "test", str(folder / "examples.toml"), str(folder / "none.toml")) == 2
    assert "there is no example in it" in capsys.readouterr().err


def test_nothing_is_suggested_for_whom_nothing_is_known(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(folder, "suggest", "--workload", "nobody") == 2
    assert "the log knows nothing of workload 'nobody'" in capsys.readouterr().err.replace("\n", " ")
