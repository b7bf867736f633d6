"""Python dependencies that are AI packages: requirements files, constraints and pyproject.toml.

A declared dependency is an asset; what a lock file holds was chosen by a tool and is only mentioned.
"""

import re
import tomllib
from collections.abc import Iterable, Iterator

from interlock import knowledge
from interlock.inventory.identity import package_name
from interlock.model.asset import AssetKind, Evidence, Fact, NotScanned, Observation, Site
from interlock.model.meta import Example, Meta
from interlock.sources import FileSource, Reading

ID = "requirements"
REQUIREMENTS = re.compile(
    r"(?:^|/)(?:[\w.-]*requirements[\w.-]*|constraints[\w.-]*)\.(?:txt|in)$|(?:^|/)requirements/[\w.-]+\.(?:txt|in)$"
)
LOCKS = re.compile(
    r"(?:^|/)(?:uv|poetry|pdm)\.lock$|(?:^|/)(?:[\w.-]*requirements[\w.-]*[.-]lock(?:ed)?[\w.-]*|[\w.-]*lock[\w.-]*requirements)\.txt$"
)
# Name, extras, and what follows, as PEP 508 has it.
REQUIREMENT = re.compile(r"^\s*([A-Za-z0-9][A-Za-z0-9._-]*)\s*(?:\[[^\]]*\])?\s*(.*)$")
VERSION = re.compile(r"^===?\s*([\w.!+*-]+)\s*$")
# Tables of pyproject.toml that hold lists of requirements, or names with versions (Poetry).
LISTS = ("project.dependencies", "build-system.requires", "tool.uv.dev-dependencies")
NAMED_LISTS = ("project.optional-dependencies", "dependency-groups", "tool.pdm.dev-dependencies")


def wants(path: str) -> bool:
    """requirements*.txt and the like, constraints, pyproject.toml, and Python's lock files."""
    return bool(path.endswith("pyproject.toml") or REQUIREMENTS.search(path) or LOCKS.search(path))


def read(path: str, data: bytes) -> Reading:
    """The AI packages that this file names, each at its line."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return (), (NotScanned(path, "not UTF-8"),)
    if path.endswith(".lock"):
        return tuple(_locked(path, text)), ()
    if not path.endswith(".toml"):
        is_locked = bool(LOCKS.search(path)) or "--hash=sha256:" in text
        return tuple(_lines(path, text, Evidence.MENTIONED if is_locked else Evidence.DECLARED)), ()
    try:
        document = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        return (), (NotScanned(path, f"not valid TOML: {error}"),)
    return tuple(_pyproject(path, text, document)), ()


def _lines(path: str, text: str, evidence: Evidence) -> Iterator[Observation]:
    for number, line in enumerate(text.splitlines(), 1):
        bare = re.split(r"\s#|^#", line)[0].strip().removesuffix("\\").strip()
        if bare and not bare.startswith("-"):
            yield from _requirement(path, number, bare, evidence)


def _locked(path: str, text: str) -> Iterator[Observation]:
    for number, line in enumerate(text.splitlines(), 1):
        if match := re.match(r'name = "([A-Za-z0-9._-]+)"$', line):
            yield from _requirement(path, number, match[1], Evidence.MENTIONED)


def _pyproject(path: str, text: str, document: dict[str, object]) -> Iterator[Observation]:
    lines = text.splitlines()
    wanted = list(_requirements(document))
    for requirement, spelled in wanted:
        yield from _requirement(path, _line_of(lines, spelled), requirement, Evidence.DECLARED)


def _requirements(document: dict[str, object]) -> Iterator[tuple[str, str]]:
    """Each requirement, and the text by which its line can be found."""
    for dotted in LISTS:
        yield from ((r, r) for r in _texts(_at(document, dotted)))
    for dotted in NAMED_LISTS:
        for group in _table(_at(document, dotted)).values():
            yield from ((r, r) for r in _texts(group))
    poetry = _table(_at(document, "tool.poetry"))
    groups = [_table(group).get("dependencies") for group in _table(poetry.get("group")).values()]
    for table in (poetry.get("dependencies"), poetry.get("dev-dependencies"), *groups):
        for name, version in _table(table).items():
            exact = version if isinstance(version, str) and re.fullmatch(r"\d[\w.]*", version) else None
            yield (f"{name}=={exact}" if exact else name), name


def _at(document: object, dotted: str) -> object:
    for part in dotted.split("."):
        document = _table(document).get(part)
    return document


def _table(value: object) -> dict[str, object]:
    return value if isinstance(value, dict) else {}


def _texts(value: object) -> Iterable[str]:
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []


def _line_of(lines: list[str], spelled: str) -> int:
    """The line of a requirement's text, found again since tomllib keeps no places: whole words only."""
    expression = re.compile(rf"(?<![\w.-]){re.escape(spelled)}(?![\w-])")
    for number, line in enumerate(lines, 1):
        if expression.search(line.partition(" #")[0]) and not line.lstrip().startswith("#"):
            return number
    return 1


def _requirement(path: str, line: int, text: str, evidence: Evidence) -> Iterator[Observation]:
    match = REQUIREMENT.match(text)
    package = knowledge.packages().get(package_name(match[1])) if match else None
    if match is None or package is None:
        return
    specifier = match[2].partition(";")[0].strip().removesuffix("\\").strip()
    version = VERSION.match(specifier)
    facts: dict[str, Fact] = {"role": package.role, "service": package.service or None}
    facts |= {"version": version[1] if version else None, "specifier": None if version else specifier or None}
    known = {name: value for name, value in facts.items() if value is not None}
    yield Observation(AssetKind.DEPENDENCY, package.name, Site(path, line), evidence, ID, known)


PYPROJECT = b"""\
[project]
name = "bot"
dependencies = [
  "anthropic>=0.30",
]
[dependency-groups]
dev = ["mcp[cli]"]
[tool.poetry.dependencies]
python = "^3.11"
chromadb = "1.0.4"
"""
SOURCE = FileSource(
    meta=Meta(
        id=ID,
        title="Python requirements",
        why="An AI package among the dependencies is the earliest sign of an AI workload, before any call is written.",
        since="0.1.0",
    ),
    wants=wants,
    marks=(),
    read=read,
    examples=(
        Example(
            "requirements with comments, options and markers",
            (
                "app/requirements.txt",
                b"# openai in a comment\n-r base.txt\nflask\nOpenAI==1.99.0 # it\nlangchain_core>=0.3 ; extra == 'x'\n",
            ),
            (("dependency", "langchain-core", 5), ("dependency", "openai", 4)),
        ),
        Example(
            "pyproject.toml: dependencies, groups and Poetry",
            (
                "pyproject.toml",
                PYPROJECT,
            ),
            (("dependency", "anthropic", 4), ("dependency", "chromadb", 10), ("dependency", "mcp", 7)),
        ),
        Example(
            "a lock file only mentions", ("uv.lock", b'[[package]]\nname = "openai"\n'), (("dependency", "openai", 2),)
        ),
        Example("no AI package, nothing seen", ("requirements-dev.txt", b"pytest\nopenai-like\nmcpx==1\n"), ()),
    ),
)
