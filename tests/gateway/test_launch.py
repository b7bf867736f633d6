"""Which programs are started as MCP servers, what they see in a sandbox, and that nothing of them is left."""

import asyncio
import hashlib
import json
import os
import pwd
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from interlock.gateway.launch import Launch, LaunchSettings, ProgramSettings, check_program
from interlock.gateway.mcp_programs import PATIENCE_S, Programs
from interlock.guard.mcp.settings import McpServer, check_server
from interlock.mcp import messages
from interlock.model.errors import ConfigError, UpstreamError
from tests.gateway.mcp_wire import McpWire, mcp_wire, token
from tests.gateway.test_mcp_programs import COMMAND, ENV, PROGRAM
from tests.gateway.wire import run, until


def digest(path: str | Path) -> str:
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def listed(**programs: ProgramSettings) -> Launch:
    return Launch(LaunchSettings(launch="listed"), programs)


def argv(launch: Launch, *command: str, **settings: Any) -> list[str]:
    server = McpServer(command=command, **settings)
    launch.check("s", server, ENV)
    return launch.argv("s", server, ENV)


@pytest.mark.parametrize("name", ["PYTHONPATH", "LD_PRELOAD", "NODE_OPTIONS", "BASH_ENV", "JAVA_TOOL_OPTIONS"])
def test_a_listed_program_is_given_no_variable_that_loads_other_code(name: str) -> None:
    with pytest.raises(ConfigError, match=name) as refused:
        argv(listed(a=ProgramSettings(("sh", "..."))), "sh", env=("TOKEN", name))
    assert refused.value.where == "mcp.servers.s.env"
    assert argv(listed(a=ProgramSettings(("sh", "..."), env=(name,))), "sh", env=("TOKEN", name))
    assert argv(listed(a=ProgramSettings(("sh", "..."))), "sh", env=("TOKEN",))
    assert argv(Launch(), "sh", env=(name,))


@pytest.mark.parametrize(
    ("allowed", "command", "ok"),
    [
        (("sh", "-c", "x"), ("sh", "-c", "x"), True),
        (("sh", "-c", "x"), ("sh", "-c", "y"), False),
        (("sh", "-c", "x"), ("sh", "-c"), False),
        (("sh", "-c"), ("sh", "-c", "y"), False),
        (("sh", "..."), ("sh", "-c", "y"), True),
        (("sh", "..."), ("sh",), True),
        (("sh", "a", "..."), ("sh", "b", "a"), False),
        (("sh",), ("SH",), False),
        (("sh",), ("sh; ls",), False),
        (("/bin/sh",), ("sh",), shutil.which("sh") == "/bin/sh"),
        (("/nowhere/sh",), ("sh",), False),
        (("sh",), ("/nowhere/sh",), False),
    ],
)
def test_only_what_is_listed_is_started(allowed: tuple[str, ...], command: tuple[str, ...], ok: bool) -> None:
    launch = listed(a=ProgramSettings(("other",)), b=ProgramSettings(allowed))
    if ok:
        assert argv(launch, *command)[1:] == list(command[1:])
        return
    with pytest.raises(ConfigError, match="not listed"):
        argv(launch, *command)
    with pytest.raises(UpstreamError):
        launch.argv("s", McpServer(command=command), ENV)


def test_files_that_are_not_the_approved_ones(tmp_path: Path) -> None:
    script = tmp_path / "server.py"
    script.write_text("print()")
    right, wrong = f"{script}={digest(script)}", f"{script}={'0' * 64}"
    sh = shutil.which("sh")
    assert sh
    assert argv(Launch(), "sh", files=(right,), sha256=digest(sh))
    assert argv(Launch(), "sh", files=(f"server.py={digest(script)}",), cwd=str(tmp_path))
    assert argv(listed(a=ProgramSettings(("sh",), digest(sh), (right,))), "sh")
    refused: list[tuple[Launch, dict[str, Any]]] = [
        (Launch(), {"files": (wrong,)}),
        (Launch(), {"files": (f"{tmp_path}/gone={'0' * 64}",)}),
        (Launch(), {"sha256": "0" * 64}),
        (listed(a=ProgramSettings(("sh",), "0" * 64)), {}),
        (listed(a=ProgramSettings(("sh",), "", (wrong,))), {"files": (right,)}),
    ]
    for launch, settings in refused:
        with pytest.raises(UpstreamError, match="not the file that was approved"):
            argv(launch, "sh", **settings)
    script.write_text("import os")
    with pytest.raises(UpstreamError, match=r"server\.py"):
        argv(Launch(), "sh", files=(right,))


@pytest.mark.parametrize(
    ("program", "where"),
    [
        (ProgramSettings(), "command"),
        (ProgramSettings(("...",)), "command"),
        (ProgramSettings(("a",), "AB"), "sha256"),
        (ProgramSettings(("a",), files=("x",)), "files"),
        (ProgramSettings(("a",), files=("x=",)), "files"),
        (ProgramSettings(("a",), files=("x=12",)), "files"),
    ],
)
def test_tables_that_list_no_program(program: ProgramSettings, where: str) -> None:
    check_program("a", ProgramSettings(("a",), "0" * 64, ("x=y=" + "0" * 64,)))
    with pytest.raises(ConfigError) as error:
        check_program("a", program)
    assert error.value.where == where
    if where == "files":
        with pytest.raises(ConfigError):
            check_server("s", McpServer(command=("a",), files=program.files))


# --- the sandbox ---------------------------------------------------------------------------------------------

BWRAP = shutil.which("bwrap")
HOME = pwd.getpwuid(os.getuid()).pw_dir
WORKS = BWRAP and subprocess.run(
    [BWRAP, "--unshare-all", "--ro-bind", "/", "/", "--proc", "/proc", "true"], capture_output=True, check=False
).returncode == 0  # fmt: skip
needs_bwrap = pytest.mark.skipif(not WORKS, reason="bubblewrap is not there, or may not make namespaces")
# Says on one line what it sees.
LOOK = """
import json, os, socket, sys
home, place, outside = sys.argv[1:4]
def can(work):
    try:
        work()
    except OSError:
        return False
    return True
print(json.dumps({
    "write": can(lambda: open(os.path.join(outside, "w"), "w")),
    "write_given": can(lambda: open(os.path.join(place, "w"), "w")),
    "write_tmp": can(lambda: open("/tmp/interlock-test", "w")),
    "write_root": can(lambda: open("/interlock-test", "w")),
    "ssh": os.path.exists(os.path.join(home, ".ssh", "id")),
    "home": sorted(os.listdir(home)),
    "processes": len([name for name in os.listdir("/proc") if name.isdigit()]),
    "interfaces": [name for _, name in socket.if_nameindex()],
    "capable": int(next(l for l in open("/proc/self/status") if l.startswith("CapEff")).split()[1], 16),
    "run": os.listdir("/run"),
}))
"""


def look(folder: Path, **settings: Any) -> dict[str, Any]:
    """What a program sees in its sandbox."""
    # /tmp is the sandbox's own, so that what it is to see has to lie elsewhere.
    home, place, data = folder / "home", folder / "given", folder / "data"
    for made in (home / ".ssh", place, data):
        made.mkdir(parents=True)
    for file in (home / ".ssh" / "id", home / ".claude.json", home / "notes"):
        file.write_text("secret")
    server = McpServer(
        command=(sys.executable, "-c", LOOK, str(home), str(place), str(folder)), sandbox=True, **settings
    )
    launch = Launch(hidden=(str(data),))
    env = {"PATH": os.environ["PATH"], "HOME": str(home)}
    launch.check("s", server, env)
    done = subprocess.run(launch.argv("s", server, env), capture_output=True, env=env, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.fixture
def folder() -> Any:
    made = Path(__file__).parent / f".sandbox-{os.getpid()}"
    yield made
    shutil.rmtree(made)


@needs_bwrap
def test_a_sandbox_shows_little_and_lets_nothing_be_written(folder: Path) -> None:
    assert look(folder) == {
        "write": False, "write_given": False, "write_tmp": True, "write_root": False, "ssh": False, "home": [],
        "processes": 2, "interfaces": ["lo"], "capable": 0, "run": [],
    }  # fmt: skip
    assert not Path("/tmp/interlock-test").exists()


@needs_bwrap
def test_a_sandbox_has_what_it_is_given(folder: Path) -> None:
    seen = look(folder, network=True, writable=(str(folder / "given"),))
    assert (seen["write"], seen["write_given"]) == (False, True)
    assert len(seen["interfaces"]) == len(os.listdir("/sys/class/net"))


@needs_bwrap
def test_a_home_stays_empty_in_a_folder_that_may_be_written_but_for_what_is_given(folder: Path) -> None:
    seen = look(folder, writable=(str(folder),), readable=(str(folder / "home" / "notes"),))
    assert (seen["write"], seen["home"]) == (True, ["notes"])


@needs_bwrap
def test_a_server_in_a_sandbox_answers_and_leaves_nothing() -> None:
    async def work() -> None:
        async with mcp_wire(McpServer(command=COMMAND, sandbox=True, env=("NOTES_KEY",)), ENV) as wire:
            said = (await wire.call("read_names"))["result"]["content"][0]["text"]
            assert "NOTES_KEY" in said
            assert "SECRET" not in said
            (program,) = wire.door.programs["s"]._running.values()
        assert not alive(program._process.pid)

    run(work)


def test_a_sandbox_that_cannot_be_made_is_refused_at_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    server = McpServer(command=COMMAND, sandbox=True)
    with pytest.raises(ConfigError, match="bubblewrap"):
        Launch().check("s", server, ENV)
    with pytest.raises(UpstreamError, match="bubblewrap"):
        Launch().argv("s", server, ENV)


@needs_bwrap
@pytest.mark.parametrize("path", ["relative", "/no/such/folder", "/", "/home", HOME])
def test_what_a_sandbox_cannot_be_given(path: str) -> None:
    for verb, given in (("write", "writable"), ("read", "readable")):
        with pytest.raises(ConfigError, match=f"to {verb}"):
            Launch().check("s", McpServer(command=COMMAND, sandbox=True, **{given: (path,)}), ENV)  # type: ignore[arg-type]


# --- the end -------------------------------------------------------------------------------------------------

# A server that ignores the end of its stdin and SIGTERM (`stubborn`), or only has a child that does.
STUBBORN = """
import os, signal, subprocess, sys
child = "import signal, sys; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', file=sys.stderr, flush=True); "
child = [sys.executable, "-c", child + "signal.pause()"]
started = subprocess.Popen(child, stderr=subprocess.PIPE, start_new_session=sys.argv[2] == "away")
started.stderr.readline()
if sys.argv[2] == "stubborn":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
open(sys.argv[3], "w").write(str(started.pid))
sys.path.insert(0, sys.argv[1])
import mcp_program
mcp_program.main()
if sys.argv[2] == "stubborn":
    signal.pause()
"""


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def stubborn(tmp_path: Path, how: str) -> McpServer:
    return McpServer(command=(sys.executable, "-c", STUBBORN, str(PROGRAM.parent), how, str(tmp_path / "child")))


@pytest.mark.parametrize("how", ["stubborn", "child"])
def test_a_program_and_what_it_started_are_ended(tmp_path: Path, how: str) -> None:
    async def work() -> None:
        async with mcp_wire(stubborn(tmp_path, how), ENV) as wire:
            assert "result" in await wire.call("read_names")
            (program,) = wire.door.programs["s"]._running.values()
            pids = program._process.pid, int((tmp_path / "child").read_text())
            assert all(map(alive, pids))
        assert not any(map(alive, pids))

    run(work)


def test_a_program_that_breaks_is_ended_with_its_children_though_they_ignore_sigterm(tmp_path: Path) -> None:
    async def work() -> None:
        async with mcp_wire(stubborn(tmp_path, "stubborn"), ENV) as wire:
            assert "error" in await wire.call("read_junk")
            child = int((tmp_path / "child").read_text())
            await until(lambda: not alive(child))
            assert wire.gate.said == []

    run(work)


def test_what_has_left_the_group_keeps_nobody_waiting(tmp_path: Path) -> None:
    async def work() -> None:
        async with mcp_wire(stubborn(tmp_path, "away"), ENV) as wire:
            assert "result" in await wire.call("read_names")
            began = time.monotonic()
            await wire.door.programs["s"].close()
            assert time.monotonic() - began < 2 * PATIENCE_S
        os.kill(int((tmp_path / "child").read_text()), 9)

    run(work)


# --- many at once --------------------------------------------------------------------------------------------


def test_many_who_want_a_workloads_first_answer_start_one_program(tmp_path: Path) -> None:
    count = tmp_path / "count"
    command = ("sh", "-c", 'echo >> "$1"; exec "$2" "$3"', "sh", str(count), *COMMAND)

    async def work() -> None:
        async with mcp_wire(McpServer(command=command), ENV) as wire:
            answers = await asyncio.gather(*(wire.call("read_names") for _ in range(10)))
            assert all("result" in answer for answer in answers)
            assert count.read_text() == "\n"

    run(work)


def test_a_program_that_cannot_be_started_tells_all_who_wait() -> None:
    async def work() -> None:
        async with mcp_wire(McpServer(command=("sh", "x"), sha256="0" * 64), ENV) as wire:
            answers = await asyncio.gather(*(wire.call("read_names") for _ in range(5)))
            assert {answer["error"]["code"] for answer in answers} == {messages.INTERNAL_ERROR}
            assert wire.gate.said == []

    run(work)


def test_there_are_so_many_programs_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("interlock.gateway.mcp_programs.MOST_PROGRAMS", 2)

    async def ask(wire: McpWire, workload: str) -> int:
        call = {"name": "read_names", "arguments": {}}
        return (await wire.ask("tools/call", call, shown=token(workload))).status

    async def work() -> None:
        async with mcp_wire(McpServer(command=COMMAND), ENV) as wire:
            statuses = await asyncio.gather(*(ask(wire, f"w{number}") for number in range(4)))
            assert sorted(statuses) == [200, 200, 503, 503]
            assert isinstance(wire.door.programs["s"], Programs)

    run(work)
