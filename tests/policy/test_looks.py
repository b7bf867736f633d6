"""What a value looks like to who decides: nothing unseen stays unseen, and look-alikes are told."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock.policy.looks import BLANKS, FORMS, HIDDEN, MIXED, OTHER, visible, warnings


@pytest.mark.parametrize(
    "plain",
    [
        "bob@corp.example",
        "DE89 3704 0044",
        "Grüße aus Köln",
        "東京都の会議",
        "Привет, мир",
        "C:\\x",
        "https://a.example/b",
    ],
)
def test_plain_values_are_not_warned_of(plain: str) -> None:
    assert warnings(plain) == ()
    assert visible(plain) == plain


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("pay\u202eyap", HIDDEN), ("a\u200bb", HIDDEN), ("a\u00adb", HIDDEN), ("a\ufe0fb", HIDDEN),
        ("\u3164", HIDDEN), ("\U000e0041", HIDDEN), ("a\x00b", HIDDEN), ("a\ud800", HIDDEN),
        (" bob@corp.example", BLANKS), ("b\u043eb", MIXED), ("\u0430dmin", MIXED), ("p\u03bfp", MIXED),
        ("\uff42ob@corp.example", FORMS), ("\u2170v", FORMS), ("\U0001d41bob", FORMS),
        ("\u0440\u0430\u0443@\u0441\u043e.example", OTHER), ("b\u00fccher.example", OTHER),
        ("https://\u0430\u0440\u0440\u04cf\u0435.com", OTHER),
    ],
)  # fmt: skip
def test_what_looks_like_something_else_is_told(value: str, said: str) -> None:
    assert said in warnings(value)


@given(st.text())
def test_what_is_shown_can_be_seen(text: str) -> None:
    shown = visible(text)
    assert shown.isprintable()
    assert not any("\ufe00" <= c <= "\ufe0f" for c in shown)


@given(st.text(), st.text())
def test_lines_cannot_be_written_into_what_is_shown(one: str, other: str) -> None:
    assert "\n" not in visible(f"{one}\n{other}")


def test_long_runs_are_counted() -> None:
    assert visible("a" + "\u200b" * 100_000) == "a[U+200B x100000]"
