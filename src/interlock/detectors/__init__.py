"""CATALOGUE of detectors: text -> signals with exact spans and a score. Pure, bounded, linear in length.

One file is one detector. It holds its docstring, and `DETECTOR`: its `Meta`, the channels it reads, the RE2
expressions without one of which it cannot have anything to say, one pure function, the longest match it can
make, and three to six examples. `Engine` runs all of them in one pass, over the text and over its views: what
it says to whoever folds its letters and decodes it.
"""

from collections.abc import Mapping

from interlock.catalog import load
from interlock.detectors._engine import Engine as Engine
from interlock.detectors._engine import Finding as Finding
from interlock.detectors._entry import Detector as Detector
from interlock.detectors._views import PLAIN as PLAIN
from interlock.detectors._views import WORDS as WORDS
from interlock.detectors._views import Form as Form


def detectors() -> Mapping[str, Detector]:
    """Every detector by id."""
    return load("detectors", "DETECTOR", Detector)
