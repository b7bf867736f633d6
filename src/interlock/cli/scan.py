"""Find the AI in a source tree, and judge it.

Found are models, clients and calls, agents, tools, prompts, embeddings,
vector stores, MCP servers, credentials and dependencies, in Python source,
requirements and pyproject.toml, MCP client configuration and .env files.

Nothing is executed, imported or started, nothing leaves this machine, and the
value of a credential is never kept. Tests are searched for credentials only:
what a test uses is an example. Links are not followed; a file over 5 MB
and whatever else could not be read is listed as not scanned, and so is source
of other languages, by kind. The result is kept for `interlock coverage` and
the console unless you say --no-save.

The JSON has a schema: docs/reference/scan.schema.json.
Exit codes: 0 done, 1 a check failed at or above --fail-on, 2 usage, 3 could
not do the work.
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
from interlock.model.errors import ScanError
from interlock.model.meta import Severity

SUMMARY = "find the AI in a source tree and judge it"
FOUND = 1


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    from interlock.sources._files import SKIPPED_FOLDERS

    parser.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="folders and files to scan")
    parser.add_argument("--format", choices=("table", "json", "html"), default="table", help="default: table")
    parser.add_argument("--out", type=Path, metavar="FILE", help="write to this file instead of the terminal")
    parser.add_argument(
        "--fail-on",
        choices=[s.value for s in Severity],
        help="exit with 1 if a check of this severity or above failed; "
        "what could not be judged (UNKNOWN) or was not scanned does not count",
    )
    parser.add_argument("--no-save", action="store_true", help="do not keep the result")
    _options.add(parser)
    skipped = f"Folders that are passed over: {', '.join(sorted(SKIPPED_FOLDERS))}."
    parser.epilog = textwrap.fill(skipped, PLAIN_WIDTH - 2)


def run(args: argparse.Namespace) -> int:
    """Scan, print, keep; 1 if a check failed at or above `--fail-on`."""
    from interlock.scan import scan

    settings = _options.settings(args)
    at = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    with _progress() as progress:
        result = scan(args.paths, at=at, manifests=settings.workloads, progress=progress)
    _print(args, result)  # first: a report that cannot be written leaves the kept scan as it was
    if not args.no_save:
        from interlock.app import open_store

        store = open_store(settings)
        try:
            store.save_scan(result)
        finally:
            store.close()
    return FOUND if args.fail_on and _failed(result, Severity(args.fail_on)) else 0


def _failed(scan: Scan, least: Severity) -> bool:
    return any(f.status is Status.FAIL and f.severity.rank >= least.rank for f in scan.findings)


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
    from interlock.cli import _scan_table

    buffer = io.StringIO()
    _scan_table.show(Console(file=buffer, width=PLAIN_WIDTH, highlight=False), scan)
    return buffer.getvalue()
