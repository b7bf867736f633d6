"""`interlock new`: what it writes passes every test of its catalogue as it stands."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from interlock.cli import main
from interlock.cli.new import ROOMS, write
from interlock.model.errors import UsageError

ROOT = Path(__file__).parent.parent


def outside_coverage() -> dict[str, str]:
    """The environment, less what makes a program measure its coverage: a copy of the package is not the package."""
    return {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A source checkout to write into."""
    for folder in ("src", "tests"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__", "static"))
    (tmp_path / "docs").mkdir()
    for file in ("pyproject.toml", "CHANGELOG.md", "docs/generate.py"):
        shutil.copy(ROOT / file, tmp_path / file)
    return tmp_path


def in_checkout(checkout: Path, *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", *command],
        cwd=checkout,
        env={**outside_coverage(), "PYTHONPATH": str(checkout / "src"), "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


def test_one_of_each_kind_passes_its_catalogue(checkout: Path) -> None:
    names = {kind: f"brand-new-{kind}-7" for kind in ROOMS}
    for kind, name in names.items():
        assert main(["new", kind, name, "--dir", str(checkout)]) == 0
    tests = in_checkout(
        checkout, "pytest", "-n", "0", "-p", "no:cacheprovider", "-vv", "-k", "brand-new", "tests/test_catalog.py"
    )
    assert tests.returncode == 0, tests.stdout
    for kind, name in names.items():
        assert len(re.findall(rf"{name}.* PASSED", tests.stdout)) >= 8, f"{kind}: {tests.stdout}"
    written = [f"src/interlock/{ROOMS[kind]}/{name.replace('-', '_')}.py" for kind, name in names.items()]
    for tool in (["ruff", "check", *written], ["ruff", "format", "--check", *written]):
        done = in_checkout(checkout, *tool)
        assert done.returncode == 0, done.stdout + done.stderr


def test_it_says_what_to_do_next(checkout: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["new", "check", "model-without-owner", "--dir", str(checkout)]) == 0
    said = capsys.readouterr().out
    assert str(checkout / "src/interlock/checks/model_without_owner.py") in said
    assert "-k model-without-owner" in said


def test_the_title_and_the_id_are_the_names(checkout: Path) -> None:
    text = write("detector", "odd-thing", checkout).read_text("utf-8")
    assert 'ID = "odd-thing"' in text
    assert 'title="Odd thing"' in text
    assert "new-detector" not in text


@pytest.mark.parametrize(
    "name",
    ["", "Upper", "two words", "under_score", "-x", "x-", "a--b", "../up", "a/b", "7up", "import", "é", "a" * 61],
)
def test_a_name_that_cannot_be_an_id_is_refused(checkout: Path, name: str) -> None:
    before = sorted(checkout.rglob("*"))
    with pytest.raises(UsageError, match="cannot be an entry's id"):
        write("check", name, checkout)
    assert sorted(checkout.rglob("*")) == before


@pytest.mark.parametrize(("kind", "name"), [("check", "credential-in-source"), ("source", "python-code")])
def test_an_entry_that_exists_is_not_overwritten(checkout: Path, kind: str, name: str) -> None:
    with pytest.raises(UsageError, match="there is such an entry already"):
        write(kind, name, checkout)
    assert not (checkout / "src/interlock/sources/python_code.py").exists()


def test_a_folder_that_is_no_checkout_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["new", "check", "x", "--dir", str(tmp_path)]) == 2
    assert "no source checkout" in capsys.readouterr().err
