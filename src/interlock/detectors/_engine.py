"""Runs every detector over a text in one pass: a set of all their marks first, and only who is marked then."""

from collections.abc import Iterable, Mapping

import re2

from interlock.detectors._entry import Detector
from interlock.model.errors import CatalogError
from interlock.model.event import Channel, Signal, Span
from interlock.model.meta import Maturity

# Shorter ones are no credentials; to take them out would mangle texts.
SHORTEST_SECRET = 8
CERTAIN = 1_000
# Under whose name the secrets that may never go out are reported.
OWN = "credential-leak"


class Engine:
    """Scans texts. Immutable once made, thread-safe, and pure.

    All marks are one set, whatever the channel: its automaton is the largest thing that this holds in memory.
    Only STABLE detectors run unless `maturities` says otherwise.
    """

    def __init__(
        self,
        detectors: Mapping[str, Detector],
        maturities: Iterable[Maturity] = (Maturity.STABLE,),
        secrets: Iterable[str] = (),
    ) -> None:
        """`secrets` are texts that may never go out, whatever they look like: the credentials of upstreams.

        They have no white space and at most 1,024 characters, so that `credential-leak` holds a stream back for them.
        Raises: CatalogError for a mark that is no RE2 expression.
        """
        self._secrets = tuple(sorted({secret for secret in secrets if len(secret) >= SHORTEST_SECRET}))
        wanted = set(maturities)
        chosen = [detector for detector in detectors.values() if detector.meta.maturity in wanted]
        # See `pending`: what looks back has the last word.
        chosen.sort(key=lambda detector: detector.looks_back)
        self._readers = {channel: tuple(d for d in chosen if channel in d.channels) for channel in Channel}
        self._owners = tuple(detector for detector in chosen for _ in detector.marks)
        self._marks = _compile(chosen)

    def readers(self, channel: Channel) -> frozenset[str]:
        """The detectors that read `channel`, by id."""
        return frozenset(detector.meta.id for detector in self._readers[channel])

    def scan(self, text: str, channel: Channel, only: frozenset[str] | None = None) -> tuple[Signal, ...]:
        """Every signal of every detector that reads `channel`, or of `only` some of them, by place in the text."""
        readers = self._readers[channel]
        if only is not None:
            readers = tuple(detector for detector in readers if detector.meta.id in only)
        if not readers or not text:
            return ()
        wanted = only is None or OWN in only
        own = self._own(text) if channel is Channel.OUTPUT and self._secrets and wanted else []
        numbers = self._marks.Match(text)
        if not numbers and not own:
            return ()
        marked = {self._owners[number].meta.id for number in numbers or ()}
        found = [signal for detector in readers if detector.meta.id in marked for signal in detector.detect(text)]
        found += own
        return tuple(sorted(found, key=lambda s: (s.span.start, s.span.end, s.detector, s.rule)))

    def _own(self, text: str) -> list[Signal]:
        found = []
        for secret in self._secrets:
            at = text.find(secret)
            while at >= 0:
                found.append(Signal(OWN, "own-credential", CERTAIN, Span(at, at + len(secret))))
                at = text.find(secret, at + len(secret))
        return found

    def pending(self, text: str, channel: Channel, only: frozenset[str] | None = None) -> int:
        """The smallest index from which on `text`, which may go on, is not decided yet by all, or by `only` some.

        Whoever holds back more than that for a reason of his own asks again, with the text up to there: a detector
        that looks back must find what it looks for in what is left.
        """
        at = len(text)
        for detector in self._readers[channel]:
            if only is not None and detector.meta.id not in only:
                continue
            at = min(at, detector.pending(text[:at] if detector.looks_back else text))
        return at


def _compile(chosen: list[Detector]) -> re2.Set:
    marks = re2.Set.SearchSet()
    for detector in chosen:
        for mark in detector.marks:
            try:
                marks.Add(mark)
            except re2.error as error:
                raise CatalogError(f"not an RE2 expression: {error}", where=detector.meta.id, hint=mark) from error
    if chosen:
        marks.Compile()
    return marks
