"""Files that are there whole or not at all, are ours alone, and are never reached through a link."""

import contextlib
import os
import threading
from pathlib import Path
from typing import BinaryIO

MODE = 0o600
DIRECTORY_MODE = 0o700
_BUFFER_BYTES = 1_048_576


def open_plain(path: Path) -> BinaryIO:
    """A file to read. Raises: OSError, also if the last part of `path` is a symbolic link."""
    return open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC), "rb", buffering=_BUFFER_BYTES)


def read_plain(path: Path, tail_bytes: int = 0) -> bytes:
    """The bytes of a file; with `tail_bytes` at most its last ones. Raises: OSError, as `open_plain`."""
    with open_plain(path) as file:
        if tail_bytes:
            file.seek(max(0, os.fstat(file.fileno()).st_size - tail_bytes))
        return file.read()


def write_all(descriptor: int, data: bytes) -> None:
    """Hand all of `data` to the kernel, however many calls that takes. Raises: OSError, with a part written."""
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def replace_whole(path: Path, data: bytes) -> None:
    """Put a file in the place of another at once: a reader, or a crash, sees the old or the new one, whole."""
    temporary = _write_beside(path, data)
    os.replace(temporary, path)
    sync_directory(path.parent)


def create_whole(path: Path, data: bytes) -> None:
    """Make a file whole; if there is one by now, leave that one."""
    temporary = _write_beside(path, data)
    with contextlib.suppress(FileExistsError):
        os.link(temporary, path)
    os.unlink(temporary)
    sync_directory(path.parent)


def sync_directory(path: Path) -> None:
    """Make names in a folder durable."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _write_beside(path: Path, data: bytes) -> Path:
    temporary = path.with_name(f".{path.name}.{threading.get_native_id()}")
    with contextlib.suppress(FileNotFoundError):
        os.unlink(temporary)  # left by a thread with our number that was killed
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, MODE)
    try:
        write_all(descriptor, data)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    return temporary
