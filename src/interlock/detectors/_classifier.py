"""The trained n-gram models: weights that are checked when they are read, and a threshold for each channel.

`_weights/ngrams.bin` holds the weights, `ngrams.json` their hash and what they were calibrated to; both are written by
`training`. A file that is not what it was shipped as is refused: a model that was changed tells what its changer wants.
"""

import hashlib
import math
import zlib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import msgspec
import numpy as np
from numpy.typing import NDArray

from interlock.detectors._ngrams import BUCKETS, STRIDE, WINDOW, scores
from interlock.model.errors import CatalogError
from interlock.model.event import Signal, Span

FOLDER = "_weights"
REACH = WINDOW
# Any text may have something to say: no expression tells beforehand.
MARKS = (r"\S",)


class Settings(msgspec.Struct, frozen=True):
    """What one model's scores mean: units of its weights, and for each group a threshold and Platt's two numbers."""

    scale: float
    thresholds: dict[str, float]
    calibration: dict[str, tuple[float, float]]


class Described(msgspec.Struct, frozen=True):
    """`ngrams.json`."""

    sha256: str
    models: tuple[str, ...]
    buckets: int
    false_positives: float
    thresholds_from: str
    settings: dict[str, Settings]


@dataclass(frozen=True, slots=True)
class Classifier:
    """One model at the threshold of one group: what is suspicious in a text, window by window."""

    weights: NDArray[np.int8]
    scale: float
    threshold: float
    calibration: tuple[float, float]

    def detect(self, text: str, detector: str, rule: str) -> tuple[Signal, ...]:
        """The suspicious windows that do not overlap, from the left, with their probability."""
        if not text:
            return ()
        starts, ends, raw = scores(text, self.weights)
        found = raw * self.scale
        signals: list[Signal] = []
        done = 0
        for number in np.flatnonzero(found >= self.threshold):
            start, end = int(starts[number]), int(ends[number])
            if start >= done:
                signals.append(Signal(detector, rule, self._probability(float(found[number])), Span(start, end)))
                done = end
        return tuple(signals)

    def _probability(self, score: float) -> int:
        slope, offset = self.calibration
        return max(1, min(999, round(1000 / (1 + math.exp(-max(-30.0, min(30.0, slope * score + offset)))))))


def pending(text: str) -> int:
    """Where the first window begins that more text would change."""
    return max(0, -((WINDOW - len(text)) // STRIDE) * STRIDE) if len(text) > WINDOW else 0


@cache
def classifier(model: str, group: str) -> Classifier:
    """A model at the threshold of a group. Raises: CatalogError if its file is missing or not what was shipped."""
    described, data = _files()
    settings = described.settings[model]
    number = described.models.index(model)
    weights = np.frombuffer(data, np.int8, BUCKETS, number * BUCKETS)
    return Classifier(weights, settings.scale, settings.thresholds[group], settings.calibration[group])


@cache
def _files() -> tuple[Described, bytes]:
    folder = files("interlock.detectors").joinpath(FOLDER)
    try:
        return verified(folder.joinpath("ngrams.json").read_bytes(), folder.joinpath("ngrams.bin").read_bytes())
    except OSError as error:
        raise CatalogError(f"cannot read the weights: {error}", where=FOLDER, hint=REINSTALL) from error


REINSTALL = "install interlock again; nothing may be put in place of its weights"


def verified(description: bytes, data: bytes) -> tuple[Described, bytes]:
    """What describes the weights, and the weights. Raises: CatalogError if they are not the ones described."""
    try:
        described = msgspec.json.decode(description, type=Described)
    except msgspec.DecodeError as error:
        raise CatalogError(f"the weights' description is broken: {error}", where=FOLDER, hint=REINSTALL) from error
    said = hashlib.sha256(data).hexdigest()
    if said != described.sha256 or described.buckets != BUCKETS:
        raise CatalogError(f"the weights are not the ones described: {said}", where=FOLDER, hint=REINSTALL)
    return described, zlib.decompress(data)
