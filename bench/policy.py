"""How long a policy decision takes: `python -m bench.policy`.

With 1,000 grants in the workload's scope, in microseconds: a question that was asked before (kept), one that was not,
one that is refused and asks (two evaluations), and one in which a policy reads an argument.
"""

import platform
import statistics
import time
from collections.abc import Callable

from interlock.model.record import Origin
from interlock.policy import CallTool, Policies, Scope, Source
from interlock.policy.arguments import of_declarations
from interlock.rulebook import bundled, schema

GRANTS = 1_000
ROUNDS = 5_000
READS = """@id("no-large-payments") @reason("Too much.")
forbid (principal, action == Action::"callTool", resource == Tool::"pay") when { context.args.amount > 1000 };"""


def main() -> None:
    """Measure, and print."""
    print(f"{platform.processor() or platform.machine()}, Python {platform.python_version()}, {GRANTS:,} grants")
    began = time.perf_counter()
    policies = Policies(
        schema(),
        (bundled(), Source("own", READS)),
        {"w": Scope(tools=("pay", *(f"tool_{number}" for number in range(GRANTS))))},
        tools={"pay": of_declarations("pay", ["amount: Long"])},
    )
    print(f"{'loaded in':<28}{(time.perf_counter() - began) * 1e3:8.1f} ms")
    numbers = iter(range(10**9))

    def question(tool: str, *, unique: bool, origin: Origin = Origin.USER) -> CallTool:
        sink = f"send{next(numbers)}" if unique else "send"
        return CallTool("w", tool, sink, frozenset({origin}), tainted=True, offered=True, understood=True, asked=True)

    decide = policies.decide
    measured: dict[str, Callable[[], object]] = {
        "asked before": lambda: decide(question("tool_7", unique=False)),
        "not asked before": lambda: decide(question("tool_7", unique=True)),
        "not before, and asks": lambda: decide(question("tool_7", unique=True, origin=Origin.UNTRUSTED)),
        "reads an argument": lambda: decide(question("pay", unique=True), {"amount": 10}),
    }
    for name, work in measured.items():
        _report(name, work)


def _report(name: str, work: Callable[[], object]) -> None:
    times = []
    for _ in range(ROUNDS):
        began = time.perf_counter_ns()
        work()
        times.append((time.perf_counter_ns() - began) / 1e3)
    cuts = statistics.quantiles(times, n=100)
    print(f"{name:<28}{cuts[49]:8.1f} us p50{cuts[98]:10.1f} us p99")


if __name__ == "__main__":
    main()
