"""Finds given texts in other texts, however many there are, in one pass."""

import re
from collections.abc import Iterable, Iterator
from typing import Any

import re2

from interlock.model.event import Span

# A shorter text stands in too many others; a longer one has a form of its own, by which it is found again.
SHORTEST, LONGEST = 6, 64
# So many bytes of them make one expression, about 1,500 addresses. RE2's states are as large as the expression,
# and it becomes slow when it has to forget them: 64 MB are room for about 300.
TOGETHER_BYTES = 32_768
_MEMORY_BYTES = 67_108_864
_WORD = re.compile(rb"[0-9A-Za-z_]")


class Literals:
    """Texts of 6 to 64 characters that are looked for; others are passed over. Case counts.

    One that begins or ends with an ASCII letter or digit is not found inside a longer row of those.

    Compiles when it is first asked after something was added, so add all of them first.
    """

    def __init__(self) -> None:
        self._texts: dict[str, None] = {}
        self._compiled: list[Any] = []
        self._new = False

    def add(self, text: str) -> None:
        """Look for this text from now on."""
        if SHORTEST <= len(text) <= LONGEST and text not in self._texts:
            self._texts[text] = None
            self._new = True

    def find(self, text: str) -> Iterator[Span]:
        """Where they stand in `text`; of those that begin at one place the longest."""
        if self._new:
            self._compiled = [_compile(group) for group in _groups(self._texts)]
            self._new = False
        if not self._compiled:
            return
        data = _bytes(text)
        for compiled in self._compiled:
            byte = char = 0
            for match in compiled.finditer(data):
                start, end = match.span()
                char += len(data[byte:start].decode("utf-8", "surrogatepass"))
                length = len(data[start:end].decode("utf-8", "surrogatepass"))
                yield Span(char, char + length)
                byte, char = end, char + length


def _bytes(text: str) -> bytes:
    # In UTF-8 no character begins within another, so what is found in bytes is found in characters.
    return text.encode("utf-8", "surrogatepass")


def _groups(texts: Iterable[str]) -> Iterator[list[bytes]]:
    group: list[bytes] = []
    size = 0
    for data in map(_bytes, texts):
        if size + len(data) > TOGETHER_BYTES:
            yield group
            group, size = [], 0
        group.append(data)
        size += len(data)
    yield group


def _compile(texts: list[bytes]) -> Any:
    options = re2.Options()
    options.encoding = options.Encoding.LATIN1
    options.longest_match = True
    options.max_mem = _MEMORY_BYTES
    return re2.compile(b"|".join(_bounded(text) for text in texts), options)


def _bounded(text: bytes) -> bytes:
    before, after = (rb"\b" if _WORD.match(edge) else b"" for edge in (text[:1], text[-1:]))
    return before + bytes(re2.escape(text)) + after
