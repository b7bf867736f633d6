"""Refused calls that a person may permit.

list   what waits for a person; --all shows what was decided as well
show   the exact call: its values, and where each of them came from
grant  permit it, once or for the task; a running gateway knows within a second
deny   refuse it, or take back what was permitted and not used yet

An approval covers one exact call of one task or conversation. With --task its
judged values are not asked about again in that task, in the same argument of
the same tool. Every decision goes into the audit log before it counts.
Exit codes: 0 nothing waits, or the decision counts; 1 something waits, or
somebody else decided first.
"""

import argparse
import asyncio
import contextlib
import json
import time

from interlock.cli import _options
from interlock.cli._output import console, shown
from interlock.config import Settings
from interlock.model.approval import Approval, Reach, Standing
from interlock.model.errors import UsageError
from interlock.store.sql import SqlStore

SUMMARY = "refused calls that a person may permit: list, show, grant, deny"
LONGEST_REASON = 200


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the four things to do."""
    actions = parser.add_subparsers(dest="action", metavar="list|show|grant|deny", required=True)
    listing = actions.add_parser("list", help="show what waits for a person")
    listing.add_argument("--all", action="store_true", help="what was decided or is over as well")
    show = actions.add_parser("show", help="show one request: its values, and where each came from")
    grant = actions.add_parser("grant", help="permit the call")
    grant.add_argument("--task", action="store_true", help="until the task is over, for the same values")
    deny = actions.add_parser("deny", help="refuse the call")
    for action in (show, grant, deny):
        action.add_argument("id", metavar="ID", help="as `approve list` shows it")
    for action in (grant, deny):
        action.add_argument("--reason", metavar="TEXT", required=True, help="why; it goes into the audit log")
    for action in (listing, show):
        action.add_argument("--json", action="store_true", help="as JSON: one object, or one on each line")
    for action in (listing, show, grant, deny):
        _options.add(action)


def run(args: argparse.Namespace) -> int:
    """Do it."""
    from interlock.app import open_store

    settings = _options.settings(args)
    with contextlib.closing(open_store(settings)) as store:
        match args.action:
            case "list":
                return _list(store, args)
            case "show":
                _show(_found(store, args.id), args)
                return 0
            case _:
                return _decide(settings, store, args)


def _list(store: SqlStore, args: argparse.Namespace) -> int:
    from rich.table import Table

    now_us = time.time_ns() // 1000
    every = store.approvals()
    waiting = [one for one in every if one.standing(now_us) is Standing.WAITING]
    listed = every if args.all else waiting
    if args.json:
        for one in listed:
            print(json.dumps(_document(one, now_us)))
        return 1 if waiting else 0
    out = console()
    if not listed:
        out.print("nothing waits for a person")
        return 0
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False)
    for heading in ("id", "workload", "tool", "state", "left"):
        table.add_column(heading, no_wrap=heading in ("id", "state", "left"), overflow="fold")
    for one in listed:
        standing = one.standing(now_us)
        left = _left(one.expires_us - now_us) if standing in (Standing.WAITING, Standing.GRANTED) else ""
        table.add_row(one.id, shown(one.workload), shown(one.tool), standing.value, left)
    out.print(table)
    if waiting:
        out.print("\nsee what it is with interlock approve show ID, then grant or deny it")
    return 1 if waiting else 0


def _show(one: Approval, args: argparse.Namespace) -> None:
    from interlock.policy.approvals import came_from
    from interlock.policy.looks import visible

    now_us = time.time_ns() // 1000
    if args.json:
        print(json.dumps(_document(one, now_us), indent=2))
        return
    out = console()
    on = f" on {shown(one.server)}" if one.server else ""
    out.print(f"[bold]{shown(one.workload)}[/] wants to call [bold]{shown(visible(one.tool))}[/]{on}")
    for value in one.arguments:
        out.print(f"\n  {shown(visible(value.name))}: [bold]{shown(visible(value.text))}[/]")
        if value.end:
            out.print(f"    ... {shown(visible(value.end))}")
            out.print(f"    {value.size:,} characters, hash {value.digest}")
        out.print(f"    from {shown(came_from(value))}")
        for warning in value.warnings:
            out.print(f"    [red]careful: it {warning}[/]")
    if value_count := one.left_out:
        out.print(f"\n  [red]{value_count:,} more arguments are not shown[/]")
    out.print(f"\nasked because: {shown(one.reason)}")
    out.print(f"policies: {shown(', '.join(one.policies))}")
    out.print(
        f"{'task' if one.is_task else 'session'}: {shown(one.session or 'none is known')}, bound to {one.binding}"
    )
    out.print(f"state: {_state(one, now_us)}")


def _decide(settings: Settings, store: SqlStore, args: argparse.Namespace) -> int:
    from interlock.cli._operator_log import operator, operator_log
    from interlock.policy.approvals import decided, record_of

    if not args.reason.strip() or len(args.reason) > LONGEST_REASON:
        raise UsageError(f"a reason has 1 to {LONGEST_REASON} characters")
    now_us, granted = time.time_ns() // 1000, args.action == "grant"
    asked = _found(store, args.id)
    reach = Reach.TASK if granted and args.task else Reach.ONCE
    if reach is Reach.TASK and not asked.session:
        raise UsageError("no task is known for it, so it can be permitted once only", hint="leave out --task")
    standing = asked.standing(now_us)
    if standing is not Standing.WAITING and (granted or standing is not Standing.GRANTED):
        console().print(f"nothing is changed: {_state(asked, now_us)}")
        return 1
    decision = decided(
        asked, settings.approvals, now_us, operator(), granted=granted, reach=reach, why=args.reason.strip()
    )  # fmt: skip
    with operator_log(settings) as log:
        asyncio.run(log.durable(log.append(record_of(decision))))
    now = store.decide_approval(decision)
    if now is None or (now.decided_by, now.decided_us) != (decision.decided_by, decision.decided_us):
        console().print(f"somebody else decided first: {_state(now, now_us) if now else 'it is gone'}")
        return 1
    console().print(f"{asked.id}: {_state(now, now_us)}")
    return 0


def _found(store: SqlStore, id_: str) -> Approval:
    one = store.approval(id_)
    if one is None:
        raise UsageError(f"there is no request {id_!r}", hint="see: interlock approve list --all")
    return one


def _state(one: Approval, now_us: int) -> str:
    standing = one.standing(now_us)
    said = standing.value
    if standing in (Standing.WAITING, Standing.GRANTED):
        said += f", {_left(one.expires_us - now_us)} left"
    if one.granted:
        said += ", for the task" if one.reach is Reach.TASK else ", once"
    return said + (f", by {shown(one.decided_by)}" if one.decided_by else "")


def _left(us: int) -> str:
    seconds = max(0, us // 1_000_000)
    return (
        f"{seconds // 3600} h {seconds % 3600 // 60} min"
        if seconds >= 3600
        else f"{seconds // 60} min {seconds % 60} s"
    )


def _document(one: Approval, now_us: int) -> dict[str, object]:
    return {
        "id": one.id,
        "state": one.standing(now_us).value,
        "workload": one.workload,
        "session": one.session,
        "is_task": one.is_task,
        "server": one.server,
        "tool": one.tool,
        "sink": one.sink,
        "policies": list(one.policies),
        "reason": one.reason,
        "asked_us": one.asked_us,
        "expires_us": one.expires_us,
        "reach": one.reach.value if one.granted else "",
        "decided_us": one.decided_us,
        "decided_by": one.decided_by,
        "used_us": one.used_us,
        "binding": one.binding,
        "left_out": one.left_out,
        "arguments": [
            {
                "name": value.name,
                "text": value.text,
                "end": value.end,
                "size": value.size,
                "digest": value.digest,
                "judged": value.judged,
                "origins": [origin.value for origin in value.origins],
                "seen_in": list(value.seen_in),
                "warnings": list(value.warnings),
            }
            for value in one.arguments
        ],
    }
