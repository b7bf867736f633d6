"""How well tools' labels are derived: `python -m bench.labels FILE.jsonl [--wrong]`.

A line of the file is a tool definition ("server", "tool", "description", "inputSchema") with the "labels" that a
person gave it. Servers are split by a hash of their names, so that no server is in two parts; how the parts were
used is said in the documentation of labels. Printed per part: `sink` exact; `harmless`: dangerous sinks that were
taken for none or read; `output` exact; `trusted`: outputs that outsiders write and that were taken for trusted.
"""

import argparse
import json
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

from interlock import __version__
from interlock.provenance.labels import HARMLESS

PARTS = ("first", "second", "third", "all")
COLUMNS = ("tools", "sink", "harmless", "output", "trusted", "found", "kind", "listed", "open", "back")


def part(server: str) -> str:
    """The part of a server: six tenths are in the first, two in each of the others."""
    digest = sha256(server.encode()).digest()
    return "first" if digest[0] % 10 < 6 else "second" if digest[1] % 2 else "third"


def judged(rows: list[dict[str, Any]]) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Each definition with the labels that were derived for it."""
    from interlock.cli.mcp import labelled

    bare = (json.dumps({key: value for key, value in row.items() if key != "labels"}) for row in rows)
    return zip(rows, labelled(bare, {}), strict=True)


def main() -> None:
    """Print the figures, and with --wrong the tools whose sink is another."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", type=Path)
    parser.add_argument("--wrong", action="store_true", help="list the tools whose sink was taken for another")
    args = parser.parse_args()
    rows = [json.loads(line) for line in args.file.read_text("utf-8").splitlines() if line.strip()]
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for row, got in judged(rows):
        want, labels = row["labels"], got["labels"]
        for name in (part(row["server"]), "all"):
            counts[name].update(compared(want, labels))
        if args.wrong and labels["sink"] != want["sink"]:
            print(f"{row['server']} {row['tool']}: {want['sink']}, taken for {labels['sink']}")
    print(f"interlock {__version__}, Python {sys.version.split()[0]}, {len(rows)} tools")
    print(f"{'servers':8}" + "".join(f"{column:>12}" for column in COLUMNS))
    for name in PARTS:
        print(f"{name:8}" + "".join(f"{cell:>12}" for cell in cells(counts[name])))


def compared(want: dict[str, Any], got: dict[str, Any]) -> Counter[str]:
    """What is counted of one tool."""
    dangerous, outside = want["sink"] not in HARMLESS, "untrusted" in want["output"]
    named, found = want.get("sensitive_args", {}), got["sensitive_args"]
    return Counter(
        tools=1,
        sink=got["sink"] == want["sink"],
        dangerous=dangerous,
        harmless=dangerous and got["sink"] in HARMLESS,
        output=got["output"] == want["output"],
        outside=outside,
        trusted=outside and "untrusted" not in got["output"],
        named=len(named),
        found=sum(name in found for name in named),
        kind=sum(found.get(name) == kind for name, kind in named.items()),
        listed=len(found),
        open=got["open_world"] == want["open_world"],
        back=got["reversible"] == want["reversible"],
    )


def cells(count: Counter[str]) -> list[str]:
    """A row of the table."""
    return [
        str(count["tools"]),
        share(count["sink"], count["tools"]),
        share(count["harmless"], count["dangerous"]),
        share(count["output"], count["tools"]),
        share(count["trusted"], count["outside"]),
        share(count["found"], count["named"]),
        share(count["kind"], count["named"]),
        share(count["found"], count["listed"]),
        share(count["open"], count["tools"]),
        share(count["back"], count["tools"]),
    ]


def share(some: int, whole: int) -> str:
    """A percentage with what it is of."""
    return f"{100 * some / whole:.1f}% /{whole}" if whole else "-"


if __name__ == "__main__":
    main()
