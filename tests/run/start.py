"""`interlock run` as a process of its own, beside a running gateway."""

import os
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

from interlock.app import open_store
from interlock.config import load
from interlock.store import Key
from tests.gateway.process import COMMAND, LIMIT_S, Up, environment

PYTHON = sys.executable
UNSHARE = ("unshare", "--user", "--map-root-user")


@cache
def refused() -> str:
    """Why this machine cannot isolate a program; empty if it can."""
    if sys.platform != "linux":
        return "only Linux has namespaces"
    done = subprocess.run([*UNSHARE, "--net", "true"], capture_output=True, text=True, check=False)
    return "" if done.returncode == 0 else f"this kernel refuses namespaces: {done.stderr.strip()}"


def outside(folder: Path, gateway: Up, **more: str) -> dict[str, str]:
    """The environment of who types the command: with the provider's own key in it, as before interlock came."""
    return {
        **environment(folder),
        "INTERLOCK_CONFIG": str(folder / "interlock.toml"),
        "INTERLOCK_GATEWAY_PORT": str(gateway.port),
        "OPENAI_API_KEY": "sk-the-real-one",
        **more,
    }


def run(folder: Path, gateway: Up, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    """`interlock run ARGUMENTS` to its end."""
    return subprocess.run(
        [*COMMAND, "run", *arguments],
        env=outside(folder, gateway, **more),
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )


def begin(folder: Path, gateway: Up, *arguments: str, wrap: tuple[str, ...] = (), **more: Any) -> subprocess.Popen[str]:
    """`interlock run ARGUMENTS`, under way, with its stdout to read; `wrap` is a command to start it by."""
    command = [*wrap, *COMMAND, "run", *arguments]
    given = {"stdout": subprocess.PIPE, "text": True, "env": outside(folder, gateway), **more}
    return subprocess.Popen(command, cwd=folder, **given)


def keys(folder: Path) -> tuple[Key, ...]:
    """The keys that the store holds, newest first."""
    store = open_store(load(str(folder / "interlock.toml"), str(folder / "data"), os.environ))
    found = store.keys()
    store.close()
    return found
