"""What a program needs of the folders that its sandbox has emptied, such as homes: its own files, and no others."""

import os
import shutil
from collections.abc import Iterator, Sequence

# What stands beside a `bin` and belongs to its programs: libraries, and the mark of a Python environment.
_BESIDE = ("lib", "lib64", "libexec", "pyvenv.cfg")
_LINKS = 40  # as many as Linux follows (path_resolution(7))
_SHEBANG_BYTES = 256  # all that Linux reads of it (execve(2))
_WORDS_OF_ENV = 2


def needs(command: Sequence[str], cwd: str, path: str | None, files: Sequence[str]) -> list[str]:
    """The folder `cwd`, the `files`, the program, its interpreter, and the files that its arguments name.

    `path` is the PATH that programs are found by. Folders that arguments name are not in it.
    """
    found = [cwd, *(os.path.join(cwd, file) for file in files), *_installed(command[0])]
    if interpreter := _interpreter(command[0], path):
        found += _installed(interpreter)
    named = (os.path.join(cwd, word) for word in command[1:])
    found += [part for file in named if _is_file(file) for part in _installed(file)]
    return list(dict.fromkeys(os.path.normpath(one) for one in found))


def _installed(program: str) -> Iterator[str]:
    """A program's file, what its links lead to, and what is installed with each: libraries, packages."""
    for path in _hops(program):
        folder = os.path.dirname(path)
        if os.path.basename(folder) in ("bin", "sbin"):
            yield folder
            beside = (os.path.join(os.path.dirname(folder), name) for name in _BESIDE)
            yield from (one for one in beside if os.path.exists(one))
        before, packages, _ = path.partition("/node_modules/")
        if packages:
            yield f"{before}/node_modules"
        yield path


def _hops(path: str) -> Iterator[str]:
    for _ in range(_LINKS):
        yield path
        if not os.path.islink(path):
            break
        path = os.path.normpath(os.path.join(os.path.realpath(os.path.dirname(path)), os.readlink(path)))
    yield os.path.realpath(path)


def _interpreter(program: str, path: str | None) -> str | None:
    """What a script's first line says; None for what is no script."""
    try:
        with open(program, "rb") as file:
            first = file.read(_SHEBANG_BYTES).partition(b"\n")[0]
    except OSError:
        return None
    words = os.fsdecode(first[2:]).split() if first.startswith(b"#!") else []
    if len(words) >= _WORDS_OF_ENV and os.path.basename(words[0]) == "env":
        named = next((word for word in words[1:] if not word.startswith("-")), "")
        return shutil.which(named, path=path)
    return words[0] if words else None


def _is_file(path: str) -> bool:
    try:
        return os.path.isfile(path)
    except ValueError:
        return False  # an argument that is no path
