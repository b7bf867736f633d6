"""The guard around pure rooms: it sees every kind of I/O, and lets honest work through."""

import ast
import contextlib
import ctypes
import importlib
import io
import os
import re
import shutil
import socket
import sqlite3
import subprocess
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from tests.purity import ImpureError, pure

IMPURE: dict[str, Callable[[], object]] = {
    "open a file": partial(open, __file__),
    "open through pathlib": lambda: Path(__file__).read_bytes(),
    "open through io": partial(io.open_code, __file__),
    "open a descriptor": lambda: os.open(__file__, os.O_RDONLY),
    "list a folder": lambda: os.listdir("."),
    "walk a folder": lambda: list(os.scandir(".")),
    "remove a file": lambda: os.remove("no-such-file"),
    "make a temporary file": tempfile.mkstemp,
    "copy a file": lambda: shutil.copyfile("no-such-file", "other"),
    "import a module": lambda: __import__("this_module_is_not_there"),
    "import by name": lambda: importlib.import_module("xmlrpc.client"),
    "make a socket": socket.socket,
    "resolve a name": lambda: socket.getaddrinfo("localhost", 1),
    "run a program": lambda: subprocess.run(["true"], check=True),
    "run a shell": lambda: os.system("true"),
    "open a database": lambda: sqlite3.connect(":memory:"),
    "load a library": lambda: ctypes.CDLL(None),
    "change the environment": lambda: os.putenv("INTERLOCK_PURITY", "1"),
    "run code": lambda: eval("1 + 1"),
}


@pytest.mark.parametrize("name", IMPURE)
def test_each_kind_of_io_is_caught(name: str) -> None:
    with pytest.raises(ImpureError), pure():
        IMPURE[name]()


def test_swallowing_the_error_does_not_help() -> None:
    with pytest.raises(ImpureError), pure(), contextlib.suppress(BaseException):
        Path(__file__).read_bytes()


def test_work_on_values_passes() -> None:
    with pure():
        tree = ast.parse("x = 1\ny = [x]")
        words = re.findall(r"\w+", "two words")
    assert len(tree.body) == 2
    assert words == ["two", "words"]


def test_the_guard_is_off_outside() -> None:
    with pure():
        pass
    assert Path(__file__).read_bytes()
