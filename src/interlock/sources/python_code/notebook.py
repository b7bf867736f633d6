"""A Jupyter notebook (nbformat 3 and 4) as one Python module whose lines are those of the file.

A notebook is JSON, and a cell's source a list of lines, or one text with all of them. So each Python line is put back
to where its string stands in the file. What IPython adds to Python is left out: magics, shell lines and help. Outputs
are nobody's code.
"""

import ast
import json
import re
from bisect import bisect_right
from collections.abc import Iterator
from typing import Any, NamedTuple

_STRING = re.compile(r'"(?:[^"\\]|\\.)*"')
_SOURCE = re.compile(r'"(?:source|input)"\s*:\s*')
_OPENED = re.compile(r"\[\s*")
_BETWEEN = re.compile(r"\s*([,\]])\s*")
# The first word of a cell that is in another language, or is run elsewhere. `%%time` and the like only look on.
_LOOKERS = frozenset({"capture", "prun", "time", "timeit"})
_CELL_MAGIC = re.compile(r"\s*%%(\w+)")
_MAGIC = re.compile(r"^(\s*)(?:[%!?]|\w[\w.]*\?)")
_ASSIGNED = re.compile(r"^(\s*[\w, ]+=\s*)[%!]\S.*$")
_PYTHON = re.compile(r"i?python|^xeus-python", re.IGNORECASE)
FLAGS = ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT


class Notebook(NamedTuple):
    """The code of a notebook as a tree with the lines of the file, and why some of it is not in there."""

    tree: ast.Module
    missed: tuple[str, ...]


class NotebookError(ValueError):
    """What was given is no notebook, or none with Python in it; the message says which."""


def parse(text: str) -> Notebook:
    """The code cells of a notebook, each by itself: one that is not valid leaves the others. Raises: NotebookError."""
    document = _document(text)
    body: list[ast.stmt] = []
    missed = []
    strings = _Sources(text)
    for number, cell in enumerate(_cells(document), 1):
        source = cell.get("source", cell.get("input", ""))
        parts = [source] if isinstance(source, str) else [part for part in source if isinstance(part, str)]
        placed = strings.place(parts)
        if cell.get("cell_type") != "code":
            continue
        lines = list(_python(placed))
        try:
            tree = compile("\n".join(line for line, _ in lines), "cell", "exec", FLAGS)
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            said = error.msg if isinstance(error, SyntaxError) else type(error).__name__
            missed.append(f"cell {number}: {said}")
            continue
        assert isinstance(tree, ast.Module)
        _move(tree, [place for _, place in lines])
        body += tree.body
    return Notebook(ast.Module(body, []), tuple(missed))


def _document(text: str) -> dict[str, Any]:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise NotebookError(f"no notebook: {error}") from error
    if not isinstance(document, dict) or not isinstance(document.get("cells", document.get("worksheets")), list):
        raise NotebookError("no notebook: it has no cells")
    held = document.get("metadata")
    metadata = held if isinstance(held, dict) else {}
    for table, key in (("kernelspec", "language"), ("language_info", "name"), ("kernelspec", "name")):
        part = metadata.get(table)
        language = part.get(key) if isinstance(part, dict) else None
        if isinstance(language, str) and language:
            if not _PYTHON.search(language):
                raise NotebookError(f"a notebook in {language[:30]}")
            break
    return document


def _cells(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    sheets = [document] if "cells" in document else document["worksheets"]
    for sheet in sheets:
        cells = sheet.get("cells") if isinstance(sheet, dict) else None
        for cell in cells if isinstance(cells, list) else ():
            if isinstance(cell, dict) and isinstance(cell.get("source", cell.get("input", "")), str | list):
                yield cell


class _Sources:
    """The places of cells' sources in the file, in order."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._lines = [match.start() for match in re.finditer("\n", text)]
        self._at = 0

    def place(self, parts: list[str]) -> list[tuple[str, int]]:
        """Each part with its line, 1-based: at the next place in the file where these parts stand as a source."""
        for match in _SOURCE.finditer(self._text, self._at):
            found = list(self._strings(match.end()))
            if [text for text, _ in found] == parts:
                self._at = match.end()
                return found
        # A file that says a key twice, for one. Nothing after this is looked for again: that would take forever.
        self._at = len(self._text)
        return [(part, self._line(self._at)) for part in parts]

    def _strings(self, at: int) -> Iterator[tuple[str, int]]:
        """The text at `at`, or those of the list that begins there."""
        opened = _OPENED.match(self._text, at)
        is_list = opened is not None
        at = opened.end() if opened else at
        while match := _STRING.match(self._text, at):
            try:
                yield json.loads(match[0], strict=False), self._line(match.start())
            except ValueError:
                return
            after = _BETWEEN.match(self._text, match.end())
            if not is_list or not after or after[1] == "]":
                return
            at = after.end()

    def _line(self, at: int) -> int:
        return bisect_right(self._lines, at - 1) + 1


def _python(placed: list[tuple[str, int]]) -> Iterator[tuple[str, int]]:
    """The lines of a cell as Python, each with its line in the file; nothing of a cell in another language."""
    lines: list[tuple[str, int]] = []
    whole = True
    for text, place in placed:
        for piece in text.split("\n"):
            # A list's strings end with a newline, which the next one begins after.
            if whole:
                lines.append((piece, place))
            else:
                before, at = lines[-1]
                lines[-1] = (before + piece, at)
            whole = True
        whole = text.endswith("\n")
        if whole:
            lines.pop()
    first = next((line for line, _ in lines if line.strip()), "")
    magic = _CELL_MAGIC.match(first)
    if magic and magic[1] not in _LOOKERS:
        return
    continued = False
    for line, place in lines:
        mine = _MAGIC.match(line) or continued
        yield ("" if continued else _without(line)), place
        continued = bool(mine) and line.rstrip().endswith("\\")


def _without(line: str) -> str:
    """The line without what only IPython understands; a statement stays one.

    >>> _without("!pip install openai"), _without("files = !ls"), _without("model?"), _without("x = 5 % y")
    ('pass', 'files = None', 'pass', 'x = 5 % y')
    """
    if magic := _MAGIC.match(line):
        return f"{magic[1]}pass"
    if (assigned := _ASSIGNED.match(line)) and "==" not in assigned[1]:
        return f"{assigned[1]}None"
    return line


def _move(tree: ast.Module, places: list[int]) -> None:
    for node in ast.walk(tree):
        for name in ("lineno", "end_lineno"):
            if line := getattr(node, name, None):
                setattr(node, name, places[line - 1])
