"""How a scan looks in a terminal: summary, workloads, assets by kind, findings with their fix, what was not read."""

from itertools import groupby

from rich.cells import cell_len, set_cell_size
from rich.console import Console, Group, RenderableType
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from interlock.cli._output import clean, shown
from interlock.governance.summary import counted, headline
from interlock.model.asset import Asset, Finding, Scan, Status

# As many assets of a kind as are shown before "and N more".
SHOWN_PER_KIND = 6
MAX_NAME = 34
INDENT = 6  # before a name and between it and its place
STYLES = {"critical": "bold red", "high": "red", "medium": "yellow", "low": "dim", "unknown": "dim"}


def show(console: Console, scan: Scan) -> None:
    """Print the scan."""
    console.print(f"[bold]{shown(headline(scan))}[/bold]")
    console.print(f"  [dim]{scan.files:,} files read below {shown(scan.root)}[/dim]", soft_wrap=True)
    for title, body in (
        ("Workloads", _workloads(scan)),
        ("Assets", _assets(console, scan)),
        ("Findings", _findings(scan)),
    ):
        console.print(f"\n[bold]{title}[/bold]")
        console.print(Padding(body, (0, 0, 0, 2)))
    if scan.not_scanned:
        console.print("\n[bold]Not scanned[/bold] [dim]what these hold is not known[/dim]")
        console.print(Padding(_not_scanned(scan), (0, 0, 0, 2)))


def _grid(*columns: dict[str, object]) -> Table:
    table = Table.grid(padding=(0, 2, 0, 0))
    for column in columns:
        table.add_column(overflow="fold", **column)  # type: ignore[arg-type]
    return table


def _workloads(scan: Scan) -> RenderableType:
    if not scan.workloads:
        return Text("no program that uses AI was found", style="dim")
    table = _grid({}, {"style": "dim"}, {"justify": "right"}, {})
    for workload in scan.workloads:
        owner = shown(workload.owner) if workload.owner else "[yellow]no owner[/yellow]"
        root = escape(cut_left(clean(workload.root), MAX_NAME))
        table.add_row(shown(workload.id), root, counted(len(workload.assets), "asset"), owner)
    return table


def _assets(console: Console, scan: Scan) -> RenderableType:
    if not scan.assets:
        return Text("none", style="dim")
    assets = sorted(scan.assets, key=lambda asset: (asset.kind.value, asset.name, asset.id))
    name_width = min(MAX_NAME, max(len(asset.name) for asset in assets))
    lines = Text()
    for kind, group in groupby(assets, key=lambda asset: asset.kind.value):
        same = list(group)
        lines.append(f"{kind.replace('_', ' ')} {len(same)}\n", "cyan")
        for asset in same[:SHOWN_PER_KIND]:
            name = cut(clean(asset.name), name_width)
            lines.append(f"  {name}{' ' * (name_width - cell_len(name))}  ")
            lines.append(f"{_place(asset, console.width - name_width - INDENT)}\n", "dim")
        if len(same) > SHOWN_PER_KIND:
            lines.append(f"  and {len(same) - SHOWN_PER_KIND} more\n", "dim")
    lines.right_crop()
    return lines


def _place(asset: Asset, width: int) -> str:
    first = asset.sites[0]
    more = f" +{len(asset.sites) - 1}" if len(asset.sites) > 1 else ""
    return cut_left(clean(f"{first.path}:{first.line}"), width - len(more)) + more


def cut(text: str, width: int) -> str:
    """`text` in at most `width` cells, its end left out."""
    return text if cell_len(text) <= width else set_cell_size(text, width - 1).rstrip() + "\u2026"


def cut_left(text: str, width: int) -> str:
    """`text` in at most `width` cells, its beginning left out: of a path the end says more."""
    if cell_len(text) <= width:
        return text
    while text and cell_len(text) > width - 1:
        text = text[1:]
    return "\u2026" + text


def _findings(scan: Scan) -> RenderableType:
    judged = [finding for finding in scan.findings if finding.status is Status.FAIL]
    unknown = len(scan.findings) - len(judged)
    failed = [finding for finding in judged if not finding.known]
    none = "nothing failed that the baseline does not have" if judged else "no check failed"
    parts: list[RenderableType] = [_finding(f, last=f is failed[-1]) for f in failed] or [Text(none, style="green")]
    if known := len(judged) - len(failed):
        parts.append(Text(f"{known} in the baseline (--format json lists them)", style="dim"))
    if unknown:
        parts.append(Text(f"{unknown} could not be judged (--format json lists them)", style="dim"))
    return Group(*parts)


def _finding(finding: Finding, *, last: bool) -> RenderableType:
    grade = finding.severity.value
    table = _grid({"no_wrap": True, "min_width": 8}, {"ratio": 1})
    table.add_row(f"[{STYLES[grade]}]{grade}[/]", f"[bold]{shown(finding.title)}[/bold] [dim]{finding.check}[/dim]")
    table.add_row("", f"{shown(finding.site.path)}:{finding.site.line}")
    table.add_row("", shown(finding.message))
    table.add_row("", f"[green]Fix:[/green] {shown(finding.fix)}")
    return Padding(table, (0, 0, 0 if last else 1, 0))


def _not_scanned(scan: Scan) -> RenderableType:
    table = _grid({}, {"style": "dim", "ratio": 1})
    for missed in scan.not_scanned:
        table.add_row(escape(cut_left(clean(missed.path), MAX_NAME)), shown(missed.reason))
    return table
