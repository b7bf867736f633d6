"""Opening a log after a crash, or after somebody was at its files: continued, or refused and never signed."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock.audit.checkpoint import Checkpoint, sign
from interlock.audit.verify import Fault
from interlock.model.errors import AuditError
from interlock.model.record import RecordKind
from interlock.store.segments import history, read, segments, verifier_of, verify
from tests.audit.records import answer
from tests.store.logs import KEY, SMALL_SEGMENTS, check, open_log, write_log


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "audit" / "gw-1"
    write_log(folder, 20, unsigned=3)
    return folder


def last_segment(folder: Path) -> Path:
    return segments(folder)[-1].path


def test_records_that_were_not_yet_signed_are_kept(folder: Path) -> None:
    report = check(folder)
    assert (report.records, report.signed) == (23, 20)
    with open_log(folder, SMALL_SEGMENTS) as log:
        assert log.append(answer()) == 23
    assert check(folder).signed == 24


def test_half_a_record_is_cut_off_kept_and_told(folder: Path) -> None:
    with open(last_segment(folder), "ab") as file:
        file.write(b'{"at_us":12')
    assert check(folder).unfinished == 11
    open_log(folder, SMALL_SEGMENTS).close()
    assert (folder / "torn-23").read_bytes() == b'{"at_us":12'
    (told,) = read(folder, 23)
    assert told.record.kind is RecordKind.GATEWAY
    assert told.record.reason == "recovered: a crash left 11 bytes of a record, kept in torn-23"
    assert check(folder).whole
    open_log(folder, SMALL_SEGMENTS).close()
    assert check(folder).records == 24


def test_half_a_checkpoint_is_cut_off_and_kept(folder: Path) -> None:
    with open(folder / "checkpoints", "ab") as file:
        file.write(b"interlock/gw-1\n2")
    assert check(folder).whole
    open_log(folder, SMALL_SEGMENTS).close()
    assert (folder / "torn-checkpoints-20").read_bytes() == b"interlock/gw-1\n2"
    assert len(history(folder).notes) == 4
    assert check(folder).whole


def test_a_crash_between_the_two_checkpoint_files_is_mended(folder: Path) -> None:
    (folder / "checkpoint").write_bytes(history(folder).notes[-2])
    assert check(folder).whole
    open_log(folder, SMALL_SEGMENTS).close()
    assert history(folder).newest == history(folder).notes[-1]


def test_half_a_first_checkpoint_is_begun_anew(tmp_path: Path) -> None:
    (tmp_path / "checkpoints").write_bytes(b"interlock/gw-1\n0\n")
    with open_log(tmp_path) as log:
        log.append(answer())
    assert check(tmp_path).signed == 1


@pytest.mark.parametrize("name", ["frontier", "leaves"])
@pytest.mark.parametrize("how", ["remove", "empty", "junk", "shift"])
def test_files_that_only_save_time_are_not_believed(folder: Path, name: str, how: str) -> None:
    path = folder / name
    whole = path.read_bytes()
    if how == "remove":
        path.unlink()
    else:
        path.write_bytes({"empty": b"", "junk": b"\xff" * len(whole), "shift": whole[1:] + whole[:1]}[how])
    with open_log(folder, SMALL_SEGMENTS) as log:
        assert log.append(answer()) == 23
    report = check(folder)
    assert (report.whole, report.signed) == (True, 24)


def test_a_frontier_that_points_to_another_place_is_not_believed(folder: Path) -> None:
    path = folder / "frontier"
    mark = path.read_text()
    last = segments(folder)[-1].first
    for lie in (mark.replace(f"[{last},", f"[{last},1"), mark[:-3] + "1]]}", mark.replace('"size":20', '"size":16')):
        path.write_text(lie)
        open_log(folder, SMALL_SEGMENTS).close()
    assert check(folder).whole


def test_leaves_are_whole_again_after_a_full_read(folder: Path) -> None:
    before = (folder / "leaves").read_bytes()
    (folder / "leaves").unlink()
    open_log(folder, SMALL_SEGMENTS).close()
    assert (folder / "leaves").read_bytes()[: len(before)] == before
    data = last_segment(folder).read_bytes()
    last_segment(folder).write_bytes(data.replace(b'"status":200', b'"status":201', 1))
    damage = check(folder).damage
    assert damage is not None
    assert damage.record == segments(folder)[-1].first


def swap(path: Path, one: int, other: int) -> None:
    lines = path.read_bytes().splitlines(keepends=True)
    lines[one], lines[other] = lines[other], lines[one]
    path.write_bytes(b"".join(lines))


def remove(*paths: Path) -> None:
    for path in paths:
        path.unlink()


def cut(path: Path, last_bytes: int, first: bytes = b"") -> None:
    data = path.read_bytes()
    path.write_bytes(first + data[len(first) : len(data) - last_bytes])


def rename(folder: Path) -> None:
    path = segments(folder)[1].path
    path.rename(path.with_name("records-000000000006.jsonl"))


def replace_text(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b"gpt-5-mini", b"gpt-5-maxi", 1))


DAMAGES: dict[str, tuple[Fault, Callable[[Path], object]]] = {
    "changed record": (Fault.CHANGED, lambda f: replace_text(segments(f)[1].path)),
    "first segment gone": (Fault.MISSING, lambda f: remove(segments(f)[0].path)),
    "middle segment gone": (Fault.MISSING, lambda f: remove(segments(f)[2].path)),
    "shortened": (Fault.TRUNCATED, lambda f: remove(*[s.path for s in segments(f)[2:]])),
    "all segments gone": (Fault.TRUNCATED, lambda f: remove(*[s.path for s in segments(f)])),
    "swapped lines": (Fault.MOVED, lambda f: swap(segments(f)[1].path, 0, 1)),
    "renamed segment": (Fault.LAYOUT, rename),
    "line end gone": (Fault.CHANGED, lambda f: cut(segments(f)[1].path, 1)),
    "no checkpoints": (Fault.CHECKPOINT, lambda f: remove(f / "checkpoints")),
    "no checkpoint": (Fault.CHECKPOINT, lambda f: remove(f / "checkpoint")),
    "no checkpoint at all": (Fault.CHECKPOINT, lambda f: remove(f / "checkpoint", f / "checkpoints")),
    "history shortened": (Fault.CHECKPOINT, lambda f: cut(f / "checkpoints", len(history(f).notes[-1]) + 1)),
    "record changed in the tail": (Fault.CHANGED, lambda f: cut(last_segment(f), 0, first=b"x")),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_damage_is_found_by_verify(folder: Path, name: str) -> None:
    fault, damage = DAMAGES[name]
    damage(folder)
    report = check(folder)
    assert report.damage is not None
    assert report.damage.fault is fault


@pytest.mark.parametrize("name", [name for name in DAMAGES if name not in {"changed record", "swapped lines"}])
def test_a_damaged_log_is_neither_continued_nor_changed(folder: Path, name: str) -> None:
    DAMAGES[name][1](folder)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(AuditError) as caught:
        open_log(folder, SMALL_SEGMENTS)
    assert caught.value.hint
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


@pytest.mark.parametrize("name", ["changed record", "swapped lines"])
def test_what_the_quick_start_does_not_read_is_found_without_the_frontier(folder: Path, name: str) -> None:
    DAMAGES[name][1](folder)
    (folder / "frontier").unlink()
    with pytest.raises(AuditError, match="damaged"):
        open_log(folder, SMALL_SEGMENTS)


def test_a_log_with_a_larger_checkpoint_is_refused(folder: Path) -> None:
    note = sign(Checkpoint("interlock/gw-1", 25, b"\x05" * 32), KEY)
    (folder / "checkpoint").write_bytes(note)
    with open(folder / "checkpoints", "ab") as file:
        file.write(note + b"\n")
    with pytest.raises(AuditError, match="records 23 to 24 are signed and not there any more"):
        open_log(folder, SMALL_SEGMENTS)


def test_an_older_state_of_the_folder_is_found_by_a_kept_checkpoint(folder: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    with open_log(folder, SMALL_SEGMENTS) as log:
        log.append(answer())
    kept = (("kept", (folder / "checkpoint").read_bytes()),)
    assert check(copy).whole
    assert not verify(copy, verifier_of(copy), kept).whole
    assert verify(folder, verifier_of(folder), kept).whole


@pytest.mark.parametrize("name", ["checkpoint", "checkpoints", "verifier.pub", "records-000000000000.jsonl", "leaves"])
def test_links_are_not_followed(folder: Path, tmp_path: Path, name: str) -> None:
    (folder / name).rename(tmp_path / "elsewhere")
    (folder / name).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(AuditError, match="cannot read"):
        check(folder)


def test_a_link_for_the_next_segment_is_not_written_through(tmp_path: Path) -> None:
    with open_log(tmp_path / "log", SMALL_SEGMENTS) as log:
        victim = tmp_path / "victim"
        victim.write_text("")
        for n in range(1, 10):
            (tmp_path / "log" / f"records-{n:012d}.jsonl").symlink_to(victim)
        appends = (log.append(answer()) for _ in range(10))
        with pytest.raises(AuditError, match="File exists"):
            list(appends)
    assert victim.read_text() == ""


@pytest.fixture(scope="module")
def sealed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sealed") / "gw-1"
    write_log(folder, 8)
    return folder


@given(data=st.data())
def test_any_changed_byte_is_found(sealed: Path, data: st.DataObject) -> None:
    names = [segment.path.name for segment in segments(sealed)] + ["checkpoint", "checkpoints", "verifier.pub"]
    path = sealed / data.draw(st.sampled_from(names))
    whole = path.read_bytes()
    at = data.draw(st.integers(0, len(whole) - 1))
    change = data.draw(st.integers(1, 255))
    path.write_bytes(whole[:at] + bytes([whole[at] ^ change]) + whole[at + 1 :])
    try:
        report = check(sealed)
    except AuditError:
        assert path.name == "verifier.pub"
    else:
        assert not report.whole or (path.name == "verifier.pub" and at == len(whole) - 1)
    finally:
        path.write_bytes(whole)
