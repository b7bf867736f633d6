"""How well poisoned definitions are found: `python -m bench.definitions FOLDER [--wrong]`.

The folder holds `dev.jsonl` (definitions of public servers, taken for honest), `poisoned_dev.jsonl` ("clean" and
"poisoned" twins with their "technique") and `rugpull_dev.jsonl` ("v1", "v2" and "change_class"). Honest definitions
are looked at a server at a time, and once all together, as if one gateway had all servers. Poisoned ones are parted by
the name of the tool, by a hash: what the rules were mended by is in the first part, `--wrong` lists that part alone.
"""

import argparse
import json
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path
from typing import Any

from interlock import __version__
from interlock.detectors import Engine, detectors
from interlock.mcp.changes import changes
from interlock.mcp.inspection import KINDS, Finding, inspect
from interlock.model.event import Channel, Signal
from interlock.model.meta import Severity

PARTS = ("first", "held out")
LEVELS = (Severity.LOW, Severity.MEDIUM, Severity.HIGH)


def part(name: str) -> str:
    """The part of a tool's name."""
    return PARTS[sha256(name.encode()).digest()[1] % 2]


def rows(path: Path) -> list[dict[str, Any]]:
    """The lines of a file."""
    return [json.loads(line) for line in path.read_text("utf-8").splitlines() if line.strip()]


def definition(row: dict[str, Any]) -> dict[str, Any]:
    """A definition of `dev.jsonl` as `tools/list` gives it."""
    kept = {key: row[key] for key in ("title", "description", "inputSchema", "annotations") if row.get(key)}
    return {"name": row["tool"]} | kept


class Inspector:
    """The inspection with the detectors as a gateway has them."""

    def __init__(self) -> None:
        self._engine = Engine(detectors())

    def scan(self, text: str) -> tuple[Signal, ...]:
        """What the detectors say of a description."""
        return self._engine.scan(text, Channel.TOOL_DESCRIPTION)

    def of(self, servers: dict[str, dict[str, Any]]) -> tuple[Finding, ...]:
        """The findings about some servers."""
        return inspect(servers, self.scan)


def honest(inspector: Inspector, path: Path, *, wrong: bool) -> None:
    """Print how many honest definitions have findings."""
    servers: dict[str, dict[str, Any]] = defaultdict(dict)
    for row in rows(path):
        servers[row["server"]][row["tool"]] = definition(row)
    alone = [finding for name, tools in servers.items() for finding in inspector.of({name: tools})]
    count = sum(map(len, servers.values()))
    print(f"\n{count} honest definitions of {len(servers)} servers: share with a finding, each server alone")
    table(alone, count)
    print("\nthe same, all servers together")
    table(inspector.of(servers), count)
    for finding in alone if wrong else ():
        if finding.severity is not Severity.LOW:
            print(f"  {finding.severity.value:6} {finding.kind} {finding.server} {finding.tool} {finding.place}:")
            print(f"         {finding.text!r} ({finding.why})")


def table(findings: Iterable[Finding], count: int) -> None:
    """A line for each kind of finding."""
    found = list(findings)
    print(f"{'':16}" + "".join(f"{level.value:>8}" for level in LEVELS))
    for kind in (*KINDS, ""):
        told = {level: tools(found, level, kind) for level in LEVELS}
        print(f"{kind or 'any':16}" + "".join(f"{100 * len(told[level]) / count:7.2f}%" for level in LEVELS))


def tools(findings: Iterable[Finding], level: Severity, kind: str = "") -> set[tuple[str, str]]:
    """The tools with a finding of that kind and severity, or worse."""
    return {(f.server, f.tool) for f in findings if f.severity.rank >= level.rank and kind in ("", f.kind)}


def poisoned(inspector: Inspector, path: Path, *, wrong: bool) -> None:
    """Print how many poisoned definitions are found, and how many of their honest twins."""
    found: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    missed = []
    for row in rows(path):
        name, twin = row["clean"]["name"], inspector.of({"s": {row["clean"]["name"]: row["clean"]}})
        findings = inspector.of({"s": {name: row["poisoned"]}})
        high, some = (len(tools(findings, level)) for level in (Severity.HIGH, Severity.MEDIUM))
        counted = Counter(rows=1, high=high, some=some, twins=len(tools(twin, Severity.MEDIUM)))
        for technique in (row["technique"], "all"):
            found[technique, part(name)].update(counted)
        if not counted["high"] and part(name) == PARTS[0]:
            missed.append(row)
    print("\npoisoned definitions: high finding (those wait), medium or high, honest twins with either")
    print(f"{'':26}" + "".join(f"{name:>30}" for name in PARTS))
    for technique in (*sorted({technique for technique, _ in found} - {"all"}), "all"):
        print(f"{technique:26}" + "".join(f"{cell(found[technique, name]):>30}" for name in PARTS))
    for row in missed if wrong else ():
        print(f"  missed {row['technique']} {row['location']}: {row['payload']}")


def cell(count: Counter[str]) -> str:
    """The figures of one technique in one part."""
    if not count["rows"]:
        return "-"
    return f"{count['high']}, {count['some']} of {count['rows']}; {count['twins']}"


def pulled(inspector: Inspector, path: Path, *, wrong: bool) -> None:
    """Print how many changes of behaviour, and how many harmless ones, are told as such."""
    found: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for row in rows(path):
        name, kind = row["v1"]["name"], row["change_class"]
        told = list(changes(row["v1"], row["v2"], inspector.scan))
        level = max((change.severity.rank for change in told), default=-1)
        found[kind, part(name)].update(rows=1, told=level >= Severity.MEDIUM.rank)
        if wrong and part(name) == PARTS[0] and (level >= Severity.MEDIUM.rank) != (kind == "behaviour"):
            print(f"  {kind}: {row['id']} {[change.words for change in told]}")
    print("\nchanged definitions: told as more dangerous")
    for kind in ("behaviour", "benign"):
        shown = [f"{name} {found[kind, name]['told']} of {found[kind, name]['rows']}" for name in PARTS]
        print(f"{kind:26}" + "".join(f"{one:>30}" for one in shown))


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--wrong", action="store_true", help="list what was found in honest ones and what was missed")
    args = parser.parse_args()
    inspector = Inspector()
    print(f"interlock {__version__}, Python {sys.version.split()[0]}")
    honest(inspector, args.folder / "dev.jsonl", wrong=args.wrong)
    poisoned(inspector, args.folder / "poisoned_dev.jsonl", wrong=args.wrong)
    pulled(inspector, args.folder / "rugpull_dev.jsonl", wrong=args.wrong)


if __name__ == "__main__":
    main()
