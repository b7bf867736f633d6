"""Find the AI in a source tree, and judge it.

Found are models, clients and calls, agents, tools, prompts, embeddings,
vector stores, MCP servers, credentials and dependencies, in Python source and
notebooks, requirements and pyproject.toml, MCP client configuration and .env
files.

Nothing is executed, imported or started, nothing leaves this machine, and the
value of a credential is never kept. Tests are searched for credentials only:
what a test uses is an example. Links are not followed; a file over 5 MB
and whatever else could not be read is listed as not scanned, and so is source
of other languages, by kind. The result is kept for `interlock coverage` and
the console unless you say --no-save.

The JSON has a schema: docs/reference/scan.schema.json. SARIF 2.1.0 is for code
scanning, CycloneDX 1.7 an AI bill of materials, markdown for a pull request.

A baseline is the JSON of an earlier scan. What failed there already is known,
wherever its line is now, and does not count for --fail-on:

  interlock scan . --format json --out baseline.json
  interlock scan . --baseline baseline.json --fail-on new

Exit codes: 0 done, 1 a check failed as --fail-on says, 2 usage, 3 could not do
the work.
"""

import argparse
import io
import sys
import textwrap
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console

from interlock.cli import _options
from interlock.cli._output import PLAIN_WIDTH, console
from interlock.model.asset import Scan, Status
from interlock.model.errors import ScanError, UsageError
from interlock.model.meta import Severity

SUMMARY = "find the AI in a source tree and judge it"
FORMATS = ("table", "json", "sarif", "cyclonedx", "markdown", "html")
# Any severity, of what the baseline does not have.
NEW = "new"
FOUND = 1


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    from interlock.sources._files import SKIPPED_FOLDERS

    parser.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="folders and files to scan")
    parser.add_argument("--format", choices=FORMATS, default="table", help="default: table")
    parser.add_argument("--out", type=Path, metavar="FILE", help="write to this file instead of the terminal")
    parser.add_argument("--baseline", type=Path, metavar="FILE", help="what is known already: JSON of an earlier scan")
    parser.add_argument(
        "--fail-on",
        choices=[NEW, *(s.value for s in Severity)],
        help="exit with 1 if a check of this severity or above failed, or any that the baseline does not have; "
        "what could not be judged (UNKNOWN) or was not scanned does not count",
    )
    parser.add_argument("--no-save", action="store_true", help="do not keep the result")
    _options.add(parser)
    skipped = f"Folders that are passed over: {', '.join(sorted(SKIPPED_FOLDERS))}."
    parser.epilog = textwrap.fill(skipped, PLAIN_WIDTH - 2)


def run(args: argparse.Namespace) -> int:
    """Scan, print, keep; 1 if a check failed at or above `--fail-on`."""
    from interlock.governance.baseline import compared
    from interlock.scan import scan

    if args.fail_on == NEW and not args.baseline:
        raise UsageError("nobody knows what is new", hint="name the earlier scan: --baseline FILE")
    settings = _options.settings(args)
    known = _baseline(args.baseline) if args.baseline else None  # before the work: a wrong file is said at once
    at = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    with _progress() as progress:
        result = scan(args.paths, at=at, manifests=settings.workloads, progress=progress)
    shown = result if known is None else compared(result, known)
    _print(args, shown)  # first: a report that cannot be written leaves the kept scan as it was
    if not args.no_save:
        from interlock.app import open_store

        store = open_store(settings)
        try:
            store.save_scan(result)
        finally:
            store.close()
    return FOUND if args.fail_on and _failed(shown, args.fail_on) else 0


def _failed(scan: Scan, least: str) -> bool:
    rank = 0 if least == NEW else Severity(least).rank
    return any(f.status is Status.FAIL and not f.known and f.severity.rank >= rank for f in scan.findings)


def _baseline(file: Path) -> frozenset[str]:
    from interlock.governance.baseline import known

    try:
        return known(file.read_bytes(), str(file))
    except OSError as error:
        hint = "make one with: interlock scan PATH --format json --out FILE"
        raise ScanError(f"cannot read the baseline: {error.strerror}", where=str(file), hint=hint) from error


@contextmanager
def _progress() -> Iterator[Callable[[int, int], None] | None]:
    """A bar on a terminal's stderr; nothing otherwise."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("scanning")
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _print(args: argparse.Namespace, scan: Scan) -> None:
    if args.format == "table" and not args.out:
        from interlock.cli import _scan_table

        _scan_table.show(console(), scan)
        return
    text = _text(args.format, scan)
    if not args.out:
        sys.stdout.write(text)
        return
    try:
        args.out.write_text(text, "utf-8")
    except OSError as error:
        raise ScanError(
            f"cannot write the report: {error.strerror}", where=str(args.out), hint="name a file that can be written"
        ) from error
    print(f"{args.out}: {args.format} report", file=sys.stderr)


def _text(form: str, scan: Scan) -> str:
    if form == "json":
        from interlock.governance.document import encode

        return encode(scan)
    if form == "html":
        from interlock.governance.page import page

        return page(scan)
    if form == "sarif":
        from interlock.checks import checks
        from interlock.governance import sarif

        return sarif.encode(scan, {name: check.meta for name, check in checks().items()})
    if form == "cyclonedx":
        from interlock.governance import cyclonedx

        return cyclonedx.encode(scan)
    if form == "markdown":
        from interlock.governance import markdown

        return markdown.encode(scan)
    from interlock.cli import _scan_table

    buffer = io.StringIO()
    _scan_table.show(Console(file=buffer, width=PLAIN_WIDTH, highlight=False), scan)
    return buffer.getvalue()
