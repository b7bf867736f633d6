"""Stand-ins for what a model may not see: typed, the same for a value in a whole task, and taken back in its answer.

A placeholder is `EMAIL-tkqbmvgfhrwvdn7`: the kind, a hyphen, 14 letters and a digit. It is made of nothing that
JSON, Markdown, a URL, a shell or SQL would escape, so a model copies it into any of them as it is, with or without
quotes. It has no vowels, so it is no word, and no row of digits, so no detector takes it for a card or a phone. Case
does not count, since models write addresses in small letters. It ends in a digit and begins with a letter, so two
never overlap, and none is the beginning of another: where one ends needs no look ahead.

The letters are a hash of the value under a key of the task: nobody without that key can tell what a placeholder
stands for by trying values, or that one value came in two tasks. See docs/explanation/pseudonyms.md.
"""

import json
import re
from collections.abc import Callable, Iterable, Sequence
from hashlib import blake2b
from typing import TypeAlias

from interlock.guard.literals import Literals
from interlock.model.errors import ConfigError, ProtocolError
from interlock.model.event import Signal, Span

Find: TypeAlias = Callable[[str], Sequence[Signal]]

MASTER_BYTES = 32
# BLAKE2b takes no longer key.
MOST_MASTER_BYTES = 64
# 14 letters of 16 and a digit are 59 bits. Among 10,000 values two have the same with a chance of 1 in 10^10, and who
# writes a million guesses into an answer meets one of 10,000 values with 1 in 10^7: one that this task holds anyway.
LETTERS = "bcdfghjkmnpqrtvw"
CODE_LETTERS = 14
KIND_LETTERS = 12
LONGEST = KIND_LETTERS + 1 + CODE_LETTERS + 1
# A body has at most 16 MB, which is room for two million addresses. Each that is known here takes about 500 bytes, and
# all are looked for in every text.
MOST_VALUES = 10_000
# A document in a string of a document, and so on: each level doubles the escapes, so that deeper ones are not written.
DEEPEST = 4

_TO_LETTERS = str.maketrans("0123456789abcdef", LETTERS)
_CODE = re.compile(f"-([{LETTERS}{LETTERS.upper()}]{{{CODE_LETTERS}}}[0-9])")
_KIND = re.compile(r"[A-Za-z]+\Z")
_TAIL = re.compile(rf"([A-Za-z]{{1,{KIND_LETTERS}}})(-[{LETTERS}{LETTERS.upper()}]{{0,{CODE_LETTERS}}})?\Z")
# The strings and numbers of a valid JSON document.
_TOKEN = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|-?[0-9][0-9.eE+-]*')
# No phone, card or account has fewer digits.
SHORTEST_NUMBER = 6
# How the same thing is written in two ways, by kind. A key, and what is not named here, is written in one.
_GROUPED = frozenset(
    (
        "CARD IBAN PHONE USSSN DETAXID NLBSN ESID FRNIR PLPESEL UKNINO INAADHAAR BRCPF ITFISCALCODE CNRESIDENTID "
        "SEPERSONNUMM FIHETU NOFNR DKCPR BERRN CHAHV ATSVNR CZRC PTNIF IEPPS ROCNP BGEGN HROIB EELTCODE "
        "TRTCKN ILID ZAID KRRRN JPMYNUMBER TWID HKID SGNRIC THID MXCURP ARCUIL CLRUT CASIN AUTFN NZIRD "
        "RUSNILS GRAMKA INPAN PASSPORT MEDICALRECOR "
    ).split()
)
_KINDS = {"credential-leak": "KEY"}
# Text of the user's own that has the form of a placeholder.
LOOKALIKE = "TEXT"


class Pseudonyms:
    """The placeholders of one task, as far as one exchange knows them. Not for use by several threads at once.

    Rules: a value has one placeholder, whatever came before it; ways to write the same address, card, IBAN or
    phone share one, and come back as it was written first. Only placeholders of values that were hidden here, or
    are `known`, are restored, each once: what a restored value says is not looked at. A text that has the form of a
    placeholder before anything is hidden in it is hidden itself, so whoever wrote it gets it back as he wrote it.
    `used` are the placeholders that were set here, with their values.

    It does NOT find values: it hides what it is told to. It does not restore a placeholder that the model cut, bent
    or encoded, nor does it know how a shell or a query that the model writes would have to quote a value.
    """

    def __init__(
        self, master: bytes, task: str, known: Iterable[tuple[str, str]] = (), most: int = MOST_VALUES
    ) -> None:
        """`known` are placeholders and their values from before; `most` limits the values that are hidden here.

        Raises: ConfigError for a master key that is too short to keep a secret.
        """
        self.task = task
        self.used: dict[str, str] = {}
        self._key = task_key(master, task, b"placeholders")
        self._most = most
        self._known: dict[str, tuple[str, str]] = {}
        self._kinds: set[str] = set()
        self._starts: set[str] = set()
        # Every way in which a value was written, and its kind.
        self._written: dict[str, str] = {}
        self._literals = Literals()
        for placeholder, value in known:
            kind, _, code = placeholder.partition("-")
            self._learn(kind, code, value)

    def learn(self, text: str, signals: Sequence[Signal]) -> None:
        """The values of a text, so that they are hidden in others where no detector knows them.

        Learn from every text of a request before the first is hidden. Raises: as `hide`.
        """
        for start, end, kind in _merged(_spans(text, signals)):
            self._placeholder(kind, text[start:end])

    def hide(self, text: str, signals: Sequence[Signal]) -> str:
        """`text` with a placeholder for each signal's span, and for each value of 6 to 64 characters known from before.

        Spans that overlap are hidden as one. Raises: ProtocolError when there are too many values to remember.
        """
        spans = _spans(text, signals)
        spans += [(start, end, 0, LOOKALIKE) for start, end in _lookalikes(text)]
        spans += [(start, end, 0, self._written[text[start:end]]) for start, end in self._literals.find(text)]
        out, at = [], 0
        for start, end, kind in _merged(spans):
            out += [text[at:start], self._placeholder(kind, text[start:end])]
            at = end
        return "".join((*out, text[at:]))

    def hide_json(self, document: str, find: Find) -> str:
        """A JSON object or list with all that `find` sees in one of its strings or long numbers hidden.

        It stays valid; a number becomes a string. Any other text is hidden as text. Raises: as `hide`.
        """
        return _inside(document, lambda text: self.hide(text, find(text)))

    def scan(self, text: str, *, quoted: bool = False) -> tuple[tuple[Span, str], ...]:
        """Where placeholders stand that are known, in order, and the values that they stand for.

        `quoted`: the text is JSON, so the values are given as they stand between the quotes of a JSON string.
        """
        if not self._known:
            return ()
        found = []
        for match in _CODE.finditer(text):
            kind, value = self._known.get(match[1].lower(), ("", ""))
            start = match.start() - len(kind)
            if kind and start >= 0 and _is_kind(text[start : match.start()], kind):
                found.append((Span(start, match.end()), json.dumps(value)[1:-1] if quoted else value))
        return tuple(found)

    def pending(self, text: str) -> int:
        """The smallest index from which on `text`, which may go on, is not decided: a placeholder may be growing."""
        tail = _TAIL.search(text, max(0, len(text) - LONGEST + 1)) if self._known else None
        if tail is None:
            return len(text)
        names = self._kinds if tail[2] else self._starts
        letters = tail[1].upper()
        growing = (size for size in range(len(letters), 0, -1) if letters[-size:] in names)
        return next((tail.end(1) - size for size in growing), len(text))

    def restore(self, text: str) -> str:
        """`text` with the values in place of all placeholders that are known."""
        out, at = [], 0
        for span, value in self.scan(text):
            out += [text[at : span.start], value]
            at = span.end
        return "".join((*out, text[at:]))

    def restore_json(self, document: str) -> str:
        """A JSON object or list with the values in its strings, keys too, escaped as they must be.

        A string in which nothing is restored, and any other text, stays as it is. After this two keys of an
        object can be the same, so decide on what this gives, not on what was put in.
        """
        if not self._known:
            return document
        restored = _edit(document, lambda text: _inside(text, self.restore, 1))
        return document if restored is None else restored

    def _placeholder(self, kind: str, value: str) -> str:
        hashed = blake2b(
            f"{kind} {_normal(kind, value)}".encode("utf-8", "surrogatepass"), key=self._key, digest_size=8
        )
        code = f"{hashed.hexdigest()[:CODE_LETTERS].translate(_TO_LETTERS)}{hashed.digest()[-1] % 10}"
        placeholder = f"{kind}-{code}"
        if placeholder not in self.used:
            if len(self.used) >= self._most:
                raise ProtocolError(
                    f"over {self._most} values would have to be hidden", hint="send it in pieces", status=413
                )
            if code not in self._known:
                self._learn(kind, code, value)
            self.used[placeholder] = self._known[code][1]
        self._write(kind, value)
        return placeholder

    def _learn(self, kind: str, code: str, value: str) -> None:
        self._known[code] = (kind, value)
        self._write(kind, value)
        if kind not in self._kinds:
            self._kinds.add(kind)
            self._starts.update(kind[:size] for size in range(1, len(kind) + 1))

    def _write(self, kind: str, value: str) -> None:
        if value not in self._written:
            self._written[value] = kind
            self._literals.add(value)


def task_key(master: bytes, task: str, use: bytes) -> bytes:
    """A key of 32 bytes for one use (a name of at most 16 bytes) in one task.

    Raises: ConfigError unless the master key has 32 to 64 bytes; without one anybody could find values by trying.
    """
    if not MASTER_BYTES <= len(master) <= MOST_MASTER_BYTES:
        hint = f"it needs {MASTER_BYTES} to {MOST_MASTER_BYTES}, from a random source"
        raise ConfigError(f"the key of pseudonyms has {len(master)} bytes", hint=hint)
    return blake2b(task.encode("utf-8", "surrogatepass"), key=master, person=use, digest_size=32).digest()


def _kind(signal: Signal) -> str:
    """What a signal's value is, in capitals: of keys no more than that, else the letters of the rule."""
    named = "".join(re.findall("[A-Za-z]", signal.rule)).upper()[:KIND_LETTERS]
    return _KINDS.get(signal.detector, named or "VALUE")


def _normal(kind: str, value: str) -> str:
    """What is the same for every way to write the same thing. Never the same for two things."""
    if kind == "EMAIL":
        return value.lower()
    if kind in _GROUPED:
        return "".join(character for character in value if character.isalnum() or character == "+").upper()
    return value


def _is_kind(text: str, kind: str) -> bool:
    # Outside ASCII there are letters whose capital is inside it, such as U+017F and U+212A.
    return text.isascii() and text.upper() == kind


def _spans(text: str, signals: Sequence[Signal]) -> list[tuple[int, int, int, str]]:
    """(start, end, score, kind) of signals, within the text."""
    return [(max(0, s.span.start), min(len(text), s.span.end), s.score, _kind(s)) for s in signals]


def _lookalikes(text: str) -> Iterable[tuple[int, int]]:
    """What has the form of a placeholder, known or not."""
    for match in _CODE.finditer(text):
        first = max(0, match.start() - KIND_LETTERS)
        kind = _KIND.search(text[first : match.start()])
        if kind:
            yield first + kind.start(), match.end()


def _merged(spans: list[tuple[int, int, int, str]]) -> Iterable[tuple[int, int, str]]:
    """(start, end, kind) of spans that do not overlap, in order; the widest of a group names it, then the surest."""
    group: list[tuple[int, int, int, str]] = []
    end = 0
    for span in sorted(span for span in spans if span[0] < span[1]):
        if group and span[0] >= end:
            yield group[0][0], end, _name(group)
            group = []
        end = max(end, span[1]) if group else span[1]
        group.append(span)
    if group:
        yield group[0][0], end, _name(group)


def _name(group: list[tuple[int, int, int, str]]) -> str:
    return max((end - start, score, kind) for start, end, score, kind in group)[2]


def _inside(text: str, change: Callable[[str], str], depth: int = 0) -> str:
    """`change` made to a text, or, if that is a document, inside it."""
    if depth < DEEPEST:
        edited = _edit(text, lambda inner: _inside(inner, change, depth + 1))
        if edited is not None:
            return edited
    return change(text)


def _edit(document: str, change: Callable[[str], str]) -> str | None:
    """`document` with `change` made to its strings and long numbers, all else as it stands.

    None if it is no JSON object or list.
    """
    if document.lstrip()[:1] not in ("{", "["):
        return None
    try:
        # Only whether it is JSON is asked: what becomes of numbers does not matter, but how long that takes does.
        json.loads(document, parse_int=str, parse_float=str)
    except (ValueError, RecursionError):
        return None

    def edited(match: re.Match[str]) -> str:
        token = match[0]
        if token[0] != '"' and len(token) < SHORTEST_NUMBER:
            return token
        text = str(json.loads(token)) if token[0] == '"' else token
        changed = change(text)
        return token if changed == text else json.dumps(changed)

    return _TOKEN.sub(edited, document)
