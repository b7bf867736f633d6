"""Examples of policies: the bundled ones hold, and a file that is none says what is wrong."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock.guard.examples import examples, tried
from interlock.model.errors import UsageError
from interlock.rulebook import bundled, bundled_examples
from tests.guard.play import make_rules

RULES = make_rules()


@pytest.mark.parametrize("example", examples("bundled", bundled_examples()), ids=lambda one: one.name)
def test_a_bundled_example_holds(example: object) -> None:
    outcome = tried(example, RULES)  # type: ignore[arg-type]
    assert outcome.holds, outcome


def test_each_bundled_policy_that_refuses_a_call_has_an_example() -> None:
    named = {by for example in examples("bundled", bundled_examples()) for by in example.by or ()}
    forbids = {policy.id for policy in RULES.policies.loaded if not policy.permits}
    assert forbids <= named
    assert bundled().text


def test_an_example_that_does_not_hold_says_what_was_decided() -> None:
    (example,) = examples("f", '[[example]]\ntool = "send_mail"\nfacts = { sink = "send" }\nexpect = "deny"')
    outcome = tried(example, RULES)
    assert (outcome.holds, outcome.decided, outcome.by) == (False, "allow", ("tool-in-scope",))


def test_nothing_of_a_trial_is_remembered() -> None:
    turn = 'conversation = [{ user = "Delete the file report-17." }]'
    text = f'[[example]]\ntool = "delete_file"\narguments = {{ id = "report-17" }}\n{turn}\nexpect = "allow"\n'
    outcomes = [tried(example, RULES) for example in examples("f", text * 12)]
    assert all(outcome.holds for outcome in outcomes)
    assert len(RULES.caps.counters) == 0


WRONG = [
    ("[[example", "not TOML"),
    ("[other]", "not understood"),
    ("example = 1", "not understood"),
    ("[[example]]\nexpect = 'allow'", "about a tool, or about a model"),
    ("[[example]]\ntool = 'a'\nmodel = 'b'\nexpect = 'allow'", "about a tool, or about a model"),
    ("[[example]]\ntool = 'a'", "what it expects"),
    ("[[example]]\ntool = 'a'\nexpect = 'perhaps'", "what it expects"),
    ("[[example]]\ntool = 'a'\nexpect = 'ask'\nwhy = 1", "unknown key 'why'"),
    ("[[example]]\ntool = 1\nexpect = 'ask'", "wrong kind"),
    ("[[example]]\ntool = 'a'\nexpect = 'ask'\nfacts = { flies = true }", "no such fact"),
    ("[[example]]\ntool = 'a'\nexpect = 'ask'\nfacts = { origins = ['moon'] }", "no such fact"),
    ("[[example]]\ntool = 'a'\nexpect = 'ask'\nfacts = {}\nconversation = []", "or are given"),
    ("[[example]]\ntool = 'a'\nexpect = 'ask'\nconversation = [{ robot = 'x' }]", "no turn"),
    ("[[example]]\ntool = 'a'\nexpect = 'ask'\nconversation = ['x']", "no turn"),
    ("[tools.a]\nname = 'x'", "no definition"),
]


@pytest.mark.parametrize(("text", "why"), WRONG)
def test_a_file_that_is_none_says_what_is_wrong(text: str, why: str) -> None:
    with pytest.raises(UsageError, match=why):
        examples("f", text)


@given(st.text(alphabet="[]{}example=\"'tools.\n ask", max_size=80))
def test_any_text_is_read_or_refused(text: str) -> None:
    with suppress(UsageError):
        assert isinstance(examples("f", text), tuple)
