"""What is found and what is enforced, side by side, with the gaps first.

owner     who answers for the workload: settings or CODEOWNERS
scope     the settings limit its models and its tools; partly with one of
          them, or with a key alone
enforced  its traffic goes through the gateway; partly with a key alone
audited   that traffic is in the log
clean     no open finding that is high or above; partly if something of it was
          not scanned or not judged
A ? is not known, which never counts as fine. Shadow is traffic of a workload
that no scan has found. The newest scan of each folder counts, until a newer
one of a folder around it. Below it stands every exception that is in force:
what is let through that need not be, and where that was set.

JSON: {"closed", "scanned", "gaps": {"shadow": [...], "not_enforced",
"no_owner", "no_scope", "not_clean"}, "findings_of_no_workload": [{"id",
"check", "severity", "path", "line"}], "workloads": [{"workload",
"discovered", "owner": {"mark", "words"}, "scope", ...}], "exceptions":
[{"name", "subject", "where", "means", "bundled"}]}; a mark is yes, partial, no
or unknown. Closed: every mark is yes, and no finding of no
workload is high or above.
Exit codes: 0 shown, 1 it is not closed and --fail-on-gap was given, 3 could
not do the work.
"""

import argparse
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict

from rich.cells import cell_len
from rich.console import Console
from rich.padding import Padding
from rich.table import Table

from interlock.cli import _options
from interlock.cli._output import clean, console, shown
from interlock.governance.coverage import COLUMNS, Cell, Coverage, Mark, Row
from interlock.governance.exceptions import Loosening, headline
from interlock.governance.summary import counted

SUMMARY = "show what is found but not enforced, and what is used but not known"
GAP = 1
GAPS = {
    "shadow": "in traffic, in no scan: scan it, or revoke its key",
    "not_enforced": "no traffic through the gateway: interlock identity add",
    "no_owner": "set owner in [workloads.<id>], or CODEOWNERS",
    "no_scope": "set models and tools in [workloads.<id>]",
    "not_clean": "a finding that is high or above is open: interlock scan",
}
MARKS = {
    Mark.YES: ("✓", "green"),
    Mark.PARTIAL: ("~", "yellow"),
    Mark.NO: ("✗", "red"),
    Mark.UNKNOWN: ("?", "dim"),
}
GAP_CHARS = 2


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("--format", choices=("table", "json"), default="table", help="default: table")
    parser.add_argument("--fail-on-gap", action="store_true", help="exit with 1 unless all is closed")
    _options.add(parser)


def run(args: argparse.Namespace) -> int:
    """Index the log's new records, then show the matrix; 1 if it is not closed and that was asked for."""
    from interlock.app import current_coverage, current_exceptions, open_store, policies, refresh

    settings = _options.settings(args)
    store = open_store(settings)
    try:
        loaded = policies(settings, store.pins()).loaded
        refresh(settings, store)
        coverage = current_coverage(settings, store)
        loose = current_exceptions(settings, store, loaded)
    finally:
        store.close()
    if args.format == "json":
        print(json.dumps(document(coverage) | {"exceptions": [asdict(one) for one in loose]}, indent=2))
    else:
        show(console(), coverage)
        show_exceptions(console(), loose)
    return GAP if args.fail_on_gap and not coverage.closed else 0


def document(coverage: Coverage) -> dict[str, object]:
    """The matrix and its gaps, as they are printed in JSON."""
    return {
        "closed": coverage.closed,
        "scanned": coverage.scanned,
        "gaps": {name: list(ids) for name, ids in coverage.gaps.items()},
        "findings_of_no_workload": [
            {"id": f.id, "check": f.check, "severity": f.severity.value, "path": f.site.path, "line": f.site.line}
            for f in coverage.unassigned
        ],
        "workloads": [
            {"workload": row.workload, "discovered": row.discovered}
            | {name: {"mark": cell.mark.value, "words": cell.words} for name, cell in row.cells.items()}
            for row in coverage.rows
        ],
    }


def show(out: Console, coverage: Coverage) -> None:
    """Print the gaps, then the matrix: in one line for each workload if that is wide enough for all."""
    if not coverage.rows and not coverage.scanned:
        out.print("[bold]Nothing is known yet.[/bold] Begin with: interlock scan PATH")
        return
    closed = sum(row.closed for row in coverage.rows)
    out.print(f"[bold]{closed} of {counted(len(coverage.rows), 'workload')} covered on both sides[/bold]")
    if not coverage.scanned:
        out.print("[yellow]Nothing was scanned: what exists is not known.[/yellow] Begin with: interlock scan PATH")
    _gaps(out, coverage)
    if coverage.rows:
        out.print()
        widths = _widths(coverage.rows)
        if sum(widths) + GAP_CHARS * len(COLUMNS) <= out.width:
            _wide(out, coverage.rows, widths)
        else:
            _narrow(out, coverage.rows)
        out.print("\n[dim]✓ yes  ~ partly  ✗ no  ? not known, which never counts as fine[/dim]")


def show_exceptions(out: Console, loose: Sequence[Loosening]) -> None:
    """Print each exception with where it was set; those of interlock's own policies by name alone."""
    out.print(f"\n[bold]{shown(headline(loose))}[/bold]")
    lines = [
        line
        for one in loose
        if not one.bundled
        for line in _packed([f"{one.name} {one.subject}".rstrip(), one.where], out.width - GAP_CHARS, "  ")
    ]
    names = [one.name for one in loose if one.bundled]
    lines += _packed([f"{name}," for name in names[:-1]] + names[-1:], out.width - GAP_CHARS, " ")
    for line in lines:
        out.print(Padding(shown(line), (0, 0, 0, GAP_CHARS), expand=False))


def _gaps(out: Console, coverage: Coverage) -> None:
    if coverage.closed:
        out.print("[green]No gap.[/green]")
    for name, ids in coverage.gaps.items():
        if ids:
            _gap(out, name.replace("_", " "), GAPS[name], ids)
    if outside := coverage.unassigned:
        places = [f"{f.severity.value} {f.check} {f.site.path}:{f.site.line}" for f in outside]
        _gap(out, "findings of no workload", "high or above and open: interlock scan", places)
    told = {id_ for ids in coverage.gaps.values() for id_ in ids}
    if rest := [row.workload for row in coverage.rows if not row.closed and row.workload not in told]:
        _gap(out, "not covered", "what is ~ or ? in the matrix", rest)


def _gap(out: Console, title: str, what_to_do: str, items: Sequence[str]) -> None:
    out.print(f"\n[bold]{title} {len(items)}[/bold]  [dim]{shown(what_to_do)}[/dim]")
    commas = [f"{item}," for item in items[:-1]] + [items[-1]]
    for line in _packed(commas, out.width - GAP_CHARS, " "):
        out.print(Padding(shown(line), (0, 0, 0, GAP_CHARS), expand=False))


def _widths(rows: Sequence[Row]) -> list[int]:
    """How wide the columns of the wide layout are."""
    names = max(cell_len(clean(row.workload)) for row in rows)
    cells = (max(cell_len(clean(row.cells[name].words)) + 2 for row in rows) for name in COLUMNS)
    return [max(names, len("workload")), *(max(w, len(name)) for w, name in zip(cells, COLUMNS, strict=True))]


def _wide(out: Console, rows: Sequence[Row], widths: Sequence[int]) -> None:
    table = Table(box=None, padding=(0, GAP_CHARS, 0, 0), header_style="dim", pad_edge=False)
    for name, width in zip(("workload", *COLUMNS), widths, strict=True):
        table.add_column(name, min_width=width)
    for row in rows:
        words = (f"{_mark(cell)} [dim]{shown(cell.words)}[/dim]" for cell in row.cells.values())
        table.add_row(shown(row.workload), *words)
    out.print(table)


def _narrow(out: Console, rows: Sequence[Row]) -> None:
    """A line of marks for each workload, and below it what they mean. A long name has a line of its own."""
    columns = sum(len(name) + GAP_CHARS for name in COLUMNS)
    longest = max(len("workload"), *(cell_len(clean(row.workload)) for row in rows))
    width = min(longest, max(out.width - columns, len("workload")))
    gap = " " * GAP_CHARS
    out.print(f"[dim]{'workload':<{width}}{gap}{gap.join(COLUMNS)}[/dim]")
    for row in rows:
        marks = gap.join(_mark(cell) + " " * (len(name) - 1) for name, cell in row.cells.items())
        name, free = shown(row.workload), width - cell_len(clean(row.workload))
        if free < 0:
            out.print(name)
            name, free = "", width
        out.print(f"{name}{' ' * free}{gap}{marks}".rstrip())
        words = [f"{name}: {cell.words}" for name, cell in row.cells.items()]
        for line in _packed(words, out.width - GAP_CHARS, gap):
            out.print(Padding(f"[dim]{shown(line)}[/dim]", (0, 0, 0, GAP_CHARS), expand=False))


def _packed(items: Iterable[str], width: int, between: str) -> list[str]:
    """The items in lines of at most `width` columns; an item is alone on its line if it is longer than that."""
    lines: list[str] = []
    for item in map(clean, items):
        if lines and cell_len(lines[-1] + between + item) <= width:
            lines[-1] += between + item
        else:
            lines.append(item)
    return lines


def _mark(cell: Cell) -> str:
    label, style = MARKS[cell.mark]
    return f"[{style}]{label}[/{style}]"
