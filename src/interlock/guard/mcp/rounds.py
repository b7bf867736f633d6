"""A request whose server may want more of its client before it answers: 2026-07-28's `input_required`.

A client of the newer era gets the questions as the result, and asks again with the answers; one of the older era is
asked on the stream of its request, and the server is asked again here. What the server calls its state goes back byte
for byte, and decides nothing: the request that comes with it is judged like any other. Only its digest is kept, so
that a state which the server did not give is looked at like whatever else a client sends out.
"""

import hashlib
from collections.abc import Mapping
from typing import Any

from interlock.guard.mcp.asks import MOST_ASKED, ODD, capabilities, clean, put, why_not
from interlock.guard.mcp.commands import Await, Bell, Steps
from interlock.guard.mcp.link import Refused, ask
from interlock.guard.mcp.parking import ANSWER_S, RETRY, PartedError, call_digest, taken_up, tell
from interlock.guard.mcp.state import Asked, Link
from interlock.guard.mcp.visit import Visit
from interlock.mcp import messages
from interlock.mcp.eras import INPUT_REQUIRED
from interlock.model.errors import InterlockError, ProtocolError
from interlock.model.event import Channel, Text
from interlock.model.record import Origin

# How often a request may come back for more.
MOST_ROUNDS = 10
# Before a request is made again whose server only wants to be asked again.
AGAIN_S = 0.1


class UnwelcomeError(ProtocolError):
    """The server wants more of its client before it answers, and may not have it."""


def settled(
    visit: Visit, link: Link, method: str, params: Mapping[str, Any], schema: Mapping[str, Any] | None = None
) -> Steps[dict[str, Any]]:
    """The result of a request whose server may want more of the client first.

    A client of the newer era gets those questions as the result; one of the older era is asked here. Raises: as `ask`,
    and UnwelcomeError.
    """
    if visit.era.is_modern and not link.era.is_modern and visit.server.settings.offers:
        return (yield from _parking(visit, link, method, params, schema))
    for _ in range(MOST_ROUNDS):
        result = yield from ask(visit, link, method, params, schema, capabilities(visit))
        if result.get("resultType", "complete") == "complete" and "inputRequests" not in result:
            return result
        requests, state = _wanted(visit, link, result)
        if visit.era.is_modern:
            return {"resultType": INPUT_REQUIRED} | ({"inputRequests": requests} if requests else {}) | state
        answers = yield from _answers(visit, requests)
        rest = {key: value for key, value in params.items() if key not in RETRY}
        params = {**rest, **({"inputResponses": answers} if answers else {}), **state}
    raise ProtocolError(f"the server wants more of its client after {MOST_ROUNDS} answers")


def _parking(
    visit: Visit, link: Link, method: str, params: Mapping[str, Any], schema: Mapping[str, Any] | None
) -> Steps[dict[str, Any]]:
    """The same from a server of the older era, which asks in the middle. Raises: PartedError if it did."""
    visit.parks = call_digest(method, params)
    if (result := (yield from taken_up(visit, params))) is not None:
        return result
    rest = {key: value for key, value in params.items() if key not in RETRY}
    try:
        result = yield from ask(visit, link, method, rest, schema)
    except InterlockError as error:
        if visit.parked is None:
            raise
        yield from tell(visit.parked, error)
        raise PartedError from error
    if visit.parked is not None:
        yield from tell(visit.parked, result)
        raise PartedError
    if "inputRequests" in result or result.get("resultType", "complete") != "complete":
        visit.block("server_request", INPUT_REQUIRED, ODD)
        raise UnwelcomeError("the server's questions are none")
    return result


def _wanted(visit: Visit, link: Link, result: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """(what the server asks of the client by key, its state byte for byte). Raises: UnwelcomeError."""
    requests, state = result.get("inputRequests", {}), result.get("requestState")
    shaped = result.get("resultType") == INPUT_REQUIRED and link.era.is_modern and isinstance(requests, dict)
    if not shaped or not isinstance(state, str | None) or not (requests or state):
        visit.block("server_request", INPUT_REQUIRED, ODD)
        raise UnwelcomeError("the server's questions are none")
    told = {}
    for key, one in requests.items():
        method, params = (one.get("method"), one.get("params", {})) if isinstance(one, dict) else (None, None)
        if not isinstance(method, str) or not isinstance(params, dict) or len(requests) > MOST_ASKED:
            visit.block("server_request", INPUT_REQUIRED, ODD)
            raise UnwelcomeError("the server's questions are none")
        if reason := why_not(visit, method, params):
            visit.block("server_request", method, reason)
            raise UnwelcomeError("the server may not ask this")
        told[key] = {"method": method, "params": clean(method, params)}
    if visit.receive(Text((), Channel.TOOL_RESULT, "\n".join((*requests, state or ""))), Origin.UNTRUSTED):
        raise UnwelcomeError("the server's state was withheld")
    if state is not None:
        visit.server.states.put(_digest(state), True)
    return told, {} if state is None else {"requestState": state}


def retried(visit: Visit, params: Mapping[str, Any]) -> list[object]:
    """What a client that asks again may have made up: its answers, and a state that this server did not give."""
    state = params.get("requestState")
    given = isinstance(state, str) and (visit.server.states.get(_digest(state)) or visit.server.parked.get(state))
    return [params[key] for key in RETRY if key in params and not (key == "requestState" and given)]


def _digest(state: str) -> bytes:
    return hashlib.sha256(state.encode("utf-8", "surrogatepass")).digest()


def _answers(visit: Visit, requests: Mapping[str, Any]) -> Steps[dict[str, Any]]:
    """What the client of the older era answers to each. Raises: Refused if it refuses, or does not answer."""
    if not requests:
        yield Await(Bell(), AGAIN_S)
    waiting = {key: Asked(one["method"]) for key, one in requests.items()}
    for key, asked in waiting.items():
        yield from put(visit, requests[key]["params"], asked)
    answers: dict[str, Any] = {}
    for key, asked in waiting.items():
        if asked.answer is None:
            yield Await(asked.bell, ANSWER_S)
        if asked.answer is None or asked.answer.result is None:
            raise Refused(messages.INTERNAL_ERROR, "the client did not give what the server needs")
        answers[key] = asked.answer.result
    return answers
