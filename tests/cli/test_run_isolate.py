"""`interlock run --isolate` on the real kernel: the gateway answers, and nothing else can be reached or talked to."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from interlock.cli import main
from interlock.run import isolate
from interlock.run.inside import call_filter
from interlock.testing.model import ModelServer, Say
from tests.gateway.process import LIMIT_S, Up, configure, up
from tests.run.start import PYTHON, UNSHARE, begin, keys, outside, refused, run

pytestmark = pytest.mark.skipif(bool(refused()), reason=refused() or "-")

AGENT = """
from openai import OpenAI
messages = [{"role": "user", "content": "hi"}]
answer = OpenAI(max_retries=0).chat.completions.create(model="m", messages=messages, stream=True)
print("".join(piece.choices[0].delta.content or "" for piece in answer))
raise SystemExit(7)
"""
# Tries each way out that it is given, and says what came of it.
PROBE = """
import ctypes, errno, fcntl, json, os, socket, sys, termios
given, said = json.loads(sys.argv[1]), {}
def attempt(name, act):
    try:
        said[name] = act() or "open"
    except OSError as error:
        said[name] = errno.errorcode.get(error.errno, str(error))
def call(name, *arguments):
    if getattr(libc, name)(*arguments) < 0:
        raise OSError(ctypes.get_errno(), name)
libc = ctypes.CDLL(None, use_errno=True)
attempt("gateway", lambda: socket.create_connection(("127.0.0.1", given["gateway"]), 5).close())
attempt("loopback", lambda: socket.create_connection(("127.0.0.1", given["loopback"]), 5).close())
attempt("network", lambda: socket.create_connection(("192.0.2.1", 443), 5).close())
attempt("unix", lambda: socket.socket(socket.AF_UNIX).connect(given["unix"]))
attempt("abstract", lambda: socket.socket(socket.AF_UNIX).connect("\\0" + given["abstract"]))
attempt("vsock", lambda: socket.socket(40, socket.SOCK_STREAM).close())
attempt("io_uring", lambda: call("syscall", 425, 8, None))
attempt("tiocsti", lambda: fcntl.ioctl(0, termios.TIOCSTI, b"x") and None)
attempt("cover", lambda: call("umount2", b"/run", 2))
attempt("network namespace", lambda: call("setns", os.open(f"/proc/{given['pid']}/ns/net", os.O_RDONLY), 0))
attempt("root of another", lambda: os.listdir(f"/proc/{given['pid']}/root") and None)
inherited = [f"/proc/self/fd/{fd}" for fd in os.listdir("/proc/self/fd") if int(fd) > 2]
said["descriptors"] = [fd for fd in inherited if os.path.exists(fd)]  # the listing's own is gone by now
said["data"] = os.listdir(given["data"])
said["run"] = os.listdir("/run")
said["agent"] = os.environ.get("SSH_AUTH_SOCK")
print(json.dumps(said))
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("agent")


@pytest.fixture(scope="module")
def gateway(folder: Path) -> Iterator[Up]:
    with ModelServer(lambda _: Say("hello there you")) as model:
        configure(folder, model.url)
        with up(folder) as started:
            yield started


@pytest.fixture(params=["namespaces", "bubblewrap"])
def path(request: pytest.FixtureRequest, folder: Path) -> str:
    """A PATH with bubblewrap on it, and one without."""
    if request.param == "namespaces":
        return str(folder)
    if not shutil.which("bwrap"):
        pytest.skip("bubblewrap is not installed")
    return os.environ["PATH"]


def isolated(folder: Path, gateway: Up, path: str, *command: str, **more: str) -> subprocess.CompletedProcess[str]:
    return run(folder, gateway, "--isolate", "--", *command, PATH=path, **more)


def test_the_official_sdk_streams_through_the_gateway(folder: Path, gateway: Up, path: str) -> None:
    done = isolated(folder, gateway, path, PYTHON, "-c", AGENT)
    assert (done.returncode, done.stdout.rstrip()) == (7, "hello there you"), done.stderr
    assert "Traceback" not in done.stderr
    assert keys(folder)[0].revoked_us


def test_nothing_else_can_be_reached(folder: Path, gateway: Up, path: str, tmp_path: Path) -> None:
    here = tmp_path / "s"
    with (
        socket.create_server(("127.0.0.1", 0)) as loopback,
        socket.socket(socket.AF_UNIX) as unix,
        socket.socket(socket.AF_UNIX) as abstract,
    ):
        unix.bind(str(here))
        abstract.bind(f"\0{tmp_path}")
        unix.listen()
        abstract.listen()
        given = {
            "gateway": gateway.port, "loopback": loopback.getsockname()[1], "unix": str(here),
            "abstract": str(tmp_path), "pid": os.getpid(), "data": str(folder / "data"),
        }  # fmt: skip
        done = isolated(folder, gateway, path, PYTHON, "-c", PROBE, json.dumps(given), SSH_AUTH_SOCK="/tmp/agent")
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout) == {
            "gateway": "open",
            "loopback": "ECONNREFUSED",
            "network": "ENETUNREACH",
            "unix": "ECONNREFUSED",
            "abstract": "ECONNREFUSED",
            "vsock": "EAFNOSUPPORT",
            "io_uring": "ENOSYS",
            "tiocsti": "EPERM",
            "cover": "EPERM",
            "network namespace": "EACCES",
            "root of another": "EACCES",
            "descriptors": [],
            "data": [],
            "run": [],
            "agent": None,
        }


def test_outside_the_same_ways_are_open(folder: Path, gateway: Up) -> None:
    # Else the test above would say nothing.
    with socket.create_server(("127.0.0.1", 0)) as loopback:
        reach = f"import socket; socket.create_connection(('127.0.0.1', {loopback.getsockname()[1]}), 5)"
        assert run(folder, gateway, "--", PYTHON, "-c", reach).returncode == 0
        assert isolated(folder, gateway, str(folder), PYTHON, "-c", reach).returncode == 1


def test_many_connections_at_once_and_one_that_ends_first(folder: Path, gateway: Up, path: str) -> None:
    ask = f"""
import socket
def asked(connection):
    connection.sendall(b"GET /healthz HTTP/1.1\\r\\nHost: g\\r\\nConnection: close\\r\\n\\r\\n")
    return b"".join(iter(lambda: connection.recv(4096), b""))
many = [socket.create_connection(("127.0.0.1", {gateway.port})) for _ in range(50)]
many.pop().close()
print(sum(b'"ok"' in asked(connection) for connection in many))
"""
    assert isolated(folder, gateway, path, PYTHON, "-c", ask).stdout == "49\n"


def test_what_a_program_leaves_behind_loses_its_way_out(folder: Path, gateway: Up, path: str) -> None:
    # The child keeps an answer open that never ends, and so sees when the way is closed.
    leave = f"""
import os, socket
connection = socket.create_connection(("127.0.0.1", {gateway.port}))
connection.sendall(b"GET /healthz HTTP/1.1\\r\\nHost: g\\r\\n\\r\\n")
connection.recv(4096)
if os.fork() == 0:
    print(connection.recv(4096), flush=True)
"""
    done = isolated(folder, gateway, path, PYTHON, "-c", leave)
    assert (done.returncode, done.stdout) == (0, "b''\n")
    assert "Traceback" not in done.stderr


def test_a_signal_reaches_the_program(folder: Path, gateway: Up, path: str) -> None:
    program = "import signal, sys; print('ready', flush=True); sys.exit(signal.sigwait([signal.SIGTERM]))"
    block = "import signal; signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM]); "
    env = outside(folder, gateway, PATH=path)
    with begin(folder, gateway, "--isolate", "--", PYTHON, "-c", block + program, env=env) as process:
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGTERM)
        assert process.wait(LIMIT_S) == signal.SIGTERM
    assert isolated(folder, gateway, path, "/bin/sh", "-c", "kill -KILL $$").returncode == 128 + signal.SIGKILL


def test_where_the_kernel_refuses_it_says_why_and_starts_nothing(folder: Path, gateway: Up) -> None:
    # A user namespace may forbid those below it, as a system may forbid them to users.
    forbid = 'echo 0 > /proc/sys/user/max_user_namespaces && exec "$@"'
    env = outside(folder, gateway, PATH=str(folder))
    unshare = shutil.which("unshare")
    assert unshare
    wrap = (unshare, *UNSHARE[1:], "/bin/sh", "-c", forbid, "sh")
    command = ("--isolate", "--", "/bin/echo", "started")
    with begin(folder, gateway, *command, wrap=wrap, env=env, stderr=subprocess.PIPE) as process:
        out, err = process.communicate(timeout=LIMIT_S)
    assert (process.returncode, out) == (3, "")
    assert "interlock: --isolate: this system does not allow it: [Errno 28] unshare: No space left on device" in err
    assert "it is turned off: sysctl -w user.max_user_namespaces=15000" in err
    assert keys(folder)[0].revoked_us


def test_elsewhere_than_on_linux_it_says_so(
    folder: Path, gateway: Up, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("INTERLOCK_GATEWAY_PORT", str(gateway.port))
    monkeypatch.setattr(sys, "platform", "darwin")
    options = ["--config", str(folder / "interlock.toml"), "--data", str(folder / "data")]
    assert main(["run", *options, "--isolate", "--", "/bin/echo", "started"]) == 3
    said = capfd.readouterr()
    assert "only Linux can isolate a program" in said.err
    assert said.out == ""


@pytest.mark.parametrize("machine", ["x86_64", "aarch64", "riscv64"])
def test_the_filter_is_whole_steps_with_jumps_inside(machine: str) -> None:
    program = call_filter(machine)
    assert len(program) % 8 == 0
    for at in range(0, len(program), 8):
        then, otherwise = program[at + 2], program[at + 3]
        assert at + 8 * (1 + max(then, otherwise)) < len(program) or not (then or otherwise)
    with pytest.raises(OSError, match="not known"):
        call_filter("pdp11")


def test_a_gateway_on_a_privileged_port_is_found_above() -> None:
    assert isolate.address(443) == ("127.0.0.1", 7_443)
    assert isolate.address(7_700) == ("127.0.0.1", 7_700)
