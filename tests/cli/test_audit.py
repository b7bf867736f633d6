"""`interlock audit`: exit codes, and what it says."""

import json
import shutil
from pathlib import Path

import pytest

from interlock.app import open_log
from interlock.cli import main
from interlock.config import load
from interlock.model.record import Record, RecordKind, Verdict
from tests.audit.records import NOW_US, answer
from tests.store.logs import Clock


@pytest.fixture
def data(tmp_path: Path) -> Path:
    data = tmp_path / "data"
    with open_log(load(data=str(data), env={}), Clock()) as log:
        log.append(Record(RecordKind.GATEWAY, NOW_US, reason="started"))
        for n in range(1, 20):
            log.append(answer(NOW_US + n * 1_000_000, session=f"s-{n % 3}"))
        log.append(
            Record(
                RecordKind.REFUSAL, NOW_US + 30_000_000, verdict=Verdict.BLOCKED, reason="key x[/] is \x1b[31munknown"
            )
        )
    return data


def folder(data: Path) -> Path:
    return data / "audit" / "gw-1"


def flip(path: Path, at: int) -> None:
    whole = bytearray(path.read_bytes())
    whole[at] ^= 1
    path.write_bytes(whole)


def test_a_whole_log(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["audit", "verify", "--data", str(data)]) == 0
    out = capsys.readouterr().out
    assert out.startswith("log gw-1: whole\n")
    assert "records      21, numbered without a gap" in out
    assert "rewritten the whole log" in out
    assert all(len(line) <= 80 for line in out.splitlines() if "folder" not in line)


def test_one_flipped_byte(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = folder(data) / "records-000000000000.jsonl"
    line = path.read_bytes().split(b"\n")[17]
    offset = path.read_bytes().index(line)
    flip(path, offset + 12)
    assert main(["audit", "verify", "--data", str(data)]) == 1
    out = capsys.readouterr().out
    assert out.startswith("log gw-1: DAMAGED\n")
    assert "what      record 17 was changed after it was signed\n" in out
    assert f"where     records-000000000000.jsonl, byte {offset}\n" in out
    assert "record    17\n" in out


def test_a_copy_elsewhere_with_copies_of_key_and_checkpoint(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("verifier.pub", "checkpoint"):
        shutil.copy(folder(data) / name, tmp_path / name)
    shutil.copytree(folder(data), tmp_path / "copy")
    shutil.rmtree(data)
    command = ["audit", "verify", "--dir", str(tmp_path / "copy"), "--key", str(tmp_path / "verifier.pub")]
    command += ["--kept", str(tmp_path / "checkpoint")]
    assert main(command) == 0
    out = capsys.readouterr().out
    assert "rewritten" not in out
    assert "from the folder itself" not in out
    flip(tmp_path / "copy" / "checkpoints", 30)
    assert main(command) == 1


def test_a_log_that_was_rewritten_with_another_key(data: Path, tmp_path: Path) -> None:
    shutil.copy(folder(data) / "verifier.pub", tmp_path / "kept.pub")
    shutil.rmtree(data)
    with open_log(load(data=str(data), env={}), Clock()) as log:
        log.append(answer())
    assert main(["audit", "verify", "--data", str(data)]) == 0
    assert main(["audit", "verify", "--data", str(data), "--key", str(tmp_path / "kept.pub")]) == 1


def test_nothing_to_verify(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["audit", "verify", "--data", str(tmp_path / "none")]) == 3
    assert "there is no audit log yet" in capsys.readouterr().err
    assert main(["audit", "verify", "--data", str(data), "--log", "gw-2"]) == 3
    assert "there is no log gw-2 yet" in capsys.readouterr().err
    assert main(["audit", "verify", "--dir", str(tmp_path)]) == 3
    assert main(["audit", "verify", "--data", str(data), "--key", str(tmp_path / "none")]) == 2
    (tmp_path / "bad.pub").write_bytes(b"\xff")
    assert main(["audit", "verify", "--data", str(data), "--key", str(tmp_path / "bad.pub")]) == 2


def test_a_missing_key_is_not_made_anew(data: Path) -> None:
    from interlock.model.errors import AuditError

    (data / "keys" / "audit.key").unlink()
    with pytest.raises(AuditError, match="cannot read the audit key"):
        open_log(load(data=str(data), env={}), Clock())
    assert not (data / "keys" / "audit.key").exists()


def test_query_as_a_table(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["audit", "query", "--data", str(data), "--limit", "2"]) == 0
    out = capsys.readouterr().out
    assert "gw-1/20" in out
    assert "gw-1/19" in out
    assert "gw-1/18" not in out
    assert "\x1b" not in out
    assert out.count("key x[/] is") == 1
    assert all(len(line) <= 80 for line in out.splitlines())
    assert main(["audit", "query", "--data", str(data), "--workload", "nobody"]) == 0
    assert capsys.readouterr().out == "no records\n"


def test_query_as_json(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["audit", "query", "--data", str(data), "--session", "s-1", "--blocked", "--format", "json"]
    assert main(command) == 0
    found = json.loads(capsys.readouterr().out)["records"]
    assert [record["n"] for record in found] == [19, 16, 13, 10, 7, 4, 1]
    assert found[0]["record"]["session"] == "s-1"
    assert set(found[0]) == {"log", "n", "leaf", "record"}


def test_query_follows_a_log_that_was_begun_anew(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["audit", "query", "--data", str(data)]) == 0
    shutil.rmtree(folder(data))
    with open_log(load(data=str(data), env={}), Clock()) as log:
        log.append(answer())
    capsys.readouterr()
    assert main(["audit", "query", "--data", str(data), "--format", "json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["records"]) == 1


def test_wrong_use(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["audit", "query", "--data", str(data), "--limit", "0"]) == 2
    assert "--limit" in capsys.readouterr().err
    with pytest.raises(SystemExit) as caught:
        main(["audit"])
    assert caught.value.code == 2
