"""However a stream is cut, what is restored in it is what would be restored in the whole; nothing is recalled."""

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock.guard.edits import replaced
from interlock.guard.pseudonyms import LONGEST, Pseudonyms
from interlock.model.event import Span
from tests.guard.test_pseudonyms import KNOWN, PIECES, PLACEHOLDERS, names


@given(text=PIECES, cut=st.integers(0, 300))
def test_what_is_decided_of_a_growing_text_stays_so(text: str, cut: int) -> None:
    grown = text[:cut]
    until = KNOWN.pending(grown)
    assert 0 <= len(grown) - until < LONGEST
    assert [f for f in KNOWN.scan(grown) if f[0].start < until] == [f for f in KNOWN.scan(text) if f[0].start < until]


@pytest.mark.parametrize("placeholder", PLACEHOLDERS)
def test_every_beginning_of_a_placeholder_is_held_and_the_whole_is_not(placeholder: str) -> None:
    for form in (placeholder, placeholder.lower()):
        for size in range(1, len(form)):
            assert KNOWN.pending(f"To: {form[:size]}") == 4
            assert KNOWN.pending(f"To: {form[:size]}. ") == len(form[:size]) + 6
        assert KNOWN.pending(f"To: {form}") == len(form) + 4


def test_a_text_is_not_held_where_nothing_is_hidden() -> None:
    assert names().pending("EMAIL-bcd") == 9
    assert KNOWN.pending("EMAI-bcd") == 8
    assert KNOWN.pending("EMAIL-bcde") == 9
    assert names().scan(PLACEHOLDERS[0]) == ()


@dataclass
class Stream:
    """A text that comes in pieces, decided as the guard does: a window with one character before what is undecided."""

    pseudonyms: Pseudonyms
    whole: str = ""
    window: str = ""
    context: int = 0
    decided: int = 0

    def __post_init__(self) -> None:
        self.found: list[tuple[Span, str]] = []

    def push(self, piece: str, *, final: bool = False) -> None:
        self.whole += piece
        self.window += piece
        until = len(self.window) if final else self.pseudonyms.pending(self.window)
        if until <= self.context:
            return
        base = len(self.whole) - len(self.window)
        self.found += [
            (Span(base + span.start, base + span.end), value)
            for span, value in self.pseudonyms.scan(self.window)
            if self.context <= span.start < until
        ]
        self.decided = base + until
        self.window, self.context = self.window[until - 1 :], 1

    @property
    def released(self) -> str:
        return replaced(self.whole[: self.decided], 0, self.found)


@given(text=PIECES, data=st.data())
def test_a_stream_cut_anywhere_is_restored_as_its_whole(text: str, data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=12)))
    stream, whole = Stream(KNOWN), KNOWN.restore(text)
    for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True):
        stream.push(text[start:end])
        assert whole.startswith(stream.released)
    stream.push("", final=True)
    assert stream.released == whole


@given(text=PIECES)
def test_a_stream_in_single_characters_is_restored_as_its_whole(text: str) -> None:
    stream = Stream(KNOWN)
    for character in text:
        stream.push(character)
    stream.push("", final=True)
    assert stream.released == KNOWN.restore(text)
