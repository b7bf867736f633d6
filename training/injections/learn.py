"""Learns the weights of one model from examples: logistic regression on windows, each document by its worst ones.

What a long document that holds an attack is to teach is the window with the attack in it, and nobody marked it: so
after a first round on short texts, the windows that score highest stand for their document, round by round. Honest
documents teach by their highest windows and by random ones. Deterministic for a seed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.sparse import csr_matrix

from interlock.detectors._ngrams import BUCKETS, SHORTEST, STRIDE, buckets, read, windows

Array = NDArray[Any]
ROUNDS, STEPS = 3, 30
DECAY = 3e-6
# Of an honest document: windows drawn anew each round, and the highest.
DRAWN, HIGHEST = 2, 2


@dataclass(frozen=True)
class Corpus:
    """Texts as counts of n-grams: one row for each half of a window, and where each document's windows are."""

    cells: Any
    document: Array
    first: Array
    last: Array
    scale: Array
    bounds: Array


def corpus(texts: Sequence[str]) -> Corpus:
    """The n-grams of texts."""
    indices: list[Array] = []
    indptr = [0]
    document, first, last, scale, bounds = [], [], [], [], [0]
    rows = 0
    for number, text in enumerate(texts):
        size = len(text)
        count = max(1, -(-size // STRIDE))
        parts = buckets(read(text))
        places = np.concatenate([np.arange(size + 2)[where] for _, where in parts])
        numbers = np.concatenate([found.astype(np.int32) for found, _ in parts])
        cell = np.clip((places - 1) // STRIDE, 0, count - 1)
        order = np.argsort(cell, kind="stable")
        indices.append(numbers[order])
        indptr += list(indptr[-1] + np.cumsum(np.bincount(cell, minlength=count)))
        starts, ends = windows(size)
        document += [number] * len(starts)
        first += list(rows + starts // STRIDE)
        last += list(rows + np.minimum((ends - 1) // STRIDE, count - 1))
        scale += list(1 / np.sqrt(np.maximum(ends - starts, SHORTEST)))
        rows += count
        bounds.append(len(document))
    data = np.concatenate(indices)
    cells = csr_matrix((np.ones(len(data), np.float32), data, np.array(indptr)), shape=(rows, BUCKETS))
    return Corpus(cells, np.array(document), np.array(first), np.array(last), np.array(scale), np.array(bounds))


def window_scores(texts: Corpus, weights: Array) -> Array:
    """The score of each window."""
    sums = np.concatenate([[0], np.cumsum(texts.cells @ weights, dtype=np.float64)])
    return np.asarray((sums[texts.last + 1] - sums[texts.first]) * texts.scale)


def document_scores(texts: Corpus, weights: Array) -> Array:
    """The score of each document: its highest window's."""
    return np.asarray(np.maximum.reduceat(window_scores(texts, weights), texts.bounds[:-1]))


def learn(texts: Corpus, chosen: Array, attack: Array, weight: Array, seed: int) -> tuple[Array, float]:
    """The weights and the bias that tell attacks apart, from the documents `chosen` (indexes) alone."""
    random = np.random.default_rng(seed)
    weights, bias = np.zeros(BUCKETS, np.float32), 0.0
    for turn in range(ROUNDS + 1):
        scores = window_scores(texts, weights) + bias if turn else None
        rows, labels, shares = _select(texts, chosen, attack, weight, scores, random)
        weights, bias = _fit(_matrix(texts, rows), labels, shares, weights, bias)
    return weights, bias


def _select(
    texts: Corpus, chosen: Array, attack: Array, weight: Array, scores: Array | None, random: np.random.Generator
) -> tuple[Array, Array, Array]:
    """The windows that stand for their documents, whether they are attacks, and what each weighs."""
    rows: list[int] = []
    labels: list[bool] = []
    shares: list[float] = []
    for number in chosen:
        here = np.arange(texts.bounds[number], texts.bounds[number + 1])
        if len(here) > 1:
            if scores is None:
                if attack[number] and len(here) > 4:
                    continue
                here = here if attack[number] else random.choice(here, min(len(here), DRAWN), replace=False)
            elif attack[number]:
                best = here[np.argsort(scores[here])[::-1]]
                here = best[: 1 + int((scores[best[1:3]] > 0).sum())]
            else:
                best = here[np.argsort(scores[here])[::-1]][:HIGHEST]
                here = np.unique(np.concatenate([best, random.choice(here, min(len(here), DRAWN), replace=False)]))
        rows += list(here)
        labels += [bool(attack[number])] * len(here)
        # A document's windows weigh as much as a short text, and the highest of an honest one as much each.
        shares += [weight[number] / (len(here) if attack[number] else max(1.0, len(here) / HIGHEST))] * len(here)
    return np.array(rows), np.array(labels), np.array(shares)


def _matrix(texts: Corpus, rows: Array) -> Any:
    first, last, scale = texts.first[rows], texts.last[rows], texts.scale[rows]
    counts = last - first + 1
    columns = np.concatenate([np.arange(a, b + 1) for a, b in zip(first, last, strict=True)])
    picks = csr_matrix(
        (np.repeat(scale, counts).astype(np.float32), columns, np.concatenate([[0], np.cumsum(counts)])),
        shape=(len(rows), texts.cells.shape[0]),
    )
    return picks @ texts.cells


def _fit(matrix: Any, labels: Array, shares: Array, weights: Array, bias: float) -> tuple[Array, float]:
    signs = np.where(labels, 1.0, -1.0)
    shares = shares / shares.sum()
    turned = matrix.T.tocsr()

    def loss(point: Array) -> tuple[float, Array]:
        margins = signs * (matrix @ point[:-1].astype(np.float32) + point[-1])
        slopes = (-signs * shares / (1 + np.exp(np.clip(margins, -30, 30)))).astype(np.float32)
        value = float((shares * np.logaddexp(0, -margins)).sum() + DECAY / 2 * (point[:-1] ** 2).sum())
        return value, np.concatenate([turned @ slopes + DECAY * point[:-1], [slopes.sum()]]).astype(np.float64)

    start = np.concatenate([weights, [bias]]).astype(np.float64)
    found = minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": STEPS, "maxcor": 6})
    return found.x[:-1].astype(np.float32), float(found.x[-1])


def shares(families: Sequence[str], attack: Array) -> Array:
    """What each document weighs: a large family more than a small one, but less than its size; both labels alike."""
    keys = np.array([f"{family}:{label}" for family, label in zip(families, attack, strict=True)])
    _, inverse, counts = np.unique(keys, return_inverse=True, return_counts=True)
    weight = (counts**-0.5)[inverse]
    for label in (True, False):
        weight[attack == label] /= weight[attack == label].sum()
    return np.asarray(weight * len(keys))
