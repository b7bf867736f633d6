"""The writer of the audit log: numbers, durability, checkpoints, and what it refuses."""

import asyncio
import os
import stat
from pathlib import Path

import pytest

from interlock.model.errors import AuditError
from interlock.model.record import Record, RecordKind
from interlock.store.log import AuditLog
from interlock.store.segments import history, read, segments
from interlock.store.settings import AuditSettings
from tests.audit.records import NOW_US, answer
from tests.store.logs import KEY, OTHER_KEY, SMALL_SEGMENTS, Clock, check, open_log, write_log


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "audit" / "gw-1"


def test_records_are_numbered_read_back_and_signed(folder: Path) -> None:
    with open_log(folder) as log:
        assert [log.append(answer(NOW_US + n)) for n in range(5)] == [0, 1, 2, 3, 4]
        report = check(folder)
        assert (report.records, report.signed, report.whole) == (5, 0, True)
    assert [(s.log, s.n, s.record) for s in read(folder, 3)] == [("gw-1", n, answer(NOW_US + n)) for n in (3, 4)]
    report = check(folder)
    assert (report.records, report.signed, report.checkpoints, report.whole) == (5, 5, 2, True)


def test_numbers_go_on_after_opening_again(folder: Path) -> None:
    for n in range(4):
        with open_log(folder, SMALL_SEGMENTS) as log:
            assert log.append(answer()) == n
    assert check(folder).signed == 4


def test_segments_roll_over_and_are_found_by_number(folder: Path) -> None:
    write_log(folder, 60)
    firsts = [segment.first for segment in segments(folder)]
    assert len(firsts) > 10
    assert firsts[0] == 0
    for start in (0, 1, firsts[3] - 1, firsts[3], firsts[3] + 1, 59):
        assert [s.n for s in read(folder, start)] == list(range(start, 60))
    assert list(read(folder, 60)) == list(read(folder, 1000)) == []
    assert check(folder).whole


def test_a_record_in_a_large_segment_is_found(folder: Path) -> None:
    write_log(folder, 400, settings=AuditSettings())
    assert len(segments(folder)) == 1
    for start in (0, 1, 57, 58, 199, 200, 201, 398, 399):
        assert next(read(folder, start)).n == start
    assert list(read(folder, 400)) == []


def test_files_are_private(folder: Path) -> None:
    write_log(folder)
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_only_one_writer(folder: Path) -> None:
    with open_log(folder) as log:
        log.append(answer())
        with pytest.raises(AuditError, match="another process is writing"):
            open_log(folder)
        assert log.append(answer()) == 1
    open_log(folder).close()


def test_many_wait_for_the_disk_together(folder: Path) -> None:
    async def main(log: AuditLog) -> None:
        async def one() -> int:
            n = log.append(answer())
            await log.durable(n)
            return n

        numbers = await asyncio.gather(*[one() for _ in range(200)])
        assert sorted(numbers) == list(range(200))
        await log.durable(150)  # long since

    with open_log(folder, SMALL_SEGMENTS) as log:
        asyncio.run(main(log))
    assert check(folder).records == 200


def test_one_who_gives_up_waiting_does_not_harm_the_others(folder: Path) -> None:
    async def main(log: AuditLog) -> None:
        n = log.append(answer())
        waiting = [asyncio.create_task(log.durable(n)) for _ in range(3)]
        await asyncio.sleep(0)
        waiting[0].cancel()
        results = await asyncio.gather(*waiting, return_exceptions=True)
        assert isinstance(results[0], asyncio.CancelledError)
        assert results[1:] == [None, None]

    with open_log(folder) as log:
        asyncio.run(main(log))


def test_a_checkpoint_is_due_after_records_or_after_time(folder: Path) -> None:
    clock = Clock()

    def sizes() -> list[int]:
        return [int(note.split(b"\n")[1]) for note in history(folder).notes]

    async def main(log: AuditLog) -> None:
        await log.tick()
        log.append(answer())
        await log.tick()
        assert sizes() == [0]
        log.append(answer())
        log.append(answer())
        await log.tick()
        assert sizes() == [0, 3]
        log.append(answer())
        clock.us += 9_999_999
        await log.tick()
        assert sizes() == [0, 3]
        clock.us += 1
        await log.tick()
        await log.tick()
        assert sizes() == [0, 3, 4]

    with open_log(folder, AuditSettings(checkpoint_records=3, checkpoint_s=10), clock=clock) as log:
        asyncio.run(main(log))
    assert sizes() == [0, 3, 4]
    assert history(folder).newest == history(folder).notes[-1]


def test_ticking_until_cancelled(folder: Path) -> None:
    async def main(log: AuditLog) -> None:
        task = asyncio.create_task(log.run())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    with open_log(folder) as log:
        asyncio.run(main(log))
        assert log.append(answer()) == 0


def test_a_record_that_cannot_be_written_leaves_the_log_as_it_is(folder: Path) -> None:
    with open_log(folder) as log:
        log.append(answer())
        with pytest.raises(AuditError, match="record 1 of log gw-1"):
            log.append(Record(RecordKind.GATEWAY, NOW_US, reason="half a pair \ud800"))
        assert log.append(answer()) == 1
    assert check(folder).records == 2


def test_a_closed_log_takes_nothing(folder: Path) -> None:
    async def main() -> None:
        await log.durable(0)
        with pytest.raises(AuditError, match="closed"):
            await log.durable(1)

    log = open_log(folder)
    log.append(answer())
    log.close()
    log.close()
    for use in (lambda: log.append(answer()), log.checkpoint):
        with pytest.raises(AuditError, match="closed"):
            use()
    asyncio.run(main())


def test_after_an_error_of_the_disk_nothing_more_is_taken(folder: Path) -> None:
    log = open_log(folder)
    log.append(answer())
    full = os.open("/dev/full", os.O_WRONLY)
    os.dup2(full, log._segment)
    os.close(full)
    for _ in range(2):
        with pytest.raises(AuditError, match="No space left"):
            log.append(answer())
    with pytest.raises(AuditError, match="No space left"):
        asyncio.run(log.durable(1))
    log.close()
    with open_log(folder) as again:
        assert again.append(answer()) == 1
    assert check(folder).whole


def exchange_segment(log: AuditLog) -> None:
    """From now on the log's descriptor is a device that takes every byte and cannot make it durable."""
    null = os.open("/dev/null", os.O_WRONLY)
    os.dup2(null, log._segment)
    os.close(null)


def test_what_cannot_be_made_durable_is_an_error_for_all_who_wait(folder: Path) -> None:
    async def main() -> list[BaseException | None]:
        numbers = [log.append(answer()) for _ in range(3)]
        return await asyncio.gather(*[log.durable(n) for n in numbers], return_exceptions=True)

    log = open_log(folder)
    exchange_segment(log)
    results = asyncio.run(main())
    assert [type(result) for result in results] == [AuditError] * 3
    with pytest.raises(AuditError, match="cannot be written"):
        log.append(answer())
    log.close()


def test_what_cannot_be_made_durable_is_not_signed(folder: Path) -> None:
    log = open_log(folder, AuditSettings(checkpoint_records=1))
    exchange_segment(log)
    log.append(answer())
    for sign in (log.tick, log.tick):
        with pytest.raises(AuditError, match="cannot be written"):
            asyncio.run(sign())
    with pytest.raises(AuditError, match="cannot be written"):
        log.checkpoint()
    log.close()
    assert len(history(folder).notes) == 1


def test_readers_stop_at_damage(folder: Path) -> None:
    write_log(folder, 400, settings=AuditSettings())
    path = segments(folder)[0].path
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*lines[:200], b"junk\n", *lines[201:]]))
    reading = read(folder)
    assert [next(reading).n for _ in range(200)] == list(range(200))
    with pytest.raises(AuditError, match="not a record") as caught:
        next(reading)
    assert f"byte {len(b''.join(lines[:200]))}" in caught.value.where
    assert caught.value.hint
    path.write_bytes(b"".join([*lines[:200], *lines[201:]]))
    with pytest.raises(AuditError, match="record 201 stands where record 200 belongs"):
        list(read(folder))
    path.write_bytes(b"junk\n" * 100_000)
    with pytest.raises(AuditError, match="not a record"):
        list(read(folder, 200))
    with pytest.raises(AuditError, match="cannot read the log"):
        list(read(folder / "none"))


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "a b", "-x", "x" * 65, "a\n", "ä"])
def test_names_that_a_log_cannot_have(tmp_path: Path, name: str) -> None:
    with pytest.raises(AuditError, match="cannot be the name of a log"):
        AuditLog.open(tmp_path / "log", name, KEY, AuditSettings(), Clock())


def test_another_key_cannot_continue_a_log(folder: Path) -> None:
    write_log(folder)
    with pytest.raises(AuditError, match="not signed by"):
        open_log(folder, key=OTHER_KEY)
    assert check(folder).records == 20
    (folder / "verifier.pub").write_bytes((folder / "verifier.pub").read_bytes().replace(b"gw-1", b"gw-2"))
    with pytest.raises(AuditError, match="verifier key's id"):
        open_log(folder)


def test_a_folder_that_cannot_be_made_is_an_audit_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(AuditError, match="cannot open the audit log"):
        open_log(tmp_path / "file" / "log")


def test_an_interrupted_append_is_not_followed_by_another(folder: Path) -> None:
    class Interrupting(Clock):
        armed = False

        def __call__(self) -> int:
            if self.armed:
                raise KeyboardInterrupt
            return super().__call__()

    clock = Interrupting()
    log = open_log(folder, clock=clock)
    clock.armed = True
    with pytest.raises(KeyboardInterrupt):
        log.append(answer())  # the line is in the file by now, and not yet in the tree
    clock.armed = False
    for use in (lambda: log.append(answer()), log.checkpoint):
        with pytest.raises(AuditError, match="interrupted"):
            use()
    log.close()
    with open_log(folder) as again:
        assert again.append(answer()) == 1
    assert check(folder).whole


def test_many_checkpoints_do_not_slow_the_start(folder: Path) -> None:
    write_log(folder, 3)
    first, *_, last = history(folder).notes
    path = folder / "checkpoints"
    many = (first + b"\n") + (last + b"\n") * 400
    path.write_bytes(many)
    assert len(history(folder).notes) == 401
    tail = history(folder, 65_536).notes
    assert set(tail) == {last}
    assert 300 < len(tail) < 400
    path.write_bytes(b"x" + many[1:])  # the start does not look there; `verify` does
    with open_log(folder) as log:
        assert log.append(answer()) == 3
    assert not check(folder).whole
    path.write_bytes(many + b"half of one\n\nand more")
    with pytest.raises(AuditError, match="not among all"):
        open_log(folder)
    (folder / "checkpoint").write_bytes(last)
    with open_log(folder) as log:
        assert log.append(answer()) == 4
    assert check(folder).whole
