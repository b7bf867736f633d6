"""Labels that somebody has set are kept, by server and tool, and whoever looks notices."""

from pathlib import Path

import pytest

from interlock.mcp.labels import SetLabels
from interlock.provenance.settings import ToolOverride
from interlock.store.database import address
from interlock.store.sql import SqlStore


def labelled(tool: str = "pay", sink: str = "money", recipients: tuple[str, ...] | None = ("to",)) -> SetLabels:
    return SetLabels("bank", tool, ToolOverride(output="internal", sink=sink, recipients=recipients), "console-1", 7)


def test_labels_come_back_as_they_were_set(tmp_path: Path) -> None:
    kept = SqlStore(address("", tmp_path))
    set_ = [labelled("b"), labelled("a", recipients=None), labelled("c", "", ())]
    for one in set_:
        kept.set_labels(one)
    assert kept.labels() == (set_[1], set_[0], set_[2])
    kept.close()


def test_the_last_one_counts_and_can_be_taken_back(tmp_path: Path) -> None:
    kept = SqlStore(address("", tmp_path))
    kept.set_labels(labelled())
    kept.set_labels(labelled(sink="write"))
    assert [one.labels.sink for one in kept.labels()] == ["write"]
    assert kept.clear_labels("bank", "pay")
    assert not kept.clear_labels("bank", "pay")
    assert kept.labels() == ()
    kept.close()


@pytest.mark.parametrize("act", ["set", "clear"])
def test_the_store_says_that_something_was_written(tmp_path: Path, act: str) -> None:
    kept = SqlStore(address("", tmp_path))
    kept.set_labels(labelled())
    before = kept.version()
    if act == "set":
        kept.set_labels(labelled(sink="write"))
    else:
        kept.clear_labels("bank", "pay")
    assert kept.version() > before
    kept.close()
