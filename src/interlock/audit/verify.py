"""Whether a log is whole: every record in canonical form, in its place, under every root that was signed.

What a clean report proves: whoever held the key signed exactly these records in this order, and none of the
signed ones was changed, taken out, added or moved since. Records after the last checkpoint are in place and
in form, but not yet signed: their content is not proven.

What it does NOT prove: that the key's holder told the truth, or did not write a second history. Who holds
the key can rewrite everything and sign it anew, and who can write the folder can put back an older, shorter
state of it. Both are found only with a checkpoint that was kept outside the host: give it to `verify`
among the others.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum

from interlock.audit.canonical import place
from interlock.audit.checkpoint import Checkpoint, Verifier, read
from interlock.audit.merkle import HASH_BYTES, Frontier, leaf_hash
from interlock.model.errors import AuditError

Line = tuple[str, int, bytes]
"""(file, offset in bytes, the line with its line end)."""
Note = tuple[str, bytes]
"""(where it was read, the signed note)."""


class Fault(Enum):
    """What kind of damage it is."""

    CHANGED = "changed"
    MISSING = "missing"
    MOVED = "moved"
    TRUNCATED = "truncated"
    CHECKPOINT = "checkpoint"
    LAYOUT = "layout"


@dataclass(frozen=True, slots=True)
class Damage:
    """The first thing that is wrong. `record` is the number of the first bad record, if one can be named."""

    fault: Fault
    what: str
    file: str
    offset: int | None = None
    record: int | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """What a verification saw. Whole if there is no damage.

    `records` were found whole, `signed` of them are under a checkpoint; `unfinished` bytes at the end are a
    record that is being written at this moment, or was cut off by a crash and never acknowledged.
    """

    log: str
    records: int
    signed: int
    checkpoints: int
    root: bytes
    unfinished: int = 0
    damage: Damage | None = None

    @property
    def whole(self) -> bool:
        """Whether nothing is wrong."""
        return self.damage is None


def verify(log: str, lines: Iterable[Line], notes: Iterable[Note], trusted: Verifier, leaves: bytes = b"") -> Report:
    """The report on log `log`: `lines` of its segments in order, all its `notes`, oldest first.

    `leaves` may be the leaf hashes, one after the other, that were kept beside the log. They are believed
    only if their root is a signed one; they name the record that was changed where roots name a range.
    """
    checkpoints, damage = _checkpoints(notes, trusted)
    walk = _Walk(log, checkpoints, _believed(leaves, checkpoints))
    rest = iter(lines)
    while damage is None and (line := next(rest, None)) is not None:
        damage = walk.step(line, rest)
    return Report(
        log=log,
        records=walk.tree.size,
        signed=max((c.size for c in checkpoints if c.size <= walk.tree.size), default=0),
        checkpoints=len(checkpoints),
        root=walk.tree.root(),
        unfinished=len(walk.unfinished[2]) if walk.unfinished else 0,
        damage=damage or walk.end(),
    )


def _checkpoints(notes: Iterable[Note], trusted: Verifier) -> tuple[list[Checkpoint], Damage | None]:
    """The signed checkpoints in order of size, up to the first that is not valid or contradicts another."""
    found: dict[int, Checkpoint] = {}
    for file, note in notes:
        try:
            new = read(note, trusted)
        except AuditError as error:
            damage = Damage(Fault.CHECKPOINT, f"a checkpoint is not valid: {error.what}", file)
            return _by_size(found), damage
        if found.setdefault(new.size, new) != new:
            what = f"two checkpoints of {new.size} records have different roots: the key signed two histories"
            return _by_size(found), Damage(Fault.CHECKPOINT, what, file)
    return _by_size(found), None


def _by_size(checkpoints: dict[int, Checkpoint]) -> list[Checkpoint]:
    return [checkpoints[size] for size in sorted(checkpoints)]


def _believed(leaves: bytes, checkpoints: Sequence[Checkpoint]) -> bytes:
    """The longest beginning of `leaves` whose root was signed."""
    tree, believed = Frontier(), 0
    for checkpoint in checkpoints:
        if checkpoint.size * HASH_BYTES > len(leaves):
            break
        while tree.size < checkpoint.size:
            tree.append(_hash(leaves, tree.size))
        if tree.root() != checkpoint.root:
            break
        believed = checkpoint.size
    return leaves[: believed * HASH_BYTES]


def _hash(leaves: bytes, n: int) -> bytes:
    """The hash of leaf `n`; empty if it is not there."""
    return leaves[n * HASH_BYTES : (n + 1) * HASH_BYTES]


class _Walk:
    """Goes through the lines once. `tree` holds the records that were found whole and in place so far."""

    def __init__(self, log: str, checkpoints: Sequence[Checkpoint], leaves: bytes) -> None:
        self.tree = Frontier()
        self.unfinished: Line | None = None
        self._log = log
        self._leaves = leaves
        self._checkpoints = checkpoints
        self._passed = 0  # how many of the checkpoints were compared
        self._signed = checkpoints[-1].size if checkpoints else 0
        self._last: Line = ("", 0, b"")

    def step(self, line: Line, rest: Iterator[Line]) -> Damage | None:
        """Take one line; what is wrong with it. `rest` is used up if a record is not in its place."""
        if damage := self._compare():
            return damage
        if self.unfinished:
            return self._changed(self.unfinished, "its line has no end")
        if not line[2].endswith(b"\n"):
            self.unfinished = line
            return None
        n, record = self.tree.size, line[2][:-1]
        leaf = leaf_hash(record)
        try:
            log, claimed = place(record)
        except AuditError as error:
            return self._changed(line, error.what)
        if _hash(self._leaves, claimed) not in (b"", leaf):
            return self._changed(line)
        if claimed != n:
            return self._misplaced(line, claimed, rest)
        if log != self._log:
            return self._changed(line, f"it belongs to log {log}")
        self.tree.append(leaf)
        self._last = line
        return None

    def end(self) -> Damage | None:
        """What is wrong with the end of the log."""
        if self.tree.size >= self._signed:
            return self._compare()
        file, offset, line = self.unfinished or self._last
        what = f"the log ends too early: {_are(self.tree.size, self._signed)} signed and not there any more"
        return Damage(Fault.TRUNCATED, what, file, offset + (0 if self.unfinished else len(line)), self.tree.size)

    def _compare(self) -> Damage | None:
        """Compare the root so far with the checkpoint of this size, if there is one."""
        if self._passed == len(self._checkpoints) or self._checkpoints[self._passed].size != self.tree.size:
            return None
        since = self._checkpoints[self._passed - 1].size if self._passed else 0
        self._passed += 1
        if self._checkpoints[self._passed - 1].root == self.tree.root():
            return None
        what = f"one of the records {since} to {self.tree.size - 1} was changed after it was signed"
        return Damage(Fault.CHANGED, what, self._last[0])

    def _changed(self, line: Line, why: str = "") -> Damage:
        n = self.tree.size
        said = "was changed after it was signed" if n < self._signed else "is damaged (it was not yet signed)"
        return Damage(Fault.CHANGED, f"record {n} {said}" + (f": {why}" if why else ""), line[0], line[1], n)

    def _misplaced(self, line: Line, claimed: int, rest: Iterator[Line]) -> Damage:
        """A record with another number than is due here: is the one that is due further on, or gone?"""
        n = self.tree.size
        file, offset, _ = line
        following = (_claims(other[2]) for other in rest)
        after = next(following, None)
        if after == n or n in following:
            what = f"record {claimed} stands where record {n} belongs; record {n} comes later"
            return Damage(Fault.MOVED, what, file, offset, n)
        if after == n + 1:
            return self._changed(line, f"its number is {claimed}")
        if claimed < n:
            what = f"record {claimed} stands a second time, after record {n - 1}"
            return Damage(Fault.MOVED, what, file, offset, n)
        what = f"{_are(n, claimed)} missing: record {claimed} comes " + (f"after record {n - 1}" if n else "first")
        return Damage(Fault.MISSING, what, file, offset, n)


def _claims(line: bytes) -> int | None:
    """The number that a line gives itself, or None if it is not a record."""
    try:
        return place(line.removesuffix(b"\n"))[1]
    except AuditError:
        return None


def _are(start: int, stop: int) -> str:
    """The records from `start` until before `stop`, as the subject of a sentence."""
    return f"record {start} is" if stop - start == 1 else f"records {start} to {stop - 1} are"
