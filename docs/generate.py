"""Writes the reference pages from the code: `python -m docs.generate`. With `--check`, says which ones are stale.

Nothing in docs/reference/ is written by hand. `make docs` fails if a page there differs from what this gives.
"""

import argparse
import dataclasses
import difflib
import enum
import inspect
import json
import os
import sys
import types
import typing
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import interlock
from interlock import cli, config
from interlock.checks import Check, checks
from interlock.detectors import Detector, detectors
from interlock.governance import document
from interlock.knowledge import frameworks
from interlock.model import asset, errors, record
from interlock.protocols import Adapter, adapters
from interlock.sources import FileSource, file_sources

DOCS = Path(__file__).parent
NOTE = "<!-- Written by `python -m docs.generate` from the code. Do not edit: `make docs` compares. -->\n\n"
Entry = Check | Detector | Adapter | FileSource


def pages() -> dict[str, str]:
    """Every generated page: its path below docs/, and its text."""
    return {
        "reference/commands.md": _commands(),
        "reference/settings.md": _settings(),
        "reference/checks.md": _room("checks", "Checks", checks()),
        "reference/detectors.md": _room("detectors", "Detectors", detectors()),
        "reference/protocols.md": _room("protocols", "Protocols", adapters()),
        "reference/sources.md": _room("sources", "Sources", file_sources()),
        "reference/record.md": _types("The audit record", record),
        "reference/scan.md": _types("What a scan gives", asset),
        "reference/errors.md": _errors(),
        "reference/scan.schema.json": json.dumps(document.schema(), indent=2) + "\n",
    }


def _commands() -> str:
    parts = ["# Commands\n\n", inspect.cleandoc(cli.parser().epilog or ""), "\n"]
    for name in cli.names():
        parser = cli.parser(name)
        for title, sub in _parsers(name, _subparsers(parser)[name]):
            level = "#" * (1 + len(title.split()))
            parts.append(f"\n{level} interlock {title}\n\n```text\n{sub.format_help().rstrip()}\n```\n")
    return NOTE + "".join(parts)


def _parsers(title: str, parser: argparse.ArgumentParser) -> Iterator[tuple[str, argparse.ArgumentParser]]:
    yield title, parser
    for name, sub in _subparsers(parser).items():
        yield from _parsers(f"{title} {name}", sub)


def _subparsers(parser: argparse.ArgumentParser) -> Mapping[str, argparse.ArgumentParser]:
    """The commands below a parser. argparse has no public way to ask for them."""
    found: dict[str, argparse.ArgumentParser] = {}
    for action in parser._actions:  # noqa: SLF001 - see above
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001
            found.update(action.choices)
    return found


def _settings() -> str:
    head = (
        "# Settings\n\nOne file, `interlock.toml`: the one that `--config` names, else `$INTERLOCK_CONFIG`, else the "
        "one in the working folder, if there is one. An environment variable wins over the file. What is "
        "kept goes to `--data`, else `$INTERLOCK_DATA`, else the user's data folder.\n"
    )
    parts = [NOTE, head]
    for name, kind in config.SECTIONS.items():
        parts.append(_section(f"[{name}]", kind, lambda field, section=name: f"INTERLOCK_{section}_{field}".upper()))
    parts += [_section(f"[{dotted}.NAME]", kind, None) for dotted, kind in config.TABLES.values()]
    return "".join(parts)


def _section(title: str, kind: type, variable: Any) -> str:
    hints = typing.get_type_hints(kind)
    rows = []
    for field in dataclasses.fields(kind):
        row = [
            f"`{field.name}`",
            _type(hints[field.name]),
            f"`{_toml(field.default)}`" if field.default is not None else "",
        ]
        rows.append([*row, *([f"`{variable(field.name)}`"] if variable else []), field.metadata["doc"]])
    headings = ["Setting", "Type", "Default", *(["Environment variable"] if variable else []), ""]
    return f"\n## {title}\n\n{_prose(kind)}\n\n{_table(headings, rows)}"


def _toml(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return "[" + ", ".join(_toml(item) for item in value) + "]"
    return f'"{value}"' if isinstance(value, str) else str(value)


def _room(room: str, title: str, entries: Mapping[str, Any]) -> str:
    about = inspect.cleandoc(sys.modules[f"interlock.{room}"].__doc__ or "").removeprefix("CATALOGUE of ")
    rows = [[f"[{id_}](#{id_})", entry.meta.title, entry.meta.maturity.value] for id_, entry in entries.items()]
    listed = _table(["", "", "Maturity"], rows)
    return (
        NOTE
        + f"# {title}\n\n{about[0].upper()}{about[1:]}\n\n{listed}"
        + "".join(entry_section(room, entry) for entry in entries.values())
    )


def entry_section(room: str, entry: Entry) -> str:
    """An entry's part of its room's page: what it is, why, its limits, and its examples."""
    meta = entry.meta
    module = sys.modules[f"interlock.{room}.{meta.id.replace('-', '_')}"]
    facts = [f"since {meta.since}", meta.maturity.value, f"confidence {meta.confidence.value}"]
    if meta.severity:
        facts.insert(0, f"severity {meta.severity.value}")
    parts = [f"\n## {meta.id}\n\n**{meta.title}.** {meta.why}\n\n*{', '.join(facts)}*\n\n{inspect.getdoc(module)}\n"]
    if isinstance(entry, Check):
        parts.append(f"\n{inspect.getdoc(entry.judge)}\n")
    if meta.fix:
        parts.append(f"\n**What to do:** {meta.fix}\n")
    if meta.refs:
        parts.append("\n**See:** " + "; ".join(_ref(ref) for ref in meta.refs) + "\n")
    parts += [f"\n### {case.name}\n\n{_example(entry, case.given, case.expect)}" for case in entry.examples]
    return "".join(parts)


def _ref(ref: str) -> str:
    file, _, item = ref.partition(":")
    framework = frameworks()[file]
    title = next(i.title for i in (*framework.items, *framework.tactics, *framework.mitigations) if i.id == item)
    return f"{framework.framework}, {item}: {title}"


def _example(entry: Entry, given: Any, expect: Any) -> str:
    match entry:
        case Check():
            seen = [
                f"{o.kind.value} {o.name}" + "".join(f"\n    {name} = {_toml(fact)}" for name, fact in o.facts.items())
                for o in given
            ]
            return f"{_code(chr(10).join(seen))}\n{expect.value.upper()}\n"
        case Detector():
            channel, text = given
            flagged = ", ".join(f"`{_line(piece)}`" for piece in expect) or "nothing"
            return f"{channel.value}:\n\n{_code(text)}\nFlagged: {flagged}\n"
        case Adapter():
            return f"{given.kind}:\n\n{_code(_printable(given.data))}\n" + _list(expect)
        case FileSource():
            path, data = given
            seen = [f"line {line}: {kind} {name}" for kind, name, line in expect]
            return f"`{path}`:\n\n{_code(data.decode('utf-8', 'backslashreplace'))}\n" + _list(seen)


def _printable(data: bytes) -> str:
    """Bytes as text; what cannot be printed (the frames of an event stream) as Python would escape it."""
    text = data.decode("utf-8", "backslashreplace")
    return "".join(c if c.isprintable() or c == "\n" else c.encode("unicode_escape").decode() for c in text)


def _list(items: Any) -> str:
    return "".join(f"- `{_line(item)}`\n" for item in items) or "Nothing.\n"


def _line(text: str) -> str:
    """A text in one line, cut if it is long."""
    plain = text.replace("\n", "\\n").replace("`", "'")
    return plain if len(plain) <= 100 else f"{plain[:60]}...{plain[-20:]}"


def _code(text: str) -> str:
    fence = "````" if "```" in text else "```"
    return f"{fence}text\n{text.rstrip()}\n{fence}\n"


def _types(title: str, module: types.ModuleType) -> str:
    """The frozen values and closed choices of a module, in the order in which they stand there."""
    parts = [NOTE, f"# {title}\n\n{inspect.getdoc(module)}\n"]
    here = [kind for kind in vars(module).values() if getattr(kind, "__module__", "") == module.__name__]
    for kind in here:
        if isinstance(kind, type) and issubclass(kind, enum.Enum):
            values = ", ".join(f"`{member.value}`" for member in kind)
            parts.append(f"\n## {kind.__name__}\n\n{_prose(kind)}\n\nOne of {values}.\n")
        elif isinstance(kind, type) and (dataclasses.is_dataclass(kind) or issubclass(kind, tuple)):
            rows = [[f"`{name}`", _type(hint)] for name, hint in typing.get_type_hints(kind).items()]
            parts.append(f"\n## {kind.__name__}\n\n{_prose(kind)}\n\n{_table(['Field', 'Type'], rows)}")
    return "".join(parts)


def _errors() -> str:
    tree = inspect.getdoc(errors) or ""
    first, _, rest = tree.partition("\n\n")
    drawn, _, after = rest.partition("\n\n")
    return f"{NOTE}# Errors and exit codes\n\n{first}\n\n```text\n{inspect.cleandoc(drawn)}\n```\n\n{after}\n"


def _type(hint: Any) -> str:
    """A type as a reader of JSON or TOML knows it; a link to its section if it has one on its page."""
    if hint is type(None):
        return "nothing"
    if typing.get_origin(hint) in {types.UnionType, typing.Union}:
        return " or ".join(dict.fromkeys(_type(part) for part in typing.get_args(hint)))
    if typing.get_origin(hint) is tuple:
        return f"list of {_type(typing.get_args(hint)[0])}"
    if typing.get_origin(hint) is not None:
        return "table"
    names: dict[Any, str] = {str: "text", int: "whole number", bool: "true or false"}
    if hint in names:
        return names[hint]
    return (
        f"[{hint.__name__}](#{hint.__name__.lower()})"
        if hint.__module__ in {asset.__name__, record.__name__}
        else (", ".join(f"`{member.value}`" for member in hint) if issubclass(hint, enum.Enum) else hint.__name__)
    )


def _prose(kind: type) -> str:
    return inspect.getdoc(kind) or ""


def _table(headings: list[str], rows: list[list[str]]) -> str:
    lines = [headings, ["---"] * len(headings), *rows]
    return "".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |\n" for line in lines)


def stale() -> dict[str, str]:
    """The pages that differ from the committed ones, and how; one that nobody generates counts too."""
    wanted = pages()
    found = {f"reference/{path.name}": path.read_text("utf-8") for path in (DOCS / "reference").iterdir()}
    return {
        name: "".join(
            difflib.unified_diff(
                found.get(name, "").splitlines(True),
                wanted.get(name, "").splitlines(True),
                "committed",
                "generated",
                n=0,
            )
        )
        for name in sorted(wanted.keys() | found.keys())
        if found.get(name) != wanted.get(name)
    }


def main() -> int:
    """Write the pages, or compare them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if a page is stale")
    args = parser.parse_args()
    os.environ["COLUMNS"] = "80"  # argparse wraps help to the terminal, which is no property of the code
    if args.check:
        for name, difference in stale().items():
            print(f"docs/{name} is stale; `make format` writes it again\n{difference}")
        return 1 if stale() else 0
    (DOCS / "reference").mkdir(exist_ok=True)
    for name in stale().keys() - pages().keys():
        (DOCS / name).unlink()
    for name, text in pages().items():
        (DOCS / name).write_text(text, "utf-8")
    print(f"interlock {interlock.__version__}: {len(pages())} pages in docs/reference/")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
