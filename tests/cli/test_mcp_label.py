"""Labels on the command line: JSON lines in, JSON lines out."""

import io
import json
from pathlib import Path
from typing import Any

import pytest

from interlock.cli import main

PAY = {
    "server": "bank",
    "tool": "get_balance",
    "description": "Get the balance of the account.",
    "inputSchema": {"type": "object", "properties": {"account_id": {"type": "string"}}},
    "annotations": {"readOnlyHint": False},
}


def label(
    lines: str, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> tuple[int, list[Any]]:
    monkeypatch.setattr("sys.stdin", io.StringIO(lines))
    monkeypatch.chdir(folder)
    code = main(["mcp", "label", "--jsonl", "--data", str(folder)])
    return code, [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_each_definition_gets_its_labels(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    named = {"name": "delete_file", "inputSchema": {"properties": {"path": {}}}, "annotations": {"readOnlyHint": True}}
    code, (balance, delete) = label(f"{json.dumps(PAY)}\n\n{json.dumps(named)}\n", tmp_path, monkeypatch, capsys)
    assert code == 0
    assert (balance["server"], balance["tool"]) == ("bank", "get_balance")
    assert balance["labels"] == {
        "output": "secret",
        "sink": "write",
        "sensitive_args": {"account_id": "account"},
        "open_world": False,
        "reversible": True,
        "annotation_conflict": ["overstates: readOnlyHint=false but sink=read"],
    }
    assert (delete["server"], delete["tool"], delete["labels"]["sink"]) == ("", "delete_file", "delete")
    assert delete["labels"]["annotation_conflict"] == ["understates: readOnlyHint=true but sink=delete"]


def test_an_override_is_not_made_stricter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "interlock.toml").write_text('[tools.get_balance]\nsink = "read"\n', "utf-8")
    _, (balance,) = label(json.dumps(PAY), tmp_path, monkeypatch, capsys)
    assert balance["labels"]["sink"] == "read"


@pytest.mark.parametrize("line", ["{", "[]", "{}", '{"tool": 5}', "[" * 100_000])
def test_what_is_no_definition_is_told_and_the_others_are_labelled(
    line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code, (bad, good) = label(f"{line}\n{json.dumps(PAY)}", tmp_path, monkeypatch, capsys)
    assert code == 3
    assert bad["line"] == 1
    assert bad["error"]
    assert good["tool"] == "get_balance"
