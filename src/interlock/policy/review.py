"""What is odd about valid policies, as far as it can be told without asking a solver: dead ones, and unknown names."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from difflib import get_close_matches
from typing import NamedTuple

from interlock.policy.statements import Force, Policy


class Remark(NamedTuple):
    """Something that a person should look at: where, what, and what to do."""

    where: str
    what: str
    hint: str


def review(
    loaded: Iterable[Policy], workloads: Mapping[str, Collection[str]], tools: Collection[str]
) -> Iterator[Remark]:
    """Remarks about policies, and about the `tools` that `workloads` may use by name; `tools` are those known."""
    policies = list(loaded)
    wide = [(place, policy) for place, policy in enumerate(policies) if policy.everything]
    for place, policy in enumerate(policies):
        yield from _dead(place, policy, wide)
        if policy.workload and policy.workload not in workloads:
            what = f"{policy.id} is about the workload {policy.workload!r}, of which no manifest speaks"
            yield Remark(policy.where, what, _nearest(policy.workload, workloads) or "write [workloads.<id>]")
        if policy.tool and policy.tool not in tools and (near := _nearest(policy.tool, tools)):
            yield Remark(policy.where, f"{policy.id} is about a tool {policy.tool!r} that nobody knows", near)
    for name, named in workloads.items():
        for tool in named:
            if tool not in tools and (near := _nearest(tool, tools)):
                yield Remark(f"[workloads.{name}] tools", f"nobody knows a tool {tool!r}", near)


def _dead(place: int, policy: Policy, wide: list[tuple[int, Policy]]) -> Iterator[Remark]:
    """What a policy without any condition makes of this one; of two that are alike, of the later one."""
    for before, other in wide:
        if other is policy or not _covers(other, policy):
            continue
        if policy.permits and not other.permits and other.force is Force.ENFORCE:
            what = f"{policy.id} never permits anything: {other.id} forbids all that it is about"
            yield Remark(policy.where, what, f"give {other.where} a condition, or drop one of the two")
        alike = policy.permits == other.permits and other.force is Force.ENFORCE
        if alike and not (policy.everything and place < before):
            verb = "permits" if other.permits else "forbids"
            what = f"{policy.id} adds nothing: {other.id} {verb} all that it is about"
            yield Remark(policy.where, what, "drop one of the two")


def _covers(one: Policy, other: Policy) -> bool:
    return not one.actions or (bool(other.actions) and set(other.actions) <= set(one.actions))


def _nearest(name: str, known: Collection[str]) -> str:
    near = get_close_matches(name, known, 1, 0.8)
    return f"did you mean {near[0]!r}?" if near else ""
