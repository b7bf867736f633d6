"""Verification tells apart what can happen to a log, and names the first bad record."""

from dataclasses import dataclass, field
from io import BytesIO

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from interlock.audit.canonical import encode
from interlock.audit.checkpoint import Checkpoint, sign, verifier
from interlock.audit.merkle import Frontier, leaf_hash
from interlock.audit.verify import Damage, Fault, Line, Note, Report, verify
from tests.audit.records import answer
from tests.purity import pure

KEY = Ed25519PrivateKey.from_private_bytes(b"\x07" * 32)
OTHER = Ed25519PrivateKey.from_private_bytes(b"\x08" * 32)
TRUSTED = verifier("interlock/gw-1", KEY)
SIGNED = (0, 4, 9)


@dataclass
class Log:
    """Twelve records, of which nine are signed, as a list of lines to damage."""

    lines: list[bytes] = field(default_factory=lambda: [encode(answer(n), "gw-1", n) + b"\n" for n in range(12)])
    notes: list[bytes] = field(default_factory=list)
    leaves: bytes = b""

    def __post_init__(self) -> None:
        self.leaves = b"".join(leaf_hash(line[:-1]) for line in self.lines[: SIGNED[-1]])
        self.notes = [self.note(size) for size in SIGNED]

    def note(self, size: int, key: Ed25519PrivateKey = KEY) -> bytes:
        tree = Frontier()
        for line in self.lines[:size]:
            tree.append(leaf_hash(line[:-1]))
        return sign(Checkpoint("interlock/gw-1", size, tree.root()), key)

    def verify(self, *, leaves: bool = True) -> Report:
        lines: list[Line] = []
        offset = 0
        for line in self.lines:
            lines.append(("file", offset, line))
            offset += len(line)
        notes: list[Note] = [("notes", note) for note in self.notes]
        return verify("gw-1", lines, notes, TRUSTED, self.leaves if leaves else b"")


def found(log: Log, *, leaves: bool = True) -> Damage:
    damage = log.verify(leaves=leaves).damage
    assert damage is not None
    return damage


def flip(line: bytes, at: int = 10) -> bytes:
    return line[:at] + bytes([line[at] ^ 1]) + line[at + 1 :]


def test_a_whole_log() -> None:
    log = Log()
    log.verify()
    with pure():
        report = log.verify()
    assert report.whole
    assert (report.records, report.signed, report.checkpoints, report.unfinished) == (12, 9, 3, 0)


def test_a_log_that_was_only_begun() -> None:
    log = Log(lines=[])
    log.notes = log.notes[:1]
    assert log.verify().whole


def test_a_record_that_is_being_written_is_no_damage() -> None:
    log = Log()
    log.lines.append(b'{"at_us":')
    report = log.verify()
    assert (report.whole, report.records, report.unfinished) == (True, 12, 9)


def test_a_changed_record_is_named_by_the_kept_leaves() -> None:
    log = Log()
    log.lines[5] = log.lines[5].replace(b'"status":200', b'"status":201')
    assert found(log) == Damage(
        Fault.CHANGED, "record 5 was changed after it was signed", "file", sum(map(len, log.lines[:5])), 5
    )


def test_without_leaves_a_changed_record_is_named_by_its_range() -> None:
    log = Log()
    log.lines[5] = log.lines[5].replace(b'"status":200', b'"status":201')
    assert found(log, leaves=False).what == "one of the records 4 to 8 was changed after it was signed"
    log.leaves = log.leaves[:-1] + b"x"  # kept leaves that were changed as well are not believed
    assert found(log).what == "one of the records 4 to 8 was changed after it was signed"


@pytest.mark.parametrize("leaves", [True, False])
def test_a_record_that_is_no_record_any_more(leaves: bool) -> None:
    log = Log()
    log.lines[5] = flip(log.lines[5], 0)
    damage = found(log, leaves=leaves)
    assert (damage.fault, damage.record) == (Fault.CHANGED, 5)
    assert damage.what.startswith("record 5 was changed after it was signed: not a record")


def test_an_unsigned_record_that_is_no_record_any_more() -> None:
    log = Log()
    log.lines[10] = flip(log.lines[10], 0)
    assert found(log).what.startswith("record 10 is damaged (it was not yet signed)")


@pytest.mark.parametrize("leaves", [True, False])
@pytest.mark.parametrize("n", [0, 5, 8, 10])
def test_a_missing_record(n: int, leaves: bool) -> None:
    log = Log()
    del log.lines[n]
    damage = found(log, leaves=leaves)
    assert (damage.fault, damage.record) == (Fault.MISSING, n)
    assert damage.what.startswith(f"record {n} is missing: record {n + 1} comes ")


def test_missing_records_up_to_the_unsigned_ones() -> None:
    log = Log()
    del log.lines[5:10]
    assert found(log).what == "records 5 to 9 are missing: record 10 comes after record 4"


@pytest.mark.parametrize("leaves", [True, False])
def test_swapped_records(leaves: bool) -> None:
    log = Log()
    log.lines[2], log.lines[6] = log.lines[6], log.lines[2]
    damage = found(log, leaves=leaves)
    assert (damage.fault, damage.record) == (Fault.MOVED, 2)
    assert damage.what == "record 6 stands where record 2 belongs; record 2 comes later"


@pytest.mark.parametrize("leaves", [True, False])
def test_a_repeated_record(leaves: bool) -> None:
    log = Log()
    log.lines.insert(5, log.lines[3])
    damage = found(log, leaves=leaves)
    assert damage.fault is Fault.MOVED


def test_a_changed_number_is_a_changed_record() -> None:
    log = Log()
    for n, other in ((5, b'"n":7,'), (5, b'"n":3,'), (11, b'"n":99,'), (10, b'"n":99,'), (10, b'"n":1,')):
        log = Log()
        log.lines[n] = log.lines[n].replace(b'"n":%d,' % n, other)
        assert log.verify().damage is not None
    assert found(log).fault is Fault.CHANGED


@pytest.mark.parametrize("leaves", [True, False])
def test_a_truncated_log(leaves: bool) -> None:
    log = Log()
    del log.lines[7:]
    damage = found(log, leaves=leaves)
    assert (damage.fault, damage.record, damage.offset) == (Fault.TRUNCATED, 7, sum(map(len, log.lines)))
    assert damage.what == "the log ends too early: records 7 to 8 are signed and not there any more"
    log.lines.append(b'{"at_us"')
    assert found(log).fault is Fault.TRUNCATED


def test_an_inserted_record() -> None:
    log = Log()
    log.lines.insert(5, encode(answer(99), "gw-1", 5) + b"\n")
    assert found(log).what == "record 5 was changed after it was signed"
    assert found(log, leaves=False).fault is Fault.MOVED


def test_records_of_another_log() -> None:
    log = Log()
    log.lines[11] = encode(answer(), "gw-2", 11) + b"\n"
    assert found(log).what == "record 11 is damaged (it was not yet signed): it belongs to log gw-2"


def test_lines_that_were_joined() -> None:
    log = Log()
    log.lines[5] = log.lines[5][:-1] + log.lines.pop(6)
    assert found(log).fault is Fault.CHANGED
    log = Log()
    log.lines[10] = log.lines[10][:-1]
    assert found(log).what == "record 10 is damaged (it was not yet signed): its line has no end"


def test_a_checkpoint_signed_by_another_key() -> None:
    log = Log()
    log.notes[1] = log.note(4, OTHER)
    damage = found(log)
    assert damage.fault is Fault.CHECKPOINT
    assert "is not signed by interlock/gw-1" in damage.what


def test_a_second_history_by_the_same_key() -> None:
    log = Log()
    kept = log.note(9)
    log.lines[5] = encode(answer(99), "gw-1", 5) + b"\n"
    log.notes = [log.note(size) for size in SIGNED]
    log.leaves = b""
    assert log.verify().whole  # nothing in the folder can tell
    log.notes.append(kept)
    assert "two checkpoints of 9 records have different roots" in found(log).what
    log.notes = [log.note(0), log.note(4), log.note(12), kept]
    assert found(log).what == "one of the records 4 to 8 was changed after it was signed"


def test_a_rollback_is_found_by_a_kept_checkpoint() -> None:
    log = Log()
    kept = log.notes.pop()
    del log.lines[4:]
    assert log.verify().whole  # nothing in the folder can tell
    log.notes.append(kept)
    assert found(log).fault is Fault.TRUNCATED


WHOLE = Log(lines=Log().lines[:9])
BYTES = b"".join(WHOLE.lines)


@given(st.integers(0, len(BYTES) - 1), st.integers(1, 255), st.booleans())
def test_any_changed_byte_of_a_signed_record_is_found(at: int, change: int, leaves: bool) -> None:
    changed = BYTES[:at] + bytes([BYTES[at] ^ change]) + BYTES[at + 1 :]
    log = Log(lines=list(WHOLE.lines))
    log.lines = list(BytesIO(changed))
    assert not log.verify(leaves=leaves).whole
