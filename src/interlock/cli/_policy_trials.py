"""`interlock policy test` and `replay`: policies tried on examples, and on what was recorded."""

import argparse
import json
import re
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from interlock.cli import _options
from interlock.cli._output import console, shown
from interlock.config import Settings
from interlock.governance.replay import Replay, replay
from interlock.governance.summary import counted
from interlock.mcp.labels import SetLabels
from interlock.mcp.pins import Pin
from interlock.model.errors import UsageError
from interlock.model.record import Record

if TYPE_CHECKING:
    from interlock.guard.examples import Outcome

FAILED = 1
_AGO = re.compile(r"(\d{1,6})([smhd])")
_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
_WORDS = {"deny": "would be refused", "ask": "would wait for a person", "allow": "would be allowed", "note": "noted"}


def add_trials(actions: Any) -> None:
    """Add the two sub-commands."""
    test = actions.add_parser("test", help="decide examples, and compare")
    test.add_argument("files", nargs="+", metavar="FILE", help="examples in TOML; 'bundled' names interlock's own")
    again = actions.add_parser("replay", help="decide again what was recorded")
    again.add_argument("--since", metavar="WHEN", help="30m, 12h, 7d, or a date such as 2026-11-24 (default: all)")
    again.add_argument("--fail-on-change", action="store_true", help="exit with 1 if a decision would be another")
    suggest = actions.add_parser("suggest", help="print manifests that permit what was used, and no more")
    suggest.add_argument("--since", metavar="WHEN", help="as for replay (default: all)")
    suggest.add_argument("--workload", metavar="W", help="only this workload's")
    _options.add(suggest)
    for one in (test, again):
        one.add_argument(
            "--policy", action="append", default=[], metavar="FILE",
            help="a Cedar file, in place of [policy] files; may be repeated",
        )  # fmt: skip
        one.add_argument("--format", choices=("table", "json"), default="table", help="default: table")
        _options.add(one)


def with_policies(settings: Settings, named: list[str]) -> Settings:
    """The settings with these Cedar files in place of theirs, if there are any."""
    files = tuple(str(Path(name).absolute()) for name in named)
    return replace(settings, policy=replace(settings.policy, files=files)) if files else settings


def known(settings: Settings) -> tuple[tuple[Pin, ...], tuple[SetLabels, ...]]:
    """The tools that are known, and the labels set on the console; none where nothing was ever kept."""
    from interlock.app import open_store

    if not settings.store.url and not settings.data.exists():
        return (), ()
    store = open_store(settings)
    try:
        return tuple(store.pins()), store.labels()
    finally:
        store.close()


def run_tests(settings: Settings, args: argparse.Namespace) -> "list[Outcome]":
    """What came of each example. Raises: UsageError, PolicyError, ConfigError."""
    from interlock.guard.examples import examples, tried
    from interlock.rulebook import bundled_examples, trial

    rules = trial(with_policies(settings, args.policy), *known(settings))
    texts = [(name, bundled_examples() if name == "bundled" else _read(name)) for name in args.files]
    found = [(name, examples(name, text)) for name, text in texts]
    for name, listed in found:
        if not listed:
            hint = "write [[example]]; the how-to on policies shows one"
            raise UsageError("there is no example in it, so that it would show nothing", where=name, hint=hint)
    return [tried(example, rules) for _, listed in found for example in listed]


def _read(name: str) -> str:
    try:
        return Path(name).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot read it: {error}", where=name, hint="name a file of examples") from error


def print_tests(outcomes: "list[Outcome]", form: str) -> int:
    """Print what came of the examples; 1 if one does not hold."""
    held = sum(outcome.holds for outcome in outcomes)
    if form == "json":
        said = [
            {
                "name": one.example.name, "where": one.example.where, "holds": one.holds,
                "expected": one.example.expect, "decided": one.decided, "by": list(one.by),
                "observed": list(one.observed), "reason": one.reason,
            }
            for one in outcomes
        ]  # fmt: skip
        print(json.dumps({"held": held, "examples": said}, indent=1))
        return 0 if held == len(outcomes) else FAILED
    out = console()
    for one in outcomes:
        mark = "[green]ok[/]    " if one.holds else "[bold red]FAILED[/]"
        out.print(f"{mark} {shown(one.example.name)}", soft_wrap=True)
        if not one.holds:
            by = f", by {', '.join(sorted(one.example.by))}" if one.example.by else ""
            out.print(f"       expected {one.example.expect}{shown(by)}")
            out.print(f"       decided  {one.decided}, by {shown(', '.join(one.by) or 'no policy')}")
            if one.observed:
                out.print(f"       observed {shown(', '.join(one.observed))}")
            if one.reason:
                out.print(f"       {shown(one.reason)}")
            out.print(f"       [dim]{shown(one.example.where)}[/]")
    out.print(f"{held} of {counted(len(outcomes), 'example')} held")
    return 0 if held == len(outcomes) else FAILED


def run_replay(settings: Settings, args: argparse.Namespace) -> Replay:
    """What other policies would have decided. Raises: UsageError, PolicyError, ConfigError, AuditError."""
    from interlock.rulebook import policies

    since_us = _since(args.since) if args.since else 0
    pins, _ = known(settings)
    tried = policies(with_policies(settings, args.policy), pins)
    return replay(_records(settings, since_us), tried)


def print_suggestions(settings: Settings, args: argparse.Namespace) -> int:
    """Print a manifest for each workload that was seen."""
    from interlock.governance.suggest import manifest, used

    since_us = _since(args.since) if args.since else 0
    found = used(record for _, record in _records(settings, since_us))
    if args.workload not in (None, *found) or not found:
        who = f"of workload {args.workload!r}" if args.workload else "of any workload"
        hint = f"it knows of {', '.join(sorted(found))}" if found else "see --data and --since"
        raise UsageError(f"the log knows nothing {who}", hint=hint)
    for workload, use in sorted(found.items()):
        if args.workload not in (None, workload):
            continue
        first, last = (
            datetime.fromtimestamp(at / 1e6, UTC).strftime("%Y-%m-%d") for at in (use.since_us, use.until_us)
        )
        print(f"# Used from {first} to {last}. Look at it before you take it over.")
        print(*manifest(workload, use), "", sep="\n")
    return 0


def _records(settings: Settings, since_us: int) -> Iterator[tuple[str, Record]]:
    from interlock.store.segments import is_log, read

    logs = settings.data / "audit"
    for folder in sorted(one for one in logs.iterdir() if is_log(one)) if logs.is_dir() else ():
        for stored in read(folder):
            if stored.record.at_us >= since_us:
                yield f"{stored.log}/{stored.n}", stored.record


def _since(text: str) -> int:
    """Microseconds since 1970 UTC."""
    if ago := _AGO.fullmatch(text):
        return (int(time.time()) - int(ago[1]) * _SECONDS[ago[2]]) * 1_000_000
    try:
        when = datetime.fromisoformat(text)
    except ValueError as error:
        raise UsageError(f"--since cannot be {text!r}", hint="such as 12h, 7d or 2026-11-24") from error
    return int((when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp() * 1_000_000)


def print_replay(found: Replay, args: argparse.Namespace) -> int:
    """Print what would differ; 1 if something would, and that was asked for."""
    code = FAILED if args.fail_on_change and found.changed else 0
    ordered = sorted(found.changes.items(), key=lambda item: (item[0].now == "note", -item[1], item[0]))
    if args.format == "json":
        said = {
            "records": found.records,
            "decided": found.decided,
            "changed": found.changed,
            "changes": [
                change._asdict() | {"count": count, "examples": found.examples[change]} for change, count in ordered
            ],
            "undecided": dict(found.undecided),
        }
        print(json.dumps(said, indent=1))
        return code
    out = console()
    out.print(
        f"{counted(found.records, 'record')}, {counted(found.decided, 'decision')} made again, "
        f"[bold]{found.changed}[/] would be another"
    )
    for change, count in ordered:
        now = "stays allowed" if change.now == "note" else _WORDS[change.now]
        out.print(f"\n{count:>6}  {shown(change.what)} {shown(change.subject)} of {shown(change.workload)}")
        out.print(f"        {change.was}, {now}" + (", and noted" if change.now == "note" else ""))
        out.print(f"        by {shown(', '.join(change.by) or 'no policy: none permits it')}")
        out.print(f"        [dim]{shown(', '.join(found.examples[change]))}[/]")
    if found.not_told_apart:
        out.print(f"\n{found.not_told_apart:>6}  more, which are not told apart")
    for why, count in found.undecided.most_common():
        out.print(f"\n{count:>6}  not decidable: {why}")
    return code
