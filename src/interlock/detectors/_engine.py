"""Runs every detector over a text in one pass: a set of all their marks first, and only who is marked then."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import re2

from interlock.detectors._entry import Detector
from interlock.model.errors import CatalogError
from interlock.model.event import Channel, Signal
from interlock.model.meta import Maturity


@dataclass(frozen=True, slots=True)
class _Pass:
    """What is needed for one channel: the set, and whose the expression of each number is."""

    marks: "re2.Set"
    owners: tuple[Detector, ...]
    detectors: tuple[Detector, ...]


class Engine:
    """Scans texts. Immutable once made, thread-safe, and pure.

    Only STABLE detectors run unless `maturities` says otherwise.
    """

    def __init__(self, detectors: Mapping[str, Detector], maturities: Iterable[Maturity] = (Maturity.STABLE,)) -> None:
        wanted = set(maturities)
        chosen = [detector for detector in detectors.values() if detector.meta.maturity in wanted]
        self._passes = {channel: _compile(channel, chosen) for channel in Channel}

    def scan(self, text: str, channel: Channel) -> tuple[Signal, ...]:
        """Every signal of every detector that reads `channel`, by place in the text."""
        one = self._passes[channel]
        if not one.detectors or not text:
            return ()
        numbers = one.marks.Match(text)
        if not numbers:
            return ()
        marked = {one.owners[number].meta.id: one.owners[number] for number in numbers}
        found = [signal for detector in marked.values() for signal in detector.detect(text)]
        return tuple(sorted(found, key=lambda s: (s.span.start, s.span.end, s.detector, s.rule)))

    def pending(self, text: str, channel: Channel) -> int:
        """The smallest index from which on `text`, which may go on, is not decided yet."""
        return min((d.pending(text) for d in self._passes[channel].detectors), default=len(text))

    def reach(self, channel: Channel) -> int:
        """The longest match that any detector of this channel can make, in characters."""
        return max((d.reach for d in self._passes[channel].detectors), default=0)


def _compile(channel: Channel, chosen: list[Detector]) -> _Pass:
    detectors = tuple(detector for detector in chosen if channel in detector.channels)
    marks = re2.Set.SearchSet()
    owners = []
    for detector in detectors:
        for mark in detector.marks:
            try:
                marks.Add(mark)
            except re2.error as error:
                raise CatalogError(f"not an RE2 expression: {error}", where=detector.meta.id, hint=mark) from error
            owners.append(detector)
    if owners:
        marks.Compile()
    return _Pass(marks, tuple(owners), detectors)
