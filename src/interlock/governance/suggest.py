"""Least privilege from what was used: for each workload the models and tools that it was permitted, and no others.

A suggestion, not a decision: what a workload needs once a quarter is not in last week's log, and what it was talked
into is. Calls that were refused, or that a person had to approve, are left out.
"""

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from interlock.model.record import Record, RecordKind, Verdict

# Names longer than this were cut when they were recorded.
LONGEST_NAME = 127
MOST_NAMES = 1_000


@dataclass(slots=True)
class Used:
    """What a workload has used, and how often; `since_us` and `until_us` are its first and last record."""

    models: Counter[str] = field(default_factory=Counter)
    tools: Counter[str] = field(default_factory=Counter)
    approved: Counter[str] = field(default_factory=Counter)
    since_us: int = 0
    until_us: int = 0


def used(records: Iterable[Record]) -> dict[str, Used]:
    """What each workload has used."""
    found: dict[str, Used] = {}
    for record in records:
        if not record.workload:
            continue
        one = found.setdefault(record.workload, Used(since_us=record.at_us))
        one.since_us, one.until_us = min(one.since_us, record.at_us), max(one.until_us, record.at_us)
        if record.kind is RecordKind.REQUEST and record.verdict is Verdict.ALLOWED:
            _count(one.models, record.model)
        for step in record.steps:
            if step.kind == "call" and step.verdict is not Verdict.BLOCKED:
                _count(one.approved if step.reason.startswith("Approved ") else one.tools, step.tool)
    return found


def manifest(workload: str, use: Used) -> Iterator[str]:
    """The lines of a manifest that permits that and nothing else."""
    yield f"[workloads.{_quoted(workload)}]"
    for name, counts in (("models", use.models), ("tools", use.tools)):
        yield f"{name} = [" + ("" if counts else "]")
        yield from (f"  {_quoted(one)}, # {count:,} times" for one, count in sorted(counts.items()))
        if counts:
            yield "]"
    left = sorted(use.approved.keys() - use.tools.keys())
    if left:
        yield f"# Only ever approved by a person, and not in the list: {', '.join(map(_quoted, left))}"


def _count(counts: Counter[str], name: str) -> None:
    if name and len(name) <= LONGEST_NAME and (name in counts or len(counts) < MOST_NAMES):
        counts[name] += 1


def _quoted(text: str) -> str:
    """A TOML string; JSON's escapes are TOML's, but for characters that TOML wants escaped as well."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
