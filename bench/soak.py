"""Whether memory stays flat: interlock's resident memory over N chat requests, whole and streamed, each text a new one.

`python -m bench.soak` starts `interlock up` as a user does, in front of the scripted model server of the bench, and
sends the requests over 16 connections in ten parts.
"""

import argparse
import sys

import uvloop
from rich.console import Console
from rich.table import Table

from bench.gateway import MEGABYTE, machine
from bench.gateway_load import SCENARIOS, requests, run
from bench.gateway_peers import MODEL
from bench.idle import interlock

CONNECTIONS = 16
PARTS = 10


def main() -> int:
    """Run the bench and print it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=100_000, metavar="N", help="how many (default: 100,000)")
    args = parser.parse_args()
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 80)
    console.print(f"{machine()}\n")
    table = Table(title="Resident memory of interlock", title_justify="left", title_style="bold")
    for heading in ("requests", "MB", "CPU us/request", "requests/s"):
        table.add_column(heading, justify="right")
    with interlock() as one:
        table.add_row("0", f"{one.rss_start / MEGABYTE:.0f}", "", "")
        sent = 0
        for part in range(PARTS):
            scenario = SCENARIOS[part % 2]  # 2 KB, and the same streamed
            source = requests(scenario, one.port, one.path, one.key, MODEL)
            before = one.cpu_s()
            load = uvloop.run(run(one.port, source, max(1, args.requests // PARTS), CONNECTIONS))
            sent += load.requests
            cpu_us = (one.cpu_s() - before) / load.requests * 1e6
            rate = load.requests / load.seconds
            table.add_row(f"{sent:,}", f"{one.rss_bytes() / MEGABYTE:.0f}", f"{cpu_us:.0f}", f"{rate:,.0f}")
    console.print(table)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
