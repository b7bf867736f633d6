"""The audit log, written: append-only files that survive `kill -9`, and power loss where it was waited for.

See `segments.py` for the files. The order of writing is what makes it safe: a record is handed to the kernel
before `append` returns; it is on disk before `durable` returns; records are on disk before a checkpoint over
them is signed; the checkpoint is among `checkpoints` before it is `checkpoint`.
"""

import asyncio
import fcntl
import os
import re
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from interlock.audit.canonical import encode
from interlock.audit.checkpoint import Checkpoint, sign, verifier
from interlock.audit.merkle import HASH_BYTES, Frontier, leaf_hash
from interlock.model.errors import AuditError
from interlock.model.record import Record, RecordKind
from interlock.store.files import DIRECTORY_MODE, MODE, replace_whole, sync_directory, write_all
from interlock.store.recovery import Mark, State, is_new, recover
from interlock.store.segments import (
    CHECKPOINT,
    CHECKPOINTS,
    FRONTIER,
    LEAVES,
    VERIFIER,
    origin,
    segment_path,
    verifier_of,
)
from interlock.store.settings import AuditSettings

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_APPEND = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
_TICK_S = 1.0


@dataclass(frozen=True, slots=True)
class _Snapshot:
    """What a checkpoint says and keeps: the tree at one moment, and the leaf hashes from record `start` on.

    `segment` is a descriptor of its own for the last segment, for the thread that signs to sync and close.
    """

    size: int
    root: bytes
    hashes: tuple[bytes, ...]
    segments: tuple[tuple[int, int], ...]
    start: int
    leaves: bytes
    segment: int


class AuditLog:
    """The one writer of a log. Made by `open`; use as a context manager, or call `close`.

    - `append` hands the record to the kernel before it returns: killing this process loses nothing.
    - `durable(n)` returns when record n is on disk; all who wait share one fdatasync, made in a thread.
    - After any error of the disk the log takes nothing more until it is opened again, so that no record ever
      follows half a line. An error of fdatasync is final too: the kernel may have dropped what it could not write.
    - What is signed is on disk. A log that does not fit its newest checkpoint is not opened, so never signed.

    `append`, `durable`, `tick` and `close` belong to one thread (the event loop's). It does NOT keep the holder
    of the key from writing a second history: for that, keep checkpoints on another host.
    """

    def __init__(
        self,
        directory: Path,
        name: str,
        key: Ed25519PrivateKey,
        settings: AuditSettings,
        clock_us: Callable[[], int],
        lock: int,
    ) -> None:
        """Use `open`. `lock` is the descriptor of the folder, locked."""
        self.directory = directory
        self.name = name
        self._key = key
        self._settings = settings
        self._clock_us = clock_us
        self._lock = lock
        self._pool = ThreadPoolExecutor(2, thread_name_prefix="interlock-audit")
        self._signing = threading.Lock()
        self._broken: AuditError | None = None
        self._writing = False
        self._commit: asyncio.Task[None] | None = None
        state = self._begin() if is_new(directory) else recover(directory, verifier(origin(name), key))
        self._check_verifier()
        self._tree = state.tree
        self._signed = state.signed
        self._leaves = state.leaves[state.signed - state.start :]
        self._unsigned_since_us = clock_us()
        self._sizes = state.sizes or {0: 0}
        self._segment = os.open(segment_path(directory, max(self._sizes)), _APPEND, MODE)
        self._size_bytes = self._sizes[max(self._sizes)]
        sync_directory(directory)
        os.fdatasync(self._segment)
        self._durable = self._tree.size
        if state.torn_bytes is not None:
            what = f"recovered: a crash left {state.torn_bytes} bytes of a record, kept in torn-{self._tree.size}"
            self.append(Record(RecordKind.GATEWAY, clock_us(), reason=what))

    @classmethod
    def open(
        cls,
        directory: Path,
        name: str,
        key: Ed25519PrivateKey,
        settings: AuditSettings,
        clock_us: Callable[[], int],
    ) -> Self:
        """The writer of log `name` in its folder `directory`, which is made if it is not there.

        Raises: AuditError if another process has it open, the key is not the log's, the log is damaged, or the
        disk refuses.
        """
        if not _NAME.fullmatch(name):
            hint = "letters, digits, dot, dash and underline, at most 64; see `name` in [gateway]"
            raise AuditError(f"{name!r} cannot be the name of a log", hint=hint)
        try:
            directory.mkdir(mode=DIRECTORY_MODE, parents=True, exist_ok=True)
            lock = _lock(directory)
            try:
                return cls(directory, name, key, settings, clock_us, lock)
            except BaseException:
                os.close(lock)
                raise
        except OSError as error:
            raise AuditError(
                f"cannot open the audit log: {error.strerror}", where=str(directory), hint=_DISK
            ) from error

    def append(self, record: Record) -> int:
        """Write a record; its number. It survives this process from here on, and the machine after `durable`.

        Raises: AuditError if the record has no canonical form (the log goes on), or cannot be written (it does not).
        """
        self.check()
        n = self._tree.size
        line = encode(record, self.name, n)
        self._writing = True
        try:
            if self._size_bytes and self._size_bytes + len(line) >= self._settings.segment_bytes:
                self._roll(n)
            write_all(self._segment, line + b"\n")
        except OSError as error:
            raise self._break(error) from error
        self._size_bytes += len(line) + 1
        if not self._leaves:
            self._unsigned_since_us = self._clock_us()
        leaf = leaf_hash(line)
        self._leaves.append(leaf)
        self._tree.append(leaf)
        self._writing = False
        return n

    async def durable(self, n: int) -> None:
        """Wait until record `n` is on disk. Raises: AuditError if it cannot be."""
        while self._durable <= n:
            self.check()
            assert n < self._tree.size, "only a record that was appended can become durable"
            if self._commit is None:
                self._commit = asyncio.get_running_loop().create_task(self._sync())
            # One who is cancelled must not take the others' fdatasync with it.
            await asyncio.shield(self._commit)

    async def tick(self) -> None:
        """Sign a checkpoint if one is due, without holding up the event loop. Raises: AuditError."""
        self.check()
        waiting_us = self._clock_us() - self._unsigned_since_us
        few = len(self._leaves) < self._settings.checkpoint_records
        if not self._leaves or (few and waiting_us < self._settings.checkpoint_s * 1_000_000):
            return
        signing = asyncio.get_running_loop().run_in_executor(self._pool, self._sign, self._snapshot())
        await asyncio.shield(signing)  # the snapshot is the only one to hold its leaves: it must be written

    async def run(self) -> None:
        """`tick` about once a second, until cancelled. Raises: AuditError."""
        while True:
            await asyncio.sleep(_TICK_S)
            await self.tick()

    def checkpoint(self) -> None:
        """Sign everything now; waits for the disk. Raises: AuditError."""
        self.check()
        self._sign(self._snapshot())
        self._durable = self._tree.size

    def close(self) -> None:
        """Sign what is not yet signed, and let go of the log. Raises: AuditError if it could not be signed."""
        if self._lock < 0:
            return
        self._pool.shutdown(wait=True)
        try:
            if self._leaves and not self._broken and not self._writing:
                self.checkpoint()
        finally:
            self._broken = self._broken or AuditError("the audit log is closed", where=str(self.directory))
            for descriptor in (self._segment, self._lock):
                os.close(descriptor)
            self._lock = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _begin(self) -> State:
        """Sign the empty log first of all, so that from now on a log without a checkpoint is a damaged one."""
        state = State(Frontier(), 0, 0)
        (self.directory / CHECKPOINTS).unlink(missing_ok=True)  # half a first one, from a crash
        replace_whole(self.directory / VERIFIER, f"{verifier(origin(self.name), self._key)}\n".encode())
        self._write_checkpoint(_Snapshot(0, state.tree.root(), (), (), 0, b"", -1))
        return state

    def _check_verifier(self) -> None:
        if verifier_of(self.directory) != verifier(origin(self.name), self._key):
            raise AuditError(
                "verifier.pub is not the public half of this log's key",
                where=str(self.directory / VERIFIER),
                hint="put the key back that began this log, or move the folder away to begin a new log",
            )

    def _roll(self, n: int) -> None:
        """Begin the segment whose first record is `n`. Rare, so that it may wait for the disk."""
        os.fdatasync(self._segment)
        segment = os.open(segment_path(self.directory, n), _APPEND | os.O_EXCL, MODE)
        os.close(self._segment)
        self._segment = segment
        self._sizes[max(self._sizes)] = self._size_bytes
        self._sizes[n] = self._size_bytes = 0
        os.fsync(self._lock)

    async def _sync(self) -> None:
        """One fdatasync for all records so far. Never raises: who waits sees `_broken`."""
        size = self._tree.size
        try:
            if not self._broken:
                # The thread has a descriptor of its own: a new segment may be begun meanwhile.
                loop = asyncio.get_running_loop()
                await loop.run_in_executor(self._pool, _sync_and_close, os.dup(self._segment))
                self._durable = max(self._durable, size)
        except OSError as error:
            self._break(error)
        finally:
            self._commit = None

    def _snapshot(self) -> _Snapshot:
        leaves, self._leaves = self._leaves, []
        self._sizes[max(self._sizes)] = self._size_bytes
        return _Snapshot(
            size=self._tree.size,
            root=self._tree.root(),
            hashes=tuple(self._tree.hashes),
            segments=tuple(self._sizes.items()),
            start=self._tree.size - len(leaves),
            leaves=b"".join(leaves),
            segment=os.dup(self._segment),
        )

    def _sign(self, snapshot: _Snapshot) -> None:
        """Write a checkpoint, on any thread. One that is overtaken by a larger one is not written."""
        with self._signing:
            if self._broken:
                os.close(snapshot.segment)
                raise self._broken
            try:
                _sync_and_close(snapshot.segment)
                self._write_checkpoint(snapshot)
            except OSError as error:
                raise self._break(error) from error

    def _write_checkpoint(self, s: _Snapshot) -> None:
        leaves = os.open(self.directory / LEAVES, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, MODE)
        try:
            os.lseek(leaves, s.start * HASH_BYTES, os.SEEK_SET)
            write_all(leaves, s.leaves)
        finally:
            os.close(leaves)
        if 0 < s.size <= self._signed:
            return
        note = sign(Checkpoint(origin(self.name), s.size, s.root), self._key)
        every = os.open(self.directory / CHECKPOINTS, _APPEND, MODE)
        try:
            write_all(every, note + b"\n")
            os.fsync(every)
        finally:
            os.close(every)
        replace_whole(self.directory / CHECKPOINT, note)
        mark = Mark(s.size, tuple(h.hex() for h in s.hashes), s.segments)
        replace_whole(self.directory / FRONTIER, msgspec.json.encode(mark))
        self._signed = s.size

    def check(self) -> None:
        """Raises: AuditError if the log takes nothing any more."""
        if self._writing and not self._broken:
            # Such as a second Ctrl-C: nobody knows how much of the record is in the file.
            what = "writing a record was interrupted"
            self._broken = AuditError(what, where=str(self.directory), hint="start again: opening the log sees to it")
        if self._broken:
            raise self._broken

    def _break(self, error: OSError) -> AuditError:
        """From now on this log takes nothing."""
        where = str(self.directory)
        self._broken = AuditError(f"the audit log cannot be written: {error.strerror}", where=where, hint=_DISK)
        return self._broken


_DISK = "make room on the disk, or make the folder writable, and start again"


def _sync_and_close(descriptor: int) -> None:
    try:
        os.fdatasync(descriptor)
    finally:
        os.close(descriptor)


def _lock(directory: Path) -> int:
    """The folder's descriptor, locked for this process. The folder itself, since a lock file could be removed."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        hint = "stop the other one, or give this gateway a `name` of its own in [gateway]"
        raise AuditError("another process is writing this audit log", where=str(directory), hint=hint) from None
    return descriptor
