"""No end of a writer loses what it acknowledged: killed, stopped at any call, or on a full disk."""

import subprocess
import sys
from pathlib import Path

import pytest

from interlock.store.segments import read
from tests.audit.records import answer
from tests.store.logs import SMALL_SEGMENTS, check, open_log

ROOT = Path(__file__).parents[2]


def start(module: str, *args: str | Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", module, *map(str, args)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


def goes_on(folder: Path, acknowledged: list[int]) -> None:
    """The log opens, has all that was acknowledged, takes a record, and is whole."""
    with open_log(folder, SMALL_SEGMENTS) as log:
        n = log.append(answer())
    assert acknowledged == list(range(len(acknowledged)))
    assert n >= len(acknowledged)
    assert [stored.n for stored in read(folder)] == list(range(n + 1))
    report = check(folder)
    assert (report.whole, report.signed, report.records) == (True, n + 1, n + 1)


@pytest.mark.parametrize("after", [0, 1, 8, 33, 170])
def test_killed_at_some_moment(tmp_path: Path, after: int) -> None:
    folder = tmp_path / "gw-1"
    with start("tests.store.writer", folder) as writer:
        assert writer.stdout is not None
        acknowledged = [int(writer.stdout.readline()) for _ in range(after)]
        writer.kill()
        rest = writer.stdout.read().split("\n")[:-1]  # without a last line that was not finished
    goes_on(folder, acknowledged + [int(line) for line in rest])


def test_stopped_at_every_call_to_the_system(tmp_path: Path) -> None:
    with start("tests.store.crash", tmp_path) as crash:
        story, _ = crash.communicate()
    assert crash.returncode == 0
    assert int(story) > 200


@pytest.mark.parametrize("limit", [4_000, 10_123])
def test_on_a_full_disk(tmp_path: Path, limit: int) -> None:
    folder = tmp_path / "gw-1"
    with start("tests.store.writer", folder, str(limit)) as writer:
        lines = writer.communicate()[0].split("\n")
    told = lines.index("full")
    assert "cannot be written: File too large" in lines[told + 1]
    assert lines[told + 2] == lines[told + 1]
    assert check(folder).unfinished > 0
    goes_on(folder, [int(line) for line in lines[:told]])
    assert list(folder.glob("torn-*"))
