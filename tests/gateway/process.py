"""`interlock up` as a process of its own, as a user starts it."""

import contextlib
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.gateway.wire import PROVIDER_KEY

LIMIT_S = 240.0
COMMAND = (sys.executable, "-m", "interlock")


def configure(folder: Path, upstream: str, more: str = "") -> Path:
    """A configuration file with free ports and this upstream."""
    file = folder / "interlock.toml"
    text = "[gateway]\nport = 0\n[console]\nport = 0\n"
    file.write_text(f'{text}[llm.upstreams.openai]\nurl = "{upstream}"\napi_key_env = "PROVIDER_KEY"\n{more}')
    return file


def environment(folder: Path) -> dict[str, str]:
    return {**os.environ, "INTERLOCK_DATA": str(folder / "data"), "PROVIDER_KEY": PROVIDER_KEY}


def interlock(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end, with the configuration in `folder`."""
    command = (*COMMAND, *arguments, "--config", str(folder / "interlock.toml"))
    return subprocess.run(
        command, env=environment(folder), capture_output=True, text=True, timeout=LIMIT_S, check=False, cwd=folder
    )


def make_key(folder: Path, workload: str = "w") -> str:
    made = interlock(folder, "identity", "add", workload)
    assert made.returncode == 0, made.stderr
    found = re.search(r"ilk_\w+", made.stdout)
    assert found
    return found[0]


@dataclass
class Up:
    """A running gateway. `errors` is the file that takes its stderr."""

    process: subprocess.Popen[str]
    url: str
    errors: Path

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    def line(self) -> str:
        """The next line of its stdout; empty at the end."""
        assert self.process.stdout
        return self.process.stdout.readline()


@contextlib.contextmanager
def up(folder: Path) -> Iterator[Up]:
    """`interlock up` with the configuration in `folder`. It is killed if the test takes too long, or leaves it."""
    errors = folder / "stderr"
    command = (*COMMAND, "up", "--config", str(folder / "interlock.toml"))
    with (
        errors.open("a") as stderr,
        subprocess.Popen(
            command, env=environment(folder), stdout=subprocess.PIPE, stderr=stderr, text=True, cwd=folder
        ) as process,
    ):
        watchdog = threading.Timer(LIMIT_S, process.kill)
        watchdog.start()
        try:
            assert process.stdout
            first = process.stdout.readline().split()
            assert first[:1] == ["gateway"], errors.read_text()
            yield Up(process, first[1], errors)
        finally:
            watchdog.cancel()
            process.kill()
