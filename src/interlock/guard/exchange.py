"""One exchange: from a request's bytes to the last byte of its answer. A generator that does no I/O.

The order is the promise: nothing goes to the model before the request was read in full, decided and
noted; nothing goes to the client before it was decided; an allowed call that can cause something goes out
only after its record is durable; and every way out of here leaves a record.
"""

import re
from dataclasses import dataclass

from interlock.guard.answer import MOST_CALLS, AnswerJudge, CallVerdict, marker, notice, replaced
from interlock.guard.commands import Begin, ClientGoneError, Emit, Exchange, Forward, Head, Note, Read, Reply
from interlock.guard.inspect import Inspected, inspect, logged, place_name
from interlock.guard.rules import Call, Rules
from interlock.guard.stream import Ending, StreamGuard
from interlock.model.decision import Deny
from interlock.model.errors import InterlockError, ProtocolError, UpstreamError
from interlock.model.event import Channel, Media, Opaque, Path, Text, ToolCall
from interlock.model.record import Record, RecordKind, Step, Verdict
from interlock.policy import CallModel, Obtain, PassMedia, PassOpaque, ReadText
from interlock.protocols import Adapter, Answer, AnswerEdit, Request, Usage, decode

NO_USAGE = Usage()
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


@dataclass(slots=True)
class _Log:
    """Makes the records of one exchange."""

    call: Call
    rules: Rules
    model: str = ""
    session: str = ""
    bytes_in: int = 0
    answered: bool = False

    def request(self, status: int, steps: tuple[Step, ...], denied: Deny | None) -> Record:
        verdict = Verdict.BLOCKED if denied else Verdict.ALLOWED
        reason, policies = (denied.reason, denied.policies) if denied else ("", ())
        return self._record(RecordKind.REQUEST, status, verdict, reason, policies, steps)

    def refusal(self, status: int, reason: str) -> Record:
        return self._record(RecordKind.REFUSAL, status, Verdict.BLOCKED, reason)

    def answer(self, status: int, steps: tuple[Step, ...], usage: Usage, size: int, reason: str = "") -> Record:
        self.answered = True
        verdict = Verdict.FAILED if reason else Verdict.ALLOWED
        if any(step.verdict is Verdict.BLOCKED for step in steps):
            verdict = Verdict.BLOCKED
        return self._record(RecordKind.ANSWER, status, verdict, reason, (), steps, size, usage)

    def _record(
        self,
        kind: RecordKind,
        status: int,
        verdict: Verdict,
        reason: str,
        policies: tuple[str, ...] = (),
        steps: tuple[Step, ...] = (),
        size: int = 0,
        usage: Usage = NO_USAGE,
    ) -> Record:
        now = self.rules.now_us()
        call = self.call
        return Record(
            kind=kind,
            at_us=now,
            request=call.request,
            workload=call.principal.workload,
            credential=call.principal.credential,
            session=self.session,
            protocol=call.protocol,
            route=call.route,
            upstream=call.upstream,
            model=self.model,
            status=status,
            verdict=verdict,
            reason=reason,
            policies=policies,
            policy_hash=self.rules.policies.hash,
            steps=steps,
            bytes_in=self.bytes_in,
            bytes_out=size,
            tokens_in=usage.tokens_in,
            tokens_out=usage.tokens_out,
            latency_us=max(0, now - call.began_us),
        )


def exchange(adapter: Adapter, path: str, body: bytes, call: Call, rules: Rules) -> Exchange:
    """Run one exchange; `path`, with its query, is one of the adapter's routes.

    The gateway performs each command and sends back what `commands.py` says. It may throw UpstreamError at `Forward`
    and `Read`, and ClientGoneError anywhere; both end with a record.
    """
    log = _Log(call, rules, bytes_in=len(body))
    try:
        target = adapter.target(path)
        assert target
        request = adapter.request(body, target)
    except ProtocolError as error:
        yield Note(log.refusal(error.status, error.brief))
        yield Reply(error.status, adapter.error(error.status, "invalid_request", f"interlock: {error.brief}"))
        return
    log.model = logged(request.model)
    inspected = inspect(request.events, call.principal.workload, call.request, rules)
    log.session = inspected.session
    status, denied, told = _decide(request, inspected, call, rules)
    stripped = _stripped(request, call, rules)
    steps = (*inspected.steps, *stripped.values())
    yield Note(log.request(status, steps, denied))
    if denied:
        yield Reply(status, adapter.error(status, "not_permitted", told))
        return
    judge = AnswerJudge(call, inspected, rules, frozenset(stripped))
    try:
        head = yield Forward(request.raw)
        assert isinstance(head, Head)
        if head.status != OK:
            yield from _pass_error(adapter, head.status, judge, log, rules)
        elif head.streamed:
            yield from _stream(adapter, judge, log, rules)
        else:
            yield from _whole(adapter, judge, log, rules)
    except ClientGoneError:
        if not log.answered:
            yield Note(log.answer(CLIENT_GONE, (), NO_USAGE, 0, GONE))
    except (UpstreamError, ProtocolError) as error:
        status = error.status if isinstance(error, UpstreamError) else UPSTREAM_FAULT
        yield Note(log.answer(status, (), NO_USAGE, 0, error.brief))
        yield Reply(status, adapter.error(status, "upstream_error", _told(error)))


def _told(error: InterlockError) -> str:
    return f"interlock: the model's server did not give a usable answer: {error.what}."


def _decide(request: Request, inspected: Inspected, call: Call, rules: Rules) -> tuple[int, Deny | None, str]:
    """(HTTP status, why not, what the client is told): the first reason in the order of the questions."""
    workload = call.principal.workload
    decide = rules.policies.decide
    for event in inspected.opaque:
        if isinstance(denied := decide(PassOpaque(workload, place_name(event.path), "request")), Deny):
            told = f"interlock: {place_name(event.path)} is not understood, so it is not let through."
            return 400, Deny(f"{place_name(event.path)} is not understood. {denied.reason}", denied.policies), told
    for media in inspected.media:
        facts = PassMedia(workload, media.kind, media.channel.value, media.source)
        if isinstance(denied := decide(facts), Deny):
            return 403, denied, NOT_PERMITTED
    if isinstance(denied := decide(CallModel(workload, request.model)), Deny):
        return 403, denied, NOT_PERMITTED
    for what in sorted(request.asks - STRIPPABLE):
        if isinstance(denied := decide(Obtain(workload, what)), Deny):
            return 403, denied, NOT_PERMITTED
    for detector, channel in inspected.signals:
        if isinstance(denied := decide(ReadText(workload, detector, channel)), Deny):
            return 403, denied, NOT_PERMITTED
    return 0, None, ""


def _stripped(request: Request, call: Call, rules: Rules) -> dict[str, Step]:
    """What is asked for beside the answer and will be taken out of it, each with what the log says of that."""
    out = {}
    for what in sorted(request.asks & STRIPPABLE):
        decision = rules.policies.decide(Obtain(call.principal.workload, what))
        if isinstance(decision, Deny):
            step = Step("extra", tool=what, verdict=Verdict.BLOCKED, reason=decision.reason, policies=decision.policies)
            out[what] = step
    return out


def _whole(adapter: Adapter, judge: AnswerJudge, log: _Log, rules: Rules) -> Exchange:
    body = yield Read()
    assert isinstance(body, bytes)
    answer = adapter.answer(body)
    steps: list[Step] = []
    changed: dict[Path, str] = {}
    verdicts: dict[Path, CallVerdict] = {}
    for event in answer.events:
        if isinstance(event, ToolCall):
            if len(verdicts) >= MOST_CALLS:
                raise ProtocolError(f"the answer calls over {MOST_CALLS} tools", status=502)
            verdicts[event.path] = judge.call(event)
        elif isinstance(event, Opaque | Media):
            if reason := judge.refusal(event):
                raise ProtocolError(f"{place_name(event.path)} of the answer was not let through: {reason}", status=502)
        elif isinstance(event, Text):
            found = rules.engine.scan(event.text, Channel.OUTPUT)
            steps.append(judge.text_step(len(event.text), rules.digest(event.text), found))
            if withheld := judge.withheld(found):
                changed[event.path] = replaced(event.text, 0, [(signal.span, marker(signal)) for signal in withheld])
    steps += [verdict.step for verdict in verdicts.values()]
    out = _edited(adapter, answer, changed, verdicts, judge.stripped)
    risky = any(verdict.risky for verdict in verdicts.values())
    yield Note(log.answer(OK, tuple(steps), answer.usage, len(out)), durable=risky)
    yield Reply(OK, out)


def _edited(
    adapter: Adapter,
    answer: Answer,
    changed: dict[Path, str],
    verdicts: dict[Path, CallVerdict],
    stripped: frozenset[str],
) -> bytes:
    refused = {path: notice([verdict.told]) for path, verdict in verdicts.items() if not verdict.allowed}
    if not changed and not refused and not stripped:
        return answer.raw
    said = notice([verdicts[path].told for path in verdicts if path in refused])
    return adapter.edit_answer(answer, AnswerEdit(changed, refused, said, stripped=stripped))


def _stream(adapter: Adapter, judge: AnswerJudge, log: _Log, rules: Rules) -> Exchange:
    reader, guard = adapter.reader(), StreamGuard(adapter, judge, rules)
    sent, usage, ended, fault, reported = 0, NO_USAGE, False, "", ""
    yield Begin()
    try:
        while not ended and (data := (yield Read())) is not None:
            assert isinstance(data, bytes)
            out = b""
            for frame in reader.feed(data):
                out += guard.push(frame)
                usage = frame.usage or usage
                ended = ended or frame.done or frame.error
                reported = REPORTED if frame.error else reported
            if out:
                sent += len(out)
                yield Emit(out)
        reader.end()
    except (UpstreamError, ProtocolError) as error:
        fault = error.brief
    except ClientGoneError:
        yield Note(log.answer(CLIENT_GONE, _unreleased(guard.end().steps), usage, sent, GONE))
        return
    # After a fault nobody can say that what is held back is whole: it stays here, and the client is told.
    ending = guard.end() if not fault else Ending(b"", _unreleased(guard.end().steps), risky=False)
    last = ending.data if not fault else adapter.stream_error("upstream_error", CUT)
    status = UPSTREAM_FAULT if fault else OK
    yield Note(log.answer(status, ending.steps, usage, sent + len(last), fault or reported), durable=ending.risky)
    yield Emit(last)


def _unreleased(steps: tuple[Step, ...]) -> tuple[Step, ...]:
    """Steps of a stream that did not come to its end: a call that was permitted has not left."""
    return tuple(
        step._replace(verdict=Verdict.FAILED, reason="It was not released.")
        if step.kind == "call" and step.verdict is Verdict.ALLOWED
        else step
        for step in steps
    )


def _pass_error(adapter: Adapter, status: int, judge: AnswerJudge, log: _Log, rules: Rules) -> Exchange:
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
    yield Note(log.answer(answered, (step,), NO_USAGE, len(out), f"The model's server answered {status}."))
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
