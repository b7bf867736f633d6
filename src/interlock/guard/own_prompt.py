"""Finds where an answer repeats the system prompt of its own request, and the canaries that an operator set.

The measure of a leak: twelve words in a row as they stand in the prompt, whatever their case and whatever else stands
between them, up to 128 characters. People who write about one subject share phrases of five or six words; who has
twelve the same has copied. Of a prompt of over 240 words it is a twentieth of them, forty at most: long ones hold
documents, and an honest answer quotes a sentence or two. Where a script puts no spaces between words each character is
one, and twice as many are needed. A prompt of fewer words is a leak only as a whole, and one of fewer than four is
none.

What it does NOT see: a prompt that is translated, encoded, summed up, or told with a word put in after every eleven
or with more than 128 other characters between two words; words of over 256 characters.
"""

import re
from collections.abc import Iterable, Iterator
from functools import cached_property
from itertools import pairwise

from interlock.model.event import Signal, Span

PROMPT_LEAK = "system-prompt-leak"
CANARY = "canary"
# In words, and in characters where a script has no spaces; see above.
ENOUGH, MOST, SHARE = 12, 40, 20
UNSPACED = 2
# Of which at least one stands in every leak; looking for each costs a fiftieth of cutting a text into words.
MOST_MARKS = 24
# `Be helpful.` is no secret, and would be found in honest answers.
LEAST, LEAST_UNSPACED = 4, 8
# A stream is held for as many words as a leak has; these bound how many characters that can be. A longer word, or more
# between two words, ends a leak: otherwise the beginning of one would be out before it is known for what it is.
LONGEST_WORD, LONGEST_GAP = 256, 128
REACH = MOST * UNSPACED * (LONGEST_WORD + LONGEST_GAP)
# The characters of a canary; shorter ones come up by chance, longer ones are held for too long.
SHORTEST_CANARY, LONGEST_CANARY = 8, 256
LIKELY, CERTAIN = 950, 1_000

# Thai, Lao, Burmese, Khmer, Chinese and Japanese are written without spaces between words.
_UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_WORD = re.compile(rf"[{_UNSPACED}]|[^\W_{_UNSPACED}]+")
_NO_WORD = {code: " " for code in range(128) if not chr(code).isalnum()}
_ONE_UNSPACED = re.compile(f"[{_UNSPACED}]")
# The end of a text is read for its last words in pieces, each so many times as long as the one before.
_FIRST_LOOK, _FURTHER = 64, 4


class OwnPrompt:
    """The system texts of one request and the canaries, ready to be looked for in its answer.

    Pure, and linear in what it is given. The first scan reads the texts, so one that is never asked costs nothing; keep
    it for the next request with the same texts. It then holds about thirty times their size. Thread-safe: what two
    threads work out at once is the same.
    """

    def __init__(self, texts: Iterable[str], canaries: Iterable[str] = ()) -> None:
        """`canaries` of fewer than 8 or more than 256 characters are not looked for."""
        self._texts = tuple(texts)
        fit = (canary for canary in canaries if SHORTEST_CANARY <= len(canary) <= LONGEST_CANARY)
        self._canaries = tuple(sorted({_folded(canary) for canary in fit}))

    def scan(self, text: str) -> tuple[Signal, ...]:
        """Where `text` repeats the prompt (`system-prompt-leak`) or holds a canary (`canary`), by place."""
        found = [Signal(PROMPT_LEAK, "words", LIKELY, span) for span in self._repeated(text)]
        found += [Signal(CANARY, "canary", CERTAIN, span) for span in self._canaries_in(text)]
        return tuple(sorted(found, key=lambda signal: (signal.span.start, signal.span.end, signal.detector)))

    def pending(self, text: str) -> int:
        """The smallest index from which on `text`, which may go on, is not decided yet.

        With an engine beside it, what is pending is `engine.pending(text[: own.pending(text)], channel)`.
        """
        at = min((_begun(text, canary) for canary in self._canaries), default=len(text))
        if not self._pairs:
            return at
        size = _FIRST_LOOK
        while (begun := self._chain_at_end(text, max(0, len(text) - size))) is None:
            size *= _FURTHER
        return min(at, begun)

    @cached_property
    def _prompts(self) -> tuple[tuple[list[str], int], ...]:
        """The words of each text that is long enough, and how many of them in a row are a leak."""
        found = []
        for text in self._texts:
            words = _words(text)
            unspaced = 2 * sum(map(bool, map(_ONE_UNSPACED.match, words))) > len(words)
            if len(words) >= (LEAST_UNSPACED if unspaced else LEAST):
                factor = UNSPACED if unspaced else 1
                enough = max(ENOUGH * factor, min(MOST * factor, len(words) // SHARE))
                found.append((words, min(len(words), enough)))
        return tuple(found)

    @cached_property
    def _marks(self) -> tuple[str, ...] | None:
        """Words of which every leak holds one, the longest that serve; None if it takes too many of them.

        To look for a few words is several times cheaper than to cut a text into its own.
        """
        marks: list[str] = []
        for words, count in self._prompts:
            last = -1
            for at in range(len(words) - count + 1):
                if last >= at:
                    continue
                last, mark = max(enumerate(words[at : at + count], at), key=lambda found: len(found[1]))
                marks.append(mark)
                if len(marks) > MOST_MARKS:
                    return None
        return tuple(dict.fromkeys(marks))

    @cached_property
    def _pairs(self) -> frozenset[int]:
        """The hashes of all two words in a row. Where no such pair stands, no leak can go on."""
        return frozenset(
            hash(pair)
            for words, _ in self._prompts
            for pair in pairwise(words)
            if len(max(pair, key=len)) <= LONGEST_WORD
        )

    @cached_property
    def _said(self) -> frozenset[str]:
        return frozenset(word for words, _ in self._prompts for word in words if len(word) <= LONGEST_WORD)

    @cached_property
    def _most(self) -> int:
        """How many words in a row are a leak of every prompt."""
        return max(count for _, count in self._prompts)

    @cached_property
    def _phrases(self) -> dict[int, frozenset[int]]:
        """The hashes of all that is a leak, by the number of its words. Made when something may be one."""
        found: dict[int, set[int]] = {}
        for words, count in self._prompts:
            shifted = (words[n:] for n in range(count))
            found.setdefault(count, set()).update(map(hash, zip(*shifted, strict=False)))
        return {count: frozenset(hashes) for count, hashes in found.items()}

    def _chain_at_end(self, text: str, start: int) -> int | None:
        """Where the words at the end of `text` begin that may become a leak; None if that may be before `start`.

        A last word that the end may have cut off can become any word; a first one that `start` cuts is not known.
        """
        begun, following = len(text), ""
        words = list(_WORD.finditer(_folded(text[start:])))
        for word in reversed(words[-self._most :]):
            first, last = start + word.start(), start + word.end()
            if last == len(text):
                if last - first > LONGEST_WORD:
                    # What is left of it, with the one character before it, is too long for a word as well.
                    return last - LONGEST_WORD
            elif begun - last > LONGEST_GAP:
                return begun
            if start and first == start:
                return None
            if last < len(text):
                said = word.group()
                if said not in self._said or (following and hash((said, following)) not in self._pairs):
                    return begun
                following = said
            begun = first
        return None if start and len(words) < self._most else begun

    def _repeated(self, text: str) -> list[Span]:
        """The longest stretches of `text` in which every word is part of a phrase of a prompt."""
        if not self._pairs:
            return []
        if self._marks is not None:
            folded = _folded(text)
            if not any(mark in folded for mark in self._marks):
                return []
        words = _words(text)
        chains = list(self._chains(words))
        if not chains:
            return []
        spans = [word.span() for word in _WORD.finditer(_folded(text))]
        chains = [part for first, last in chains for part in _near(spans, first, last)]
        leaks = [leak for first, last in chains for leak in self._leaks(words, first, last)]
        found = [Span(spans[first][0], spans[last][1]) for first, last in leaks]
        if found and found[0].start == 0 and _ONE_UNSPACED.match(text):
            # A word of one character that a stream has released already: what follows it is a leak of its own.
            found.insert(1, Span(1, found[0].end))
        return found

    def _chains(self, words: list[str]) -> Iterator[tuple[int, int]]:
        """The stretches (first word, last word) of pairs that stand in a prompt, if they are long enough.

        Only some pairs are looked at: any stretch that is long enough holds one of them.
        """
        pairs = self._pairs
        least = min(count for _, count in self._prompts)
        at = least - 2
        while at < len(words) - 1:
            last = at
            if hash((words[at], words[at + 1])) in pairs:
                first, last = at, at + 1
                while first > 0 and hash((words[first - 1], words[first])) in pairs:
                    first -= 1
                while last < len(words) - 1 and hash((words[last], words[last + 1])) in pairs:
                    last += 1
                if last - first + 1 >= least:
                    yield first, last
            at = last + least - 1

    def _leaks(self, words: list[str], first: int, last: int) -> list[tuple[int, int]]:
        """The phrases of the prompts in a chain of words; those that overlap are one."""
        hits = sorted(
            (at, at + count - 1)
            for count, phrases in self._phrases.items()
            for at in range(first, last - count + 2)
            if hash(tuple(words[at : at + count])) in phrases
        )
        merged: list[tuple[int, int]] = []
        for start, end in hits:
            if merged and start <= merged[-1][1]:
                merged[-1] = merged[-1][0], max(end, merged[-1][1])
            else:
                merged.append((start, end))
        return merged

    def _canaries_in(self, text: str) -> list[Span]:
        folded = _folded(text) if self._canaries else ""
        found = []
        for canary in self._canaries:
            at = folded.find(canary)
            while at >= 0:
                found.append(Span(at, at + len(canary)))
                at = folded.find(canary, at + 1)
        return found


def _begun(text: str, canary: str) -> int:
    """Where the end of `text` may be the beginning of a canary."""
    tail = _folded(text[-len(canary) + 1 :])
    at = tail.find(canary[0])
    while at >= 0 and not canary.startswith(tail[at:]):
        at = tail.find(canary[0], at + 1)
    return len(text) - len(tail) + at if at >= 0 else len(text)


def _near(spans: list[tuple[int, int]], first: int, last: int) -> Iterator[tuple[int, int]]:
    """A chain of words, in the parts in which none is too far from the next."""
    for at in range(first, last):
        if spans[at + 1][0] - spans[at][1] > LONGEST_GAP:
            yield first, at
            first = at + 1
    yield first, last


def _words(text: str) -> list[str]:
    folded = _folded(text)
    # The same words, found five times as fast.
    return folded.translate(_NO_WORD).split() if folded.isascii() else _WORD.findall(folded)


def _folded(text: str) -> str:
    """`text` without case, and as long as it was: a letter that would become two stays."""
    folded = text.casefold()
    if len(folded) == len(text):
        return folded
    return "".join(one if len(one := char.casefold()) == 1 else char for char in text)
