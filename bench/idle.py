"""What idle connections cost: N clients that have asked once and keep their connection, and interlock's memory.

`python -m bench.idle` starts `interlock up` as a user does, in front of the scripted model server of the bench. Each
client sends one chat request, reads the whole answer, and stays connected.
"""

import argparse
import contextlib
import itertools
import os
import resource
import socket
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench.gateway import MEGABYTE, machine, model_server
from bench.gateway_load import SCENARIOS, requests
from bench.gateway_peers import HOST, MODEL, Running, Setting, free_port, peers, running

# File descriptors beside the connections.
SPARE = 200
END = b'"finish_reason":"stop"'


@contextlib.contextmanager
def interlock() -> Iterator[Running]:
    """`interlock up` before a scripted model server, each on a core of its own where there are two."""
    cores = sorted(os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory(prefix="interlock-bench-") as folder, model_server(cores[0]) as upstream:
        peer = next(peer for peer in peers(Path("build/peers").absolute()) if peer.name == "interlock")
        setting = Setting(Path(folder) / peer.name, free_port(), upstream)
        with running(peer, setting, cores[-1]) as one:
            time.sleep(1)  # it has begun to listen, and still makes ready what comes after
            one.rss_start = one.rss_bytes()
            yield one


def ask(connection: socket.socket, request: bytes) -> None:
    """Send a request and read its answer."""
    connection.sendall(request)
    answer = b""
    while END not in answer:
        piece = connection.recv(65_536)
        if not piece:
            raise RuntimeError(f"the connection was closed: {answer[:400]!r}")
        answer += piece


def main() -> int:
    """Run the bench and print it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--connections", type=int, default=10_000, metavar="N", help="how many (default: 10,000)")
    args = parser.parse_args()
    # interlock takes up to 10,000 clients by itself, and so many files as this process may have.
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    count = min(args.connections, hard - SPARE)
    if count < args.connections:
        print(f"this system allows {hard:,} open files: {count:,} connections")
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 80)
    console.print(f"{machine()}\n")
    table = Table(title="Resident memory of interlock", title_justify="left", title_style="bold")
    for heading in ("connections", "MB", "KB for each"):
        table.add_column(heading, justify="right")
    with interlock() as one, contextlib.ExitStack() as stack:
        asked = requests(SCENARIOS[0], one.port, one.path, one.key, MODEL)

        table.add_row("none yet", f"{one.rss_start / MEGABYTE:.0f}", "")
        # What a first request makes (pools, caches) belongs to no connection.
        with socket.create_connection((HOST, one.port)) as first:
            for request in itertools.islice(asked, 500):
                ask(first, request)
        warm = one.rss_bytes()
        table.add_row("1", f"{warm / MEGABYTE:.0f}", "")
        for number, request in enumerate(itertools.islice(asked, count), 1):
            ask(stack.enter_context(socket.create_connection((HOST, one.port))), request)
            if number in {count // 10, count // 2, count}:
                rss = one.rss_bytes()
                table.add_row(f"{number:,}", f"{rss / MEGABYTE:.0f}", f"{(rss - warm) / number / 1000:.1f}")
    console.print(table)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
