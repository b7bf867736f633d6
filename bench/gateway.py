"""What interlock costs in the live path, beside nginx, Envoy and LiteLLM in the same run: `make bench`.

Everything is on loopback. The proxy has one core to itself; the load and the scripted model server share
another one. Rounds are interleaved (each peer once a round), and each figure is the median over the rounds.
CPU is user and system time of the proxy's whole process tree, per request. No TLS, no HTTP/2.
"""

import argparse
import contextlib
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import uvloop
from rich.console import Console
from rich.table import Table

from bench.gateway_load import SCENARIOS, Load, Scenario, requests, run
from bench.gateway_peers import MODEL, PATH, Running, Setting, free_port, peers, running

CONNECTIONS = (16, 1)
MEGABYTE = 1_000_000


@dataclass(frozen=True, slots=True)
class Round:
    """One peer's part of one round."""

    cpu_us: float
    load: Load


@dataclass(frozen=True, slots=True)
class Figure:
    """Medians over the rounds for one peer in one scenario, with `connections` at once."""

    scenario: str
    connections: int
    peer: str
    cpu_us: float
    p50_ms: float
    per_second: float


@contextlib.contextmanager
def model_server(cpu: int) -> Iterator[int]:
    """The scripted model server in a process of its own; its port."""
    command = ["taskset", "--cpu-list", str(cpu), sys.executable, "-m", "bench.gateway_upstream"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield int(process.stdout.readline())
        finally:
            process.terminate()


def measure(peer: Running, scenario: Scenario, connections: int, count: int) -> Round:
    """Send `count` requests through a peer, and see what that cost."""
    source = requests(scenario, peer.port, peer.path, peer.key, MODEL)
    before = peer.cpu_s()
    load = uvloop.run(run(peer.port, source, count, connections))
    return Round((peer.cpu_s() - before) / count * 1e6, load)


def count_for(peer: Running, scenario: Scenario, connections: int, seconds: float) -> int:
    """How many requests a round of about `seconds` takes; finding that out warms the peer up."""
    trial = measure(peer, scenario, connections, 8 * connections).load
    trial = measure(peer, scenario, connections, max(8 * connections, int(trial.requests / trial.seconds / 4))).load
    return max(4 * connections, int(trial.requests / trial.seconds * seconds))


def compare(all_peers: list[Running], scenario: Scenario, connections: int, args: argparse.Namespace) -> list[Figure]:
    """One scenario, all peers, interleaved."""
    counts = {peer.name: count_for(peer, scenario, connections, args.seconds) for peer in all_peers}
    rounds: dict[str, list[Round]] = {peer.name: [] for peer in all_peers}
    for _ in range(args.rounds):
        for peer in all_peers:
            rounds[peer.name].append(measure(peer, scenario, connections, counts[peer.name]))
    return [
        Figure(
            scenario.name,
            connections,
            name,
            statistics.median(r.cpu_us for r in results),
            statistics.median(r.load.p50_ms for r in results),
            statistics.median(r.load.requests / r.load.seconds for r in results),
        )
        for name, results in rounds.items()
    ]


def table(title: str, figures: list[Figure]) -> Table:
    """One scenario's figures, with ratios to the peers of the same run."""
    by_name = {figure.peer: figure for figure in figures}
    result = Table(title=title, title_justify="left", title_style="bold")
    result.add_column("proxy")
    for heading in ("CPU us/request", "x nginx", "x Envoy", "added p50 ms", "requests/s"):
        result.add_column(heading, justify="right")
    for figure in figures:
        direct = figure.peer == "direct"
        ratios = [
            f"{figure.cpu_us / by_name[name].cpu_us:.2f}" if not direct and name in by_name else ""
            for name in ("nginx", "envoy")
        ]
        added = "" if direct else f"{figure.p50_ms - by_name['direct'].p50_ms:.2f}"
        cpu = "" if direct else f"{figure.cpu_us:.0f}"
        result.add_row(figure.peer, cpu, *ratios, added, f"{figure.per_second:,.0f}")
    return result


def machine() -> str:
    """Which machine this is, in a line."""
    model = next((line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")), "")
    name = model.partition(":")[2].strip() or platform.processor()
    return (
        f"{name}, {os.cpu_count()} cores, {platform.system()} {platform.release()}, Python {platform.python_version()}"
    )


def arguments() -> argparse.Namespace:
    """What the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="how many times each peer is measured (default: 5)")
    parser.add_argument(
        "--seconds", type=float, default=1.5, help="about how long one measurement takes (default: 1.5)"
    )
    parser.add_argument("--peers", metavar="NAME,...", help="only these of nginx, envoy, litellm, interlock")
    parser.add_argument("--scenario", metavar="TEXT", default="", help="only scenarios whose name holds this text")
    parser.add_argument("--peers-dir", type=Path, default=Path("build/peers"), help="what `make bench-peers` made")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    return parser.parse_args()


def start_all(args: argparse.Namespace, stack: contextlib.ExitStack, load_cpu: int, proxy_cpu: int) -> list[Running]:
    """The scripted model server itself as `direct`, and every chosen peer in front of it."""
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="interlock-bench-")))
    upstream = stack.enter_context(model_server(load_cpu))
    started = [Running("direct", "", upstream, PATH, "sk-bench")]
    for peer in peers(args.peers_dir.absolute()):
        if args.peers and peer.name not in args.peers.split(","):
            continue
        if peer.version is None:
            print(f"{peer.name} is not on this machine: left out")
            continue
        one = stack.enter_context(running(peer, Setting(folder / peer.name, free_port(), upstream), proxy_cpu))
        one.rss_start = one.rss_bytes()
        started.append(one)
    return started


def memory(started: list[Running]) -> Table:
    """What each proxy holds in memory before and after."""
    result = Table(title="Resident memory, MB", title_justify="left", title_style="bold")
    for heading in ("proxy", "at start", "after the load"):
        result.add_column(heading, justify="left" if heading == "proxy" else "right")
    for peer in started[1:]:
        result.add_row(peer.name, f"{peer.rss_start / MEGABYTE:.0f}", f"{peer.rss_bytes() / MEGABYTE:.0f}")
    return result


def main() -> int:
    """Run the bench and print it."""
    args = arguments()
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 80)
    cores = sorted(os.sched_getaffinity(0))
    load_cpu, proxy_cpu = cores[0], cores[-1]
    os.sched_setaffinity(0, {load_cpu})
    figures: list[Figure] = []
    with contextlib.ExitStack() as stack:
        started = start_all(args, stack, load_cpu, proxy_cpu)
        console.print(*(" ".join(paragraph.split()) for paragraph in (__doc__ or "").split("\n\n")), sep="\n\n")
        console.print(f"{machine()}; proxy on core {proxy_cpu}, load and model server on core {load_cpu}")
        if load_cpu == proxy_cpu:
            console.print("only one core: the proxy shares it with the load, so latencies say little")
        console.print(", ".join(f"{peer.name} {peer.version}" for peer in started[1:]))
        for scenario in (s for s in SCENARIOS if args.scenario in s.name):
            for connections in CONNECTIONS:
                some = compare(started, scenario, connections, args)
                figures += some
                console.print(table(f"{scenario.name}, {connections} connection{'s' * (connections > 1)}", some))
        console.print(memory(started))
        if args.json:
            versions = {peer.name: peer.version for peer in started[1:]}
            report = {"machine": machine(), "versions": versions, "figures": [asdict(f) for f in figures]}
            args.json.write_text(json.dumps(report, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
