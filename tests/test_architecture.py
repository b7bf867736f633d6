"""The house stands as pyproject.toml draws it, and a planted violation of each kind is found for what it is."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
LAYERS = "each layer imports only what is below it, and every folder has its layer"
PURE = "pure rooms do no I/O and read no clock, no randomness"
CONSOLE = "the console never reaches the wire"
INDEPENDENT = "entries of a catalogue know nothing of each other"


def outside_coverage() -> dict[str, str]:
    """The environment, less what makes a program measure its coverage: a copy of the package is not the package."""
    return {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """A copy of the package, to plant in; its folder."""
    shutil.copytree(ROOT / "src", tmp_path / "src", ignore=shutil.ignore_patterns("__pycache__", "static", "templates"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path / "src/interlock"


def python(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Python with the package in `folder`/src in place of the installed one."""
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env={**outside_coverage(), "PYTHONPATH": str(folder / "src"), "COLUMNS": "400", "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def contracts(folder: Path) -> tuple[set[str], str]:
    """The contracts that are broken, and all that import-linter says."""
    program = "import sys; from importlinter.cli import lint_imports_command; sys.exit(lint_imports_command())"
    done = python(folder, "-c", program, "--no-cache", "--no-logo")
    said = done.stdout + done.stderr
    broken = {name for name in (LAYERS, PURE, CONSOLE, INDEPENDENT) if f"{name} BROKEN" in said}
    assert done.returncode == bool(broken), said
    return broken, said


def append(file: Path, line: str) -> None:
    file.write_text(f"{file.read_text('utf-8')}\n{line}\n", "utf-8")


def test_the_house_keeps_every_contract() -> None:
    broken, said = contracts(ROOT)
    assert broken == set(), said
    assert "4 kept, 0 broken" in said


@pytest.mark.parametrize(
    ("room", "line", "contract", "reason"),
    [
        ("provenance", "import time", PURE, "interlock.provenance -> time"),
        ("guard", "import random", PURE, "interlock.guard -> random"),
        ("audit", "import os", PURE, "interlock.audit -> os"),
        ("policy", "import interlock.governance", LAYERS, "interlock.policy -> interlock.governance"),
        ("model", "import interlock.catalog", LAYERS, "interlock.model -> interlock.catalog"),
        ("audit", "import interlock.provenance", LAYERS, "interlock.audit -> interlock.provenance"),
        ("gateway", "import interlock.console", LAYERS, "interlock.gateway -> interlock.console"),
        ("console", "import interlock.guard", CONSOLE, "interlock.console -> interlock.guard"),
        ("console", "import httptools", CONSOLE, "interlock.console -> httptools"),
    ],
    ids=lambda value: value if isinstance(value, str) and value.startswith("import ") else "",
)
def test_a_planted_import_is_found(house: Path, room: str, line: str, contract: str, reason: str) -> None:
    append(house / room / "__init__.py", line)
    broken, said = contracts(house.parent.parent)
    assert broken == {contract}, said
    assert reason in said


def test_a_pure_room_that_gets_the_clock_through_another_module_is_found(house: Path) -> None:
    (house / "provenance/clock.py").write_text('"""Planted."""\nimport time\n')
    append(house / "provenance/__init__.py", "import interlock.provenance.clock")
    broken, said = contracts(house.parent.parent)
    assert broken == {PURE}
    assert "interlock.provenance.clock -> time" in said


def test_a_folder_that_nobody_listed_is_found(house: Path) -> None:
    (house / "annex").mkdir()
    (house / "annex/__init__.py").write_text('"""Planted."""\n')
    broken, said = contracts(house.parent.parent)
    assert broken == {LAYERS}
    assert "interlock.annex" in said


@pytest.mark.parametrize("room", ["checks", "detectors", "protocols", "sources"])
def test_an_entry_that_knows_another_one_is_found(house: Path, room: str) -> None:
    (house / room / "planted_one.py").write_text(f'"""Planted."""\nimport interlock.{room}.planted_two\n')
    (house / room / "planted_two.py").write_text('"""Planted."""\n')
    broken, said = contracts(house.parent.parent)
    assert broken == {INDEPENDENT}
    assert f"interlock.{room}.planted_one -> interlock.{room}.planted_two" in said


CATALOGUES = {"checks": "CHECK", "detectors": "DETECTOR", "protocols": "ADAPTER", "sources": "SOURCE"}


def load(house: Path, room: str) -> str:
    """What is printed when the catalogue of `room` is loaded: its ids, or the error."""
    accessor = {"protocols": "adapters", "sources": "file_sources"}.get(room, room)
    program = (
        f"from interlock.{room} import {accessor} as load\nfrom interlock.model.errors import CatalogError\n"
        "try: print(*load())\nexcept CatalogError as error: print('CatalogError:', error)"
    )
    return python(house.parent.parent, "-c", program).stdout


@pytest.mark.parametrize("room", CATALOGUES)
def test_a_module_without_its_constant_is_refused(house: Path, room: str) -> None:
    (house / room / "planted.py").write_text('"""Planted."""\n')
    said = load(house, room)
    assert said.startswith("CatalogError:")
    assert f"interlock.{room}.planted.{CATALOGUES[room]}: expected a" in said


def test_a_constant_of_another_room_is_refused(house: Path) -> None:
    shutil.copy(house / "checks/credential_in_source.py", house / "detectors/planted.py")
    append(house / "detectors/planted.py", "DETECTOR = CHECK")
    assert "expected a Detector, found Check" in load(house, "detectors")


def test_an_entry_whose_id_is_not_its_file_name_is_refused(house: Path) -> None:
    (house / "checks/credential_in_source.py").rename(house / "checks/planted.py")
    assert "the id is 'credential-in-source', the name says 'planted'" in load(house, "checks")


def test_two_entries_of_one_id_are_refused(house: Path) -> None:
    outsider = house.parent / "outsider-1.dist-info"
    outsider.mkdir()
    (outsider / "METADATA").write_text("Metadata-Version: 2.1\nName: outsider\nVersion: 1\n")
    (outsider / "entry_points.txt").write_text(
        "[interlock.checks]\ncredential-in-source = interlock.checks.credential_in_source:CHECK\n"
    )
    assert "two entries have the id 'credential-in-source'" in load(house, "checks")


def test_an_entry_that_opens_a_file_is_caught_by_the_guard(house: Path) -> None:
    file = house / "checks/credential_in_source.py"
    text = file.read_text("utf-8")
    header, found, body = text.partition("def judge(")
    signature, _, rest = body.partition("\n    ")
    assert found
    docstring_end = rest.index('"""', 3) + 3
    planted = f"{rest[:docstring_end]}\n    open(__file__).close()\n{rest[docstring_end:]}"
    file.write_text(f"{header}def judge({signature}\n    {planted}", "utf-8")
    shutil.copytree(ROOT / "tests", house.parent.parent / "tests", ignore=shutil.ignore_patterns("__pycache__"))
    (house.parent.parent / "docs").mkdir()
    shutil.copy(ROOT / "docs/generate.py", house.parent.parent / "docs")
    shutil.copy(ROOT / "CHANGELOG.md", house.parent.parent)
    options = ["-n", "0", "-p", "no:cacheprovider", "-k", "purely and credential-in-source"]
    done = python(house.parent.parent, "-m", "pytest", *options, "tests/test_catalog.py")
    assert done.returncode == 1, done.stdout
    assert "ImpureError: open(" in done.stdout
    assert "passed" not in done.stdout
