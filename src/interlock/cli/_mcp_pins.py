"""What `interlock mcp list`, `diff` and `approve` do: the tools of MCP servers, and whether they are approved."""

import argparse
import asyncio
import contextlib
import hashlib
import json
import sys
import time
from collections.abc import Collection, Iterable

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
# Of a digest, so many digits name a definition: nobody finds another one with the same.
DIGITS = 16


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
    out = console()
    waiting = _waiting(settings, store, server)
    if not waiting:
        out.print(f"everything that {shown(server)} offers is approved")
        return 0
    _print_waiting(waiting)
    out.print(f"\nto allow one of them: interlock mcp approve {shown(server)} TOOL@DIGEST")
    out.print(f"to allow all: interlock mcp approve {shown(server)} --all --digest {_of_all(waiting)}")
    return 1


def _print_waiting(waiting: Iterable[Reviewed]) -> None:
    from rich.padding import Padding

    out = console()
    for one in waiting:
        pin = one.pin
        if pin.standing is Standing.NEW:
            out.print(f"[bold]{shown(pin.tool)}[/] is new: nobody has approved it")
            told = [(finding.severity, f"{finding.place}: {finding.why}") for finding in one.findings]
        else:
            out.print(f"[bold]{shown(pin.tool)}[/] is not what was approved on {_date(pin)}")
            told = [(change.severity, change.words) for change in one.changes]
        out.print(Padding(f"digest {pin.seen_digest[:DIGITS]}", (0, 0, 0, 2)))
        for severity, words in told:
            out.print(Padding(f"[{_COLOURS[severity]}]{severity.value}[/] {shown(_cut(words))}", (0, 0, 0, 2)))
        for place, was, now in differences(pin):
            out.print(Padding(shown(place), (0, 0, 0, 2)))
            if was:
                out.print(Padding(f"[red]- {shown(_cut(was))}[/]", (0, 0, 0, 4)))
            if now:
                out.print(Padding(f"[green]+ {shown(_cut(now))}[/]", (0, 0, 0, 4)))


def approve(settings: Settings, store: SqlStore, args: argparse.Namespace) -> int:
    """Approve the definitions that somebody has seen, on record; 1 if one is another by now.

    Which was seen says its digest; without one it is shown here, and asked for.
    """
    out, who, now_us = console(), operator(), time.time_ns() // 1000
    chosen, other = _chosen(settings, store, args)
    pins = [one.pin for one in chosen]
    if pins:
        with operator_log(settings) as log:
            numbers = [log.append(approval_record(pin, who, now_us)) for pin in pins]
            asyncio.run(log.durable(numbers[-1]))
    missed = {*other, *store.approve_pins([pin.approved(who, now_us) for pin in pins])}
    for tool in dict.fromkeys([*(pin.tool for pin in pins), *other]):
        state = "offered otherwise by now, not approved" if tool in missed else "approved"
        out.print(f"{shown(tool)}: {state}")
    if not pins and not other:
        out.print("nothing of it waits for approval")
    return 1 if missed else 0


def _chosen(settings: Settings, store: SqlStore, args: argparse.Namespace) -> tuple[list[Reviewed], list[str]]:
    """What is to be approved; and the names of what was meant, and is another by now. Raises: UsageError."""
    if args.all == bool(args.tool) or (args.digest and not args.all):
        raise UsageError("name the tools, or give --all", hint="TOOL@DIGEST, or --all --digest DIGEST")
    known = {pin.tool for pin in _known(store, args.server)}
    waiting = {one.pin.tool: one for one in _waiting(settings, store, args.server)}
    if args.all:
        meant = dict.fromkeys(waiting, "")
        if args.digest:
            same = _is_digest(args.digest) and _of_all(waiting.values()) == args.digest
            return ([*waiting.values()], []) if same else ([], [*waiting])
    else:
        meant = dict(_named(word, known) for word in args.tool)
    if unknown := [tool for tool in meant if tool not in known]:
        hint = "see: interlock mcp list"
        raise UsageError(f"{args.server} has not offered {', '.join(map(repr, unknown))}", hint=hint)
    seen = [one for tool, one in waiting.items() if meant.get(tool)]
    right = [one for one in seen if one.pin.seen_digest.startswith(meant[one.pin.tool])]
    unseen = [one for tool, one in waiting.items() if meant.get(tool) == ""]
    return right + _asked(unseen, args.server), [one.pin.tool for one in seen if one not in right]


def _asked(unseen: list[Reviewed], server: str) -> list[Reviewed]:
    """These, once the person at the terminal has seen them and says yes. Raises: UsageError without one, or on a no."""
    if not unseen:
        return []
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        hint = f"see it with interlock mcp diff {server}, and name the digest that stands there: TOOL@DIGEST"
        raise UsageError("nobody says which definition was seen", hint=hint)
    _print_waiting(unseen)
    with contextlib.suppress(EOFError):
        if input("\napprove this? [y/N] ").strip().lower() in ("y", "yes"):
            return unseen
    raise UsageError("nothing was approved")


def _named(word: str, known: Collection[str]) -> tuple[str, str]:
    """The tool that somebody names, and the digest of the definition, if that is named too."""
    tool, _, digest = word.rpartition("@")
    return (tool, digest) if tool in known and _is_digest(digest) else (word, "")


def _is_digest(text: str) -> bool:
    return len(text) >= DIGITS and set(text) <= set("0123456789abcdef")


def _of_all(waiting: Iterable[Reviewed]) -> str:
    """The digest of all that waits of a server."""
    offer = [[one.pin.tool, one.pin.seen_digest] for one in waiting]
    return hashlib.sha256(json.dumps(sorted(offer)).encode()).hexdigest()[:DIGITS]


def _waiting(settings: Settings, store: SqlStore, server: str) -> list[Reviewed]:
    _known(store, server)
    return [one for one in ToolReviews(store).of(settings) if one.pin.server == server and one.waits]


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
