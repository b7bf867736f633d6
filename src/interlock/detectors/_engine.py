"""Runs every detector over a text in one pass: a set of all their marks first, and only who is marked then."""

import re
from bisect import bisect_left, insort
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

import re2

from interlock.detectors._canonical import TRIGGERS, folded, undecided, views
from interlock.detectors._entry import Detector
from interlock.detectors._letters import typeset
from interlock.detectors._views import WORDS, Form, View
from interlock.model.errors import CatalogError
from interlock.model.event import Channel, Signal, Span
from interlock.model.meta import Maturity

# Shorter ones are no credentials; to take them out would mangle texts.
SHORTEST_SECRET = 8
CERTAIN = 1_000
# Under whose name the secrets that may never go out are reported.
OWN = "credential-leak"
# Under whose name it is reported that an order was disguised.
DISGUISE = "obfuscated-text"
DISGUISED = 900
# Of what a text says when it is decoded, this much is shown.
LONGEST_SHOWN = 400


_HALVES = re.compile("[\ud800-\udfff]")


class Finding(NamedTuple):
    """A signal, and how it came about: what was undone (outermost first), and what the piece then says."""

    signal: Signal
    forms: tuple[Form, ...]
    said: str


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
        return tuple(finding.signal for finding in self.explain(text, channel, only))

    def explain(self, text: str, channel: Channel, only: frozenset[str] | None = None) -> tuple[Finding, ...]:
        """The same, with what was undone to find each, and what its piece then says."""
        readers = self._readers[channel]
        if only is not None:
            readers = tuple(detector for detector in readers if detector.meta.id in only)
        if not readers or not text:
            return ()
        wanted = only is None or OWN in only
        plain = text.isascii()
        if not plain:
            # No expression can be matched on halves of characters, which JSON can hold.
            text = _HALVES.sub("\ufffd", text)
        own = self._own(text) if channel is Channel.OUTPUT and self._secrets and wanted else []
        numbers = self._marks.Match(text) or ()
        if not numbers and not own and plain:
            return ()
        signals = own + self._detected(text, numbers, readers)
        found = [Finding(signal, (), text[signal.span.start : signal.span.end][:LONGEST_SHOWN]) for signal in signals]
        forms = frozenset(TRIGGERS[n - len(self._owners)][0] for n in numbers if n >= len(self._owners))
        if channel is Channel.OUTPUT:
            seen: tuple[View, ...] = folded(text)
        else:
            seen = views(text, forms) if forms or not plain else ()
        for view in seen:
            found += self._in_view(view, text, readers, found)
        return tuple(sorted(found, key=lambda f: (f.signal.span.start, f.signal.span.end, *f.signal[:2])))

    def _detected(self, text: str, numbers: Iterable[int], readers: Iterable[Detector]) -> list[Signal]:
        marked = {self._owners[number].meta.id for number in numbers if number < len(self._owners)}
        return [signal for detector in readers if detector.meta.id in marked for signal in detector.detect(text)]

    def _in_view(self, view: View, text: str, readers: tuple[Detector, ...], known: list[Finding]) -> Iterator[Finding]:
        """What is found in a view, at its place in `text`, less what is `known` to be there."""
        undone = frozenset(view.forms)
        reading = {detector.meta.id: detector for detector in readers if undone <= detector.reads}
        if not reading:
            return
        taken: dict[tuple[str, str], list[Span]] = {}
        for finding in known:
            insort(taken.setdefault(finding.signal[:2], []), finding.signal.span)
        disguises = any(detector.meta.id == DISGUISE for detector in readers)
        for signal in self._detected(view.text, self._marks.Match(view.text) or (), reading.values()):
            span = view.span(*signal.span)
            before = taken.setdefault(signal[:2], [])
            place = bisect_left(before, span)
            if any(
                span.start < other.end and other.start < span.end for other in before[max(0, place - 1) : place + 1]
            ):
                continue
            before.insert(place, span)
            said = view.text[signal.span.start : signal.span.end]
            yield Finding(signal._replace(span=span), view.forms, said[:LONGEST_SHOWN])
            piece = text[span.start : span.end]
            if disguises and reading[signal.detector].reads is WORDS and typeset(piece) != said:
                form = view.forms[-1].value
                yield Finding(Signal(DISGUISE, form, DISGUISED, span), view.forms, said[:LONGEST_SHOWN])

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
        plain = text.isascii()
        if not plain:
            text = _HALVES.sub("\ufffd", text)
        at = len(text)
        for detector in self._readers[channel]:
            if only is not None and detector.meta.id not in only:
                continue
            at = min(at, detector.pending(text[:at] if detector.looks_back else text))
        return at if plain else self._pending_folded(text, at, channel, only)

    def _pending_folded(self, text: str, at: int, channel: Channel, only: frozenset[str] | None) -> int:
        """The same for what `text` says by character; `at` is the answer so far."""
        for view in folded(text):
            undone = frozenset(view.forms)
            for detector in self._readers[channel]:
                if undone <= detector.reads and (only is None or detector.meta.id in only):
                    end = view.within(at) if detector.looks_back else len(view.text)
                    at = min(at, undecided(view, text, detector.pending(view.text[:end])))
        return at


def _compile(chosen: list[Detector]) -> re2.Set:
    marks = re2.Set.SearchSet()
    for detector in chosen:
        for mark in detector.marks:
            try:
                marks.Add(mark)
            except re2.error as error:
                raise CatalogError(f"not an RE2 expression: {error}", where=detector.meta.id, hint=mark) from error
    for _, trigger in TRIGGERS:
        marks.Add(trigger)
    marks.Compile()
    return marks
