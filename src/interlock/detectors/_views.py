"""A text as others read it: the same places, other letters. Each view keeps the way back to the text it came from."""

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum

from interlock.model.event import Span


class Form(Enum):
    """What was undone to come to a view."""

    FOLDED = "folded"
    LOOKALIKES = "lookalikes"
    BASE64 = "base64"
    HEX = "hex"
    PERCENT = "percent"
    QUOTED_PRINTABLE = "quoted-printable"
    ENTITIES = "entities"
    ESCAPES = "escapes"
    SELECTORS = "selectors"
    MARKUP = "markup"
    SPACED = "spaced"
    LEETSPEAK = "leetspeak"
    ROT13 = "rot13"
    REVERSED = "reversed"


DECODED = frozenset(
    {
        Form.BASE64,
        Form.HEX,
        Form.PERCENT,
        Form.QUOTED_PRINTABLE,
        Form.ENTITIES,
        Form.ESCAPES,
        Form.SELECTORS,
        Form.MARKUP,
    }
)
# What stands for the same characters, wherever it is read: credentials and numbers can be hidden in it.
PLAIN = frozenset({Form.FOLDED, Form.LOOKALIKES}) | DECODED
# What only a reader of language undoes.
WORDS = PLAIN | {Form.SPACED, Form.LEETSPEAK, Form.ROT13, Form.REVERSED}


@dataclass(frozen=True, slots=True)
class View:
    """A text made of `parent` (of the original, if None). `forms` is all that was undone on the way, outermost first.

    From `at[i]` on, its characters stand for those of the parent from `source[i]` on: one by one if `width[i]` is 0,
    else all of them for the same `width[i]` characters. No lists at all: place for place.
    """

    text: str
    forms: tuple[Form, ...]
    parent: "View | None" = None
    at: list[int] = field(default_factory=list)
    source: list[int] = field(default_factory=list)
    width: list[int] = field(default_factory=list)
    backwards: bool = False

    def span(self, start: int, end: int) -> Span:
        """What the characters [start, end) of this view are in the original text; they are not none."""
        if self.backwards:
            first, last = len(self.text) - end, len(self.text) - start
        elif not self.at:
            first, last = start, end
        else:
            first, last = self._place(start)[0], self._place(end - 1)[1]
        return self.parent.span(first, last) if self.parent else Span(first, last)

    def _place(self, index: int) -> tuple[int, int]:
        part = bisect_right(self.at, index) - 1
        if width := self.width[part]:
            return self.source[part], self.source[part] + width
        place = self.source[part] + index - self.at[part]
        return place, place + 1

    def before(self, index: int) -> int:
        """The place in the original up to which it is as decided as this view is up to `index`."""
        return self.span(index, index + 1).start if index < len(self.text) else self._whole()

    def within(self, index: int) -> int:
        """How much of this view the original's first `index` characters are; the original has no view before this."""
        low, high = 0, len(self.text)
        while low < high:
            middle = (low + high) // 2
            if self.span(middle, middle + 1).end <= index:
                low = middle + 1
            else:
                high = middle
        return low

    def _whole(self) -> int:
        view = self
        while view.parent:
            view = view.parent
        if not view.at:
            return len(view.text)
        return view.source[-1] + (view.width[-1] or len(view.text) - view.at[-1])


def spliced(text: str, parts: Iterable[tuple[int, int, str]], forms: tuple[Form, ...], parent: View | None) -> View:
    """`text` with each [start, end) replaced; the parts are in order, apart from each other, and none is empty."""
    pieces: list[str] = []
    at, source, width = [0], [0], [0]
    size = done = 0
    for start, end, new in parts:
        pieces += (text[done:start], new)
        size += start - done
        if new:
            at.append(size)
            source.append(start)
            width.append(end - start)
            size += len(new)
        at.append(size)
        source.append(end)
        width.append(0)
        done = end
    pieces.append(text[done:])
    return View("".join(pieces), forms, parent, at, source, width)
