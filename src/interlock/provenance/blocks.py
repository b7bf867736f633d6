"""Reads a tool's result that is YAML in block style, as dumpers write it, and nothing looser.

What is written by hand, or put together from texts of strangers, mostly is no such document, and what only looks like
one must not count: every scalar has to be quoted where a dumper would quote it, anchors, tags and comments are not
read, and in doubt the answer is None. Numbers, dates and truth values stay texts, as they stand.
"""

import re
from dataclasses import dataclass

MAX_DEPTH = 16
# A key as programs name fields.
_KEY = re.compile(r"([A-Za-z_][A-Za-z0-9_.@ +-]{0,127}):(?: (.*))?")
_PLAIN = re.compile(r"[^\s\-?:,\[\]{}#&*!|>'\"%@`]|[-?:](?=\S)")
_EMPTY: dict[str, object] = {"[]": [], "{}": {}, "": None, "null": None, "~": None}
_ESCAPES = {
    "n": "\n",
    "t": "\t",
    "r": "\r",
    '"': '"',
    "\\": "\\",
    "/": "/",
    " ": " ",
    "0": "\0",
    "N": "\x85",
    "_": "\xa0",
}
_WIDTHS = {"x": 2, "u": 4, "U": 8}


class _NotBlocksError(ValueError):
    """The text is no such document."""


@dataclass(slots=True)
class _Lines:
    """The lines of a document, and which one is next."""

    lines: list[str]
    at: int = 0

    def peek(self) -> tuple[int, str] | None:
        """(indentation, text) of the next line that is not empty."""
        while self.at < len(self.lines) and not self.lines[self.at].strip():
            self.at += 1
        if self.at == len(self.lines):
            return None
        line = self.lines[self.at]
        return len(line) - len(line.lstrip(" ")), line.strip(" ")


def read_blocks(text: str) -> object:
    """The document as dicts, lists and texts; None if it is none, or holds no more than one scalar."""
    lines = _Lines(text.split("\n"))
    try:
        first = lines.peek()
        if first is None or first[0] or not (first[1].startswith("- ") or _KEY.fullmatch(first[1])):
            return None
        found = _node(lines, 0, 0)
        return found if lines.peek() is None else None
    except (_NotBlocksError, ValueError, OverflowError):
        return None


def _node(lines: _Lines, indent: int, depth: int) -> object:
    """The sequence or mapping that begins at the next line, at this indentation."""
    if depth > MAX_DEPTH:
        raise _NotBlocksError
    found = lines.peek()
    assert found is not None
    if found[1].startswith("- ") or found[1] == "-":
        return _sequence(lines, indent, depth)
    return _mapping(lines, indent, depth)


def _sequence(lines: _Lines, indent: int, depth: int) -> list[object]:
    out: list[object] = []
    while (found := lines.peek()) and found[0] == indent and found[1].startswith("- "):
        inner = found[1][2:].lstrip(" ")
        column = indent + len(found[1]) - len(inner)
        if inner.startswith("- ") or (inner[:1] not in "'\"" and _KEY.fullmatch(inner)):
            # What stands behind the dash is a mapping or a sequence of its own, which begins at that column.
            lines.lines[lines.at] = " " * column + inner
            out.append(_node(lines, column, depth + 1))
        else:
            lines.at += 1
            out.append(_scalar(lines, inner, indent))
    return out


def _mapping(lines: _Lines, indent: int, depth: int) -> dict[str, object]:
    out: dict[str, object] = {}
    while (found := lines.peek()) and found[0] == indent and not found[1].startswith("- "):
        match = _KEY.fullmatch(found[1])
        if not match or (out and match[1] <= next(reversed(out))):
            # Dumpers sort the keys, and write none twice; a text that somebody put together seldom has them so.
            raise _NotBlocksError
        key, value = match[1], (match[2] or "").strip(" ")
        lines.at += 1
        if value:
            out[key] = _scalar(lines, value, indent)
            continue
        below = lines.peek()
        if below and (below[0] > indent or (below[0] == indent and below[1].startswith("- "))):
            out[key] = _node(lines, below[0], depth + 1)
        else:
            out[key] = None
    if found and found[0] > indent:
        raise _NotBlocksError
    return out


def _scalar(lines: _Lines, begin: str, indent: int) -> object:
    """The scalar that begins with this text, with the lines that go on with it."""
    if begin in _EMPTY:
        return _EMPTY[begin]
    if begin[0] in "'\"":
        return _quoted(lines, begin, begin[0])
    if re.fullmatch(r"[|>][+-]?", begin):
        return _literal(lines, indent)
    if not _PLAIN.match(begin):
        raise _NotBlocksError
    parts = [begin]
    while lines.at < len(lines.lines) and lines.lines[lines.at].strip():
        line = lines.lines[lines.at]
        if len(line) - len(line.lstrip(" ")) <= indent or line.lstrip(" ").startswith("- "):
            break
        parts.append(line.strip(" "))
        lines.at += 1
    text = " ".join(parts)
    if ": " in text or " #" in text or text.endswith(":"):
        raise _NotBlocksError
    return text


def _quoted(lines: _Lines, begin: str, quote: str) -> str:
    """A quoted scalar, which must end its line; a single line break in it is a space, an empty line a break."""
    out, rest, folded = "", begin[1:], False
    while True:
        end = _end(rest, quote)
        out += _plain(rest if end is None else rest[:end], quote)
        if end is not None:
            if rest[end + 1 :].strip():
                raise _NotBlocksError
            return out
        breaks = 0
        while True:
            if lines.at >= len(lines.lines):
                raise _NotBlocksError
            line = lines.lines[lines.at].strip(" ")
            lines.at += 1
            if line:
                break
            breaks += 1
        folded = quote == '"' and rest.endswith("\\")
        out = out if folded else out.rstrip(" ") + ("\n" * breaks or " ")
        rest = line


def _end(text: str, quote: str) -> int | None:
    """Where the scalar's closing quote stands, None if it goes on in the next line."""
    at = 0
    while at < len(text):
        if text[at] == "\\" and quote == '"':
            at += 2
        elif text[at] == quote:
            if quote == "'" and text[at + 1 : at + 2] == "'":
                at += 2
            else:
                return at
        else:
            at += 1
    return None


def _plain(text: str, quote: str) -> str:
    if quote == "'":
        return text.replace("''", "'")
    out, at = "", 0
    for match in re.finditer(r"\\(.?)", text):
        if match.start() < at:
            continue
        out += text[at : match.start()]
        at = match.end()
        name = match[1]
        if width := _WIDTHS.get(name):
            out += chr(int(text[at : at + width], 16))
            at += width
        elif name:
            if name not in _ESCAPES:
                raise _NotBlocksError
            out += _ESCAPES[name]
    return out + text[at:]


def _literal(lines: _Lines, indent: int) -> str:
    """A block scalar: the lines that are indented more deeply."""
    out: list[str] = []
    while lines.at < len(lines.lines):
        line = lines.lines[lines.at]
        if line.strip() and len(line) - len(line.lstrip(" ")) <= indent:
            break
        out.append(line.strip(" "))
        lines.at += 1
    return "\n".join(out)
