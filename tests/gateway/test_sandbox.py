"""What of homes, of secrets and of sockets a program in a sandbox finds, also of those that come to be there later."""

import hashlib
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from interlock.gateway.launch import Launch
from interlock.gateway.needs import needs
from interlock.gateway.sandbox import homes
from interlock.guard.mcp.settings import McpServer
from tests.gateway.test_launch import needs_bwrap

# Says for each path that it is told what it holds.
READ = """
import os, sys
print(flush=True)
for path in sys.stdin.read().split():
    try:
        print(sorted(os.listdir(path)) if os.path.isdir(path) else open(path).read())
    except OSError:
        print("-")
"""


@pytest.fixture
def folder() -> Iterator[Path]:
    made = Path(__file__).parent / f".sandbox-{os.getpid()}"
    (made / "home").mkdir(parents=True)
    yield made
    shutil.rmtree(made)


def read(
    folder: Path,
    paths: Sequence[Path],
    meanwhile: Callable[[], object] = int,
    hidden: Sequence[Path] = (),
    program: str = sys.executable,
    **settings: Any,
) -> list[str]:
    """What a program reads that had been started before `meanwhile` was done."""
    server = McpServer(command=(program, "-c", READ), sandbox=True, **settings)
    launch, env = Launch(hidden=tuple(map(str, hidden))), {"PATH": os.environ["PATH"], "HOME": str(folder / "home")}
    launch.check("s", server, env)
    words = launch.argv("s", server, env)
    with subprocess.Popen(
        words, env=env, cwd=server.cwd or None, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as running:
        assert running.stdin
        assert running.stdout
        running.stdout.readline()
        meanwhile()
        return running.communicate("\n".join(map(str, paths)))[0].splitlines()


def put(path: Path, text: str = "secret") -> Path:
    """A file in the place of another, as programs that write whole files do it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name("draft")
    draft.write_text(text)
    draft.replace(path)
    return path


@needs_bwrap
def test_what_is_replaced_or_made_later_is_not_there_either(folder: Path) -> None:
    home = folder / "home"
    kept, later, plain = put(home / ".git-credentials"), home / ".aws" / "credentials", put(folder / "plain", "plain")
    token = put(folder / "etc" / "token")
    beside = put(folder / "etc" / "beside", "plain")
    (folder / "etc" / "link").symlink_to("beside")

    def meanwhile() -> None:
        for path in (kept, later, token):
            put(path)

    paths = (kept, later, token, plain, beside, folder / "etc" / "link")
    assert read(folder, paths, meanwhile, hidden=[token]) == ["-", "-", "-", "plain", "plain", "plain"]


@needs_bwrap
def test_a_socket_in_a_home_is_not_there_and_one_that_is_open_elsewhere_is_masked(folder: Path) -> None:
    ask = "import socket, sys; socket.socket(socket.AF_UNIX).connect(sys.argv[1])"

    def connects(path: Path) -> bool:
        server = McpServer(command=(sys.executable, "-c", ask, path.name), sandbox=True, cwd=str(path.parent))
        env = {"PATH": os.environ["PATH"], "HOME": str(folder / "home")}
        words = Launch().argv("s", server, env)
        return subprocess.run(words, env=env, cwd=path.parent, capture_output=True, check=False).returncode == 0

    for place in (folder, folder / "home"):
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(place / "s"))
            listener.listen()
            assert not connects(place / "s")


@needs_bwrap
def test_a_server_in_a_home_finds_its_own_folder_its_files_and_its_interpreter(folder: Path) -> None:
    home = folder / "home"
    work, other = put(home / "work" / "data", "data").parent, put(home / "other")
    venv = home / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", venv], check=True)
    script = put(home / "scripts" / "one.py", "one")
    link = home / "link"
    link.symlink_to(work)
    digest = hashlib.sha256(b"one").hexdigest()
    paths = (home, script.parent, work / "data", other, script, link / "data")
    seen = read(folder, paths, program=str(venv / "bin" / "python"), cwd=str(link), files=(f"{script}={digest}",))
    assert seen == ["['link', 'scripts', 'venv', 'work']", "['one.py']", "data", "-", "one", "data"]


@needs_bwrap
def test_a_home_that_is_the_folder_it_starts_in_stays_empty(folder: Path) -> None:
    secret = put(folder / "home" / ".netrc")
    assert read(folder, [folder / "home"], cwd=str(folder / "home"), readable=()) == ["[]"]
    assert read(folder, [folder / "home"], readable=(str(secret),)) == ["['.netrc']"]


@needs_bwrap
def test_what_may_be_written_in_a_home_may_be_and_a_link_to_it_leads_there(folder: Path) -> None:
    cache = put(folder / "home" / ".npm" / "x", "cached").parent
    (folder / "home" / "short").symlink_to(cache)
    given = (str(folder / "home" / "short"),)
    assert read(folder, [folder / "home" / "short", cache], writable=given) == ["['x']", "['x']"]


def test_homes_are_known_without_the_variable() -> None:
    assert os.path.realpath(os.path.expanduser("~root")) in homes({})
    assert "/" not in homes({"HOME": "/"})


def test_what_a_program_needs(tmp_path: Path) -> None:
    for file in ("v20/bin/node", "v20/lib/node_modules/npm/bin/npx.js", "app/node_modules/p/i.js", "app/arg"):
        put(tmp_path / file, "#!/usr/bin/env node\n").chmod(0o755)
    npx = tmp_path / "v20" / "bin" / "npx"
    npx.symlink_to("../lib/node_modules/npm/bin/npx.js")
    script = tmp_path / "app" / "node_modules" / "p" / "i.js"
    found = needs([str(npx), str(script), "arg", "absent", "\0"], str(tmp_path / "app"), str(npx.parent), ["f"])
    expected = {
        "app", "app/f", "app/arg", "app/node_modules", "app/node_modules/p/i.js", "v20/bin", "v20/lib", "v20/bin/npx",
        "v20/bin/node", "v20/lib/node_modules", "v20/lib/node_modules/npm/bin",
        "v20/lib/node_modules/npm/bin/npx.js",
    }  # fmt: skip
    assert {os.path.relpath(path, tmp_path) for path in found} == expected
