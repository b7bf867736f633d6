"""Trains the n-gram models: texts in; weights, thresholds, metrics and the model card out.

`python -m training.injections.train --data FOLDER` writes `src/interlock/detectors/_weights/`, and beside itself
`metrics.json` and `MODEL_CARD.md`; with `--leave-one-out` it also trains once without each attack family, which takes
the most of its time. FOLDER holds `text/` and `mcp_tools/` (see `README.md`). Seeded; the same texts and versions give
the same bytes.
"""

import argparse
import hashlib
import json
import platform
import time
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import scipy
from numpy.typing import NDArray

from interlock.detectors._ngrams import BUCKETS
from training.injections import card
from training.injections.data import DIRECT, INDIRECT, Example, load
from training.injections.learn import Corpus, corpus, document_scores, learn, shares

Array = NDArray[Any]
ROOT = Path(__file__).parent.parent.parent
WEIGHTS = ROOT / "src/interlock/detectors/_weights"
METRICS = ROOT / "training/injections/metrics.json"
SEED = 1
HELD_OUT = 0.2
FALSE_POSITIVES = 0.01
# A source with fewer honest texts says too little of how often it is flagged.
LEAST_SOURCE = 20
# What each model learns as attacks, and the groups that have a threshold of their own.
MODELS = {"user": (DIRECT, ("user",)), "document": (INDIRECT, ("document", "tool"))}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--leave-one-out", action="store_true")
    args = parser.parse_args()
    started = time.monotonic()
    examples = load(args.data)
    metrics: dict[str, Any] = {"models": {}}
    kept: list[bytes] = []
    settings: dict[str, Any] = {}
    prepared = {}
    for name in MODELS:
        learning = [one for one in examples if _learns(name, one)]
        texts = corpus([one.text for one in learning])
        prepared[name] = learning, texts
        print(
            f"{name}: {len(learning):,} texts, {len(texts.document):,} windows, {time.monotonic() - started:.0f} s",
            flush=True,
        )
        data, settings[name], metrics["models"][name] = _final(name, learning, texts)
        kept.append(data)
        print(f"  {json.dumps(settings[name])}, {time.monotonic() - started:.0f} s", flush=True)
    _write(kept, settings)
    if args.leave_one_out:
        for name, (learning, texts) in prepared.items():
            metrics["models"][name]["left_out"] = _left_out(name, learning, texts)
    metrics["made"] = {
        "seed": SEED,
        "minutes": round((time.monotonic() - started) / 60, 1),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "scipy": scipy.__version__,
        "texts": len(examples),
    }
    METRICS.write_text(json.dumps(metrics, indent=1) + "\n", "utf-8")
    card.write(metrics, settings)
    return 0


def _learns(model: str, one: Example) -> bool:
    """Users' texts are judged beside what they paste, documents beside all that may stand in them."""
    return one.group != "tool" and (not one.attack or one.group == "user") if model == "user" else True


def _arrays(learning: list[Example]) -> tuple[Array, Array, Array]:
    return (
        np.array([one.attack for one in learning]),
        np.array([one.family for one in learning]),
        np.array([one.group for one in learning]),
    )


def _held(learning: list[Example]) -> Array:
    """A fifth of the texts, by their hash: what thresholds are taken from, and never learned."""
    digests = (hashlib.sha256(one.text.encode("utf-8", "surrogatepass")).digest()[0] for one in learning)
    return np.array([digest < 256 * HELD_OUT for digest in digests])


def _final(name: str, learning: list[Example], texts: Corpus) -> tuple[bytes, dict[str, Any], dict[str, Any]]:
    attack, family, group = _arrays(learning)
    held = _held(learning)
    weights, _ = _train(texts, np.flatnonzero(~held), attack, family)
    small, scale = _quantised(weights)
    scores = document_scores(texts, small.astype(np.float32)) * scale
    settings: dict[str, Any] = {"scale": scale, "thresholds": {}, "calibration": {}}
    metrics: dict[str, Any] = {"groups": {}}
    for one in MODELS[name][1]:
        honest = held & ~attack & (group == one)
        threshold = _threshold(scores[honest], family[honest])
        hostile = held & attack & (group == one)
        settings["thresholds"][one] = round(threshold, 3)
        settings["calibration"][one] = _calibrated(scores[hostile], scores[honest])
        metrics["groups"][one] = {
            "false_positives": _by_source(scores[honest] >= threshold, family[honest]),
            "recall_held_out": _by_source(scores[hostile] >= threshold, family[hostile]),
        }
    return small.tobytes(), settings, metrics


def _train(texts: Corpus, chosen: Array, attack: Array, family: Array) -> tuple[Array, float]:
    weight = np.zeros(len(attack))
    weight[chosen] = shares(list(family[chosen]), attack[chosen])
    return learn(texts, chosen, attack, weight, SEED)


def _left_out(name: str, learning: list[Example], texts: Corpus) -> dict[str, Any]:
    """Each attack family as seen by a model that never saw it; the threshold is from the other families."""
    attack, family, group = _arrays(learning)
    held = _held(learning)
    found = {}
    for out in sorted(MODELS[name][0]):
        weights, _ = _train(texts, np.flatnonzero((family != out) & (~held | attack)), attack, family)
        scores = document_scores(texts, weights)
        hostile, own = (family == out) & attack, (family == out) & ~attack
        one = str(group[hostile][0])
        others = held & ~attack & (family != out) & (group == one)
        threshold = _threshold(scores[others], family[others])
        found[out] = {
            "attacks": int(hostile.sum()),
            "recall": round(float((scores[hostile] >= threshold).mean()), 3),
            "auc": round(_auc(scores[hostile], scores[others]), 3),
            "false_positives": round(float((scores[own] >= threshold).mean()), 3)
            if own.sum() >= LEAST_SOURCE
            else None,
        }
        print(f"  without {out}: {json.dumps(found[out])}", flush=True)
    return found


def _threshold(scores: Array, family: Array) -> float:
    """The score above which so many of the honest texts are, each source counting the same."""
    names, inverse, counts = np.unique(family, return_inverse=True, return_counts=True)
    weight = np.where(counts >= LEAST_SOURCE, 1 / counts, 0)[inverse]
    order = np.argsort(scores)[::-1]
    passed = np.cumsum(weight[order]) / weight.sum()
    return float(scores[order][np.searchsorted(passed, FALSE_POSITIVES)]) + 1e-6 if len(names) else 0.0


def _calibrated(hostile: Array, honest: Array) -> tuple[float, float]:
    """The slope and offset by which a score becomes a probability, if both were as frequent (Platt, 1999)."""
    slope, offset = 1.0, 0.0
    scores = np.concatenate([hostile, honest])
    labels = np.concatenate([np.ones(len(hostile)), np.zeros(len(honest))])
    weight = np.where(labels == 1, 0.5 / len(hostile), 0.5 / len(honest))
    for _ in range(100):
        expected = 1 / (1 + np.exp(-np.clip(slope * scores + offset, -30, 30)))
        rest, spread = weight * (labels - expected), weight * expected * (1 - expected) + 1e-12
        square, mixed, plain = (spread * scores * scores).sum() + 1e-9, (spread * scores).sum(), spread.sum()
        right = np.array([(rest * scores).sum(), rest.sum()])
        step = np.linalg.solve(np.array([[square, mixed], [mixed, plain]]), right)
        slope, offset = slope + 0.5 * float(step[0]), offset + 0.5 * float(step[1])
    return round(slope, 6), round(offset, 6)


def _quantised(weights: Array) -> tuple[NDArray[np.int8], float]:
    top = float(np.quantile(np.abs(weights[weights != 0]), 0.9998))
    small = np.clip(np.rint(weights / top * 127), -127, 127).astype(np.int8)
    assert len(small) == BUCKETS
    return small, top / 127


def _auc(hostile: Array, honest: Array) -> float:
    ranks = np.argsort(np.argsort(np.concatenate([hostile, honest]))) + 1.0
    return float((ranks[: len(hostile)].sum() - len(hostile) * (len(hostile) + 1) / 2) / (len(hostile) * len(honest)))


def _by_source(flagged: Array, family: Array) -> dict[str, Any]:
    rows = [
        (float(flagged[family == name].mean()), str(name), int((family == name).sum())) for name in np.unique(family)
    ]
    return {name: {"share": round(share, 4), "texts": count} for share, name, count in sorted(rows, reverse=True)}


def _write(kept: list[bytes], settings: dict[str, Any]) -> None:
    data = zlib.compress(b"".join(kept), 9)
    WEIGHTS.mkdir(exist_ok=True)
    (WEIGHTS / "ngrams.bin").write_bytes(data)
    described = {
        "sha256": hashlib.sha256(data).hexdigest(),
        "models": list(MODELS),
        "buckets": BUCKETS,
        "false_positives": FALSE_POSITIVES,
        "thresholds_from": "a fifth of the honest training texts, held out by hash, each source counting the same",
        "settings": settings,
    }
    (WEIGHTS / "ngrams.json").write_text(json.dumps(described, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    raise SystemExit(main())
