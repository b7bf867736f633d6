"""The file system as the file sources see it: which files there are, and their bytes if a mark is in them."""

import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import re2

from interlock.model.asset import NotScanned
from interlock.model.errors import ScanError

# What others put there, or tools made: never a workload's own code. `interlock scan --help` prints this list.
SKIPPED_FOLDERS = frozenset({
    ".bzr", ".cache", ".eggs", ".git", ".hg", ".hypothesis", ".idea", ".mypy_cache", ".nox", ".pytest_cache",
    ".ruff_cache", ".svn", ".terraform", ".tox", ".venv", "__pycache__", "__pypackages__", "bower_components",
    "node_modules", "site-packages", "venv",
})  # fmt: skip
MAX_FILE_BYTES = 5_000_000  # a larger source file was made by a machine; it is reported, not read


@dataclass(slots=True)
class Tree:
    """What the walk found: each file's path relative to the root, and where it really is.

    `named` are the paths of those that were asked for by name, not met in a folder.
    """

    files: dict[str, str] = field(default_factory=dict)
    named: set[str] = field(default_factory=set)
    not_scanned: list[NotScanned] = field(default_factory=list)


def common_root(paths: Sequence[Path]) -> Path:
    """The deepest folder that holds all `paths`. Raises: ScanError for one that is no file or folder."""
    for path in paths:
        if not path.is_dir() and not path.is_file():
            raise ScanError("there is no such file or folder", where=str(path), hint="name what you want to scan")
    folders = [path if path.is_dir() else path.parent for path in (p.resolve() for p in paths)]
    return Path(os.path.commonpath(folders))


def walk(start: Path, root: Path, found: Tree) -> None:
    """Note every file below `start`. Links are not followed: what they point to inside the root is found itself."""
    if start.is_file():
        path = _relative(start, root)
        found.files[path] = str(start)
        found.named.add(path)
        return
    stack = [str(start)]
    while stack:
        folder = stack.pop()
        try:
            with os.scandir(folder) as entries:
                for entry in sorted(entries, key=lambda e: e.name):
                    _enter(entry, root, found, stack)
        except OSError as error:
            found.not_scanned.append(NotScanned(_relative(folder, root), why(error)))


def _enter(entry: os.DirEntry[str], root: Path, found: Tree, stack: list[str]) -> None:
    path = entry.path
    if entry.is_symlink():
        if reason := _lost(os.path.realpath(path), root):
            found.not_scanned.append(NotScanned(_relative(path, root), reason))
    elif entry.is_dir(follow_symlinks=False):
        if entry.name not in SKIPPED_FOLDERS:
            stack.append(path)
    else:
        found.files[_relative(path, root)] = path


def _lost(target: str, root: Path) -> str | None:
    """Why the target of a link is not scanned where it really is; None if it is."""
    if not os.path.exists(target):
        return "a link to nothing"
    if target != str(root) and not target.startswith(os.path.join(root, "")):
        return "a link out of the scanned folder"
    passed_over = next((part for part in _relative(target, root).split("/") if part in SKIPPED_FOLDERS), None)
    return f"a link into {passed_over}, which is passed over" if passed_over else None


def _relative(path: str | Path, root: Path) -> str:
    r"""The path below the root with `/`, `.` for the root; bytes that are not UTF-8 as `\xNN`."""
    below = os.fspath(path)[len(str(root)) :].lstrip(os.sep) or "."
    return os.fsencode(below).decode("utf-8", "backslashreplace").replace(os.sep, "/")


def why(error: OSError) -> str:
    """The reason in a few words, such as `permission denied`."""
    return (error.strerror or type(error).__name__).lower()


def contents(place: str) -> bytes | None:
    """The file, at most one byte more than the limit; None for a pipe, a device or a socket."""
    descriptor = os.open(place, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            return None
        return os.read(descriptor, min(status.st_size, MAX_FILE_BYTES) + 1)
    finally:
        os.close(descriptor)


@cache
def marked(marks: tuple[bytes, ...]) -> Any:
    """All marks of a source as one automaton: a file without any of them is passed over at memory speed."""
    options = re2.Options()
    options.max_mem = 64 << 20  # the default is too small for some 800 words: it would fall back to a slower engine
    options.encoding = re2.Options.Encoding.LATIN1
    return re2.compile(b"|".join(re2.escape(mark) for mark in marks), options)
