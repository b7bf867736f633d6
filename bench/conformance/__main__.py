"""Runs the official MCP conformance suite against a full-featured server: directly, and through `interlock up`.

`python -m bench.conformance` (`make conformance`) prints what the suite says of each scenario side by side, for both
revisions. Exit code 1: a check that passes directly does not pass through interlock.
"""

import argparse
import asyncio
import contextlib
import json
import os
import re
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path
from typing import IO, TypeAlias

from rich.console import Console
from rich.table import Table

from bench.conformance.relay import Relay
from bench.gateway import machine

SUITE = "@modelcontextprotocol/conformance"
NEEDED = ("node@22", f"{SUITE}@0.2.0-alpha.12")
REVISIONS = ("2025-11-25", "2026-07-28")
PASSED, FAILED = ("SUCCESS",), ("FAILURE", "WARNING")
LIMIT_S = 600.0
# The profile that lets everything pass. It is ordinary configuration; see docs/how-to/measure.md.
SETTINGS = """
[gateway]
port = 0
[console]
port = 0
[policy]
bundled = false
files = ["pass-all.cedar"]
[mcp.servers.everything]
url = "http://127.0.0.1:{port}/mcp"
offers = ["sampling", "elicitation", "elicitation-url", "roots"]
"""
POLICY = '@id("pass-all")\n@reason("Everything passes: this profile measures the protocol, not the protection.")\n'
POLICY += "permit (principal, action, resource);\n"

Checks: TypeAlias = Mapping[str, Counter[tuple[str, str]]]
"""Scenario -> how often which check came out how."""


def main() -> int:
    """Run it all; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--suite", type=Path, default=Path("build/conformance"), help="folder for node and the suite")
    parser.add_argument("--revision", choices=REVISIONS, action="append", help="only this one")
    args = parser.parse_args()
    suite = args.suite.resolve()
    install(suite)
    return asyncio.run(measure(suite, args.revision or REVISIONS))


def install(suite: Path) -> None:
    """Node and the suite, from the npm registry, once."""
    if (suite / "node_modules" / SUITE).exists():
        return
    suite.mkdir(parents=True, exist_ok=True)
    subprocess.run(["npm", "install", "--no-fund", "--no-audit", "--prefix", str(suite), *NEEDED], check=True)


async def measure(suite: Path, revisions: tuple[str, ...]) -> int:
    """Run the suite twice for each revision; 1 if interlock made something worse."""
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 80)
    console.print(f"{machine()}; {NEEDED[1]}")
    worse = False
    with tempfile.TemporaryDirectory(prefix="interlock-conformance-") as name, serving() as port:
        folder = Path(name)
        async with interlock(folder, port) as relayed:
            for revision in revisions:
                direct = await run(suite, folder / "direct", f"http://localhost:{port}/mcp", revision)
                through = await run(suite, folder / "through", f"http://localhost:{relayed}/mcp/everything", revision)
                show(console, revision, direct, through)
                worse = worse or any(lost(direct, through))
    return int(worse)


@contextlib.contextmanager
def serving() -> Iterator[int]:
    """The server; its port."""
    command = [sys.executable, "-W", "ignore", "-m", "bench.conformance.server"]
    with ended(command, None) as out:
        yield int(out.readline())


@contextlib.contextmanager
def ended(command: list[str], env: Mapping[str, str] | None) -> Iterator[IO[str]]:
    """A program that is ended at the end; its stdout."""
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=env) as process:
        assert process.stdout
        try:
            yield process.stdout
        finally:
            process.terminate()


@contextlib.asynccontextmanager
async def interlock(folder: Path, port: int) -> AsyncIterator[int]:
    """`interlock up` in front of the server, and before it what shows its key; that one's port."""
    config = folder / "interlock.toml"
    config.write_text(SETTINGS.format(port=port))
    (folder / "pass-all.cedar").write_text(POLICY)
    env = {**os.environ, "INTERLOCK_DATA": str(folder / "data")}
    command = [sys.executable, "-m", "interlock"]
    add = [*command, "identity", "add", "suite", "--config", str(config)]
    made = await asyncio.to_thread(subprocess.run, add, env=env, capture_output=True, text=True, check=True)
    key = re.search(r"ilk_\w+", made.stdout)
    assert key, "no key was made"
    with ended([*command, "up", "--config", str(config)], env) as out:
        first = out.readline().split()
        gateway = int(first[1].rpartition(":")[2])
        yield await Relay(gateway, b"authorization: Bearer %b\r\n" % key[0].encode()).start()


async def run(suite: Path, out: Path, url: str, revision: str) -> Checks:
    """What the suite says of a server."""
    node = suite / "node_modules" / "node" / "bin" / "node"
    script = suite / "node_modules" / SUITE / "dist" / "index.js"
    folder = out / revision
    process = await asyncio.create_subprocess_exec(
        node, script, "server", "--url", url, "--requirements", revision, "--output-dir", str(folder),
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    await asyncio.wait_for(process.wait(), LIMIT_S)
    found = {}
    for file in sorted(folder.glob("server-*/checks.json")):
        scenario = re.sub(r"-\d{4}-\d\d-\d\dT.*", "", file.parent.name.removeprefix("server-"))
        checks = json.loads(file.read_text())
        found[scenario] = Counter((check["id"], check["status"]) for check in checks)
    return found


def lost(direct: Checks, through: Checks) -> Iterator[str]:
    """Each check that passes directly, and not through interlock, with its scenario."""
    for scenario, checks in direct.items():
        theirs = through.get(scenario, Counter())
        for (name, status), count in checks.items():
            if status in PASSED and theirs[name, status] < count:
                yield f"{scenario}: {name}"


def show(console: Console, revision: str, direct: Checks, through: Checks) -> None:
    """Both results side by side, and what differs."""
    table = Table(title=f"MCP {revision}: checks passed / not passed", title_justify="left")
    for head, side in (("scenario", "left"), ("direct", "right"), ("through", "right")):
        table.add_column(head, justify=side)  # type: ignore[arg-type]
    for scenario in sorted({*direct, *through}):
        table.add_row(scenario, *(figures(checks.get(scenario, Counter())) for checks in (direct, through)))
    together = [sum(checks.values(), Counter[tuple[str, str]]()) for checks in (direct, through)]
    table.add_row("all", *map(figures, together), style="bold")
    console.print(table)
    for what, found in (("worse", lost(direct, through)), ("better", lost(through, direct))):
        for check in found:
            console.print(f"{what} through interlock: {check}", soft_wrap=True)


def figures(checks: Counter[tuple[str, str]]) -> str:
    """Checks passed, and not passed; those that say nothing are in neither."""
    passed, failed = (sum(n for (_, status), n in checks.items() if status in among) for among in (PASSED, FAILED))
    return f"{passed} / {failed}"


if __name__ == "__main__":
    sys.exit(main())
