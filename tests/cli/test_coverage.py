"""What `interlock coverage` shows and answers."""

import io
import json
from dataclasses import replace
from pathlib import Path

import pytest
from rich.cells import cell_len
from rich.console import Console

from interlock.cli import main
from interlock.cli.coverage import document, show
from interlock.governance.coverage import Coverage, Seen, coverage
from interlock.governance.settings import Manifest
from interlock.model.asset import Finding, Status, Workload
from tests.governance.scans import finding, scan

BOT = "billing-and-refunds-agent"
OWNER = "payments-and-refunds-platform-team@halden"
LONG = "regional-customer-refunds-and-complaints-handling-agent-north"
LIMITED = Manifest(models=("gpt-4o",), tools=())


def text(shown: Coverage, width: int = 80) -> str:
    out = io.StringIO()
    show(Console(file=out, width=width, highlight=False), shown)
    return out.getvalue()


def bot(*findings: Finding) -> Coverage:
    """A workload of which all is fine but these findings."""
    posture = scan(*findings, workloads=(Workload("bot", "apps/bot", (), "@team"),))
    return coverage([posture], [Seen("bot", 1, 2, 12, 0)], {"bot": LIMITED}, frozenset())


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    root = tmp_path / "repo"
    root.mkdir()
    (root / "bot.py").write_text("from openai import OpenAI\nOpenAI()\nMODEL = 'gpt-4o'\n")
    return root


def test_it_follows_the_scan(repo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = ["--data", str(tmp_path / "data")]
    assert main(["coverage", *data, "--fail-on-gap"]) == 1
    assert "Nothing is known yet" in capsys.readouterr().out
    main(["scan", str(repo), *data])
    capsys.readouterr()
    assert main(["coverage", *data]) == 0
    out = capsys.readouterr().out
    assert "not enforced 1" in out
    assert all(len(line) <= 80 for line in out.splitlines())
    assert main(["coverage", *data, "--format", "json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["gaps"]["not_enforced"] == ["repo"]
    assert [one["where"] for one in said["exceptions"] if not one["bundled"]] == ["[limits.<name>]"]


def test_it_names_every_exception_with_where_it_was_set(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "interlock.toml"
    file.write_text(f'[gateway]\ntunnel_hosts = ["{"a" * 60}.org"]\n[workloads.bot]\nmodels = ["m"]\n')
    assert main(["coverage", "--config", str(file), "--data", str(tmp_path / "data")]) == 0
    out = capsys.readouterr().out
    assert "9 exceptions in force, 3 beside interlock's own policies\n" in out
    assert "  no-scope bot  [workloads.bot] tools\n" in out
    assert f"  host-unread {'a' * 60}.org\n  [gateway] tunnel_hosts\n" in out
    assert "signals-are-recorded,\n  answers-may-hold-unknown-fields" in out
    assert all(len(line) <= 80 for line in out.splitlines())


def test_a_scan_of_another_repository_is_added(repo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = ["--data", str(tmp_path / "data")]
    other = repo.rename(tmp_path / "other")
    repo.mkdir()
    (repo / "bot.py").write_text((other / "bot.py").read_text())
    for root in (repo, other, tmp_path):
        main(["scan", str(root), *data])
        capsys.readouterr()
        main(["coverage", *data, "--format", "json"])
        names = [row["workload"] for row in json.loads(capsys.readouterr().out)["workloads"]]
        assert names == {repo: ["repo"], other: ["other", "repo"], tmp_path: [tmp_path.name]}[root]


GOLDEN = """\
0 of 3 workloads covered on both sides

shadow 1  in traffic, in no scan: scan it, or revoke its key
  [bold]ghost

not enforced 1  no traffic through the gateway: interlock identity add
  billing-and-refunds-agent

no owner 2  set owner in [workloads.<id>], or CODEOWNERS
  [bold]ghost, billing-and-refunds-agent

no scope 3  set models and tools in [workloads.<id>]
  [bold]ghost, billing-and-refunds-agent,
  regional-customer-refunds-and-complaints-handling-agent-north

not clean 1  a finding that is high or above is open: interlock scan
  billing-and-refunds-agent

workload                                  owner  scope  enforced  audited  clean
[bold]ghost                               ✗      ✗      ✓         ✓        ?
  owner: nobody  scope: no limits  enforced: 1 request  audited: in the log
  clean: not scanned
billing-and-refunds-agent                 ✗      ~      ~         ✗        ✗
  owner: nobody  scope: a key, no limits  enforced: a key, no traffic
  audited: not logged  clean: 1 high
regional-customer-refunds-and-complaints-handling-agent-north
                                          ✓      ~      ✓         ✓        ✓
  owner: payments-and-refunds-platform-team@halden  scope: models only
  enforced: 12,345 requests  audited: in the log  clean: clean

✓ yes  ~ partly  ✗ no  ? not known, which never counts as fine
"""


def test_at_80_columns_nothing_is_lost() -> None:
    posture = scan(finding(BOT), workloads=(Workload(BOT, ".", ()), Workload(LONG, "apps/north", (), OWNER)))
    seen = [Seen(LONG, 1, 2, 12_345, 3), Seen("[bold]ghost", 1, 1, 1, 0)]
    assert (len(OWNER), len(LONG)) == (41, 61)
    result = coverage([posture], seen, {LONG: Manifest(models=("gpt-4o",))}, frozenset({BOT}))
    assert text(result) == GOLDEN


def test_wide_enough_there_is_one_line_for_each_workload() -> None:
    lines = text(bot()).splitlines()
    assert lines[-3].split() == "bot ✓ @team ✓ models and tools ✓ 12 requests ✓ in the log ✓ clean".split()
    assert lines[:2] == ["1 of 1 workload covered on both sides", "No gap."]


@pytest.mark.parametrize("width", [20, 40, 60, 80, 100, 200])
def test_every_width_holds_every_word(width: int) -> None:
    posture = scan(finding(BOT), workloads=(Workload(BOT, ".", ()), Workload("\u6f22\u5b57", "a", (), OWNER)))
    result = coverage([posture], [Seen("\x1b[31mghost", 1, 1, 1, 0)], {}, frozenset({BOT}))
    out = text(result, width)
    assert all(cell_len(line) <= width for line in out.splitlines())
    joined = "".join(out.split())
    for row in result.rows:
        assert all("".join(cell.words.split()) in joined for cell in row.cells.values())
    assert BOT in joined
    assert "\x1b" not in out


@pytest.mark.parametrize(
    ("shown", "says"),
    [
        (bot(finding("bot")), "not clean 1"),
        (bot(replace(finding("bot"), workload=None)), "findings of no workload 1"),
        (bot(finding("bot", status=Status.UNKNOWN)), "not covered 1"),
        (coverage([scan()], [], {"planned": replace(LIMITED, owner="team")}, frozenset()), "not covered 1"),
    ],
)
def test_no_gap_is_never_said_beside_one(shown: Coverage, says: str) -> None:
    assert says in text(shown)
    assert "No gap." not in text(shown)
    assert document(shown)["closed"] is False


def test_a_scan_that_found_no_workload_is_not_nothing() -> None:
    assert text(coverage([scan()], [], {}, frozenset())) == "0 of 0 workloads covered on both sides\nNo gap.\n"


def test_without_a_scan_that_is_said() -> None:
    assert "Nothing was scanned" in text(coverage([], [Seen("bot", 1, 2, 3, 0)], {}, frozenset()))


def test_json_tells_of_findings_of_no_workload() -> None:
    told = document(bot(replace(finding("bot"), workload=None)))
    assert told["gaps"] == {"shadow": [], "not_enforced": [], "no_owner": [], "no_scope": [], "not_clean": []}
    assert told["findings_of_no_workload"] == [
        {"id": "bot-high-fail", "check": "a-check", "severity": "high", "path": "a.py", "line": 3}
    ]


def test_fail_on_gap_follows_what_is_closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    command = ["coverage", "--data", str(tmp_path), "--fail-on-gap"]
    for shown, code in ((bot(), 0), (bot(finding("bot", status=Status.UNKNOWN)), 1)):
        monkeypatch.setattr("interlock.app.current_coverage", lambda *_, shown=shown: shown)
        assert main(command) == code
