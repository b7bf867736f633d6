"""Every loosening that is in force, by name: where it was set and what it means. What is not here fails closed."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from interlock.governance.settings import Manifest
from interlock.governance.summary import counted
from interlock.policy import Force, Mode, Policy
from interlock.provenance.labels import HARMLESS
from interlock.provenance.settings import ToolOverride

# The name under which interlock's own policies are loaded; no path of an operator's file is written so.
BUNDLED = "interlock's bundled.cedar"
# They permit what a manifest names, and a manifest that names nothing is listed by itself.
_SCOPES = frozenset({"model-in-scope", "tool-in-scope", "extra-in-scope"})

_WEAKER = (Force.ENFORCE, Force.ASK, Force.OBSERVE)
_NAMES = {Force.ASK: "asked", Force.OBSERVE: "observed"}
_MEANS = {Force.ASK: "a person may lift its refusal", Force.OBSERVE: "what it would refuse is only noted"}


class PolicyTable(Protocol):
    """What is read of `[policy]`."""

    @property
    def bundled(self) -> bool:
        """Whether interlock's own policies hold."""
        ...

    @property
    def redact(self) -> tuple[str, ...]:
        """What is hidden from models, unless a workload says otherwise."""
        ...

    @property
    def answer_mode(self) -> str:
        """How answers are held back, unless a workload says otherwise."""
        ...


class GatewayTable(Protocol):
    """What is read of `[gateway]`."""

    @property
    def proxy(self) -> bool:
        """Whether there is a forward proxy at all."""
        ...

    @property
    def tunnel(self) -> str:
        """`allow` or `refuse`: hosts that are no AI service."""
        ...

    @property
    def tunnel_hosts(self) -> tuple[str, ...]:
        """Hosts that pass unread."""
        ...

    @property
    def unsafe_pass_credentials(self) -> bool:
        """Whether clients may use keys of their own."""
        ...


@dataclass(frozen=True, slots=True)
class Loosening:
    """One exception from what interlock would refuse. `name` is stable, or the @id of the policy that permits it.

    `subject` is the workload, tool, host or detector that it is about, empty for all; `where` the section and key, or
    file:line. `bundled`: a policy that interlock comes with permits it.
    """

    name: str
    subject: str
    where: str
    means: str
    bundled: bool = False


def exceptions(
    policy: PolicyTable,
    gateway: GatewayTable,
    workloads: Mapping[str, Manifest],
    tools: Mapping[str, ToolOverride],
    limits: Iterable[str],
    loaded: Iterable[Policy],
    keyed: frozenset[str],
) -> tuple[Loosening, ...]:
    """All of them: first what was set, or left open, here; then what interlock comes with.

    `limits` are the names of the limits, `loaded` the policies in force, `keyed` the workloads with a valid key.
    """
    found = [*_of_policy(policy), *_of_gateway(gateway)]
    for name in sorted({*workloads, *keyed}):
        found += _of_workload(name, workloads.get(name, Manifest()), policy)
    for name, override in sorted(tools.items()):
        found += _of_tool(name, override)
    if not any(True for _ in limits):
        means = "Nothing bounds how many requests, tokens or dollars anybody uses."
        found.append(Loosening("no-limits", "", "[limits.<name>]", means))
    found += _of_policies(loaded)
    return tuple(sorted(found, key=lambda one: one.bundled))


def headline(found: Iterable[Loosening]) -> str:
    """How many there are, in one line.

    >>> headline([Loosening("no-limits", "", "[limits.<name>]", "Nothing bounds it.")])
    "1 exception in force, 1 beside interlock's own policies"
    """
    listed = list(found)
    own = sum(not one.bundled for one in listed)
    return f"{counted(len(listed), 'exception')} in force, {own or 'none'} beside interlock's own policies"


def _of_policy(policy: PolicyTable) -> Iterator[Loosening]:
    if not policy.bundled:
        means = "None of interlock's own policies hold, its prohibitions neither: your files alone decide."
        yield Loosening("bundled-policies-off", "", "[policy] bundled", means)
    if policy.answer_mode == Mode.OBSERVE.value:
        means = "Answers of workloads that set no mode go out as they are; what would be replaced is only recorded."
        yield Loosening("answers-observed", "", "[policy] answer_mode", means)


def _of_gateway(gateway: GatewayTable) -> Iterator[Loosening]:
    if not gateway.proxy:
        return
    if gateway.tunnel == "allow":
        means = "Hosts that are no AI service pass the forward proxy unread."
        yield Loosening("hosts-unread", "", "[gateway] tunnel", means)
    for host in gateway.tunnel_hosts:
        means = "It and all below it pass the forward proxy unread, also at private addresses."
        yield Loosening("host-unread", host, "[gateway] tunnel_hosts", means)
    if gateway.unsafe_pass_credentials:
        means = "Clients of the forward proxy may use a provider's key of their own, which interlock cannot revoke."
        yield Loosening("client-credentials", "", "[gateway] unsafe_pass_credentials", means)


def _of_workload(name: str, manifest: Manifest, policy: PolicyTable) -> Iterator[Loosening]:
    table = f"[workloads.{name}]"
    free = [what for what in ("models", "tools") if getattr(manifest, what) is None]
    if free:
        means = f"It may use any {' and any '.join(what[:-1] for what in free)}: no scope limits it."
        yield Loosening("no-scope", name, f"{table} {', '.join(free)}", means)
    if manifest.answer_mode == Mode.OBSERVE.value:
        means = "Its answers go out as they are; what would be replaced is only recorded."
        yield Loosening("answers-observed", name, f"{table} answer_mode", means)
    if manifest.unsafe_tools:
        means = f"Arguments may come from anywhere, untrusted text too, for: {', '.join(manifest.unsafe_tools)}."
        yield Loosening("unsafe-tools", name, f"{table} unsafe_tools", means)
    if manifest.extras:
        means = f"It gets beside its answers what helps to copy a model: {', '.join(manifest.extras)}."
        yield Loosening("extras", name, f"{table} extras", means)
    if manifest.redact is not None and (shown := [kind for kind in policy.redact if kind not in manifest.redact]):
        means = f"Its models see what is hidden from those of others: {', '.join(shown)}."
        yield Loosening("not-hidden", name, f"{table} redact", means)


def _of_tool(name: str, override: ToolOverride) -> Iterator[Loosening]:
    table = f"[tools.{name}]"
    if override.output == "internal":
        means = "What it returns counts as the organisation's own, as if no outsider could write a word of it."
        yield Loosening("tool-trusted", name, f"{table} output", means)
    if override.sink in HARMLESS:
        means = "A call of it counts as one that sends and changes nothing, so none of its arguments is judged."
        yield Loosening("tool-harmless", name, f"{table} sink", means)
    elif override.recipients is not None:
        which = f"only {', '.join(override.recipients)}" if override.recipients else "none"
        means = f"Of its arguments {which} counts as one that decides who receives or what is done."
        yield Loosening("tool-recipients", name, f"{table} recipients", means)


def _of_policies(loaded: Iterable[Policy]) -> Iterator[Loosening]:
    """A permit is an exception: what none permits is refused. So is a refusal that is weaker than it was written."""
    for policy in loaded:
        bundled = policy.where.rpartition(":")[0] == BUNDLED
        if _WEAKER.index(policy.force) > _WEAKER.index(policy.written):
            means = f"It was written to {policy.written.value}, and {_MEANS[policy.force]}: {policy.reason}"
            yield Loosening(f"policy-{_NAMES[policy.force]}", policy.id, f"[policy] {policy.force.value}", means)
        elif policy.force is Force.OBSERVE:
            means = f"It refuses nothing, and {_MEANS[policy.force]}: {policy.reason}"
            named = (policy.id, "") if bundled else ("policy-observed", policy.id)
            yield Loosening(*named, policy.where, means, bundled)
        if policy.permits and not (bundled and policy.id in _SCOPES):
            yield Loosening(policy.id, "", policy.where, policy.reason, bundled)
