"""The files of one audit log, read: by anybody, while another process may be appending.

    records-000000000000.jsonl   canonical records, one a line; the number is that of the file's first record
    checkpoints                  every signed checkpoint, oldest first, an empty line after each
    checkpoint                   the newest of them
    verifier.pub                 the public key that they are signed with
    leaves                       the signed records' leaf hashes, 32 bytes each: names the record that was changed
    frontier                     where the last checkpoint was: lets a writer start without reading everything
    torn-<n>                     what a crash left of record n

Nothing is believed because it stands in a file: all of it is checked against the signed roots.
"""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from interlock.audit import verify as proof
from interlock.audit.canonical import MAX_BYTES, decode, place
from interlock.audit.checkpoint import SIGNATURE_MARK, Verifier, parse_verifier
from interlock.audit.merkle import leaf_hash
from interlock.audit.verify import Damage, Fault, Line, Note, Report
from interlock.model.errors import AuditError
from interlock.store import Stored
from interlock.store.files import open_plain, read_plain

CHECKPOINT, CHECKPOINTS, VERIFIER, LEAVES, FRONTIER = "checkpoint", "checkpoints", "verifier.pub", "leaves", "frontier"
_SEGMENT = re.compile(r"records-([0-9]{12})\.jsonl")
# A record is looked for by halving a file until so little is left that reading it line by line is as fast.
_SEARCH_BYTES = 65_536


@dataclass(frozen=True, slots=True, order=True)
class Segment:
    """One file of records; `first` is the number of its first record."""

    first: int
    path: Path


@dataclass(frozen=True, slots=True)
class History:
    """The checkpoints of a log, oldest first. `torn` is what stands after the last whole one in `checkpoints`,
    from byte `end` on; `newest` is the file `checkpoint`."""

    newest: bytes | None
    notes: tuple[bytes, ...]
    torn: bytes
    end: int


def origin(name: str) -> str:
    """The name by which checkpoints and their key know the log `name`."""
    return f"interlock/{name}"


def segment_path(directory: Path, first: int) -> Path:
    """Where the segment that begins with record `first` is."""
    return directory / f"records-{first:012d}.jsonl"


def is_log(directory: Path) -> bool:
    """Whether an audit log was begun in this folder."""
    return (directory / VERIFIER).exists()


def segments(directory: Path) -> list[Segment]:
    """The segments in order. Raises: AuditError if there is no such folder."""
    try:
        names = os.listdir(directory)
    except OSError as error:
        raise AuditError(f"cannot read the log: {error.strerror}", where=str(directory)) from error
    return sorted(Segment(int(m[1]), directory / name) for name in names if (m := _SEGMENT.fullmatch(name)))


def lines(segment: Segment, offset: int = 0) -> Iterator[Line]:
    """The lines of a segment from byte `offset` on, the last one perhaps without its end.

    Raises: AuditError if the file cannot be read or is a symbolic link.
    """
    try:
        with open_plain(segment.path) as file:
            file.seek(offset)
            while line := file.readline(MAX_BYTES + 1):
                yield segment.path.name, offset, line
                offset += len(line)
    except OSError as error:
        raise AuditError(f"cannot read it: {error.strerror}", where=str(segment.path)) from error


def history(directory: Path, tail_bytes: int = 0) -> History:
    """The checkpoints as they stand, not verified. A file that is not there is empty.

    With `tail_bytes` only the last ones, from about so many bytes: a log that runs for years has millions.
    """
    # `checkpoint` first: a writer adds to `checkpoints` before it, so what is read here is also in there.
    newest = _optional(directory / CHECKPOINT)
    data = _optional(directory / CHECKPOINTS, tail_bytes) or b""
    parts = data.split(b"\n\n")
    if tail_bytes and len(data) >= tail_bytes:
        # A body, then its signatures: begin after the first signatures, the only part that begins like this.
        first = next((i for i, part in enumerate(parts) if part.startswith(SIGNATURE_MARK)), len(parts) - 1)
        parts = parts[first + 1 :]
    pairs = range(0, len(parts) - 2, 2)
    notes = tuple([b"%b\n\n%b\n" % (parts[i], parts[i + 1]) for i in pairs])
    torn = b"\n\n".join(parts[2 * len(notes) :])
    path = directory / CHECKPOINTS
    return History(newest, notes, torn, (path.lstat().st_size if data else 0) - len(torn))


def verifier_of(directory: Path) -> Verifier:
    """The public key that stands in the log's own folder. Raises: AuditError."""
    path = directory / VERIFIER
    try:
        return parse_verifier(read_plain(path).decode("ascii"))
    except (OSError, UnicodeDecodeError) as error:
        raise AuditError(f"cannot read the log's public key: {error}", where=str(path)) from error


def verify(directory: Path, trusted: Verifier, kept: tuple[Note, ...] = ()) -> Report:
    """The report on a log's folder, see `audit.verify`; `kept` are checkpoints that were kept elsewhere.

    Raises: AuditError if a file cannot be read.
    """
    name = trusted.name.removeprefix(origin(""))
    found = history(directory)
    if damage := history_damage(found):
        return Report(name, 0, 0, len(found.notes), b"", damage=damage)
    notes = [(f"{CHECKPOINTS} (number {i})", note) for i, note in enumerate(found.notes, 1)]
    begun: list[tuple[Segment, int]] = []
    report = proof.verify(
        name, _all_lines(directory, begun), [*notes, *kept], trusted, _optional(directory / LEAVES) or b""
    )
    for segment, first in begun:
        if report.whole and segment.first != first:
            what = f"the file's name says that it begins with record {segment.first}; it begins with record {first}"
            return replace(report, damage=Damage(Fault.LAYOUT, what, segment.path.name, 0, first))
    return report


def read(directory: Path, start: int = 0) -> Iterator[Stored]:
    """The records from number `start` on that are whole at this moment.

    Checks form and order, not signatures. Raises: AuditError at the first record that is damaged or missing.
    """
    n = start
    found = segments(directory)
    begin = max((i for i, segment in enumerate(found) if segment.first <= start), default=0)
    for i, segment in enumerate(found[begin:]):
        offset = _find(segment, start) if i == 0 else 0
        for name, at, line in lines(segment, offset):
            if not line.endswith(b"\n"):
                break
            try:
                log, claimed, record = decode(line[:-1])
            except AuditError as error:
                raise AuditError(error.what, where=f"{directory / name}, byte {at}", hint=_SEE) from error
            if claimed != n:
                what = f"record {claimed} stands where record {n} belongs"
                raise AuditError(what, where=f"{directory / name}, byte {at}", hint=_SEE)
            yield Stored(log, n, leaf_hash(line[:-1]).hex(), record)
            n += 1


_SEE = "run `interlock audit verify` to see what is wrong with this log"


def _find(segment: Segment, n: int) -> int:
    """The offset of record `n`, of the end if it is not there yet, or of something damaged before it.

    Numbers grow along a file, so it is halved.
    """
    try:
        with open_plain(segment.path) as file:
            low, high = 0, os.fstat(file.fileno()).st_size
            while high - low > _SEARCH_BYTES:
                middle = (low + high) // 2
                file.seek(middle)
                file.readline(MAX_BYTES + 1)
                offset = file.tell()
                claimed = _number(file.readline(MAX_BYTES + 1)) if offset < high else None
                if claimed is None or claimed > n:
                    high = middle
                else:
                    low = offset
    except OSError as error:
        raise AuditError(f"cannot read it: {error.strerror}", where=str(segment.path)) from error
    for _, offset, line in lines(segment, low):
        claimed = _number(line)
        if claimed is None or claimed >= n:
            return offset
        low = offset + len(line)
    return low


def _number(line: bytes) -> int | None:
    """The number of the record in a line; None if it is not finished, or not a record."""
    try:
        return place(line[:-1])[1] if line.endswith(b"\n") else None
    except AuditError:
        return None


def _all_lines(directory: Path, begun: list[tuple[Segment, int]]) -> Iterator[Line]:
    """The lines of all segments; `begun` gets each segment with the number of lines before it."""
    n = 0
    for segment in segments(directory):
        begun.append((segment, n))
        for line in lines(segment):
            yield line
            n += 1


def history_damage(found: History) -> Damage | None:
    """What is wrong with the two checkpoint files by themselves, signatures aside."""
    if not found.notes:
        return Damage(Fault.CHECKPOINT, "there is no whole checkpoint: it was changed or taken away", CHECKPOINTS)
    if found.newest is None and len(found.notes) == 1 and not found.torn:
        return None  # a crash between the two files at the very beginning
    if found.newest not in found.notes or (found.torn and found.newest != found.notes[-1]):
        what = "the newest checkpoint is not among all checkpoints: one of the two files was changed"
        return Damage(Fault.CHECKPOINT, what, CHECKPOINT)
    return None


def _optional(path: Path, tail_bytes: int = 0) -> bytes | None:
    try:
        return read_plain(path, tail_bytes)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise AuditError(f"cannot read it: {error.strerror}", where=str(path)) from error
