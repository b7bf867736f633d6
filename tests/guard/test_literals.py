"""What is looked for is found, whatever else is looked for and whatever stands around it."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock.guard.literals import TOGETHER_BYTES, Literals
from tests.purity import pure

CHARACTERS = "ab1 .-é🔑\ud800\u0000*\\"


def found(texts: list[str], text: str) -> list[str]:
    literals = Literals()
    for one in texts:
        literals.add(one)
    return [text[span.start : span.end] for span in literals.find(text)]


@given(
    texts=st.lists(st.text(CHARACTERS, min_size=6, max_size=9), min_size=1, max_size=5),
    parts=st.lists(st.integers(0, 4) | st.text(CHARACTERS, max_size=4), max_size=8),
)
def test_it_finds_what_a_plain_search_finds(texts: list[str], parts: list[int | str]) -> None:
    text = "".join(part if isinstance(part, str) else texts[part % len(texts)] for part in parts)

    def bounded(one: str) -> str:
        word = "[0-9A-Za-z_]"
        before, after = (word if re.match(word, edge) else "(?!)" for edge in (one[0], one[-1]))
        return f"(?<!{before}){re.escape(one)}(?!{after})"

    ordered = sorted(set(texts), key=len, reverse=True)
    expect = [match.group() for match in re.finditer("|".join(map(bounded, ordered)), text)]
    assert found(texts, text) == expect


@pytest.mark.parametrize(
    ("text", "expect"),
    [
        ("abcdef", ["abcdef"]),
        ("éabcdefé", ["abcdef"]),
        ("电话abcdef", ["abcdef"]),
        ("xabcdef", []),
        ("abcdef1", []),
        ("abcdefgh", ["abcdefgh"]),
        ("abcdef-gh", ["abcdef-gh"]),
        ("ABCDEF", []),
        ("12345", []),
        ("x" * 65, []),
        ("", []),
    ],
)
def test_what_is_found(text: str, expect: list[str]) -> None:
    assert found(["abcdef", "abcdefgh", "abcdef-gh", "12345", "x" * 65], text) == expect


def test_what_is_added_later_is_found_from_then_on() -> None:
    literals = Literals()
    assert list(literals.find("abcdef ghijkl")) == []
    literals.add("abcdef")
    assert len(list(literals.find("abcdef ghijkl"))) == 1
    literals.add("ghijkl")
    assert len(list(literals.find("abcdef ghijkl"))) == 2


def test_more_than_one_expression_holds_are_all_found_even_the_longest() -> None:
    texts = [f"{number:06d}{'🔑' * 58}" for number in range(TOGETHER_BYTES // 200)]
    assert sorted(found(texts, " ".join(texts))) == texts


def test_it_does_no_io() -> None:
    found(["abcdef"], "abcdef")
    with pure():
        assert found(["abcdef"], "abcdef") == ["abcdef"]
