"""How well tools' labels are derived: `python -m bench.labels FILE.jsonl [--wrong]`.

A line of the file is a tool definition ("server", "tool", "description", "inputSchema", "annotations") with the
"labels" that a person gave it. A line of the table is a class of sink, the worst first, then all together:
`sink` exact; `harmless`: dangerous ones taken for none or read; `output` exact; `trusted`: what outsiders write taken
for trusted; `found`: sensitive arguments that are listed, `kind` with the right kind, `listed`: how many of those
listed are sensitive; `open` world and `back` (reversible) exact.

The model that is shipped was trained on the development corpus: what is printed for that says nothing of other
servers. `python -m training.labels.train ... --folds` does.
"""

import argparse
import json
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from interlock import __version__
from interlock.provenance.labels import HARMLESS

COLUMNS = ("tools", "sink", "harmless", "output", "trusted", "found", "kind", "listed", "open", "back")


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
        for name in (want["sink"], "all"):
            counts[name].update(compared(want, labels))
        if args.wrong and labels["sink"] != want["sink"]:
            print(f"{row['server']} {row['tool']}: {want['sink']}, taken for {labels['sink']}")
    print(f"interlock {__version__}, Python {sys.version.split()[0]}, {len(rows)} tools")
    print(table(counts))


def table(counts: dict[str, Counter[str]]) -> str:
    """A line for each, the one with the worst share of exact sinks first and `all` last."""
    worst = sorted(counts, key=lambda name: (name == "all", counts[name]["sink"] / counts[name]["tools"]))
    lines = [("sink", *COLUMNS), *((name, *cells(counts[name])) for name in worst)]
    return "\n".join(f"{line[0]:12}" + "".join(f"{cell:>14}" for cell in line[1:]) for line in lines)


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
