"""Asks a client's own user about a call that policy asks about, where the settings trust that client to do so.

Rules: the question is interlock's, in plain words, and holds nothing that could be taken for another one; an answer
counts for the exact call that it was asked about, once, and only from the caller who was asked. In the newer era the
client brings back a sealed state, which names the request for approval: it is bound to the caller, the call and a
time, and the store takes one answer to a request. It does NOT know who answers: whoever runs the client does.
"""

import hmac
import re
from collections.abc import Mapping
from typing import Any, TypeAlias

from interlock.guard.answer import AnswerJudge, CallVerdict
from interlock.guard.approvals import Asker
from interlock.guard.commands import Note
from interlock.guard.mcp.asks import ELICITATION, MOST_ASKED, put
from interlock.guard.mcp.commands import Await, Decide, Steps
from interlock.guard.mcp.state import Asked
from interlock.guard.mcp.visit import Visit
from interlock.guard.settings import matches
from interlock.mcp.eras import INPUT_REQUIRED
from interlock.model.approval import Approval, Reach, Shown
from interlock.policy.approvals import came_from, decided, record_of
from interlock.policy.looks import visible

# The name of our question among those of 2026-07-28, and that of the one switch in its form.
QUESTION, FOR_TASK = "interlock-approval", "for_the_task"
STATE = "ila1."
_STATE = re.compile(r"ila1\.(a-[0-9a-f]{1,30})\.([0-9]{1,20})\.([0-9a-f]{8,64})")
NOT_ASKED = "It comes with an answer to a question that this caller was not asked, or not any more."
_FORM = {
    "type": "object",
    "properties": {
        FOR_TASK: {
            "type": "boolean",
            "title": "Do not ask again about these values in this task",
            "default": False,
        }
    },
}
# An elicitation's answer, as the client gives it: None if it gave none.
Said: TypeAlias = Mapping[str, Any] | None


def asker(visit: Visit) -> Asker:
    """Who an approval in this exchange is for."""
    principal, task = visit.call.principal, visit.task
    ends_us = task.expires_us if task else 0
    return Asker(
        principal.workload, principal.credential, visit.log.session, task is not None, visit.server.name, "", ends_us
    )


def permitted(
    visit: Visit, judge: AnswerJudge, verdict: CallVerdict, params: Mapping[str, Any]
) -> Steps[CallVerdict | dict[str, Any]]:
    """The verdict once people have been asked, as far as they can be; or the question that goes to the client."""
    assert verdict.asking
    binding = verdict.asking.binding(visit.rules.digest)
    if before := visit.approved.get(binding):
        # The server had lost our session, and nothing was carried out: it is still the same call.
        return judge.lift(verdict, before)
    state = params.get("requestState")
    if isinstance(state, str) and state.startswith(STATE):
        outcome = yield from _answered(visit, judge, verdict, binding, state, params)
    else:
        settled = yield from judge.settle(verdict)
        outcome = settled
        waits = visit.rules.approvals.waiting(binding, visit.now_us)
        if not settled.allowed and waits and _may_ask(visit):
            if visit.era.is_modern:
                return _question(visit, waits, binding)
            outcome = yield from _asked_here(visit, judge, verdict, waits)
    if outcome.allowed and outcome.by:
        visit.approved[binding] = outcome.by
    return outcome


def _may_ask(visit: Visit) -> bool:
    """Whether this client can put a question to its user, and is trusted to."""
    trusted = visit.rules.approvals.settings.unsafe_elicitation
    can = visit.capabilities.get("elicitation")
    if not isinstance(can, dict) or ("url" in can and "form" not in can):
        return False
    if not any(matches(pattern, visit.workload) for pattern in trusted):
        return False
    return visit.era.is_modern or bool(visit.session and visit.may_stream and len(visit.session.asked) < MOST_ASKED)


def _asked_here(visit: Visit, judge: AnswerJudge, verdict: CallVerdict, waits: Approval) -> Steps[CallVerdict]:
    """Ask a client of the older era on the stream of its call, and wait."""
    asked = Asked(ELICITATION)
    yield from put(visit, _elicitation(waits), asked)
    yield Await(asked.bell, float(visit.rules.approvals.settings.elicitation_s))
    said = asked.answer.result if asked.answer else None
    return (yield from _decided(visit, judge, verdict, waits, said))


def _question(visit: Visit, waits: Approval, binding: str) -> dict[str, Any]:
    """What a client of the newer era gets in place of a result."""
    ends_us = min(waits.expires_us, visit.now_us + visit.rules.approvals.settings.elicitation_s * 1_000_000)
    return {
        "resultType": INPUT_REQUIRED,
        "inputRequests": {QUESTION: {"method": ELICITATION, "params": _elicitation(waits)}},
        "requestState": f"{STATE}{waits.id}.{ends_us}.{_seal(visit, waits.id, ends_us, binding)}",
    }


def _seal(visit: Visit, id_: str, ends_us: int, binding: str) -> str:
    """A keyed hash; the binding holds the workload, the task, the server, the tool and its arguments."""
    return visit.rules.digest(f"approval-state-1 {id_} {ends_us} {binding} {visit.call.principal.credential}")


def _answered(
    visit: Visit, judge: AnswerJudge, verdict: CallVerdict, binding: str, state: str, params: Mapping[str, Any]
) -> Steps[CallVerdict]:
    """What comes of a call that was made again with an answer."""
    match = _STATE.fullmatch(state)
    good = match and hmac.compare_digest(_seal(visit, match[1], int(match[2]), binding), match[3])
    waits = visit.rules.approvals.waiting(binding, visit.now_us)
    if not match or not good or visit.now_us >= int(match[2]) or waits is None or waits.id != match[1]:
        visit.block("client_answer", QUESTION, NOT_ASKED)
        return (yield from judge.settle(verdict))
    answers = params.get("inputResponses")
    said = answers.get(QUESTION) if isinstance(answers, dict) else None
    said = said if isinstance(said, dict) else None
    return (yield from _decided(visit, judge, verdict, waits, said))


def _decided(visit: Visit, judge: AnswerJudge, verdict: CallVerdict, waits: Approval, said: Said) -> Steps[CallVerdict]:
    """What the user's answer makes of the verdict. Who only closes the question has not decided."""
    action = said.get("action") if said else None
    if said is None or action not in ("accept", "decline"):
        return verdict.waiting(waits)
    content = said.get("content")
    for_task = isinstance(content, dict) and content.get(FOR_TASK) is True
    decision = decided(
        waits, visit.rules.approvals.settings, visit.now_us, f"elicitation/{visit.call.principal.credential}",
        granted=action == "accept", reach=Reach.TASK if for_task else Reach.ONCE, why="answered through the MCP client",
    )  # fmt: skip
    yield Note(record_of(decision), durable=True)
    mine = yield Decide(decision)
    if mine or not decision.granted:  # else somebody was quicker, and what he decided comes from the store
        visit.rules.approvals.put(decision, used_us=visit.now_us if mine and decision.reach is Reach.ONCE else 0)
    return judge.lift(verdict, decision) if mine else verdict.turned_down(decision)


def _elicitation(waits: Approval) -> dict[str, Any]:
    return {"mode": "form", "message": question(waits), "requestedSchema": _FORM}


def question(waits: Approval) -> str:
    """The question in plain words: what is to be done, with which values, and where each came from."""
    lines = [
        f"interlock asks: may {visible(waits.workload)} call {visible(waits.tool)} on {visible(waits.server)}?",
        "",
    ]
    for one in waits.arguments:
        lines += [f"{visible(one.name)}: {_value(one)}", f"    from {came_from(one)}"]
        lines += [f"    careful: it {warning}" for warning in one.warnings]
    if waits.left_out:
        lines.append(f"and {waits.left_out} more arguments, which are not shown")
    lines += ["", f"Asked because: {waits.reason}", "Accept it only if it is what you want. Nobody else is asked."]
    return "\n".join(lines)


def _value(one: Shown) -> str:
    if not one.end:
        return visible(one.text)
    return f"{visible(one.text)} [...] {visible(one.end)} ({one.size:,} characters, hash {one.digest})"
