"""A program that can reach the gateway and nothing else: Linux namespaces, and one way out through this process.

The program gets a network of its own with nothing in it but loopback. A listener made in there is handed to this
process (`inside.py`), which leads each connection on to the real gateway; so there is no address, interface or
route that could be used for anything else. Bubblewrap makes the namespaces where it is installed, since some
systems allow it to and nobody else; otherwise `inside.py` makes them itself.

What it does NOT stop: a program may leave files that another one reads later, and it keeps the files, terminal
and standard streams that it was started with. `docs/how-to/run-a-program.md` says it in full.
"""

import asyncio
import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from interlock.gateway.sandbox import FOLDERS, unix_sockets
from interlock.model.errors import ConfigError
from interlock.run import inside
from interlock.run.program import Running

# What points a program at sockets that are covered up.
UNSET = ("SSH_AUTH_SOCK", "XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS", "DOCKER_HOST")
# The file that says why a kernel refuses namespaces to users, what it says then, and what to do about it.
REFUSALS = (
    (
        "/proc/sys/kernel/apparmor_restrict_unprivileged_userns",
        "1",
        "AppArmor allows it to a few programs only: install bubblewrap (the package of that name)",
    ),
    (
        "/proc/sys/kernel/unprivileged_userns_clone",
        "0",
        "it is allowed to nobody but root: sysctl -w kernel.unprivileged_userns_clone=1",
    ),
    ("/proc/sys/user/max_user_namespaces", "0", "it is turned off: sysctl -w user.max_user_namespaces=15000"),
)
IN_CONTAINER = "in a container its engine must allow user namespaces (its seccomp profile); or leave out --isolate"
PRIVILEGED_PORTS = 1024
NONE: Mapping[str, str] = {}
CHUNK_BYTES = 65_536


def address(port: int) -> tuple[str, int]:
    """Where the gateway is found from the inside, if its own port is `port`."""
    return inside.LOOPBACK, port if port >= PRIVILEGED_PORTS else port + 7_000


@contextlib.contextmanager
def isolated(
    command: Sequence[str],
    env: Mapping[str, str],
    gateway: tuple[str, int],
    hidden: Sequence[str] = (),
    instead: Mapping[str, str] = NONE,
) -> Iterator[Running]:
    """`command` running isolated, with the gateway at `address`; the way out is closed when the block ends.

    `hidden` folders are empty for the program; in place of each file in `instead` it finds the other one, which must
    not lie in such a folder. Raises: ConfigError if this system does not allow it.
    """
    if not sys.platform.startswith("linux"):
        hint = "run it without --isolate, or in a container whose only network is the gateway's"
        raise ConfigError("only Linux can isolate a program", where="--isolate", hint=hint)
    folders = sorted({os.path.realpath(path) for path in (*FOLDERS, *hidden) if os.path.isdir(path)})
    covers = [*instead.items(), *((path, "/dev/null") for path in unix_sockets(folders))]
    bwrap = shutil.which("bwrap")
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours:
        with theirs:
            step = [sys.executable, "-IS", inside.__file__, str(theirs.fileno()), *command]
            prefix = _bubblewrap(bwrap, folders, covers) if bwrap else []
            given = {name: value for name, value in env.items() if name not in UNSET}
            process = subprocess.Popen([*prefix, *step], env=given, pass_fds=[theirs.fileno()])  # noqa: S603 - as asked
        try:
            listener, pid = _handshake(ours, {
                "enter": not bwrap,
                "folders": folders,
                "covers": covers,
                "port": address(gateway[1])[1],
                "ignored": [n for n in inside.SIGNALS if signal.getsignal(n) is signal.SIG_IGN],
            })  # fmt: skip
        except BaseException:
            process.kill()
            process.wait()
            raise
    running = Running(process, pid)
    try:
        with listener, _Relay(listener, gateway):
            yield running
    finally:
        running.send(signal.SIGTERM)


def _bubblewrap(bwrap: str, folders: Sequence[str], covered: Sequence[tuple[str, str]]) -> list[str]:
    covers = [part for path, source in covered for part in ("--ro-bind", source, path)]
    covers += [part for path in folders for part in ("--tmpfs", path)]
    # bwrap itself only waits: what a terminal sends to all of us is for the program to act on.
    trap = ["/bin/sh", "-c", 'trap "" INT TERM HUP QUIT; exec "$@"', "sh"]
    return [*trap, bwrap, "--dev-bind", "/", "/", *covers, "--unshare-user", "--unshare-net", "--cap-drop", "ALL", "--"]


def _handshake(ours: socket.socket, order: Mapping[str, object]) -> tuple[socket.socket, int]:
    """Say what is to be done inside; the listener that was made there, and the program's process."""
    answer, fds = b"", list[int]()
    with contextlib.suppress(ConnectionError):  # it ended at once; what it said is on stderr
        ours.send(json.dumps(order).encode())
        answer, fds, *_ = socket.recv_fds(ours, inside.MESSAGE_BYTES, 1)
    said = json.loads(answer or b"{}")
    if not fds:
        what = f"this system does not allow it: {said.get('error', 'namespaces cannot be made')}"
        raise ConfigError(what, where="--isolate", hint=why())
    return socket.socket(fileno=fds[0]), said["pid"]


def why() -> str:
    """What to do where namespaces are refused: what the kernel's own settings say."""
    for name, value, hint in REFUSALS:
        with contextlib.suppress(OSError):
            if Path(name).read_text("ascii").strip() == value:
                return hint
    return IN_CONTAINER


class _Relay:
    """Leads each connection to `listener` on to the gateway, in a thread, while the block runs."""

    def __init__(self, listener: socket.socket, gateway: tuple[str, int]) -> None:
        self._listener, self._gateway = listener, gateway
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        server = await asyncio.start_server(self._lead, sock=self._listener)
        await self._stop.wait()
        server.close()

    async def _lead(self, inner: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        # Cancelled is what a connection is that outlives the program; asyncio before 3.12 would print that.
        with contextlib.suppress(OSError, asyncio.CancelledError), contextlib.closing(back):
            outer, forth = await asyncio.open_connection(*self._gateway)
            with contextlib.closing(forth):
                await asyncio.gather(_pump(inner, forth), _pump(outer, back))


async def _pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    while data := await source.read(CHUNK_BYTES):
        sink.write(data)
        await sink.drain()
    sink.write_eof()
