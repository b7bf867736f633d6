"""The audit log: prove that it is whole, or look something up in it.

verify works on the files alone, also on a copy of a log's folder (--dir), and
changes nothing. The public key in the folder shows that the log fits its own
key. Only a key (--key) and a checkpoint (--kept) that you copied away earlier
show that nobody has rewritten it all.
Exit codes: 0 whole, 1 damaged, 3 there is no log, or it cannot be read.

query shows the newest records first. With --format json it prints
{"records": [{"log", "n", "leaf", "record"}]}: record is the canonical record
that was hashed (what has its default is left out), leaf its Merkle leaf hash.
"""

import argparse
import json
from base64 import b64encode
from datetime import UTC, datetime
from pathlib import Path

from interlock.audit.canonical import encode
from interlock.audit.checkpoint import Verifier, parse_verifier
from interlock.audit.verify import Report
from interlock.cli import _options
from interlock.cli._output import console, shown
from interlock.model.errors import AuditError, UsageError
from interlock.model.record import Record, Verdict
from interlock.store import Stored
from interlock.store.tally import count_blocked

SUMMARY = "verify the audit log, or look something up in it"
DAMAGED = 1
_DECISIONS = {
    Verdict.ALLOWED: "allowed",
    Verdict.BLOCKED: "[bold red]blocked[/]",
    Verdict.FAILED: "[yellow]failed[/]",
}


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the two things to do."""
    actions = parser.add_subparsers(dest="action", metavar="verify|query", required=True)
    verify = actions.add_parser("verify", help="check every record, root and signature; exit code 1 if damaged")
    _options.add(verify)
    verify.add_argument("--log", metavar="NAME", help="only the log of this gateway (default: all logs)")
    verify.add_argument("--dir", metavar="FOLDER", help="a copy of a log's folder, wherever it is")
    verify.add_argument("--key", metavar="FILE", help="your copy of verifier.pub (default: the one in the folder)")
    verify.add_argument("--kept", metavar="FILE", help="a checkpoint that you copied away: the log must contain it")
    query = actions.add_parser("query", help="show the newest records")
    _options.add(query)
    query.add_argument("--workload", metavar="W", help="only this workload's")
    query.add_argument("--session", metavar="S", help="only this session's")
    query.add_argument("--blocked", action="store_true", help="only where something was not permitted")
    query.add_argument("--limit", metavar="N", type=int, default=20, help="at most so many (default: 20)")
    query.add_argument("--format", choices=("table", "json"), default="table")


def run(args: argparse.Namespace) -> int:
    """Do it."""
    return _verify(args) if args.action == "verify" else _query(args)


def _verify(args: argparse.Namespace) -> int:
    from interlock.store.segments import is_log, verifier_of, verify

    if args.dir:
        folders = [Path(args.dir)]
    else:
        logs = _options.settings(args).data / "audit"
        folders = sorted(f for f in logs.iterdir() if is_log(f)) if logs.is_dir() else []
        folders = [f for f in folders if args.log in {None, f.name}]
        if not folders:
            which = f"no log {args.log}" if args.log else "no audit log"
            hint = "a gateway begins one when it starts: interlock up"
            raise AuditError(f"there is {which} yet", where=str(logs), hint=hint)
    if len(folders) > 1 and (args.key or args.kept):
        raise UsageError("--key and --kept are about one log, and there are several", hint="name one with --log")
    kept = ((args.kept, _read(args.kept)),) if args.kept else ()
    whole = True
    for folder in folders:
        trusted = _trusted(args.key) if args.key else verifier_of(folder)
        report = verify(folder, trusted, kept)
        _print_report(folder, report, trusted, own_key=bool(args.key), kept=bool(kept))
        whole = whole and report.whole
    return 0 if whole else DAMAGED


def _print_report(folder: Path, report: Report, trusted: Verifier, *, own_key: bool, kept: bool) -> None:
    out = console()
    state = "[bold green]whole[/]" if report.whole else "[bold red]DAMAGED[/]"
    out.print(f"log {shown(report.log)}: {state}")
    rows = [("folder", str(folder))]
    if damage := report.damage:
        rows.append(("what", damage.what))
        rows.append(("where", damage.file + (f", byte {damage.offset}" if damage.offset is not None else "")))
        if damage.record is not None:
            rows.append(("record", str(damage.record)))
        before = f"the {report.records:,} records before it" if report.records else "nothing before it"
        rows.append(("in order", before))
    else:
        rows.append(("records", _count(report)))
        rows.append(("checkpoints", f"{report.checkpoints:,}, every root and signature is right"))
        rows.append(("root", b64encode(report.root).decode()))
    rows.append(("key", f"{trusted.name}+{trusted.id.hex()}" + ("" if own_key else ", from the folder itself")))
    width = max(len(label) for label, _ in rows) + 2
    for label, value in rows:
        out.print(f"  {label:<{width}}{shown(value)}", soft_wrap=True)
    if report.whole and not (own_key and kept):
        out.print("  [dim]Whoever holds the signing key could have rewritten the whole log. To rule that")
        out.print("  [dim]out, verify with --key and --kept, from copies that you keep on another host.")


def _count(report: Report) -> str:
    unsigned = report.records - report.signed
    text = f"{report.records:,}, numbered without a gap"
    if unsigned:
        text += f"; the last {unsigned:,} not yet signed"
    if report.unfinished:
        text += f"; {report.unfinished:,} bytes of an unfinished one"
    return text


def _trusted(path: str) -> Verifier:
    try:
        return parse_verifier(_read(path).decode("ascii"))
    except UnicodeDecodeError as error:
        raise UsageError("this is not a verifier key", where=path, hint="a copy of the log's verifier.pub") from error


def _read(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise UsageError(f"cannot read it: {error.strerror}", where=path) from error


def _query(args: argparse.Namespace) -> int:
    from interlock.app import open_store, refresh

    if args.limit < 1:
        raise UsageError("--limit must be at least 1")
    settings = _options.settings(args)
    store = open_store(settings)
    try:
        refresh(settings, store)
        found = store.records(
            workload=args.workload, session=args.session, blocked=True if args.blocked else None, limit=args.limit
        )
    finally:
        store.close()
    if args.format == "json":
        print(json.dumps({"records": [_as_json(stored) for stored in found]}, indent=1))
    else:
        _print_table(found)
    return 0


def _as_json(stored: Stored) -> dict[str, object]:
    record = json.loads(encode(stored.record, stored.log, stored.n))
    return {"log": stored.log, "n": stored.n, "leaf": stored.leaf, "record": record}


def _print_table(found: tuple[Stored, ...]) -> None:
    from rich.table import Table

    out = console()
    if not found:
        out.print("no records")
        return
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False)
    for heading in ("record", "when (UTC)", "workload", "did", "decision"):
        table.add_column(heading, no_wrap=heading == "when (UTC)", overflow="fold")
    for stored in found:
        record = stored.record
        when = datetime.fromtimestamp(record.at_us / 1e6, UTC).strftime("%Y-%m-%d %H:%M:%S")
        decision = _DECISIONS[Verdict.BLOCKED if count_blocked(record) else record.verdict]
        table.add_row(f"{stored.log}/{stored.n}", when, shown(record.workload), shown(_did(record)), decision)
        for reason in _reasons(record):
            table.add_row("", "", "", shown(reason), "")
    out.print(table)


def _did(record: Record) -> str:
    calls = [step.tool for step in record.steps if step.kind == "call"]
    what = f"{record.kind.value} {record.model}".strip()
    if not record.workload and record.reason and record.reason not in _reasons(record):
        what += f": {record.reason}"
    return what + (f", calls {', '.join(calls)}" if calls else "")


def _reasons(record: Record) -> list[str]:
    """Why something in it was not permitted, or would not be but for observing, or did not end well."""
    observed = [said for said in (record.reason, *(s.reason for s in record.steps)) if said.startswith("Only observed")]
    reasons = [step.reason or "not permitted" for step in record.steps if step.verdict is Verdict.BLOCKED]
    if record.verdict is not Verdict.ALLOWED and not reasons:
        reasons = [record.reason or "not permitted"]
    return list(dict.fromkeys([*reasons, *observed]))
