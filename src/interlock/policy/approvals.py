"""A call that policy asks about, decided: how long that holds, what the log says of it, where its values came from.

Pure, and without the guard: the console and the command line decide by it too.
"""

from dataclasses import dataclass, replace

from interlock.model.approval import Approval, Reach, Shown
from interlock.model.record import Origin, Record, RecordKind, Step, Verdict
from interlock.model.settings import setting
from interlock.policy.looks import visible

SECOND_US = 1_000_000
# A no holds for the same call in the same session for a day: nobody is asked until he says yes.
DENIED_US = 24 * 3_600 * SECOND_US


@dataclass(frozen=True, slots=True)
class ApprovalSettings:
    """`[approvals]`: how people are asked about calls that policy does not permit by itself."""

    request_s: int = setting(900, "How long a request waits for an answer; after that it means no.", least=1)
    once_s: int = setting(900, "How long a yes to one call can be used.", least=1)
    task_s: int = setting(28_800, "How long a yes for a task holds at most; it ends with the task.", least=1)
    waiting: int = setting(20, "Requests of one workload that wait at once; beyond that its calls are refused.")
    unsafe_elicitation: tuple[str, ...] = setting(
        (),
        "Workloads whose MCP client may put the question to its own user (elicitation), and answer for them. The answer"
        " is worth as much as that program: one that the model can steer approves its own calls.",
    )
    elicitation_s: int = setting(120, "How long a call waits for the client's user.", least=1)
    webhook_url: str = setting("", "https address that each new request is posted to; http only on this machine.")
    webhook_secret_env: str = setting("", "Environment variable with the secret that signs what is posted.")
    console_url: str = setting("", "The console's address as approvers reach it, for links; empty takes its own.")


def decided(
    asked: Approval, settings: ApprovalSettings, now_us: int, by: str, *, granted: bool, reach: Reach = Reach.ONCE,
    why: str = "",
) -> Approval:  # fmt: skip
    """The request with a decision. A yes for the task without a task is one for once."""
    reach = reach if asked.session else Reach.ONCE
    lasts_s = settings.once_s if reach is Reach.ONCE else settings.task_s
    ends_us = now_us + lasts_s * SECOND_US if granted else now_us + DENIED_US
    if granted and asked.ends_us:
        ends_us = min(ends_us, asked.ends_us)
    return replace(
        asked, granted=granted, reach=reach, decided_us=now_us, decided_by=by, why=why, expires_us=ends_us
    )  # fmt: skip


def record_of(decision: Approval) -> Record:
    """What the log says of a decision: who, about what, by its hash; no value of it."""
    said = f"{decision.id} was {'approved' if decision.granted else 'denied'}"
    if decision.granted:
        said += " for the task" if decision.reach is Reach.TASK else " once"
    verdict = Verdict.ALLOWED if decision.granted else Verdict.BLOCKED
    step = Step(
        kind="approval",
        digest=decision.binding,
        tool=decision.tool,
        sink=decision.sink,
        verdict=verdict,
        reason=decision.why,
        policies=decision.policies,
    )
    return Record(
        RecordKind.OPERATOR,
        decision.decided_us,
        workload=decision.workload,
        credential=decision.decided_by,
        session=decision.session,
        upstream=decision.server,
        verdict=verdict,
        reason=f"{said}.",
        steps=(step,),
    )


def came_from(one: Shown) -> str:
    """Where a value came from, in words. The most trusted place counts, as it does for policy."""
    if not one.origins:
        return "not looked for"
    tools = " or ".join(visible(tool) for tool in one.seen_in[:3])
    match one.origins[0]:
        case Origin.USER:
            return "the user's own words"
        case Origin.SYSTEM:
            return "the system prompt"
        case Origin.INTERNAL:
            return f"the result of {tools or 'a tool'}, which only insiders write"
        case Origin.ASSERTED:
            return f"a field of the result of {tools or 'a tool'} that the user named"
        case Origin.UNTRUSTED:
            return f"the result of {tools}, which outsiders can write" if tools else "text that outsiders can write"
        case Origin.MODEL:
            return "nowhere: the model made it up"
