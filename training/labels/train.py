"""Train the model of tools' labels: `python -m training.labels.train FILE.jsonl... [--folds] [--out FILE]`.

A line of a file is a tool definition with the "labels" that a person gave it, as `bench.labels` reads them. Three
softmax regressions over the marks of `interlock.provenance.features`: the sink, four traits of yes and no, and what
an argument decides. Full-batch gradient descent with Adam in a fixed order: the same files give the same weights.

--folds prints what to expect of servers that were never seen: servers are dealt into five folds by a hash of their
names, and each is labelled by a model of the others. Folds only deal out servers of the first file; the rest of the
files (authored definitions) are in each training. Needs NumPy (training/labels/requirements.txt); nothing at run time.
"""

# ruff: noqa: T201
import argparse
import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from bench.labels import COLUMNS, cells, compared
from interlock.knowledge import ToolModel
from interlock.model.event import ToolDefinition
from interlock.provenance.features import argument_marks, marks, read
from interlock.provenance.labels import label

SINKS = ("none", "read", "write", "fetch", "send", "publish", "admin", "credential", "delete", "money", "execute")
KINDS = ("", "recipient", "url", "path", "amount", "account", "query", "code", "content", "id", "permission", "secret")
FOLDS = 5
STEPS, RATE = 150, 0.06
# Chosen by cross-validation among half and double of each.
L2_SINK, L2_TRAITS, L2_ARGUMENTS = 5e-4, 1e-3, 2e-4
# A mark of one tool only is its name, and says nothing of others; a smaller weight changes no answer.
SELDOM, SMALL = 2, 4

Row = dict[str, Any]
OUT = Path(__file__).parents[2] / "src/interlock/knowledge/data/tool_model.json"


def fold(server: str) -> int:
    """Which fold a server is in."""
    return hashlib.sha256(b"interlock-labels:" + server.encode()).digest()[0] % FOLDS


def definition(row: Row) -> ToolDefinition:
    """The definition of a line."""
    return ToolDefinition((), row["tool"], row.get("description") or "", row.get("inputSchema") or {})


def fit(rows: Sequence[list[str]], answers: np.ndarray, l2: float) -> dict[str, tuple[int, ...]]:
    """The weights of each mark, in hundredths: `answers` has one row for each of rows, and sums to one."""
    counts = Counter(mark for row in rows for mark in row)
    at = {mark: place for place, mark in enumerate(mark for mark, count in counts.items() if count >= SELDOM)}
    given = np.zeros((len(rows), len(at)), np.float32)
    for number, row in enumerate(rows):
        given[number, [at[mark] for mark in row if mark in at]] = 1
    weights = np.zeros((len(at), answers.shape[1]), np.float32)
    mean, square = np.zeros_like(weights), np.zeros_like(weights)
    for step in range(1, STEPS + 1):
        logits = given @ weights
        powers = np.exp(logits - logits.max(1, keepdims=True))
        slope = given.T @ ((powers / powers.sum(1, keepdims=True) - answers) / len(rows)) + l2 * weights
        mean = 0.9 * mean + 0.1 * slope
        square = 0.999 * square + 0.001 * slope * slope
        size = RATE * (1 - 0.9 * step / STEPS) / (1 - 0.9**step)
        weights -= size * mean / (np.sqrt(square / (1 - 0.999**step)) + 1e-8)
    whole = np.rint(weights * 100).astype(int)
    return {mark: tuple(map(int, whole[place])) for mark, place in at.items() if abs(whole[place]).max() >= SMALL}


def _yes(rows: Sequence[list[str]], yes: list[bool]) -> dict[str, tuple[int, ...]]:
    found = fit(rows, np.array([[not one, one] for one in yes], np.float32), L2_TRAITS)
    return {mark: (weights[1] - weights[0],) for mark, weights in found.items()}


def train(rows: Sequence[Row]) -> ToolModel:
    """A model of labelled tools."""
    said = [(row, definition(row), read(row["tool"], definition(row))) for row in rows]
    found = [["bias", *marks(row["tool"], given, words)] for row, given, words in said]
    labels = [row["labels"] for row in rows]
    sink = fit(found, np.eye(len(SINKS), dtype=np.float32)[[SINKS.index(one["sink"]) for one in labels]], L2_SINK)
    with_sink = [
        [*row, f"k={one['sink']}", *(f"k={one['sink']}&{mark}" for mark in row if mark.startswith(("o=", "do=")))]
        for row, one in zip(found, labels, strict=True)
    ]
    traits = [
        _yes(with_sink, ["untrusted" in one["output"] for one in labels]),
        _yes(with_sink, ["secret" in one["output"] for one in labels]),
        _yes(with_sink, [one["open_world"] for one in labels]),
        _yes(with_sink, [one["reversible"] for one in labels]),
    ]
    every = dict.fromkeys(mark for table in traits for mark in table)
    arguments = [
        (["bias", *row], KINDS.index(one["sensitive_args"].get(argument, "")))
        for (_, _, words), one in zip(said, labels, strict=True)
        for argument, row in argument_marks(words, one["sink"])
    ]
    kinds = np.eye(len(KINDS), dtype=np.float32)[[kind for _, kind in arguments]]
    return ToolModel(
        SINKS,
        KINDS,
        sink,
        {mark: tuple(table.get(mark, (0,))[0] for table in traits) for mark in every},
        fit([row for row, _ in arguments], kinds, L2_ARGUMENTS),
    )


def counted(rows: Sequence[Row], model: ToolModel) -> Counter[str]:
    """What `bench.labels` counts of each tool, with this model."""
    total: Counter[str] = Counter()
    for row in rows:
        labels = label(row["tool"], definition(row), model)
        total += compared(
            row["labels"],
            {
                "sink": labels.sink, "output": labels.output_label, "sensitive_args": labels.kinds,
                "open_world": labels.open_world, "reversible": labels.reversible,
            },
        )  # fmt: skip
    return total


def main() -> None:
    """Train, or with --folds cross-validate."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("files", type=Path, nargs="+")
    parser.add_argument("--folds", type=int, nargs="*", help="label these folds by models of the others (default: all)")
    parser.add_argument("--test", type=Path, nargs="*", default=[], help="with --folds: files to label by each model")
    parser.add_argument("--out", type=Path, default=OUT)
    args = parser.parse_args()
    files = [[json.loads(line) for line in file.read_text("utf-8").splitlines()] for file in args.files]
    if args.folds is None:
        model = train([row for file in files for row in file])
        args.out.write_bytes(msgspec.json.encode(model) + b"\n")
        print(f"{args.out.name}: {args.out.stat().st_size} bytes, {hashlib.sha256(args.out.read_bytes()).hexdigest()}")
        return
    print(f"{'fold':8}" + "".join(f"{column:>14}" for column in COLUMNS))
    whole: Counter[str] = Counter()
    for number in args.folds or range(FOLDS):
        model = train(
            [row for row in files[0] if fold(row["server"]) != number] + [row for file in files[1:] for row in file]
        )
        count = counted([row for row in files[0] if fold(row["server"]) == number], model)
        whole += count
        print(f"{number:<8}" + "".join(f"{cell:>14}" for cell in cells(count)), flush=True)
    print(f"{'all':8}" + "".join(f"{cell:>14}" for cell in cells(whole)))
    for file in args.test:
        rows = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
        print(f"{file.stem:8}" + "".join(f"{cell:>14}" for cell in cells(counted(rows, model))))


if __name__ == "__main__":
    main()
