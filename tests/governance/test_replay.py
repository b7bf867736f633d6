"""Recorded traffic put to other policies: only what differs is told, and what cannot be told is said."""

from interlock.governance.replay import MOST_CHANGES, NO_POLICY, OLDER, VALUES, Change, replay
from interlock.model.record import Noted, Origin, Record, RecordKind, Step, Verdict
from interlock.policy import CallTool, Policies, Source, call_of
from interlock.policy.arguments import of_declarations
from tests.policy.test_policies import BUNDLED, SCHEMA

SEND = CallTool("w", "send_mail", "send", frozenset({Origin.USER}), tainted=False, offered=True, understood=True)
CALLS = 'principal, action == Action::"callTool", resource'
NO_SEND = '@id("no-send") @reason("No.") {force} forbid (' + CALLS + ' == Tool::"send_mail");'


def policies(text: str = "", **tools: str) -> Policies:
    fields = {name: of_declarations(name, [declared]) for name, declared in tools.items()}
    return Policies(SCHEMA, (BUNDLED, Source("own", text)), {}, tools=fields)


def call(question: CallTool = SEND, **changed: object) -> Step:
    step = Step("call", tool=question.tool, sink=question.sink, facts=question.facts, policies=("tool-in-scope",))
    return step._replace(**changed)  # type: ignore[arg-type]


def answer(*steps: Step) -> tuple[str, Record]:
    return "log/1", Record(RecordKind.ANSWER, 1, workload="w", model="m", steps=steps)


def request(*steps: Step, **changed: object) -> tuple[str, Record]:
    record = Record(RecordKind.REQUEST, 1, workload="w", model="m", protocol="openai-chat", steps=steps)
    return "log/0", record._replace(**changed)  # type: ignore[arg-type]


def test_the_same_policies_change_nothing() -> None:
    found = replay([request(), answer(call())], policies())
    assert (found.records, found.decided, found.changed, dict(found.undecided)) == (2, 2, 0, {})


def test_a_new_prohibition_is_told_with_its_force() -> None:
    for force, now, changed in (("", "deny", 3), ('@force("ask")', "ask", 3), ('@force("observe")', "note", 0)):
        found = replay([answer(call())] * 3, policies(NO_SEND.format(force=force)))
        assert dict(found.changes) == {Change("w", "call", "send_mail", "allowed", now, ("no-send",)): 3}
        assert found.examples.popitem()[1] == ["log/1"] * 3
        assert found.changed == changed


def test_what_was_noted_before_is_no_news() -> None:
    step = call(reason="Only observed, would be refused by: no-send.")
    assert not replay([answer(step)], policies(NO_SEND.format(force='@force("observe")'))).changes


def test_what_was_refused_and_would_be_allowed() -> None:
    refused = call(verdict=Verdict.BLOCKED, policies=("old",), reason="No.")
    (change,) = replay([answer(refused)], policies()).changes
    assert change == Change("w", "call", "send_mail", "refused", "allow", ("tool-in-scope",))


def test_what_a_person_has_approved_may_be_asked_again() -> None:
    step = call(reason="Approved once, by ann: a1.")
    assert not replay([answer(step)], policies(NO_SEND.format(force='@force("ask")'))).changes
    assert replay([answer(step)], policies(NO_SEND.format(force=""))).changed == 1


def test_requests_texts_and_files_are_decided_again() -> None:
    image = Step("image", facts=("channel:user", "source:url"))
    signal = Step("tool_result", signals=(Noted("instruction-override", "r", 900),))
    personal = Step("output", signals=(Noted("personal-data", "iban", 900),))
    text = """@id("no-media") forbid (principal, action == Action::"passMedia", resource);
    @id("no-signal") forbid (principal, action == Action::"readText", resource);
    @id("no-person") forbid (principal, action == Action::"releaseText", resource);"""
    found = replay([request(image, signal), answer(personal)], policies(text))
    assert {(one.what, one.subject, one.now, one.by) for one in found.changes} == {
        ("file", "image", "deny", ("no-media",)),
        ("request", "m", "deny", ("no-signal",)),
        ("answer", "personal-data", "deny", ("no-person",)),
    }


def test_what_is_not_recorded_is_said() -> None:
    old, secret = call(facts=()), call(verdict=Verdict.BLOCKED, policies=(), reason="An argument holds it.")
    reads = f'@id("r") forbid ({CALLS} == Tool::"pay") when {{ context.args.n > 1 }};'
    pay = call(CallTool("w", "pay", "money", frozenset(), tainted=False, offered=True, understood=True))
    found = replay([answer(old, secret, pay, Step("image"))], policies(reads, pay="n: Long"))
    assert dict(found.undecided) == {OLDER: 2, NO_POLICY: 1, VALUES: 1}
    assert found.decided == 0


def test_facts_are_kept_and_read_again() -> None:
    whole = CallTool("w", "t", "x", frozenset(Origin), True, True, True, True, True, True, True, "no")
    for question in (SEND, whole):
        assert call_of("w", question.tool, question.sink, question.facts) == question
    for wrong in (
        (),
        ("offered",),
        ("by-model:no", "flies"),
        ("by-model:no", "origin:moon"),
        ("by-model:a", "by-model:b"),
    ):
        assert call_of("w", "t", "send", wrong) is None


def test_changes_are_told_apart_up_to_a_bound() -> None:
    steps = [call(SEND, tool=f"send_mail_{number}") for number in range(MOST_CHANGES + 7)]
    text = '@id("none") forbid (principal, action == Action::"callTool", resource);'
    found = replay([answer(*steps)], policies(text))
    assert (len(found.changes), found.not_told_apart, found.changed) == (MOST_CHANGES, 7, MOST_CHANGES + 7)
