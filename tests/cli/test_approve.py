"""interlock approve: what waits is shown whole, decided on record, and once."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from interlock.cli import main
from interlock.model.approval import Approval, Reach, Shown, Standing
from interlock.model.record import Origin, RecordKind, Verdict
from interlock.store.database import address
from interlock.store.segments import read
from interlock.store.sql import SqlStore

FAR = 2**60


def asked(data: Path, id_: str = "a-1", **other: Any) -> Approval:
    """A request that waits."""
    to = Shown("to", "b\u043eb@x.example\n\u202e", 15, "d1", True, (Origin.UNTRUSTED,), ("read_mail",), ("looks odd",))
    body = Shown("body", "begin", 9_000, "d2", False, (), (), (), "the end")
    one = replace(
        Approval(
            id_, f"binding {id_}", "w[bold]", "k1", "t1", True, "", "mail", "send", "send", (to, body), 0, ("p",),
            "It came from outside.", asked_us=1, expires_us=FAR,
        ),
        **other,
    )  # fmt: skip
    store = SqlStore(address("", data))
    store.ask_approvals([one], 1)
    store.close()
    return one


def now(data: Path, id_: str = "a-1") -> Approval:
    store = SqlStore(address("", data))
    found = store.approval(id_)
    store.close()
    assert found
    return found


def approve(data: Path, *words: str) -> int:
    return main(["approve", *words, "--data", str(data)])


def test_nothing_waits(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert approve(tmp_path, "list") == 0
    assert capsys.readouterr().out == "nothing waits for a person\n"


def test_list_fits_80_columns(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked(tmp_path, workload="w" * 60, tool="t" * 60)
    assert approve(tmp_path, "list") == 1
    out = capsys.readouterr().out
    assert "a-1" in out
    assert all(len(line) <= 80 for line in out.splitlines())


def test_show_hides_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked(tmp_path)
    assert approve(tmp_path, "show", "a-1") == 0
    out = capsys.readouterr().out
    assert "w[bold] wants to call send on mail" in out
    assert "to: b\u043eb@x.example[U+000A][U+202E]" in out
    assert "from the result of read_mail, which outsiders can write" in out
    assert "careful: it looks odd" in out
    assert "... the end" in out
    assert "9,000 characters, hash d2" in out
    assert "\u202e" not in out


@pytest.mark.parametrize(("words", "reach"), [(("grant",), Reach.ONCE), (("grant", "--task"), Reach.TASK)])
def test_a_yes_is_on_record_and_counts(tmp_path: Path, words: tuple[str, ...], reach: Reach) -> None:
    asked(tmp_path)
    assert approve(tmp_path, *words, "a-1", "--reason", "I asked for it") == 0
    one = now(tmp_path)
    assert (one.granted, one.reach, one.why) == (True, reach, "I asked for it")
    (record,) = [r.record for r in read(tmp_path / "audit/operator") if r.record.kind is RecordKind.OPERATOR]
    assert (record.verdict, record.credential, record.workload) == (Verdict.ALLOWED, one.decided_by, "w[bold]")
    assert record.steps[0].digest == one.binding
    assert "x.example" not in str(record)


def test_a_no_counts_and_so_does_taking_a_yes_back(tmp_path: Path) -> None:
    asked(tmp_path)
    asked(tmp_path, "a-2")
    assert approve(tmp_path, "deny", "a-1", "--reason", "no") == 0
    assert approve(tmp_path, "grant", "a-1", "--reason", "yes") == 1
    assert approve(tmp_path, "grant", "a-2", "--reason", "yes") == 0
    assert approve(tmp_path, "deny", "a-2", "--reason", "no") == 0
    assert [now(tmp_path, id_).standing(2) for id_ in ("a-1", "a-2")] == [Standing.DENIED] * 2


def test_what_is_over_stays_over(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked(tmp_path, expires_us=2)
    assert approve(tmp_path, "grant", "a-1", "--reason", "yes") == 1
    assert "nothing is changed: expired" in capsys.readouterr().out


@pytest.mark.parametrize(
    "words",
    [("show", "a-9"), ("grant", "a-9", "--reason", "x"), ("grant", "a-1", "--reason", " "),
     ("deny", "a-1", "--reason", "x" * 201), ("grant", "a-0", "--task", "--reason", "x")],
)  # fmt: skip
def test_wrong_use_changes_nothing(tmp_path: Path, words: tuple[str, ...]) -> None:
    asked(tmp_path)
    asked(tmp_path, "a-0", session="", is_task=False)
    assert approve(tmp_path, *words) == 2
    assert [now(tmp_path, id_).granted for id_ in ("a-0", "a-1")] == [None, None]


def test_json_has_everything(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked(tmp_path)
    assert approve(tmp_path, "list", "--json") == 1
    listed = json.loads(capsys.readouterr().out)
    approve(tmp_path, "show", "a-1", "--json")
    assert json.loads(capsys.readouterr().out) == listed
    assert (listed["state"], listed["arguments"][0]["origins"]) == ("waiting", ["untrusted"])
