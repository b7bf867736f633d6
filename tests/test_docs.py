"""The documentation is complete, current, and leads nowhere that does not exist."""

import dataclasses
import os
import re
import shlex
import subprocess
import sys
import tomllib
import typing
from collections.abc import Iterator
from pathlib import Path

import pytest

from docs import generate
from interlock import cli, config
from interlock.checks import checks
from interlock.detectors import detectors
from interlock.model.asset import Finding, Scan
from interlock.model.record import Record, Step
from interlock.protocols import adapters
from interlock.sources import file_sources

ROOT = Path(__file__).parent.parent
WRITTEN = [path for path in sorted((ROOT / "docs").rglob("*.md")) if path.parent.name != "reference"]
PAGES = [*WRITTEN, *(ROOT / f"{name}.md" for name in ("README", "CONTRIBUTING", "SECURITY", "CHANGELOG"))]
FENCE = re.compile(r"(?ms)^ *```(\w*)\n(.*?)^ *```")


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def reference(name: str) -> str:
    return (ROOT / "docs/reference" / f"{name}.md").read_text("utf-8")


def test_the_reference_is_what_the_code_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    stale = generate.stale()
    assert not stale, "run `make format`:\n" + "\n".join(f"docs/{name}\n{how}" for name, how in stale.items())


@pytest.mark.parametrize("name", cli.names())
def test_each_command_has_its_section(name: str) -> None:
    assert f"\n## interlock {name}\n" in reference("commands")


@pytest.mark.parametrize("section", config.SECTIONS)
def test_each_setting_has_its_line(section: str) -> None:
    page = reference("settings")
    for field in dataclasses.fields(config.SECTIONS[section]):
        assert field.metadata["doc"]
        assert f"`INTERLOCK_{section}_{field.name}`".upper() in page.upper()


@pytest.mark.parametrize("table", [dotted for dotted, _ in config.TABLES.values()])
def test_each_named_table_has_its_section(table: str) -> None:
    assert f"\n## [{table}.NAME]\n" in reference("settings")


@pytest.mark.parametrize(
    ("page", "ids"),
    [("checks", checks()), ("detectors", detectors()), ("protocols", adapters()), ("sources", file_sources())],
    ids=["checks", "detectors", "protocols", "sources"],
)
def test_each_entry_has_its_section(page: str, ids: dict[str, object]) -> None:
    assert ids
    assert all(f"\n## {id_}\n" in reference(page) for id_ in ids)


@pytest.mark.parametrize(("page", "kind"), [("record", Record), ("record", Step), ("scan", Scan), ("scan", Finding)])
def test_each_field_of_what_is_kept_has_its_line(page: str, kind: type) -> None:
    section = reference(page).partition(f"\n## {kind.__name__}\n")[2].partition("\n## ")[0]
    assert typing.get_type_hints(kind)
    assert all(f"| `{name}` |" in section for name in typing.get_type_hints(kind))


@pytest.mark.parametrize("page", PAGES, ids=relative)
def test_links_lead_to_files_that_exist(page: Path) -> None:
    text = FENCE.sub("", page.read_text("utf-8"))
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if not re.match(r"https?://|mailto:|#", target):
            assert (page.parent / target.partition("#")[0]).exists(), target
    assert "](/" not in text


def shell_commands(text: str) -> Iterator[list[str]]:
    """The words of each command line in the shell blocks of a page."""
    for language, block in FENCE.findall(text):
        if language in {"sh", "bash", "shell", "console"}:
            for line in block.replace("\\\n", " ").splitlines():
                if words := shlex.split(line.removeprefix("$ "), comments=True):
                    yield words


def options(words: list[str]) -> set[str]:
    """The options of our own: what stands after `--` is another program's."""
    own = words[: words.index("--")] if "--" in words else words
    return {word.partition("=")[0] for word in own if word.startswith("--")}


@pytest.mark.parametrize("page", PAGES, ids=relative)
def test_commands_in_the_pages_exist(page: Path) -> None:
    targets = set(re.findall(r"(?m)^([\w-]+):", (ROOT / "Makefile").read_text("utf-8")))
    for words in shell_commands(page.read_text("utf-8")):
        program = words[0].rpartition("/")[2]
        if program == "make":
            assert {word for word in words[1:] if "=" not in word} <= targets, words
        elif program == "interlock":
            assert words[1] in cli.names(), words
            help_text = section_of(words)
            assert all(option in help_text for option in options(words)), words


def section_of(words: list[str]) -> str:
    """The reference of the command that these words call, sub-command included."""
    page = reference("commands")
    title = f"interlock {words[1]}"
    if len(words) > 2 and f"### {title} {words[2]}\n" in page:
        title = f"{title} {words[2]}"
    return re.split(r"(?m)^#", page.partition(f"# {title}\n")[2])[0]


@pytest.mark.parametrize("page", PAGES, ids=relative)
def test_commands_named_in_the_text_exist(page: Path) -> None:
    text = FENCE.sub("", page.read_text("utf-8"))
    for name in re.findall(r"`interlock ([a-z][\w-]*)", text):
        assert name in cli.names(), name


@pytest.mark.parametrize("page", PAGES, ids=relative)
def test_settings_in_the_pages_are_accepted(page: Path, tmp_path: Path) -> None:
    blocks = [block for language, block in FENCE.findall(page.read_text("utf-8")) if language == "toml"]
    file = tmp_path / "interlock.toml"
    file.write_text("\n".join(blocks), "utf-8")
    assert config.load(str(file), str(tmp_path), {}).upstreams
    assert tomllib.loads(file.read_text("utf-8")).keys() <= {
        *config.SECTIONS,
        *(dotted.partition(".")[0] for dotted, _ in config.TABLES.values()),
    }


def test_the_site_builds_strictly_and_asks_nobody_for_anything(tmp_path: Path) -> None:
    site = tmp_path / "site"
    built = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "mkdocs", "build", "--quiet", "--strict", "--site-dir", str(site)],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert built.returncode == 0, built.stdout + built.stderr
    html = [path.read_text("utf-8") for path in site.rglob("*.html")]
    assert len(html) > len(WRITTEN)
    loaded = r"<(?:script|img|iframe|link(?! rel=\"(?:canonical|next|prev)\"))[^>]*(?:src|href)=\"?(?:https?:)?//[^>]*>"
    assert [found for page in html for found in re.findall(loaded, page)] == []
    assert not list(site.rglob("*.py"))
