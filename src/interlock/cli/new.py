"""Write a new entry of a catalogue: a working check, detector, adapter or
source to change into yours.

The entry has everything that the catalogue's tests (tests/test_catalog.py)
ask of it: they pass at once, and tell you when your changes break a promise.
All tests pass after `make format`, which writes the entry into the reference
pages; until then tests/test_docs.py fails. It is a sandbox entry: it runs
nowhere by default until you raise its maturity.
"""

import argparse
import keyword
import re
from importlib.resources import files
from pathlib import Path

import interlock
from interlock.model.errors import UsageError

SUMMARY = "write a new check, detector, adapter or source"
ROOMS = {"check": "checks", "detector": "detectors", "adapter": "protocols", "source": "sources"}
NAME = re.compile(r"[a-z][a-z0-9]*(?:-[a-z0-9]+)*")
MAX_NAME_CHARS = 60


def arguments(parser: argparse.ArgumentParser) -> None:
    """What kind of entry, its name, and where the source tree is."""
    parser.add_argument("kind", choices=ROOMS, help="what to write")
    parser.add_argument(
        "name", metavar="NAME", help="its id, such as mcp-server-without-auth; a check's id states the fault"
    )
    parser.add_argument(
        "--dir", type=Path, metavar="DIR", help="root of a source checkout (default: the one that runs)"
    )


def run(args: argparse.Namespace) -> int:
    """Write the file, and say what to do next."""
    file = write(args.kind, args.name, args.dir or Path(interlock.__file__).parents[2])
    print(
        f"{file}\n\nChange it into yours. Then see that it keeps its promises:\n"
        f"  .venv/bin/python -m pytest tests/test_catalog.py -k {args.name}\n"
        "and write its reference page, without which tests/test_docs.py fails:\n"
        "  make format"
    )
    return 0


def write(kind: str, name: str, root: Path) -> Path:
    """Copy the skeleton of `kind` under `name` into its room below `root`; the new file.

    Raises: UsageError for a name that cannot be an id, a file that exists, a folder that is no checkout.
    """
    module = name.replace("-", "_")
    if not NAME.fullmatch(name) or len(name) > MAX_NAME_CHARS or keyword.iskeyword(module):
        raise UsageError(
            f"{name!r} cannot be an entry's id",
            hint=f"small letters and digits in words joined by -, at most {MAX_NAME_CHARS} characters",
        )
    room = root / "src" / "interlock" / ROOMS[kind]
    if not (room / "__init__.py").is_file():
        raise UsageError("there is no source checkout of interlock", where=str(root), hint="name its root with --dir")
    file = room / f"{module}.py"
    if file.exists() or (room / module).exists():
        raise UsageError("there is such an entry already", where=str(file), hint="choose another name")
    skeleton = files("interlock.cli._skeletons").joinpath(f"{kind}.py").read_text("utf-8")
    title = name.replace("-", " ").capitalize()
    text = skeleton.replace(f"new-{kind}", name).replace(f"New {kind}", title)
    file.write_text(text, "utf-8")
    return file
