"""What the repository promises about itself: licence, locks, versions, and no trace of a machine."""

import re
import subprocess
import tomllib
from pathlib import Path

import pytest

import interlock

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
LOCKS = ("runtime", "demo", "dev")
MOST_LINES = 400


def lock(name: str) -> str:
    return (ROOT / f"requirements/{name}.txt").read_text("utf-8")


def pinned(text: str) -> dict[str, set[str]]:
    """Each package of a lock with its versions (more than one where a platform needs another)."""
    found: dict[str, set[str]] = {}
    for name, version in re.findall(r"(?m)^([\w.-]+)==(\S+)", text):
        found.setdefault(name.lower(), set()).add(version)
    return found


def names(requirements: list[str]) -> set[str]:
    return {re.split(r"[\s\[<>=!;]", requirement)[0].lower() for requirement in requirements}


@pytest.mark.parametrize("name", LOCKS)
def test_each_package_of_a_lock_has_a_version_and_hashes_and_no_address(name: str) -> None:
    text = lock(name)
    entries = re.split(r"(?m)^(?=[\w.-]+==)", text)[1:]
    assert entries
    assert all("--hash=sha256:" in entry for entry in entries)
    assert "://" not in text
    assert "--index" not in text
    assert "--find-links" not in text


def test_the_locks_agree_and_hold_what_the_project_asks_for() -> None:
    runtime, demo, dev = (pinned(lock(name)) for name in LOCKS)
    assert runtime.items() <= demo.items() <= dev.items()
    assert names(PROJECT["dependencies"]) <= runtime.keys()
    assert names(PROJECT["optional-dependencies"]["demo"]) <= demo.keys()


def test_each_runtime_dependency_has_its_reason() -> None:
    record = (ROOT / "docs/adr/0002-dependencies.md").read_text("utf-8")
    reasons = set(re.findall(r"(?m)^\| `([\w-]+)` \|", record))
    assert reasons == names(PROJECT["dependencies"])


def test_the_version_is_in_the_changelog() -> None:
    newest = re.search(r"(?m)^## \[(\d+\.\d+\.\d+)\]", (ROOT / "CHANGELOG.md").read_text("utf-8"))
    assert newest is not None
    assert newest[1] == interlock.__version__


def test_the_licence_is_apache_2_and_the_package_is_typed() -> None:
    assert PROJECT["license"] == "Apache-2.0"
    assert "Apache License" in (ROOT / "LICENSE").read_text("utf-8")
    assert (ROOT / "src/interlock/py.typed").is_file()


def tracked() -> list[Path]:
    """The files of the repository; of a source archive without git, all that stand where they would."""
    done = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
    if done.returncode == 0:
        return [ROOT / name for name in done.stdout.split("\0") if name and (ROOT / name).is_file()]
    folders = ("src", "tests", "docs", "bench", "requirements")
    return [path for folder in folders for path in (ROOT / folder).rglob("*") if path.is_file()]


def test_no_file_names_a_place_on_somebodys_machine() -> None:
    """Home folders and work folders of whoever wrote it would be wrong on every other machine."""
    homes = re.compile(rb"(?<![\w.])/(?:home/(?!(?:user|me)\b)\w+|Users/\w+|work/\w+|root/\w+|tmp/(?:pytest|bash)\w*)")
    found = {
        path.relative_to(ROOT).as_posix(): match[0]
        for path in tracked()
        if path != Path(__file__) and (match := homes.search(path.read_bytes()))
    }
    assert found == {}


def test_source_files_are_short_enough_to_read() -> None:
    lines = {path.name: len(path.read_text("utf-8").splitlines()) for path in (ROOT / "src").rglob("*.py")}
    assert {name: count for name, count in lines.items() if count > MOST_LINES} == {}


def test_every_room_says_what_belongs_there() -> None:
    rooms = [path for path in (ROOT / "src/interlock").iterdir() if (path / "__init__.py").is_file()]
    assert rooms
    for room in rooms:
        assert (room / "__init__.py").read_text("utf-8").startswith('"""'), room.name
