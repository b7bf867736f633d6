"""A client of the newer era whose server, of the older, asks something in the middle of a call.

The client gets the question as its result. The call goes on without a client, and waits; when the client asks again
with the answer, and the state that stands for the call, the server gets it, and what it says then is the new result.

Rules: only the caller of the same call can go on with it; the state is a random name, good for one answer; a call that
nobody goes on with, or whose client goes while it waits, is cancelled. It does NOT inspect results: who gets them does.
"""

import hashlib
from collections.abc import Mapping
from typing import Any

from interlock.guard.commands import ClientGoneError, Emit, Note
from interlock.guard.mcp.asks import checked, clean, give, refuse, why_not
from interlock.guard.mcp.commands import Await, Bell, CancelledError, Heed, Part, Respond, Ring, Steps
from interlock.guard.mcp.state import Link, Parked
from interlock.guard.mcp.visit import Visit
from interlock.mcp import messages
from interlock.mcp.canonical import canonical
from interlock.mcp.eras import INPUT_REQUIRED, told_result
from interlock.mcp.framing import event
from interlock.mcp.messages import MessageError, Request, Response
from interlock.model.errors import InterlockError, UpstreamError

OK = 200
# What a client sends when it asks again.
RETRY = ("inputResponses", "requestState")
# Under which name the client answers.
KEY = "asked"
# How long a user may think, and a server after that.
ANSWER_S = 600.0
UNASKED = "It answers what nobody has asked."


class PartedError(Exception):
    """The client of this exchange has its answer: what became of the call is another one's result."""


def park(visit: Visit, link: Link, asked: Request) -> Steps[None]:
    """Ask the client by the result of its call, and go on with the call when it answers."""
    if reason := why_not(visit, asked.method, asked.params):
        yield from refuse(visit, link, asked, reason)
        return
    state = visit.server.fresh()
    question = {
        "resultType": INPUT_REQUIRED,
        "inputRequests": {KEY: {"method": asked.method, "params": clean(asked.method, asked.params)}},
        "requestState": state,
    }
    parked, bell = visit.parked, Bell()
    if parked is None:
        parked = visit.parked = Parked(visit.call.principal, visit.parks, asked.method, bell)
        visit.server.parked.put(state, parked)
        yield from _part(visit, parked, question)
    else:
        parked.asked, parked.bell = asked.method, bell
        visit.server.parked.put(state, parked)
        yield from tell(parked, question)
    yield Await(bell, ANSWER_S)
    visit.server.parked.pop(state)
    answer, parked.answer = parked.answer, None
    if answer is None:
        raise CancelledError
    yield give(link, asked.id, answer)


def tell(parked: Parked, outcome: dict[str, Any] | InterlockError) -> Steps[None]:
    """What has become of the call, to whoever waits for it."""
    done, parked.done = parked.done, Bell()
    parked.outcome = outcome
    yield Ring(done)


def taken_up(visit: Visit, params: Mapping[str, Any]) -> Steps[dict[str, Any] | None]:
    """The result of a call that the client goes on with; None if it is a new one. Raises: what the call has raised."""
    state = params.get("requestState")
    parked = visit.server.parked.get(state) if isinstance(state, str) else None
    if parked is None or parked.principal != visit.call.principal or parked.call != visit.parks:
        return None
    answers = params.get("inputResponses")
    answer = answers.get(KEY) if isinstance(answers, dict) else None
    if not isinstance(answer, dict):
        raise MessageError(messages.INVALID_PARAMS, f"inputResponses lacks {KEY}", id=visit.id)
    visit.server.parked.pop(str(state))
    parked.answer, parked.outcome, done = checked(visit, parked.asked, Response(0, answer, None)), None, parked.done
    try:
        yield Ring(parked.bell)
        yield Await(done, ANSWER_S)
    except ClientGoneError:
        yield Ring(parked.gone)
        raise
    outcome = _outcome(parked)
    if outcome is None:
        raise UpstreamError("did not answer in time", where=visit.server.name, status=504)
    if isinstance(outcome, InterlockError):
        raise outcome
    return outcome


def _outcome(parked: Parked) -> dict[str, Any] | InterlockError | None:
    return parked.outcome


def call_digest(method: str, params: Mapping[str, Any]) -> bytes:
    """What makes two requests the same call: everything but what a client adds when it asks again."""
    rest = {key: value for key, value in params.items() if key not in (*RETRY, "_meta")}
    return hashlib.sha256(canonical([method, rest])).digest()


def opened(visit: Visit, method: str, params: Mapping[str, Any], result: Mapping[str, Any]) -> None:
    """A client of the newer era gets this result: what it is asked there, it may answer."""
    asked = result.get("inputRequests")
    if isinstance(asked, dict):
        visit.server.questions.put(_question(visit, method, params), frozenset(asked))


def answerable(visit: Visit, method: str, params: Mapping[str, Any]) -> dict[str, Any]:
    """A request without the answers to what nobody has asked this caller about this request."""
    answers, state = params.get("inputResponses"), params.get("requestState")
    parked = visit.server.parked.get(state) if isinstance(state, str) else None
    open_ = frozenset({KEY}) if parked else visit.server.questions.get(_question(visit, method, params)) or frozenset()
    given = {key: value for key, value in answers.items() if key in open_} if isinstance(answers, dict) else {}
    if "inputResponses" in params and given != answers:
        visit.block("client_answer", method, UNASKED)
    rest = {key: value for key, value in params.items() if key != "inputResponses"}
    return rest | ({"inputResponses": given} if given else {})


def _question(visit: Visit, method: str, params: Mapping[str, Any]) -> bytes:
    """Who asks what, in which task."""
    who = [visit.call.principal.workload, visit.call.principal.credential, visit.task.id if visit.task else ""]
    return hashlib.sha256(canonical(who) + call_digest(method, params)).digest()


def _part(visit: Visit, parked: Parked, question: dict[str, Any]) -> Steps[None]:
    body = messages.result(visit.id, told_result(question, "", visit.era))
    yield Note(visit.log.answer(OK, tuple(visit.steps), sent=len(body)))
    visit.steps.clear()
    yield Emit(event(body)) if visit.streaming else Respond(OK, body)
    yield Part()
    yield Heed(parked.gone)
    visit.streaming = visit.may_stream = False
