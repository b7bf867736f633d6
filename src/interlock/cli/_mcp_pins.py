"""What `interlock mcp list`, `diff` and `approve` do: the tools of MCP servers, and whether they are approved."""

import argparse
import asyncio
import time

from interlock.app import ToolReviews
from interlock.cli._operator_log import operator, operator_log
from interlock.cli._output import console, shown
from interlock.config import Settings
from interlock.mcp.pins import FIRST_USE, Pin, Standing, differences
from interlock.mcp.review import Reviewed, approval_record
from interlock.model.errors import UsageError
from interlock.model.meta import Severity
from interlock.store.sql import SqlStore

_COLOURS = {Severity.LOW: "dim", Severity.MEDIUM: "yellow", Severity.HIGH: "red", Severity.CRITICAL: "red"}
# Of a text that is shown beside another one.
LONGEST = 600


def print_list(settings: Settings, store: SqlStore) -> int:
    """Every server, and each of its tools with what stands behind it; 1 if one waits."""
    from rich.table import Table

    out, reviewed = console(), ToolReviews(store).of(settings)
    names = sorted({*settings.mcp_servers, *(one.pin.server for one in reviewed)})
    if not names:
        out.print("no MCP servers; put one into interlock.toml: \\[mcp.servers.NAME]")
        return 0
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False)
    for heading in ("server", "tool", "state", "suspicious", "since"):
        table.add_column(heading, no_wrap=heading in ("state", "since"), overflow="fold")
    for name in names:
        known = [one for one in reviewed if one.pin.server == name]
        if not known:
            table.add_row(shown(name), "[dim]not used yet[/]", "", "", "")
        for one in known:
            pin = one.pin
            table.add_row(shown(pin.server), shown(pin.tool), _state(pin), _suspicious(one), _date(pin))
    out.print(table)
    waiting = sum(one.waits for one in reviewed)
    if waiting:
        out.print(f"\n{waiting} blocked: see what it is with interlock mcp diff SERVER, then interlock mcp approve")
    return 1 if waiting else 0


def print_differences(settings: Settings, store: SqlStore, server: str) -> int:
    """What is new or changed of a server's tools: in words, and place by place; 1 if there is something."""
    from rich.padding import Padding

    out = console()
    _known(store, server)
    waiting = [one for one in ToolReviews(store).of(settings) if one.pin.server == server and one.waits]
    if not waiting:
        out.print(f"everything that {shown(server)} offers is approved")
        return 0
    for one in waiting:
        pin = one.pin
        if pin.standing is Standing.NEW:
            out.print(f"[bold]{shown(pin.tool)}[/] is new: nobody has approved it")
            told = [(finding.severity, f"{finding.place}: {finding.why}") for finding in one.findings]
        else:
            out.print(f"[bold]{shown(pin.tool)}[/] is not what was approved on {_date(pin)}")
            told = [(change.severity, change.words) for change in one.changes]
        for severity, words in told:
            out.print(Padding(f"[{_COLOURS[severity]}]{severity.value}[/] {shown(_cut(words))}", (0, 0, 0, 2)))
        for place, was, now in differences(pin):
            out.print(Padding(shown(place), (0, 0, 0, 2)))
            if was:
                out.print(Padding(f"[red]- {shown(_cut(was))}[/]", (0, 0, 0, 4)))
            if now:
                out.print(Padding(f"[green]+ {shown(_cut(now))}[/]", (0, 0, 0, 4)))
    out.print(f"\nto allow it: interlock mcp approve {shown(server)} --all, or the names of tools")
    return 1


def approve(settings: Settings, store: SqlStore, args: argparse.Namespace) -> int:
    """Approve what a server offers now, on record; 1 if it has changed meanwhile."""
    out, known = console(), {pin.tool: pin for pin in _known(store, args.server)}
    if args.all == bool(args.tool):
        raise UsageError("name the tools, or give --all")
    if unknown := [tool for tool in args.tool if tool not in known]:
        hint = "see: interlock mcp list"
        raise UsageError(f"{args.server} has not offered {', '.join(map(repr, unknown))}", hint=hint)
    chosen = known.values() if args.all else [known[tool] for tool in args.tool]
    waiting = [pin for pin in chosen if pin.standing is not Standing.APPROVED]
    who, now_us = operator(), time.time_ns() // 1000
    if waiting:
        with operator_log(settings) as log:
            numbers = [log.append(approval_record(pin, who, now_us)) for pin in waiting]
            asyncio.run(log.durable(numbers[-1]))
    missed = store.approve_pins([pin.approved(who, now_us) for pin in waiting])
    for pin in waiting:
        state = "offered otherwise by now, not approved" if pin.tool in missed else "approved"
        out.print(f"{shown(pin.tool)}: {state}")
    if not waiting:
        out.print("nothing of it waits for approval")
    return 1 if missed else 0


def _known(store: SqlStore, server: str) -> tuple[Pin, ...]:
    pins = store.pins(server)
    if not pins:
        hint = "a server is known once a client has listed its tools through the gateway"
        raise UsageError(f"nothing is known of an MCP server {server!r}", hint=hint)
    return pins


def _state(pin: Pin) -> str:
    match pin.standing:
        case Standing.APPROVED:
            return "[green]first use[/]" if pin.approved_by == FIRST_USE else "[green]approved[/]"
        case Standing.NEW:
            return "[red]new[/]"
        case Standing.CHANGED:
            return "[red]changed[/]"


def _suspicious(one: Reviewed) -> str:
    """The kinds of what was found, after the worst severity; trifles are left out."""
    kinds = dict.fromkeys(finding.kind for finding in one.findings if finding.severity is not Severity.LOW)
    if one.worst is None or not kinds:
        return ""
    return f"[{_COLOURS[one.worst]}]{one.worst.value}[/]: {', '.join(kinds)}"


def _date(pin: Pin) -> str:
    at_us = pin.approved_us if pin.approved_us is not None else pin.seen_us
    return time.strftime("%Y-%m-%d", time.gmtime(at_us / 1e6))


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}... ({len(text)} characters)"
