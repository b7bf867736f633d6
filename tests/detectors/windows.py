"""Reads a text as the guard reads a stream: window by window, each with one released character before it."""

from collections.abc import Callable, Iterable

from interlock.model.event import Signal

Detect = Callable[[str], tuple[Signal, ...]]


def flagged(found: Iterable[Signal]) -> set[int]:
    """The places of all characters that signals cover."""
    return {at for signal in found for at in range(signal.span.start, signal.span.end)}


def streamed(text: str, cuts: Iterable[int], detect: Detect, pending: Callable[[str], int], lag: int = 0) -> set[int]:
    """The places that are flagged if `text` comes in pieces, cut at `cuts`.

    `lag` holds back more than `pending` asks for, as another detector does that runs beside this one.
    """
    found: set[int] = set()
    window, base, context = "", 0, 0
    start = 0
    for cut in [*sorted(cuts), len(text)]:
        window, start = window + text[start:cut], cut
        until = len(window) if cut == len(text) else pending(window[: max(0, len(window) - lag)])
        if until <= context:
            continue
        for signal in detect(window):
            if context <= signal.span.start < until:
                found |= {base + at for at in range(signal.span.start, signal.span.end)}
        base, window, context = base + until - 1, window[until - 1 :], 1
    return found
