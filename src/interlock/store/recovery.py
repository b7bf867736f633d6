"""How a log is opened after any end, a crash included: what may be continued is, everything else is refused.

Rules: the newest signed checkpoint decides. The log must have at least its records and exactly its root;
the records after it must be whole and in order. Only bytes after the last line end are a crash's leavings:
they are cut off and kept in a file of their own. Nothing is signed here.
"""

import os
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import msgspec

from interlock.audit.canonical import place
from interlock.audit.checkpoint import Checkpoint, Verifier
from interlock.audit.checkpoint import read as read_note
from interlock.audit.merkle import HASH_BYTES, Frontier, leaf_hash
from interlock.model.errors import AuditError
from interlock.store import segments as layout
from interlock.store.files import read_plain, replace_whole

_HINT = "keep this folder, it is evidence; `interlock audit verify` tells more; to go on, move it elsewhere"
# The newest checkpoints are looked for in so much of the file: some three hundred of them.
_TAIL_BYTES = 65_536


class Mark(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The file `frontier`: the tree at a checkpoint, and (first record, bytes) of each segment at that time."""

    size: int
    hashes: tuple[str, ...]
    segments: tuple[tuple[int, int], ...]

    def tree(self) -> Frontier:
        """The tree. Raises: ValueError if there is no such tree."""
        return Frontier(self.size, map(bytes.fromhex, self.hashes))


@dataclass(slots=True)
class State:
    """Where a writer goes on. `signed` records of the tree are under a checkpoint; `leaves` are the hashes
    from record `start` on; `sizes` the bytes of each segment by its first record; `torn_bytes` what a crash
    left of the next record, if it did."""

    tree: Frontier
    signed: int
    start: int
    leaves: list[bytes] = field(default_factory=list)
    sizes: dict[int, int] = field(default_factory=dict)
    torn_bytes: int | None = None


def is_new(directory: Path) -> bool:
    """Whether no log was ever begun here. The first checkpoint is signed before the first record is written."""
    found = layout.history(directory, _TAIL_BYTES)
    return not layout.segments(directory) and not found.notes and found.newest is None


def recover(directory: Path, trusted: Verifier) -> State:
    """The state of a log that was begun before. The caller holds its lock.

    Raises: AuditError if anything signed is missing or changed, or the key is not the one that signed it.
    """
    newest, mark = _checkpoints(directory, trusted)
    state = (_walk(directory, trusted, newest, mark) if mark else None) or _walk(directory, trusted, newest, None)
    if state is None:
        damage = layout.verify(directory, trusted).damage
        what = damage.what if damage else "its files do not fit each other"
        raise AuditError(f"the audit log is damaged: {what}", where=str(directory), hint=_HINT)
    _restore_leaves(directory, state)
    _cut(directory, state)
    return state


def _checkpoints(directory: Path, trusted: Verifier) -> tuple[Checkpoint, Mark | None]:
    """The newest checkpoint, and the mark if it can be believed. Puts back what a crash left unfinished."""
    found = layout.history(directory, _TAIL_BYTES)
    if damage := layout.history_damage(found):
        raise AuditError(damage.what, where=str(directory / damage.file), hint=_HINT)
    try:
        newest = read_note(found.notes[-1], trusted)
        mark = _mark(directory)
        signed = (note for note in reversed(found.notes) if mark and b"\n%d\n" % mark.size in note)
        roots = {c.size: c.root for c in [read_note(note, trusted) for note in islice(signed, 1)]}
    except AuditError as error:
        raise AuditError(error.what, where=str(directory / layout.CHECKPOINTS), hint=_HINT) from error
    if found.torn:
        replace_whole(directory / f"torn-checkpoints-{newest.size}", found.torn)
        os.truncate(directory / layout.CHECKPOINTS, found.end)
    if found.newest != found.notes[-1]:
        replace_whole(directory / layout.CHECKPOINT, found.notes[-1])
    return newest, mark if mark and roots.get(mark.size) == mark.tree().root() else None


def _mark(directory: Path) -> Mark | None:
    """The mark, if it makes sense and the files can be those that it speaks of."""
    try:
        mark = msgspec.json.decode(read_plain(directory / layout.FRONTIER), type=Mark)
        mark.tree()
        sizes = {first: layout.segment_path(directory, first).lstat().st_size for first, _ in mark.segments}
        leaves_bytes = (directory / layout.LEAVES).lstat().st_size
    except (OSError, ValueError, msgspec.MsgspecError):
        return None  # it only saves time; without it everything is read
    *closed, last = mark.segments or ((0, 0),)
    present = [s.first for s in layout.segments(directory) if s.first <= last[0]]
    fits = present == list(sizes) and all(sizes[first] == size for first, size in closed)
    fits = fits and sizes.get(last[0], 0) >= last[1] and leaves_bytes >= mark.size * HASH_BYTES
    return mark if fits else None


def _walk(directory: Path, trusted: Verifier, newest: Checkpoint, mark: Mark | None) -> State | None:
    """Read what follows the mark, or everything; None if it does not fit the newest checkpoint."""
    state = State(Frontier(), newest.size, 0)
    if mark:
        state = State(mark.tree(), newest.size, mark.size, sizes=dict(mark.segments))
    found = [s for s in layout.segments(directory) if s.first >= max(state.sizes, default=0)]
    for segment in found:
        if segment.first not in state.sizes and segment.first != state.tree.size:
            return None
        offset = state.sizes.get(segment.first, 0)
        for _, _, line in layout.lines(segment, offset):
            if not line.endswith(b"\n"):
                if segment != found[-1]:
                    return None
                break
            if not _add(state, line[:-1], trusted, newest):
                return None
            offset += len(line)
        state.sizes[segment.first] = offset
    return state if state.tree.size >= newest.size else None


def _add(state: State, record: bytes, trusted: Verifier, newest: Checkpoint) -> bool:
    """Add a record to the state; whether it is the next one of this log and fits the checkpoint."""
    try:
        log, n = place(record)
    except AuditError:
        return False
    if layout.origin(log) != trusted.name or n != state.tree.size:
        return False
    leaf = leaf_hash(record)
    state.leaves.append(leaf)
    state.tree.append(leaf)
    return state.tree.size != newest.size or state.tree.root() == newest.root


def _restore_leaves(directory: Path, state: State) -> None:
    """Write the leaf hashes of signed records that the file `leaves` may not have."""
    known, signed = state.start * HASH_BYTES, state.leaves[: state.signed - state.start]
    if signed:
        path = directory / layout.LEAVES
        before = read_plain(path)[:known] if known else b""
        replace_whole(path, before + b"".join(signed))


def _cut(directory: Path, state: State) -> None:
    """Take off what stands after the last line end, and keep it beside the log."""
    n = state.tree.size
    kept = directory / f"torn-{n}"
    if state.sizes:
        first = max(state.sizes)
        path = layout.segment_path(directory, first)
        torn = b"".join(line for _, _, line in layout.lines(layout.Segment(first, path), state.sizes[first]))
        if torn:
            replace_whole(kept, torn)
            os.truncate(path, state.sizes[first])
    # Also true if it was cut by an opening that was itself killed before it could write the record.
    state.torn_bytes = kept.stat().st_size if kept.exists() else None
