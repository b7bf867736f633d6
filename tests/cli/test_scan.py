"""What `interlock scan` shows and answers."""

import json
from pathlib import Path

import pytest

from interlock.cli import main
from interlock.governance.document import ScanDocument

CONFIG = '{"mcpServers": {"files": {"command": "npx", "args": ["files-mcp"]}}}'


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    root = tmp_path / "repo"
    root.mkdir()
    (root / "bot.py").write_text("from openai import OpenAI\nOpenAI(base_url=URL)\nMODEL = 'gpt-4o'\n")
    (root / ".mcp.json").write_text(CONFIG)
    (root / "[red]\x1b[31mx.py").write_text("import openai\nopenai.OpenAI()\n")
    (root / "bad.py").write_text("import openai\ndef (")
    return root


def test_the_table_fits_and_reads_well(repo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["scan", str(repo), "--data", str(tmp_path / "data")]) == 0
    out = capsys.readouterr().out
    lines = out.splitlines()
    assert lines[0].startswith("1 workload uses AI, 4 assets, 1 finding (1 high), 1 not scanned")
    assert all(len(line) <= 80 for line in lines[2:])
    assert "\x1b" not in out
    for shown in ("bot.py:2", "[red]", ".mcp.json:1", "Fix: Name an exact version", "1 could not be judged", "bad.py"):
        assert shown in out
    headings = [line.strip() for line in lines if line[:1].isalpha()]
    assert headings == ["Workloads", "Assets", "Findings", "Not scanned what these hold is not known"]


def test_json_is_the_documented_document(repo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import msgspec

    assert main(["scan", str(repo), "--no-save", "--format", "json"]) == 0
    out = capsys.readouterr().out
    assert msgspec.json.decode(out, type=ScanDocument, strict=True).files == 4
    assert json.loads(out)["not_scanned"][0]["path"] == "bad.py"


@pytest.mark.parametrize(("least", "code"), [("low", 1), ("high", 1), ("critical", 0)])
def test_fail_on(repo: Path, least: str, code: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["scan", str(repo), "--no-save", "--fail-on", least]) == code
    assert capsys.readouterr().out


def test_what_the_baseline_has_does_not_fail(repo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    base = str(tmp_path / "base.json")
    scan = ["scan", str(repo), "--no-save", "--baseline", base, "--fail-on"]
    assert main(["scan", str(repo), "--no-save", "--format", "json", "--out", base]) == 0
    assert main([*scan, "new"]) == main([*scan, "low"]) == 0
    assert "1 in the baseline" in capsys.readouterr().out
    (repo / "bot.py").write_text(
        "\n\n" + (repo / "bot.py").read_text() + "OpenAI(base_url='http://llm.corp.example')\n"
    )
    assert main([*scan, "new"]) == main([*scan, "medium"]) == 1
    assert main([*scan, "high"]) == 0
    assert "AI endpoint without TLS" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("more", "code", "said"),
    [
        (["--fail-on", "new"], 2, "nobody knows what is new"),
        (["--baseline", "nowhere.json"], 3, "cannot read the baseline"),
        (["--baseline", "bot.py"], 3, "this is no baseline"),
    ],
)
def test_without_a_baseline_nothing_is_new(
    repo: Path,
    more: list[str],
    code: int,
    said: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(repo)
    assert main(["scan", ".", "--no-save", *more]) == code
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("form", "beginning"),
    [
        ("html", "<!doctype html>"),
        ("json", "{"),
        ("table", "1 workload"),
        ("sarif", '{\n  "$schema"'),
        ("cyclonedx", '{\n  "$schema"'),
        ("markdown", "### interlock: 1 workload"),
    ],
)
def test_out_writes_a_file(
    repo: Path, tmp_path: Path, form: str, beginning: str, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "report"
    assert main(["scan", str(repo), "--no-save", "--format", form, "--out", str(file)]) == 0
    assert file.read_text("utf-8").startswith(beginning)
    assert capsys.readouterr().out == ""


def test_what_cannot_be_done_is_said(repo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["scan", str(tmp_path / "no"), "--no-save"]) == 3
    assert main(["scan", str(repo), "--no-save", "--out", str(tmp_path / "no" / "file")]) == 3
    err = capsys.readouterr().err
    assert "there is no such file or folder" in err
    assert "cannot write the report" in err


def test_a_scan_whose_report_cannot_be_written_is_not_kept(
    repo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = ["--data", str(tmp_path / "data")]
    assert main(["scan", str(repo), *data, "--out", str(tmp_path / "no" / "file")]) == 3
    assert "cannot write the report" in capsys.readouterr().err
    assert not (tmp_path / "data").exists()
    assert main(["scan", str(repo), *data, "--out", str(tmp_path / "file")]) == 0
    assert (tmp_path / "data").exists()


def test_no_save_keeps_nothing(repo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["scan", str(repo), "--data", str(tmp_path / "data"), "--no-save"])
    assert not (tmp_path / "data").exists()
    assert capsys.readouterr().out
