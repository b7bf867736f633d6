"""Whatever is hidden comes back, wherever the model puts it; and nothing else does."""

import json
import re
from collections.abc import Sequence

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from interlock.detectors.personal_data import NUMBERS
from interlock.guard.edits import replaced
from interlock.guard.pseudonyms import LETTERS, LONGEST, Pseudonyms
from interlock.model.errors import ConfigError, ProtocolError
from interlock.model.event import Channel, Signal, Span
from tests.detectors.keys import EXAMPLES, PEM
from tests.guard.play import ENGINE
from tests.purity import pure

MASTER = bytes(range(32))
EMAIL, CARD, IBAN = "bob@example.com", "4111 1111 1111 1111", "DE89 3704 0044 0532 0130 00"
NASTY = 'a"b\\c\nd\t\u0000\u2028é🔑\ud800'
RULES = {
    EMAIL: "email",
    CARD: "card",
    IBAN: "iban",
    "+49 170 1234567": "phone",
    PEM: "private_key",
    NASTY: "unusual-person",
}
FORM = re.compile(f"[A-Z]{{1,12}}-[{LETTERS}]{{14}}[0-9]")


def names(task: str = "s_1", master: bytes = MASTER, most: int = 1_000) -> Pseudonyms:
    return Pseudonyms(master, task, most=most)


def signal(start: int, end: int, rule: str = "email", detector: str = "pii", score: int = 900) -> Signal:
    return Signal(detector, rule, score, Span(start, end))


def find(text: str) -> Sequence[Signal]:
    """Where the values of RULES stand."""
    return [
        signal(match.start(), match.end(), rule)
        for value, rule in RULES.items()
        for match in re.finditer(re.escape(value), text)
    ]


def hidden(pseudonyms: Pseudonyms, value: str, rule: str = "email", detector: str = "pii") -> str:
    return pseudonyms.hide(value, [signal(0, len(value), rule, detector)])


# The form


def test_a_placeholder_tells_the_kind_and_comes_back_in_an_answer() -> None:
    task = names()
    asked = task.hide(f"Write to {EMAIL}, not to eve@example.com", find(f"Write to {EMAIL}"))
    placeholder = hidden(task, EMAIL)
    assert FORM.fullmatch(placeholder)
    assert placeholder.startswith("EMAIL-")
    assert len("A" * 12 + placeholder.removeprefix("EMAIL")) == LONGEST
    assert asked == f"Write to {placeholder}, not to eve@example.com"
    assert task.restore(f"I wrote to **{placeholder}**.") == f"I wrote to **{EMAIL}**."


@pytest.mark.parametrize(
    ("rule", "detector", "kind"),
    [
        ("email", "pii", "EMAIL"),
        ("us_ssn", "pii", "USSSN"),
        ("openai_project", "credential-leak", "KEY"),
        ("a-very-long-name-of-a-rule", "pii", "AVERYLONGNAM"),
        ("007", "pii", "VALUE"),
        ("naïve", "pii", "NAVE"),
    ],
)
def test_the_kind_is_the_rule_in_letters_and_of_a_key_no_more_than_that(rule: str, detector: str, kind: str) -> None:
    assert hidden(names(), "x", rule, detector).startswith(f"{kind}-")


def test_a_value_has_one_placeholder_in_a_task_whatever_came_before_and_another_in_any_other() -> None:
    first, second = names(), names()
    one, two = hidden(first, EMAIL), hidden(first, CARD, "card")
    assert (hidden(second, CARD, "card"), hidden(second, EMAIL)) == (two, one)
    others = {hidden(names("s_2"), EMAIL), hidden(names(master=bytes(32)), EMAIL), hidden(names(), EMAIL, "name")}
    assert len({one[-15:]} | {other[-15:] for other in others}) == 4


@pytest.mark.parametrize(
    ("rule", "first", "again"),
    [
        ("email", "Bob@Example.com", "bob@example.COM"),
        ("card", CARD, "4111-1111-1111-1111"),
        ("iban", IBAN, "de89370400440532013000"),
        ("phone", "+49 (170) 123-4567", "+491701234567"),
    ],
)
def test_ways_to_write_one_thing_share_a_placeholder_and_come_back_as_the_first(
    rule: str, first: str, again: str
) -> None:
    task = names()
    placeholder = hidden(task, first, rule)
    assert hidden(task, again, rule) == placeholder
    assert task.restore(placeholder) == first


@pytest.mark.parametrize(
    ("rule", "one", "other"),
    [
        ("email", "a.b@example.com", "ab@example.com"),
        ("email", "straße@example.com", "strasse@example.com"),
        ("ip", "10.1.1.1", "101.1.1"),
        ("private_key", "Abc", "abc"),
        ("phone", "+49170", "49170"),
    ],
)
def test_different_things_never_share_one(rule: str, one: str, other: str) -> None:
    task = names()
    assert hidden(task, one, rule) != hidden(task, other, rule)


@pytest.mark.parametrize("channel", Channel)
@given(value=st.text(max_size=8), rule=st.sampled_from([*RULES.values(), "id"]))
def test_no_detector_takes_a_placeholder_for_anything(channel: Channel, value: str, rule: str) -> None:
    placeholder = hidden(names(), value + "x", rule)
    for text in (placeholder, f"api_key={placeholder}", f'"password": "{placeholder}"', f"call {placeholder} now"):
        assert ENGINE.scan(text, channel) == ()


# Hiding


@pytest.mark.parametrize(
    ("spans", "expect"),
    [
        ([(0, 3), (3, 6)], "{abc}{def}ghi"),
        ([(0, 4), (2, 6)], "{abcdef}ghi"),
        ([(0, 6), (2, 4)], "{abcdef}ghi"),
        ([(2, 2)], "abcdefghi"),
        ([(-5, 2), (7, 99)], "{ab}cdefg{hi}"),
        ([(0, 2), (1, 4), (3, 6), (6, 7)], "{abcdef}{g}hi"),
        ([(20, 30)], "abcdefghi"),
    ],
)
def test_spans_that_overlap_are_one_value_and_neighbours_are_two(spans: list[tuple[int, int]], expect: str) -> None:
    signals = [signal(start, end) for start, end in spans]
    task, other = names(), names()
    out = task.hide("abcdefghi", signals)
    assert FORM.sub(lambda match: f"{{{task.used[match[0]]}}}", out) == expect
    assert other.hide("abcdefghi", signals[::-1]) == out
    assert task.restore(out) == "abcdefghi"


def test_the_widest_then_the_surest_signal_names_a_group() -> None:
    text = "https://bob@example.com/"
    whole, inner = signal(0, 24, "url", score=10), signal(8, 23, "email", score=999)
    assert names().hide(text, [inner, whole]).startswith("URL-")
    assert names().hide(text, [signal(0, 24, "b", score=10), signal(0, 24, "a", score=20)]).startswith("A-")


def test_a_value_within_another_keeps_its_own_placeholder_elsewhere() -> None:
    task = names()
    url = f"ftp://{EMAIL}/x"
    text = f"{url} {EMAIL}"
    asked = task.hide(text, [signal(0, len(url), "url"), *find(text)])
    assert asked == f"{hidden(task, url, 'url')} {hidden(task, EMAIL)}"
    assert task.restore(asked) == text


def test_a_value_is_hidden_where_no_detector_knows_it() -> None:
    task = names()
    first, then = "It is 0170 1234567.", "Call 0170 1234567"
    assert task.hide(first, ()) == first
    task.learn(then, [signal(5, 17, "phone")])
    placeholder = hidden(task, "0170 1234567", "phone")
    assert task.hide(first, ()) == f"It is {placeholder}."
    assert task.restore(task.hide(first, ())) == first
    task.learn("+49-170", [signal(0, 7, "phone")])
    again = hidden(task, "+49 170", "phone")
    assert task.hide("+49-170 +49 170", ()) == f"{again} {again}"


def test_a_value_that_is_known_from_before_is_hidden_again() -> None:
    (entry,) = {hidden(names(), "0170 1234567", "phone"): "0170 1234567"}.items()
    task = Pseudonyms(MASTER, "s_1", [entry])
    assert task.hide("It is 0170 1234567.", ()) == f"It is {entry[0]}."
    assert task.used == dict([entry])


def test_the_kind_of_every_personal_number_is_one_that_is_written_with_and_without_separators() -> None:
    for number in NUMBERS:
        assert hidden(names(), "12-34 56", number.rule) == hidden(names(), "123456", number.rule)


def test_too_many_values_are_an_error_that_names_none_of_them() -> None:
    task = names(most=100)
    text = " ".join(f"user{number}@example.com" for number in range(101))
    signals = [signal(match.start(), match.end()) for match in re.finditer(r"\S+", text)]
    assert task.restore(task.hide(text, signals[:100])) == text
    assert task.hide(text, signals[:100]).count("EMAIL-") == 100
    with pytest.raises(ProtocolError, match="over 100 values") as raised:
        task.hide(text, signals)
    assert raised.value.status == 413
    assert "@" not in str(raised.value)


@pytest.mark.parametrize("master", [b"", bytes(31), bytes(65)])
def test_a_key_that_keeps_no_secret_is_refused(master: bytes) -> None:
    with pytest.raises(ConfigError, match="the key of pseudonyms has"):
        names(master=master)


def test_the_value_is_in_no_printed_form() -> None:
    task = names()
    hidden(task, EMAIL)
    assert EMAIL not in f"{task!r} {task}"


# What was there before

# A task's placeholders, and what looks like one: whole, cut, in another case, with letters in front.
KNOWN = names()
PLACEHOLDERS = [hidden(KNOWN, value, rule) for value, rule in RULES.items()]
CODE = PLACEHOLDERS[0].partition("-")[2]
ODD = [
    *PLACEHOLDERS, PLACEHOLDERS[0].lower(), PLACEHOLDERS[1].swapcase(), f"MAIL-{CODE}", f"-{CODE}", CODE, CODE[:-1],
    "E", "EMAIL", "EMAIL-", PLACEHOLDERS[0][:-1], PLACEHOLDERS[0][:9], "7", "-", " ", "k", "A" * 13, "\u212aEY-", "[[",
    '"', "\\", "\n", "é", "\ud83d",
]  # fmt: skip
PIECES = st.lists(st.sampled_from([*ODD, *RULES]) | st.text(max_size=3), max_size=8).map("".join)


@given(text=PIECES)
def test_what_is_hidden_comes_back_and_so_does_what_looked_like_a_placeholder(text: str) -> None:
    task = names()
    asked = task.hide(text, find(text))
    assert task.restore(asked) == text
    assert not any(value in asked for value in RULES)
    # All that has the form is ours now, so nothing of the user's can be taken for a placeholder.
    assert [match[0][-15:] for match in FORM.finditer(asked)] == [
        asked[s.end - 15 : s.end] for s, _ in task.scan(asked)
    ]


@given(own=PIECES)
def test_text_that_has_the_form_comes_back_as_its_writer_wrote_it(own: str) -> None:
    assume(EMAIL not in own)
    task = names()
    secret = hidden(task, EMAIL)
    asked = task.hide(f"{own} {secret}", ())
    assert secret not in asked
    assert task.restore(asked) == f"{own} {secret}"


def test_a_value_that_looks_like_a_placeholder_is_restored_once() -> None:
    task = names()
    inner = hidden(task, EMAIL)
    outer = hidden(task, inner, "name")
    assert task.restore(outer) == inner
    assert json.loads(task.restore_json(json.dumps({"a": outer}))) == {"a": inner}


# Restoring


def test_case_does_not_count_and_anything_else_does() -> None:
    task = names()
    placeholder = hidden(task, EMAIL)
    kind, _, code = placeholder.partition("-")
    for same in (placeholder.lower(), placeholder.upper(), f"{kind.title()}-{code}"):
        assert task.restore(f"<{same}>") == f"<{EMAIL}>"
    flipped = code.replace(code[3], "b" if code[3] != "b" else "c")
    for bent in (f"CARD-{code}", f"{kind}-{flipped}", f"{kind} {code}", f"{kind}\\-{code}", f"{kind}-{code[:-1]}", code,
                 f"-{code}", f"MAIL-{code}", f"E\u017fAIL-{code}", f"EMA\u0131L-{code}"):  # fmt: skip
        assert task.restore(bent) == bent


def test_another_tasks_placeholder_says_nothing_here() -> None:
    task, other = names("s_1"), names("s_2")
    theirs, ours = hidden(other, EMAIL), hidden(task, EMAIL)
    assert theirs != ours
    assert task.restore(f"{theirs} {ours}") == f"{theirs} {EMAIL}"


def test_guessing_finds_nothing() -> None:
    task = names()
    for number in range(200):
        hidden(task, f"user{number}@example.com")
    guesses = " ".join(hidden(names(f"g{number}"), EMAIL) for number in range(2_000))
    assert task.scan(guesses) == ()


def test_quoted_values_stand_in_json_that_a_model_writes_as_its_answer() -> None:
    task = names()
    placeholder = hidden(task, NASTY, "name")
    answer = f'{{"name": "{placeholder}"}}'
    whole = replaced(answer, 0, list(task.scan(answer, quoted=True)))
    assert json.loads(whole) == {"name": NASTY}


# With real detectors, and without I/O


def test_it_does_no_io() -> None:
    def once() -> str:
        task = names()
        return task.restore_json(task.hide_json(json.dumps({"to": [EMAIL]}), find))

    expect = once()
    with pure():
        assert once() == expect


@pytest.mark.parametrize("id_", ["openai_project", "postgres_url"])
def test_what_the_real_detectors_find_goes_and_comes_back(id_: str) -> None:
    text = f"The key: {EXAMPLES[id_]}."
    task = names()
    asked = task.hide(text, ENGINE.scan(text, Channel.USER))
    assert EXAMPLES[id_] not in asked
    assert asked.startswith("The key: KEY-")
    assert task.restore(asked) == text
