"""What an answer repeats of its own system prompt is found as it stands there, and nothing that only shares words."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock.guard.own_prompt import (
    CANARY,
    ENOUGH,
    LONGEST_GAP,
    LONGEST_WORD,
    MOST,
    PROMPT_LEAK,
    REACH,
    OwnPrompt,
    _words,
)
from tests.detectors.windows import flagged, streamed

PROMPT = (
    "You are Nora, the assistant of Halden Freight. Never tell a customer what another customer pays. If somebody "
    "asks for a discount above eight percent, say that Mara in the Rotterdam office decides, and open a ticket in her "
    "queue.\n"
    "- Internal rate card: see table RC-7.\n- Do not mention the merger with Vesterholm before the first of March."
)
OWN = OwnPrompt([PROMPT])
SENTENCE = "Do not mention the merger with Vesterholm before the first of March"


def leaked(text: str, own: OwnPrompt = OWN) -> list[str]:
    return [text[s.span.start : s.span.end] for s in own.scan(text) if s.detector == PROMPT_LEAK]


@pytest.mark.parametrize(
    "said",
    [
        SENTENCE,
        SENTENCE.upper(),
        SENTENCE.replace(" ", "\n"),
        SENTENCE.replace(" ", " - "),
        " **".join(SENTENCE.split()),
        "_".join(SENTENCE.split()),
        SENTENCE.replace("the merger", "the, merger;"),
    ],
)
@pytest.mark.parametrize("around", ["{}", "Sure: {}!", "1. {}\n2. no"])
def test_a_copied_sentence_is_found_exactly(said: str, around: str) -> None:
    assert leaked(around.format(said)) == [said]


def test_the_whole_prompt_is_one_leak_whatever_stands_around_it() -> None:
    assert leaked(f"My instructions: {PROMPT} That is all.") == [PROMPT.removesuffix(".")]


@pytest.mark.parametrize(
    "text",
    [
        "I am Nora, the assistant of Halden Freight. How can I help?",
        "Mara in the Rotterdam office decides about discounts. Shall I open a ticket?",
        "Never tell a customer what another customer pays.",
        "I cannot talk about the merger.",
        "",
        "...",
    ],
)
def test_a_shared_phrase_is_none(text: str) -> None:
    assert leaked(text) == []


def test_eleven_words_are_not_enough_and_twelve_are() -> None:
    words = SENTENCE.split()
    assert len(words) == ENOUGH
    assert leaked(f"so: {' '.join(words[:-1])} soon") == []
    assert leaked(" ".join(words)) == [SENTENCE]


def test_pieces_of_two_texts_are_not_one() -> None:
    first, second = SENTENCE.split()[:6], SENTENCE.split()[6:]
    assert leaked(SENTENCE, OwnPrompt([" ".join(first), " ".join(second)])) == [" ".join(first), " ".join(second)]
    assert leaked(SENTENCE, OwnPrompt(["a b c " + " ".join(first), " ".join(second) + " x y"])) == []


@pytest.mark.parametrize(
    ("prompt", "answer", "expected"),
    [
        ("Answer in French only.", "It says: answer in French only, so I do.", ["answer in French only"]),
        ("Answer in French only.", "I answer in French.", []),
        ("Be helpful.", "I try to be helpful.", []),
        ("", "anything", []),
        ("!!!", "anything", []),
    ],
)
def test_a_short_prompt_is_a_leak_only_as_a_whole(prompt: str, answer: str, expected: list[str]) -> None:
    assert leaked(answer, OwnPrompt([prompt])) == expected


def test_scripts_without_spaces_count_characters() -> None:
    prompt = "你是一家物流公司的客服助手。不要告诉客户其他客户支付的价格。也不要提到三月一日之前的合并计划。"
    own = OwnPrompt([prompt])
    assert leaked("你是一家物流公司的客服吗。", own) == []
    assert leaked(f"我的指示是。{prompt}", own) == [prompt.removesuffix("。")]


def test_canaries_are_found_whole_in_any_case() -> None:
    own = OwnPrompt([], ["Zx-41-Falke", "short", "x" * 300])
    text = "It is ZX-41-FALKE, zx-41-falke and zx-41-falk; short " + "x" * 300
    found = own.scan(text)
    assert [(s.detector, text[s.span.start : s.span.end]) for s in found] == [
        (CANARY, "ZX-41-FALKE"),
        (CANARY, "zx-41-falke"),
    ]


@given(text=st.text(st.characters(max_codepoint=127), max_size=300))
def test_words_of_ascii_are_what_they_are_in_any_text(text: str) -> None:
    assert [*_words(text), "é"] == _words(f"{text} é")


def test_letters_that_grow_without_case_move_no_span() -> None:
    own = OwnPrompt([], ["Straße-12345"])
    assert [s.span for s in own.scan("ßßß STRAßE-12345 İ")] == [(4, 16)]


PIECES = st.sampled_from(
    [
        PROMPT, SENTENCE, *PROMPT.split(". "), *PROMPT.split(), "Answer in French only", "你是一家物流",
        "Zx-41-Falke", "ZX-41", "zx", " ", "\n", ". ", "-", "x", "é", "ß", "aabaa",
    ]
)  # fmt: skip
WATCHED = OwnPrompt([PROMPT, "Answer in French only."], ["Zx-41-Falke", "aabaabaab"])


@given(
    pieces=st.lists(PIECES | st.text(max_size=4), max_size=12), data=st.data(), lag=st.sampled_from([0, 0, 1, 9, 50])
)
def test_a_stream_cut_anywhere_is_flagged_as_the_whole_is(pieces: list[str], data: st.DataObject, lag: int) -> None:
    whole = "".join(pieces)
    cuts = data.draw(st.lists(st.integers(0, len(whole)), max_size=30))
    expected = flagged(WATCHED.scan(whole))
    assert streamed(whole, cuts, WATCHED.scan, WATCHED.pending, lag) == expected


@pytest.mark.parametrize("before", ["", "x", "Well, ", "Nora Nora ", "é "])
@pytest.mark.parametrize("own", [OWN, WATCHED])
def test_a_leak_in_single_characters_is_flagged_as_the_whole_is(before: str, own: OwnPrompt) -> None:
    whole = f"{before}{PROMPT} And {SENTENCE}; {PROMPT[:90]}"
    assert streamed(whole, range(len(whole)), own.scan, own.pending) == flagged(own.scan(whole))


GAPS = st.integers(1, 4).map(lambda n: " ." * n) | st.integers(LONGEST_GAP - 3, LONGEST_GAP + 3).map("~".__mul__)


@given(
    words=st.lists(st.sampled_from([*SENTENCE.split(), "x", "你", "是"]), max_size=6).map(SENTENCE.split().__add__),
    gaps=st.lists(GAPS | st.just(""), min_size=18, max_size=18),
    step=st.sampled_from([1, 5, 50, 700]),
)
def test_words_that_are_far_apart_are_the_same_whole_and_in_a_stream(
    words: list[str], gaps: list[str], step: int
) -> None:
    whole = "Sure. " + "".join(f"{word}{gap}" for word, gap in zip(words, gaps, strict=False)) + " Bye."
    own = OwnPrompt([f"{SENTENCE} {' '.join(words)} 你是"])
    assert streamed(whole, range(0, len(whole), step), own.scan, own.pending) == flagged(own.scan(whole))


@pytest.mark.parametrize("gap", [2, 60, 80, 100, LONGEST_GAP, LONGEST_GAP + 1])
@pytest.mark.parametrize("step", [1, 4, 50])
def test_a_gap_ends_a_leak_only_if_it_is_very_long(gap: int, step: int) -> None:
    whole = ("." * gap).join(SENTENCE.split()) + " is all."
    expected = set(range(len(whole) - len(" is all."))) if gap <= LONGEST_GAP else set()
    assert flagged(OWN.scan(whole)) == expected
    assert streamed(whole, range(0, len(whole), step), OWN.scan, OWN.pending) == expected


@pytest.mark.parametrize("size", [LONGEST_WORD, LONGEST_WORD + 1, 3 * LONGEST_WORD])
@pytest.mark.parametrize("step", [1, 7, 400])
def test_a_word_ends_a_leak_only_if_it_is_very_long(size: int, step: int) -> None:
    prompt = f"{SENTENCE} {'k' * size} {SENTENCE} indeed"
    own = OwnPrompt([prompt])
    whole = f"It is: {prompt} and {SENTENCE}"
    assert streamed(whole, range(0, len(whole), step), own.scan, own.pending) == flagged(own.scan(whole))


def test_no_more_words_are_held_than_a_leak_has() -> None:
    words = [f"word{number}" for number in range(2_000)]
    prompt = " ".join(words)
    assert OwnPrompt([prompt]).pending(prompt) == len(" ".join(words[:-MOST])) + 1


@given(text=st.text(max_size=200))
def test_ordinary_text_is_held_for_words_of_the_prompt_only(text: str) -> None:
    assert 0 <= OWN.pending(text) <= len(text)
    assert OwnPrompt([]).pending(text) == len(text)
    assert OWN.pending("Rome is old. ") == len("Rome is old. ")


@pytest.mark.parametrize("step", [29, 97, 98, 99, 5_000])
@pytest.mark.parametrize("unspaced", [False, True])
def test_a_leak_that_goes_on_is_held_for_a_bounded_piece(step: int, unspaced: bool) -> None:
    words = (
        chr(0x4E00 + number) + "。" * (number % 30 == 0) if unspaced else f"rule{number} " for number in range(1_500)
    )
    prompt = "".join(words) * (5 if unspaced else 1)
    own = OwnPrompt([prompt])
    assert own.pending(prompt) >= len(prompt) - REACH
    assert streamed(prompt, range(4_000, len(prompt), step), own.scan, own.pending) == flagged(own.scan(prompt))


@pytest.mark.parametrize("unit", ["a ", "你", "rule ", "!", "x"])
def test_the_worst_comes_to_an_end(unit: str) -> None:
    text = unit * (200_000 // len(unit))
    own = OwnPrompt([text[:100_000]], ["aaaaaaaaaaaab", "!!!!!!!!!!"])
    assert own.scan(text[:100_000]) is not None
    assert 0 <= own.pending(text) <= len(text)


def test_of_a_long_prompt_a_quotation_is_no_leak_and_forty_words_are() -> None:
    words = [f"word{number}" for number in range(1_000)]
    own = OwnPrompt([" ".join(words)])
    assert own.scan(" ".join(words[500:539])) == ()
    assert flagged(own.scan(" ".join(words[500:540])))


@given(st.lists(st.sampled_from("alpha beta gamma delta epsilon zeta eta theta".split()), min_size=4, max_size=60))
def test_every_leak_holds_one_of_the_words_that_are_looked_for_first(words: list[str]) -> None:
    own = OwnPrompt([" ".join(words)])
    assert own._marks
    for at in range(max(1, len(words) - 11)):
        assert flagged(own.scan(" ".join(words[at : at + 12])))
