"""What cannot be seen is shown; what can be is left alone."""

import doctest
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from interlock.console import boundary, render, text
from interlock.console.text import BLANK, brief, pieces, plain


@pytest.mark.parametrize("module", [boundary, render, text], ids=lambda module: module.__name__)
def test_the_examples_hold(module: object) -> None:
    result = doctest.testmod(module)  # type: ignore[arg-type]
    assert result.attempted > 0
    assert result.failed == 0


@pytest.mark.parametrize(
    ("given_text", "marked"),
    [
        ("a\u202eb", ["U+202E"]),
        ("\u2066x\u2069", ["U+2066", "U+2069"]),
        ("a\u200bb\u200db\ufeff", ["U+200B", "U+200D", "U+FEFF"]),
        ("tag\U000e0041\U000e0042", ["U+E0041", "U+E0042"]),
        ("nul\x00esc\x1b[31m", ["U+0000", "U+001B"]),
        ("line\r\nbreak", ["U+000D", "U+000A"]),
        ("fill\u3164er\u2800", ["U+3164", "U+2800"]),
        ("sel\ufe0f\U000e0100", ["U+FE0F", "U+E0100"]),
        ("nb\u00a0sp\u2003em", ["U+00A0", "U+2003"]),
        ("z" + "\u0301" * 9, ["U+0301 x6"]),
        ("half \ud800", ["U+D800"]),
        ("private \ue000", ["U+E000"]),
        ("\u200b" * 100_000, ["U+200B x100,000"]),
    ],
)
def test_what_hides_is_marked(given_text: str, marked: list[str]) -> None:
    assert [piece.text for piece in pieces(given_text) if piece.hidden] == marked


@pytest.mark.parametrize(
    "kept", ["", "plain", "Größenübersicht für Straße", "日本語", "العربية", "हिन्दी", "e\u0301", "👍"]
)
def test_what_is_seen_is_kept(kept: str) -> None:
    assert "".join(piece.text for piece in pieces(kept)) == kept
    assert not any(piece.hidden for piece in pieces(kept))


@given(st.text(alphabet=st.characters(), max_size=60))
@example("\u202e\u202e\u2066")
def test_no_text_keeps_a_hidden_character_or_loses_a_visible_one(given_text: str) -> None:
    found = pieces(given_text)
    shown = "".join(piece.text for piece in found if not piece.hidden)
    assert all(character.isprintable() and character not in BLANK for character in shown)
    assert all(unicodedata.category(character) not in {"Cf", "Cc", "Cs", "Co"} for character in plain(given_text))
    letters = [character for character in given_text if character.isalnum() and character not in BLANK]
    assert [character for character in shown if character.isalnum()] == letters


def test_a_long_name_is_brief_and_says_so() -> None:
    assert brief("x" * 64) == "x" * 64
    assert brief("x" * 100_000) == "x" * 64 + "… (100,000 characters)"
