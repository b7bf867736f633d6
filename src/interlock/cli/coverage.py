"""What is found and what is enforced, side by side, with the gaps first.

owner     who answers for the workload: settings or CODEOWNERS
scope     the settings limit its models or tools; partly with a key alone
enforced  its traffic goes through the gateway; partly with a key alone
audited   that traffic is in the log
clean     no open finding that is high or above; partly if something of it was
          not scanned or not judged
A ? is not known, which never counts as fine. Shadow is traffic of a workload
that no scan has found.

JSON: {"scanned", "gaps": {"shadow": [...], "not_enforced", "no_owner",
"no_scope"}, "workloads": [{"workload", "discovered", "owner": {"mark",
"words"}, "scope", ...}]}; a mark is yes, partial, no or unknown.
Exit codes: 0 shown, 1 there is a gap and --fail-on-gap was given, 3 could not
do the work.
"""

import argparse
import json

from rich.cells import cell_len
from rich.console import Console
from rich.padding import Padding
from rich.table import Table

from interlock.cli import _options
from interlock.cli._output import console, shown
from interlock.governance.coverage import COLUMNS, Cell, Coverage, Mark
from interlock.governance.summary import counted

SUMMARY = "show what is found but not enforced, and what is used but not known"
GAP = 1
GAPS = {
    "shadow": "in traffic, in no scan: scan it, or revoke its key",
    "not_enforced": "no traffic through the gateway: interlock identity add",
    "no_owner": "set owner in [workloads.<id>], or CODEOWNERS",
    "no_scope": "set models or tools in [workloads.<id>]",
}
MARKS = {
    Mark.YES: ("✓", "green"),
    Mark.PARTIAL: ("~", "yellow"),
    Mark.NO: ("✗", "red"),
    Mark.UNKNOWN: ("?", "dim"),
}
WIDEST_NAME = 22


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("--format", choices=("table", "json"), default="table", help="default: table")
    parser.add_argument("--fail-on-gap", action="store_true", help="exit with 1 unless every gap is closed")
    _options.add(parser)


def run(args: argparse.Namespace) -> int:
    """Index the log's new records, then show the matrix; 1 if there is a gap and that was asked for."""
    from interlock.app import current_coverage, open_store, refresh

    settings = _options.settings(args)
    store = open_store(settings)
    try:
        refresh(settings, store)
        coverage = current_coverage(settings, store)
    finally:
        store.close()
    if args.format == "json":
        print(json.dumps(document(coverage), indent=2))
    else:
        show(console(), coverage)
    return GAP if args.fail_on_gap and not coverage.closed else 0


def document(coverage: Coverage) -> dict[str, object]:
    """The matrix and its gaps, as they are printed in JSON."""
    return {
        "scanned": coverage.scanned,
        "gaps": {name: list(ids) for name, ids in coverage.gaps.items()},
        "workloads": [
            {"workload": row.workload, "discovered": row.discovered}
            | {name: {"mark": cell.mark.value, "words": cell.words} for name, cell in row.cells.items()}
            for row in coverage.rows
        ],
    }


def show(out: Console, coverage: Coverage) -> None:
    """Print the gaps, then the matrix."""
    if not coverage.rows:
        out.print("[bold]Nothing is known yet.[/bold] Begin with: interlock scan PATH")
        return
    closed = sum(row.closed for row in coverage.rows)
    out.print(f"[bold]{closed} of {counted(len(coverage.rows), 'workload')} covered on both sides[/bold]")
    if not coverage.scanned:
        out.print("[yellow]Nothing was scanned: what exists is not known.[/yellow] Begin with: interlock scan PATH")
    _gaps(out, coverage)
    widest = max(cell_len(row.workload) for row in coverage.rows)
    table = Table(box=None, padding=(0, 1, 0, 0), header_style="dim", pad_edge=False)
    table.add_column("workload", overflow="fold", min_width=min(widest, WIDEST_NAME))
    for name in COLUMNS:
        table.add_column(name, overflow="fold")
    for row in coverage.rows:
        table.add_row(shown(row.workload), *(_cell(cell) for cell in row.cells.values()))
    out.print()
    out.print(table)
    out.print("\n[dim]✓ yes  ~ partly  ✗ no  ? not known, which never counts as fine[/dim]")


def _gaps(out: Console, coverage: Coverage) -> None:
    found = [(name, ids) for name, ids in coverage.gaps.items() if ids]
    if coverage.scanned and not found:
        out.print("[green]No gap.[/green]")
    for name, ids in found:
        out.print(f"\n[bold]{name.replace('_', ' ')} {len(ids)}[/bold]  [dim]{shown(GAPS[name])}[/dim]")
        out.print(Padding(shown(", ".join(ids)), (0, 0, 0, 2)))


def _cell(cell: Cell) -> str:
    label, style = MARKS[cell.mark]
    return f"[{style}]{label}[/{style}] [dim]{shown(cell.words)}[/dim]"
