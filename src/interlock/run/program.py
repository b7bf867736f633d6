"""Runs a program to its end in this terminal: its streams untouched, signals passed on, its exit code given back."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import FrameType
from typing import Any

# The ones that are for the program to act on. The terminal sends the first two to every process in front.
FROM_TERMINAL = (signal.SIGINT, signal.SIGQUIT)
PASSED_ON = (*FROM_TERMINAL, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)


def interlock() -> list[str]:
    """The words that start interlock itself, whatever folder and PATH the one who uses them has."""
    found = shutil.which("interlock")
    return [os.path.abspath(found)] if found else [sys.executable, "-m", "interlock"]


@dataclass(frozen=True, slots=True)
class Running:
    """A program that was started: the process to wait for, and the one to send signals to."""

    process: subprocess.Popen[bytes]
    pid: int

    def send(self, number: int) -> None:
        """Send it a signal, unless it has ended."""
        if self.process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)


@contextlib.contextmanager
def started(command: Sequence[str], env: Mapping[str, str]) -> Iterator[Running]:
    """`command` running with this environment; told to stop if the block is left before it has ended."""
    process = subprocess.Popen(command, env=env)  # noqa: S603 - to run what the user names is what this is for
    running = Running(process, process.pid)
    try:
        yield running
    finally:
        running.send(signal.SIGTERM)


class Signals:
    """What becomes of signals while the block runs, so that everything is tidied up behind the program.

    - Before there is a program they end the block, as an exception with the exit code 128 and the number.
    - While it runs they are passed on to it, and it decides. What the terminal sent it has already.
    - Once it has ended they change nothing any more: the tidying up goes on.

    Signals that this process was started to ignore stay ignored. Use it in the main thread.
    """

    def __init__(self) -> None:
        self._running: Running | None = None
        self._over = False
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> "Signals":
        self._before = {n: signal.getsignal(n) for n in PASSED_ON if signal.getsignal(n) is not signal.SIG_IGN}
        for number in self._before:
            signal.signal(number, self._handle)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def wait(self, running: Running) -> int:
        """The exit code of the program once it has ended; 128 and the number of the signal, if one ended it."""
        self._running = running
        code = running.process.wait()
        self._over = True
        return 128 - code if code < 0 else code

    def _handle(self, number: int, _: FrameType | None) -> None:
        if self._over:
            return
        if self._running is None:
            self._over = True
            raise SystemExit(128 + number)
        if not (number in FROM_TERMINAL and _in_front()):
            self._running.send(number)


def _in_front() -> bool:
    """Whether this process is one of those that the terminal's keys speak to."""
    with contextlib.suppress(OSError):  # there is no terminal
        terminal = os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY)
        try:
            return os.tcgetpgrp(terminal) == os.getpgrp()
        finally:
            os.close(terminal)
    return False
