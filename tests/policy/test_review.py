"""What `policy check` finds odd about valid policies."""

from interlock.policy.review import review
from tests.policy.test_policies import load

ALL = "principal, action, resource"
CALLS = 'principal, action == Action::"callTool", resource'


def found(text: str, workloads: dict[str, tuple[str, ...]] | None = None, tools: tuple[str, ...] = ()) -> list[str]:
    return [remark.what for remark in review(load(text).loaded, workloads or {}, tools)]


def test_nothing_is_odd_about_policies_that_differ() -> None:
    text = f'@id("a") permit ({CALLS}); @id("b") forbid ({CALLS}) when {{ context.tainted }};'
    assert found(text) == []


def test_a_permit_below_a_forbid_of_everything_is_dead() -> None:
    text = f'@id("a") permit ({CALLS}) when {{ context.asked }}; @id("b") forbid ({ALL});'
    assert found(text) == ["a never permits anything: b forbids all that it is about"]
    assert found(text.replace('@id("b")', '@id("b") @force("ask")')) == []


def test_of_two_that_say_the_same_the_later_adds_nothing() -> None:
    assert found(f'@id("a") permit ({ALL}); @id("b") permit ({CALLS});') == [
        "b adds nothing: a permits all that it is about"
    ]
    assert found(f'@id("a") permit ({ALL}); @id("b") permit ({ALL});') == [
        "b adds nothing: a permits all that it is about"
    ]
    assert found(f'@id("a") forbid ({CALLS}) when {{ context.tainted }}; @id("b") forbid ({CALLS});') == [
        "a adds nothing: b forbids all that it is about"
    ]


def test_names_that_nobody_knows() -> None:
    text = '@id("a") permit (principal == Workload::"bilbot", action, resource == Tool::"send_mial");'
    remarks = list(review(load(text).loaded, {"billbot": ("raed_mail",)}, {"send_mail", "read_mail"}))
    assert [remark.hint for remark in remarks] == [
        "did you mean 'billbot'?", "did you mean 'send_mail'?", "did you mean 'read_mail'?",
    ]  # fmt: skip
    assert found(text, {"bilbot": ()}, ("other",)) == []  # a tool may live with the agent
