"""Policies: loaded only if they validate, with file and line when not; a Deny whenever anything goes wrong."""

import re
from contextlib import suppress
from importlib.resources import files

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock.model.decision import Allow, Ask, Deny
from interlock.model.errors import PolicyError
from interlock.model.record import Origin
from interlock.policy import (
    CallModel,
    CallTool,
    Force,
    Obtain,
    PassMedia,
    PassOpaque,
    Policies,
    Question,
    ReadText,
    ReleaseText,
    Scope,
    Source,
)
from interlock.policy.policies import KEPT_ANSWERS

FOLDER = files("interlock.policy")
SCHEMA = Source("schema.cedarschema", FOLDER.joinpath("schema.cedarschema").read_text("utf-8"))
BUNDLED = Source("bundled.cedar", FOLDER.joinpath("bundled.cedar").read_text("utf-8"))
SCOPES = {
    "narrow": Scope(models=("small",), tools=("search", "pay"), unsafe_tools=("pay",)),
    "closed": Scope(models=(), tools=(), extras=()),
    "extra": Scope(extras=("logprobs", "embeddings")),
}
ANY = "permit (principal, action, resource);"


def load(*texts: str, schema: Source = SCHEMA) -> Policies:
    sources = tuple(Source(f"{number}.cedar", text) for number, text in enumerate(texts))
    return Policies(schema, sources, SCOPES)


def tool(
    name: str = "search", *origins: Origin, workload: str = "any", tainted: bool = False, offered: bool = True,
    understood: bool = True, sink: str = "send", asked: bool = True, private: bool = False,
    carries_secret: bool = False, over_cap: bool = False,
) -> CallTool:  # fmt: skip
    return CallTool(
        workload, name, sink, frozenset(origins), tainted, offered, understood, asked, private, carries_secret, over_cap
    )


TOXIC = "private-data-untrusted-text-and-a-way-out"
BUNDLED_DECISIONS: list[tuple[Question, Allow | str]] = [
    (CallModel("any", "whatever"), Allow(("model-in-scope",))),
    (CallModel("narrow", "small"), Allow(("model-in-scope",))),
    (CallModel("narrow", "large"), ""),
    (CallModel("closed", "small"), ""),
    (tool(), Allow(("tool-in-scope",))),
    (tool("delete", workload="narrow"), ""),
    (tool(workload="closed"), ""),
    (tool(offered=False), "tool-not-offered"),
    (tool(understood=False), "arguments-not-understood"),
    (tool(understood=False, sink="read"), "arguments-not-understood"),
    (tool(understood=False, sink="none"), Allow(("tool-in-scope",))),
    (tool("a", Origin.USER, Origin.SYSTEM, Origin.INTERNAL, tainted=True), Allow(("tool-in-scope",))),
    (tool("a", Origin.USER, Origin.UNTRUSTED), "argument-from-untrusted-text"),
    (tool("pay", Origin.UNTRUSTED, workload="narrow", tainted=True), Allow(("tool-in-scope",))),
    (tool("search", Origin.UNTRUSTED, workload="narrow"), "argument-from-untrusted-text"),
    (tool("a", Origin.MODEL), Allow(("tool-in-scope",))),
    (tool("a", Origin.MODEL, tainted=True), "argument-made-up-after-untrusted-text"),
    (tool("pay", Origin.MODEL, tainted=True, workload="narrow"), Allow(("tool-in-scope",))),
    (tool("pay", offered=False, workload="narrow"), "tool-not-offered"),
    (tool("a", Origin.ASSERTED, tainted=True), Allow(("tool-in-scope",))),
    (tool("a", Origin.USER, tainted=True, asked=False), "act-not-asked-for"),
    (tool("a", tainted=True, asked=False, sink="unknown"), "act-not-asked-for"),
    (tool("a", tainted=True, asked=False, sink="read"), Allow(("tool-in-scope",))),
    (tool("a", Origin.USER, tainted=True, asked=False, sink="fetch"), Allow(("tool-in-scope",))),
    (tool("a", asked=False), Allow(("tool-in-scope",))),
    (tool("pay", tainted=True, asked=False, workload="narrow"), Allow(("tool-in-scope",))),
    (tool("a", asked=False, sink="delete"), "delete-not-asked-for"),
    (tool("a", asked=False, sink="credential"), "delete-not-asked-for"),
    (tool("a", asked=True, sink="delete"), Allow(("tool-in-scope",))),
    (tool("pay", asked=False, sink="delete", workload="narrow"), Allow(("tool-in-scope",))),
    (tool("a", over_cap=True, sink="money"), "cap-reached"),
    (tool("pay", over_cap=True, sink="money", workload="narrow"), "cap-reached"),
    (tool("a", carries_secret=True), "secret-on-its-way-out"),
    (tool("a", carries_secret=True, sink="write"), Allow(("tool-in-scope",))),
    (tool("pay", carries_secret=True, workload="narrow"), Allow(("tool-in-scope",))),
    (tool("a", private=True, tainted=True), Allow(("tool-in-scope",), (TOXIC,))),
    (tool("a", private=True, tainted=True, sink="write"), Allow(("tool-in-scope",))),
    (tool("a", private=True), Allow(("tool-in-scope",))),
    (tool("pay", private=True, tainted=True, workload="narrow"), Allow(("tool-in-scope",))),
    (ReadText("any", "instruction-override", "tool_result"), Allow(("signals-are-recorded",))),
    (ReleaseText("any", "credential-leak"), ""),
    (PassOpaque("any", "messages[].audio", "request"), ""),
    (PassOpaque("any", "choices[].x", "answer"), Allow(("answers-may-hold-unknown-fields",))),
    (ReleaseText("any", "personal-data"), Allow(("personal-data-is-recorded",))),
    (PassMedia("any", "image", "tool_result", "url"), Allow(("media-is-recorded",))),
    (Obtain("any", "logprobs"), ""),
    (Obtain("any", "embeddings"), Allow(("embeddings-unless-limited",))),
    (Obtain("closed", "embeddings"), ""),
    (Obtain("extra", "embeddings"), Allow(("extra-in-scope",))),
    (Obtain("extra", "logprobs"), Allow(("extra-in-scope",))),
]


@pytest.mark.parametrize(("question", "expected"), BUNDLED_DECISIONS)
def test_the_bundled_policies_decide(question: Question, expected: Allow | str) -> None:
    decision = Policies(SCHEMA, (BUNDLED,), SCOPES).decide(question)
    if isinstance(expected, Allow):
        assert decision == expected
    else:
        assert isinstance(decision, Deny)
        assert decision.policies == ((expected,) if expected else ())
        assert decision.reason == ("No policy permits it." if not expected else decision.reason)


def test_every_bundled_policy_is_decided_both_ways_above() -> None:
    ids = set(re.findall(r'^@id\("([^"]+)"\)', BUNDLED.text, re.MULTILINE))
    named = {expected for _, expected in BUNDLED_DECISIONS if isinstance(expected, str)}
    allows = [allow for _, allow in BUNDLED_DECISIONS if isinstance(allow, Allow)]
    named |= {name for allow in allows for name in (*allow.policies, *allow.observed)}
    assert ids == named - {""}


def test_a_deny_says_why_in_the_words_of_all_its_policies() -> None:
    decision = Policies(SCHEMA, (BUNDLED,), {}).decide(tool("x", Origin.UNTRUSTED, offered=False))
    assert isinstance(decision, Deny)
    assert decision.policies == ("argument-from-untrusted-text", "tool-not-offered")
    assert "outsiders" in decision.reason
    assert "offer" in decision.reason


BROKEN = [
    ("permit (principal, action, resource);", "no @id", "0.cedar:1"),
    ('@id("") permit (principal, action, resource);', "no @id", "0.cedar:1"),
    ("@id permit (principal, action, resource);", "no @id", "0.cedar:1"),
    (f'@id("a") {ANY}\n\n@id("a") {ANY}', "two policies have the @id 'a'", "0.cedar:3"),
    (f'@id("a")\n{ANY}\n// note\n\n@id("b")\npermit (principal, action,\n', "not valid", "0.cedar:5"),
    (f'@id("a;\nb") {ANY}\n// it\'s; "\n@id("c") permit;', "not valid", "0.cedar:4"),
    ('@id("a") permit (principal, action, resource) when { context.nope };', "nope", "0.cedar:1"),
    ('@id("a") permit (principal is Robot, action, resource);', "Robot", "0.cedar:1"),
    ('@id("a") permit (principal, action == Action::"fly", resource);', "fly", "0.cedar:1"),
    ('@id("a") permit (principal == ?principal, action, resource);', "templates", "0.cedar:1"),
    ('@id("a") permit (principal, action, resource)" ;', "not valid", "0.cedar:1"),
    (f'" @id("a") {ANY}', "not valid", "0.cedar:1"),
    (f'@id("a") {ANY};', "not valid", "0.cedar:1"),
    (f'@id("a") @id("b") {ANY}', "not valid", "0.cedar:1"),
    (f'@id("a") {ANY} /* no such comment */', "not valid", "0.cedar:1"),
    ("\x00", "not valid", "0.cedar:1"),
]


@pytest.mark.parametrize(("text", "why", "place"), BROKEN)
def test_a_policy_that_does_not_validate_is_refused_with_its_line(text: str, why: str, place: str) -> None:
    with pytest.raises(PolicyError, match=re.escape(why)) as caught:
        load(text)
    assert caught.value.where == place
    assert caught.value.hint


def test_one_id_in_two_files_is_refused() -> None:
    with pytest.raises(PolicyError, match="two policies") as caught:
        load(f'@id("a") {ANY}', f'\n@id("a") {ANY}')
    assert (caught.value.where, caught.value.hint) == ("1.cedar:2", "the other one is at 0.cedar:1")


def test_a_schema_that_does_not_parse_is_refused() -> None:
    with pytest.raises(PolicyError) as caught:
        load(schema=Source("my.cedarschema", "entity Workload ="))
    assert caught.value.where == "my.cedarschema"


@given(text=st.text(alphabet='@id("a")permit(principal,action,resource);// \n{}when=?\\', max_size=80))
def test_any_text_is_loaded_or_refused(text: str) -> None:
    with suppress(PolicyError):
        assert isinstance(load(text).decide(CallModel("any", "m")), Allow | Deny)


@pytest.mark.parametrize("text", ["", "\n", "// nothing here", '// "not; a policy'])
def test_without_policies_everything_is_denied(text: str) -> None:
    assert load(text).decide(CallModel("any", "m")) == Deny("No policy permits it.")


def test_semicolons_in_strings_and_comments_end_nothing() -> None:
    policies = load(f'// a; "b\n@id("a;b") @reason("x // y; \\" z") {ANY} // c;\n@id("d")\n{ANY}')
    assert policies.decide(CallModel("any", "m")) == Allow(("a;b", "d"))


def test_many_policies_keep_their_names() -> None:
    policies = load(
        "".join(f'@id("p{n}") permit (principal == Workload::"w{n}", action, resource);' for n in range(25))
    )
    assert [policies.decide(CallModel(f"w{n}", "m")) for n in (2, 10, 24)] == [
        Allow(("p2",)), Allow(("p10",)), Allow(("p24",)),
    ]  # fmt: skip


@pytest.mark.parametrize("effect", ["permit", "forbid"])
def test_a_policy_that_goes_wrong_when_it_is_asked_denies(effect: str) -> None:
    overflow = "when { (if context.tainted then 9223372036854775807 else 1) + 1 > 0 }"
    policies = load(
        '@id("all") permit (principal, action == Action::"callTool", resource);'
        f'@id("bad") {effect} (principal, action == Action::"callTool", resource) {overflow};'
    )
    decision = policies.decide(tool(tainted=True))
    assert isinstance(decision, Deny)
    assert "went wrong" in decision.reason


HOSTILE = ['a"b', "a\nb", "\x00", "\u202e", "😀", "\\", '"; permit (principal, action, resource); //', "", "x" * 10_000]


@pytest.mark.parametrize("name", [*HOSTILE, "\ud800"])
def test_no_name_can_be_more_than_a_name(name: str) -> None:
    policies = Policies(SCHEMA, (BUNDLED,), {"w": Scope(tools=("only",)), name: Scope(models=("m",))})
    assert isinstance(policies.decide(tool(name, workload="w")), Deny)
    assert isinstance(policies.decide(tool("only", workload="w", sink=name)), Allow if name != "\ud800" else Deny)
    assert isinstance(policies.decide(CallModel(name, "other")), Deny)
    assert isinstance(policies.decide(ReleaseText("w", name)), Deny)


def test_equal_questions_have_equal_answers_and_no_more_than_so_many_are_kept() -> None:
    policies = load(f'@id("a") {ANY}')
    for number in range(KEPT_ANSWERS + 10):
        assert isinstance(policies.decide(ReleaseText("any", str(number % (KEPT_ANSWERS + 5)))), Allow)
    assert len(policies._answers) <= KEPT_ANSWERS


def test_the_answer_for_a_very_long_name_is_not_kept() -> None:
    policies = load(f'@id("a") {ANY}')
    assert isinstance(policies.decide(tool("x" * 1_000_000)), Allow)
    assert not policies._answers


def test_the_hash_covers_schema_policies_and_scopes() -> None:
    hashes = {
        Policies(SCHEMA, (BUNDLED,), {}).hash,
        Policies(SCHEMA, (BUNDLED,), SCOPES).hash,
        Policies(SCHEMA, (Source("b", BUNDLED.text + "\n"),), {}).hash,
        Policies(Source("s", SCHEMA.text + "\n"), (BUNDLED,), {}).hash,
    }
    assert len(hashes) == 4
    assert Policies(SCHEMA, (BUNDLED,), {}).hash in hashes


FORCES = """
@id("tools") permit (principal, action == Action::"callTool", resource);
@id("no-send") @reason("No sending.") @force("ask")
forbid (principal, action == Action::"callTool", resource) when { context.sink == "send" };
@id("no-made-up") @reason("Nothing made up.") @force("observe")
forbid (principal, action == Action::"callTool", resource) when { context.origins.contains("model") };
@id("no-pay") @reason("No paying.")
forbid (principal, action == Action::"callTool", resource) when { resource == Tool::"pay" };
"""
SEND, MADE_UP = tool("a", sink="send"), tool("a", Origin.MODEL, sink="write")


@pytest.mark.parametrize(
    ("question", "forces", "expected"),
    [
        (tool("a", sink="write"), {}, Allow(("tools",))),
        (SEND, {}, Ask("No sending.", ("no-send",))),
        (SEND, {"no-send": Force.OBSERVE}, Allow(("tools",), ("no-send",))),
        (SEND, {"no-send": Force.ENFORCE}, Deny("No sending.", ("no-send",))),
        (MADE_UP, {}, Allow(("tools",), ("no-made-up",))),
        (MADE_UP, {"no-made-up": Force.ASK}, Ask("Nothing made up.", ("no-made-up",))),
        # One that asks counts more than one that is observed, and one that is enforced more than both.
        (tool("a", Origin.MODEL, sink="send"), {}, Ask("No sending.", ("no-send",))),
        (tool("pay", Origin.MODEL, sink="send"), {}, Deny("No paying. No sending.", ("no-pay", "no-send"))),
        (CallModel("any", "m"), {}, Deny("No policy permits it.")),
    ],
)
def test_what_a_refusal_comes_to_is_up_to_the_force_of_each_policy(
    question: Question, forces: dict[str, Force], expected: object
) -> None:
    policies = Policies(SCHEMA, (Source("mine", FORCES),), {}, forces=forces)
    assert policies.decide(question) == expected
    assert policies.decide(question) == expected  # and the same again, when it is remembered


def test_what_nobody_permits_is_refused_though_the_refusal_is_only_observed() -> None:
    text = """@id("never") @force("observe") forbid (principal, action, resource);"""
    assert Policies(SCHEMA, (Source("mine", text),), {}).decide(SEND) == Deny("No policy permits it.")
    text = """@id("never") @force("ask") forbid (principal, action, resource);"""
    assert Policies(SCHEMA, (Source("mine", text),), {}).decide(SEND) == Deny("No policy permits it.")


@pytest.mark.parametrize(
    ("text", "forces", "what"),
    [
        ('@id("a") @force("perhaps") forbid (principal, action, resource);', {}, "there is no force 'perhaps'"),
        ('@id("a") @force("ask") permit (principal, action, resource);', {}, "a policy that permits has no force"),
        ('@id("a") permit (principal, action, resource);', {"a": Force.ASK}, "'a' permits something"),
        ('@id("a") permit (principal, action, resource);', {"b": Force.ASK}, "there is no policy 'b'"),
    ],
)
def test_a_force_that_makes_no_sense_is_refused(text: str, forces: dict[str, Force], what: str) -> None:
    with pytest.raises(PolicyError, match=what):
        Policies(SCHEMA, (Source("mine", text),), {}, forces=forces)


def test_the_force_of_a_policy_is_part_of_the_hash() -> None:
    hashes = {
        Policies(SCHEMA, (Source("m", FORCES),), {}, forces={"no-pay": force} if force else {}).hash
        for force in (None, Force.ASK, Force.OBSERVE)
    }
    assert len(hashes) == 3
