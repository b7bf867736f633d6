"""One exchange: from a request's bytes to the last byte of its answer. A generator that does no I/O.

The order is the promise: nothing goes to the model before the request was read in full, decided and
noted; nothing goes to the client before it was decided; an allowed call that can cause something goes out
only after its record is durable; and every way out of here leaves a record.
"""

import re
from collections.abc import Iterator

from interlock.guard.answer import MOST_CALLS, AnswerJudge, CallVerdict, notice, watched
from interlock.guard.budgets import Exceeded
from interlock.guard.commands import Begin, ClientGoneError, Emit, Exchange, Forward, Head, Note, Read, Reply
from interlock.guard.edits import is_json, replaced
from interlock.guard.hiding import hide
from interlock.guard.inspect import Inspected, inspect, logged, place_name
from interlock.guard.measure import measure
from interlock.guard.records import Log, Spent
from interlock.guard.rules import Call, Rules
from interlock.guard.stream import Ending, StreamGuard
from interlock.model.decision import Deny
from interlock.model.errors import InterlockError, ProtocolError, UpstreamError
from interlock.model.event import Channel, Media, Opaque, Path, Text, ToolCall
from interlock.model.record import Step, Verdict
from interlock.policy import CallModel, Obtain, PassMedia, PassOpaque, Question, ReadText
from interlock.protocols import Adapter, Answer, AnswerEdit, Request, decode

OK = 200
# Of an error of the model's server, so much is told.
LONGEST_MESSAGE = 2_000
# What programs decide by, such as `rate_limit_exceeded`.
_CODE = re.compile(r"[a-z0-9_.-]{1,64}")
CLIENT_ERROR = 400
# What can be taken out of an answer. Of the rest that a request asks for there would be nothing left.
STRIPPABLE = frozenset({"logprobs"})
# What the client is told; the reason is in the log.
NOT_PERMITTED = "interlock: this request is not permitted."
CUT = "interlock: the model's server ended its answer before it was complete."
REPORTED = "The model's server reported an error in its stream."
UPSTREAM_FAULT = 502
GONE = "The client closed the connection before the end."
# nginx's number for a client that closed the connection; it is only ever in the log.
CLIENT_GONE = 499


def exchange(adapter: Adapter, path: str, body: bytes, call: Call, rules: Rules) -> Exchange:
    """Run one exchange; `path`, with its query, is one of the adapter's routes.

    The gateway performs each command and sends back what `commands.py` says. It may throw UpstreamError at `Forward`
    and `Read`, and ClientGoneError anywhere; both end with a record.
    """
    log = Log(call, rules, bytes_in=len(body))
    try:
        target = adapter.target(path)
        assert target
        request = adapter.request(body, target)
    except ProtocolError as error:
        yield Note(log.refusal(error.status, error.brief))
        yield Reply(error.status, adapter.error(error.status, error.code, f"interlock: {error.brief}"))
        return
    log.model = logged(request.model)
    workload = call.principal.workload
    admitted = None
    if rules.budgets:
        facts = measure(request, workload, rules.owners.get(workload, ""), rules.budgets.needs)
        asked = rules.budgets.admit(facts, rules.ticks_us())
        if isinstance(asked, Exceeded):
            yield Note(log.refusal(asked.status, asked.reason))
            told = adapter.error(asked.status, "limit_exceeded", f"interlock: {asked.reason}")
            yield Reply(asked.status, told, asked.retry_after_s)
            return
        admitted = asked
    try:
        yield from _understood(adapter, request, log)
    finally:
        if admitted:
            log.settle(admitted)


def _understood(adapter: Adapter, request: Request, log: Log) -> Exchange:
    """The exchange of a request that was read, and has room in the limits."""
    call, rules = log.call, log.rules
    inspected = inspect(request.events, call.principal.workload, call.request, rules)
    log.session = inspected.session
    status, denied, told = _decide(request, inspected, call, rules)
    stripped = _stripped(request, call, rules)
    steps = (*inspected.steps, *stripped.values())
    if denied:
        yield Note(log.request(status, steps, denied))
        yield Reply(status, adapter.error(status, "not_permitted", told))
        return
    try:
        hidden = hide(adapter, request, inspected.session, rules.policies.redact(call.principal.workload), rules)
    except ProtocolError as error:
        yield Note(log.request(error.status, steps, Deny(f"It cannot go to the model: {error.brief}")))
        yield Reply(error.status, adapter.error(error.status, "not_permitted", f"interlock: {error.brief}"))
        return
    yield Note(log.request(0, (*steps, hidden.step) if hidden.step else steps, None, told))
    judge = AnswerJudge(call, inspected, rules, frozenset(stripped), hidden.pseudonyms)
    log.spent = Spent.UNKNOWN
    try:
        head = yield Forward(hidden.body)
        assert isinstance(head, Head)
        if head.status != OK:
            log.spent = Spent.NOTHING
            yield from _pass_error(adapter, head.status, judge, log, rules)
        elif head.streamed:
            yield from _stream(adapter, judge, log, rules)
        else:
            yield from _whole(adapter, judge, log, rules)
    except ClientGoneError:
        if not log.answered:
            yield Note(log.answer(CLIENT_GONE, reason=GONE))
    except (UpstreamError, ProtocolError) as error:
        status = error.status if isinstance(error, UpstreamError) else UPSTREAM_FAULT
        yield Note(log.answer(status, reason=error.brief))
        yield Reply(status, adapter.error(status, "upstream_error", _told(error)))


def _told(error: InterlockError) -> str:
    return f"interlock: the model's server did not give a usable answer: {error.what}."


def _decide(request: Request, inspected: Inspected, call: Call, rules: Rules) -> tuple[int, Deny | None, str]:
    """(HTTP status, why not, what the client is told): the first reason in the order of the questions.

    If nothing refuses, the text is what the log says of policies that would, were they not only observed.
    """
    workload = call.principal.workload
    decisions = []
    for event in inspected.opaque:
        decisions.append(denied := rules.policies.decide(PassOpaque(workload, place_name(event.path), "request")))
        if isinstance(denied, Deny):
            told = f"interlock: {place_name(event.path)} is not understood, so it is not let through."
            return 400, Deny(f"{place_name(event.path)} is not understood. {denied.reason}", denied.policies), told
    for question in _questions(request, inspected, workload):
        decisions.append(denied := rules.policies.decide(question))
        if isinstance(denied, Deny):
            return 403, denied, NOT_PERMITTED
    return 0, None, watched(decisions)


def _questions(request: Request, inspected: Inspected, workload: str) -> Iterator[Question]:
    """What is asked about a request of which all is understood."""
    for media in inspected.media:
        yield PassMedia(workload, media.kind, media.channel.value, media.source)
    # A list of models is asked of none: there is neither a model nor a word to it.
    if request.model or request.raw:
        yield CallModel(workload, request.model)
    for what in sorted(request.asks - STRIPPABLE):
        yield Obtain(workload, what)
    for detector, channel in inspected.signals:
        yield ReadText(workload, detector, channel)


def _stripped(request: Request, call: Call, rules: Rules) -> dict[str, Step]:
    """What is asked for beside the answer and will be taken out of it, each with what the log says of that."""
    out = {}
    for what in sorted(request.asks & STRIPPABLE):
        decision = rules.policies.decide(Obtain(call.principal.workload, what))
        if isinstance(decision, Deny):
            step = Step("extra", tool=what, verdict=Verdict.BLOCKED, reason=decision.reason, policies=decision.policies)
            out[what] = step
    return out


def _whole(adapter: Adapter, judge: AnswerJudge, log: Log, rules: Rules) -> Exchange:
    body = yield Read()
    assert isinstance(body, bytes)
    answer = adapter.answer(body)
    log.usage, log.spent = answer.usage, Spent.ALL
    log.said = sum(
        len(e.arguments if isinstance(e, ToolCall) else e.text) for e in answer.events if isinstance(e, Text | ToolCall)
    )
    steps: list[Step] = []
    changed: dict[Path, str] = {}
    verdicts: dict[Path, CallVerdict] = {}
    texts: dict[Path, list[Text]] = {}
    for event in answer.events:
        if isinstance(event, ToolCall):
            if len(verdicts) >= MOST_CALLS:
                raise ProtocolError(f"the answer calls over {MOST_CALLS} tools", status=502)
            verdicts[event.path] = yield from judge.settle(judge.call(event))
        elif isinstance(event, Opaque | Media):
            if reason := judge.refusal(event):
                raise ProtocolError(f"{place_name(event.path)} of the answer was not let through: {reason}", status=502)
        elif isinstance(event, Text):
            texts.setdefault(_sort(event.path), []).append(event)
    for joined in texts.values():
        text, echo = "".join(event.text for event in joined), joined[0].channel is Channel.PARAMETER
        found = judge.scan(text, echo=echo)
        if found or not echo:
            steps.append(judge.text_step(len(text), rules.digest(text), found))
        if edits := judge.edits(text, found, quoted=is_json(text)):
            start = 0
            for event in joined:
                if (new := replaced(event.text, start, edits)) != event.text:
                    changed[event.path] = new
                start += len(event.text)
    steps += [verdict.step for verdict in verdicts.values()]
    out = _edited(adapter, answer, changed, verdicts, judge)
    risky = any(verdict.risky for verdict in verdicts.values())
    yield Note(log.answer(OK, tuple(steps), sent=len(out)), durable=risky)
    yield Reply(OK, out)


def _sort(path: Path) -> Path:
    """A place without its numbers, but for the choice: clients make one text of an answer's blocks of a sort."""
    choice = path[:2] if path[:1] in (("choices",), ("candidates",)) else ()
    return (*choice, *(part for part in path[len(choice) :] if isinstance(part, str)))


def _edited(
    adapter: Adapter, answer: Answer, changed: dict[Path, str], verdicts: dict[Path, CallVerdict], judge: AnswerJudge
) -> bytes:
    refused = {path: notice([verdict.told]) for path, verdict in verdicts.items() if not verdict.allowed}
    arguments = {path: verdict.arguments for path, verdict in verdicts.items() if verdict.allowed and verdict.restored}
    if not (changed or refused or arguments or judge.stripped):
        return answer.raw
    said = notice([verdicts[path].told for path in refused])
    return adapter.edit_answer(answer, AnswerEdit(changed, refused, said, arguments, judge.stripped))


def _stream(adapter: Adapter, judge: AnswerJudge, log: Log, rules: Rules) -> Exchange:
    reader, guard = adapter.reader(), StreamGuard(adapter, judge, rules)
    ended, fault, reported = False, "", ""
    log.spent = Spent.PART
    yield Begin()
    try:
        while not ended and (data := (yield Read())) is not None:
            assert isinstance(data, bytes)
            out = b""
            for frame in reader.feed(data):
                out += guard.push(frame)
                log.usage = frame.usage or log.usage
                ended = ended or frame.done or frame.error
                reported = REPORTED if frame.error else reported
            if out:
                log.sent += len(out)
                yield Emit(out)
        reader.end()
        guard.finish()
    except (UpstreamError, ProtocolError) as error:
        fault = error.brief
    except ClientGoneError:
        log.said = guard.said
        yield Note(log.answer(CLIENT_GONE, _unreleased(guard.end().steps), GONE))
        return
    log.said = guard.said
    # After a fault nobody can say that what is held back is whole: it stays here, and the client is told.
    if fault:
        ending = Ending(b"", _unreleased(guard.end().steps), risky=False)
    else:
        verdicts = guard.verdicts()
        for key, verdict in verdicts.items():
            verdicts[key] = yield from judge.settle(verdict)
        ending = guard.end(verdicts)
    last = ending.data if not fault else adapter.stream_error("upstream_error", CUT)
    status = UPSTREAM_FAULT if fault else OK
    log.spent = Spent.PART if fault or reported else Spent.ALL
    yield Note(log.answer(status, ending.steps, fault or reported, log.sent + len(last)), durable=ending.risky)
    yield Emit(last)


def _unreleased(steps: tuple[Step, ...]) -> tuple[Step, ...]:
    """Steps of a stream that did not come to its end: a call that was permitted has not left."""
    return tuple(
        step._replace(verdict=Verdict.FAILED, reason="It was not released.")
        if step.kind == "call" and step.verdict is Verdict.ALLOWED
        else step
        for step in steps
    )


def _pass_error(adapter: Adapter, status: int, judge: AnswerJudge, log: Log, rules: Rules) -> Exchange:
    """An upstream's error. Its own words go on only if they hold no secret and do not speak of our credential."""
    body = yield Read()
    body = body if isinstance(body, bytes) else b""
    words, code = _words(body)
    found = tuple(signal for word in words for signal in rules.engine.scan(word, Channel.OUTPUT))
    ours = status in (401, 403)
    answered = status if status >= CLIENT_ERROR and not ours else UPSTREAM_FAULT
    told = f"the model's server answered {status}"
    if ours:
        told = "the model's server refused interlock's credential"
    elif words and not judge.withheld(found):
        told = f"{told}: {words[0]}"
    # Written anew: a client may act on whatever else stands in an error's body.
    out = adapter.error(answered, code if words and not ours else "upstream_error", f"interlock: {told}.")
    step = judge.text_step(len(body), rules.digest(body.decode("utf-8", "replace")), found)
    yield Note(log.answer(answered, (step,), f"The model's server answered {status}.", len(out)))
    yield Reply(answered, out)


def _words(body: bytes) -> tuple[list[str], str]:
    """What an error says, the text under `message`, where APIs put it; none if there is none. And its code."""
    try:
        document = decode(body)
    except ProtocolError:
        return [], ""
    error = document.get("error", document)
    message = error.get("message") if isinstance(error, dict) else error
    code = error.get("code") if isinstance(error, dict) else None
    named = code if isinstance(code, str) and _CODE.fullmatch(code) else "upstream_error"
    return [message[:LONGEST_MESSAGE]] if isinstance(message, str) and message else [], named
