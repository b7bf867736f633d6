"""What is to be replaced in a text that is going out, and the text with it replaced."""

from bisect import bisect_left, bisect_right

from interlock.model.event import Signal, Span


class Edits:
    """Pieces of one text that are replaced, in the order of their beginnings, in characters of the whole text.

    What goes on with the last piece and has the same mark becomes a part of it, so that a long leak stays one.
    """

    def __init__(self) -> None:
        self._edits: list[tuple[Span, str]] = []
        self._starts: list[int] = []
        # The furthest end of all up to each one: it only grows, whatever overlaps.
        self._reach: list[int] = []

    def __len__(self) -> int:
        return len(self._edits)

    def add(self, span: Span, mark: str) -> None:
        """Replace `span` by `mark`; it begins no earlier than the last one."""
        last, before = self._edits[-1] if self._edits else (Span(0, 0), "")
        if mark == before and span.start < last.end:
            self._edits[-1] = Span(last.start, max(last.end, span.end)), mark
            self._reach[-1] = max(self._reach[-1], span.end)
        else:
            self._edits.append((span, mark))
            self._starts.append(span.start)
            self._reach.append(max(span.end, self._reach[-1] if self._reach else 0))

    def apply(self, text: str, start: int = 0) -> str:
        """`text`, which begins at `start` of the whole, edited; takes time for what is edited in it, not before it."""
        first, end = bisect_right(self._reach, start), bisect_left(self._starts, start + len(text))
        return replaced(text, start, self._edits[first:end])


def replaced(text: str, start: int, edits: list[tuple[Span, str]]) -> str:
    """`text`, which begins at `start` of the whole, edited; a mark stands where its piece begins.

    `edits` are in the coordinates of the whole, in order; of overlapping ones the first counts.
    """
    out, at, end = "", start, start + len(text)
    for span, mark in edits:
        if span.end <= at or span.start >= end:
            continue
        if span.start >= at:
            out += text[at - start : span.start - start] + mark
        at = min(span.end, end)
    return out + text[at - start :]


def marker(signal: Signal) -> str:
    """What stands in a text in place of a piece that was taken out."""
    return f"[removed by interlock: {signal.detector}]"


def is_json(text: str) -> bool:
    """Whether a text begins as a JSON document does: then what is put back in it is written as JSON writes it."""
    return text.lstrip()[:1] in ("{", "[")
