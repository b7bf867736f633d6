"""Edits of a growing text give the same however it is cut, and cost what is edited."""

from hypothesis import given
from hypothesis import strategies as st

from interlock.guard.edits import Edits, replaced
from interlock.model.event import Span

TEXT = "abcdefghijklmnopqrstuvwxyz"
SPANS = st.lists(
    st.tuples(st.integers(0, 25), st.integers(1, 10), st.sampled_from("12")).map(
        lambda s: (Span(s[0], min(26, s[0] + s[1])), s[2])
    ),
    max_size=8,
).map(sorted)


def merged(edits: list[tuple[Span, str]]) -> Edits:
    made = Edits()
    for span, mark in edits:
        made.add(span, mark)
    return made


@given(edits=SPANS, cuts=st.lists(st.integers(0, 26)).map(sorted))
def test_pieces_edited_apart_are_the_whole_edited(edits: list[tuple[Span, str]], cuts: list[int]) -> None:
    made = merged(edits)
    pieces = [(TEXT[a:b], a) for a, b in zip([0, *cuts], [*cuts, 26], strict=True)]
    assert "".join(made.apply(text, start) for text, start in pieces) == made.apply(TEXT)


@given(edits=SPANS)
def test_no_character_of_an_edited_piece_stays(edits: list[tuple[Span, str]]) -> None:
    left = merged(edits).apply(TEXT)
    assert not {TEXT[at] for span, _ in edits for at in range(span.start, span.end)} & set(left)
    assert set(TEXT) - {TEXT[at] for span, _ in edits for at in range(*span)} == set(left) - set("12")


def test_a_leak_that_goes_on_is_one_piece() -> None:
    made = merged([(Span(0, 3), "*"), (Span(2, 6), "*"), (Span(6, 8), "*")])
    assert len(made) == 2
    assert made.apply(TEXT[:10]) == "**ij"
    assert replaced("abc", 10, [(Span(0, 11), "*")]) == "bc"
