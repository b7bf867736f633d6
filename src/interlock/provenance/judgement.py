"""The labels of a tool, by the model of labels and by the rules together; in doubt the more dangerous.

The model weighs the marks of a definition (`features.py`); its weights were learned from labelled tools. Rules:

1. Harmless is only what both find so, or what the model is nearly sure of, with the description and without it: no
   text of a server makes a tool harmless whose name and arguments say otherwise.
2. Where the model hesitates between two dangerous classes, the worse one counts if the rules say so too.
3. A result is trusted if the rules say so and the model does not object, or if a tool that changes nothing is, for
   the model, surely about what its service itself asserts.
4. A definition whose description says nothing is left to the rules.
"""

import math
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from interlock.knowledge import ToolModel
from interlock.model.event import ToolDefinition
from interlock.provenance.features import Said, argument_marks, marks
from interlock.provenance.outputs import output_of
from interlock.provenance.sinks import UNKNOWN, WORST_FIRST, sink_of

HARMLESS = frozenset({"none", "read"})
OUTSIDE = frozenset({"send", "publish", "fetch", "money", UNKNOWN})
# How sure the model has to be that a tool is harmless: where the rules agree, where they do not, and without the
# description. Chosen by cross-validation by server, for no more than 1 % of dangerous tools taken for harmless.
AGREED, ALONE, UNDESCRIBED = 0.5, 0.9, 0.6
# Below the first the model hesitates; above the second a worse class is not out of the question.
HESITATES, POSSIBLE = 0.5, 0.2
# Where no word of a name is known, and the description does not make up for it.
UNHEARD = 0.35
# How likely outsiders write a result that counts as trusted: where the rules agree, and where they do not.
OUTSIDERS_AGREED, OUTSIDERS_ALONE = 0.1, 0.012
CONFIDENTIAL, LIKELY = 0.4, 0.5
# An argument is listed if it decides something with a third of the weight of that it does not.
UNLISTED = 3.0
MOST_REASONS = 3


class Judgement(NamedTuple):
    """What was found; `why` are the words that told the class."""

    sink: str
    untrusted: bool
    secret: bool
    open_world: bool
    reversible: bool
    kinds: dict[str, str]
    why: str


def judged(name: str, definition: ToolDefinition, said: Said, model: ToolModel) -> Judgement:
    """The labels of a tool whose description says something."""
    found = marks(name, definition, said)
    sink = _sink(found, sink_of(name, definition), model)
    untrusted, secret, open_world, reversible = _traits(found, sink, output_of(name, definition, sink), model)
    return Judgement(
        sink, untrusted, secret, open_world, reversible,
        kinds=kinds(said, sink, model),
        why=_why(found, sink, model),
    )  # fmt: skip


def _sum(found: Iterable[str], table: Mapping[str, tuple[int, ...]], size: int) -> list[float]:
    rows = [row for mark in found if (row := table.get(mark))]
    return [sum(column) / 100 for column in zip(*rows, strict=True)] if rows else [0.0] * size


def shares(weights: list[float]) -> list[float]:
    """Probabilities of answers of which exactly one is right."""
    top = max(weights)
    powers = [math.exp(weight - top) for weight in weights]
    whole = sum(powers)
    return [power / whole for power in powers]


def _chances(found: Iterable[str], model: ToolModel) -> dict[str, float]:
    weights = _sum(["bias", *found], model.sink, len(model.sinks))
    return dict(zip(model.sinks, shares(weights), strict=True))


def _harmless(chances: Mapping[str, float]) -> float:
    return sum(chances[sink] for sink in HARMLESS)


def _sink(found: list[str], rule: str, model: ToolModel) -> str:
    chances = _chances(found, model)
    worse = max((sink for sink in model.sinks if sink not in HARMLESS), key=chances.__getitem__)
    if rule in HARMLESS:
        harmless = _harmless(chances) >= AGREED
    else:
        bare = [mark for mark in found if not mark.startswith("d")]
        harmless = _harmless(chances) >= ALONE and _harmless(_chances(bare, model)) >= UNDESCRIBED
    if harmless:
        return max(sorted(HARMLESS), key=chances.__getitem__)
    if rule == UNKNOWN:
        return worse if chances[worse] >= UNHEARD else UNKNOWN
    hesitates = chances[worse] < HESITATES and chances[rule] >= POSSIBLE
    if hesitates and rule not in HARMLESS and WORST_FIRST.index(rule) < WORST_FIRST.index(worse):
        return rule
    return worse


def _traits(found: list[str], sink: str, rule: tuple[bool, bool], model: ToolModel) -> tuple[bool, bool, bool, bool]:
    marked = ["bias", *found, "k=" + sink, *(f"k={sink}&{mark}" for mark in found if mark.startswith(("o=", "do=")))]
    outsiders, confidential, outside, back = map(_chance, _sum(marked, model.traits, 4))
    if rule[0]:
        bare = [mark for mark in marked if not mark.startswith("d") and "&do=" not in mark]
        sure = sink in HARMLESS and _chance(_sum(bare, model.traits, 4)[0]) < OUTSIDERS_AGREED
        untrusted = not sure or outsiders >= OUTSIDERS_ALONE
    else:
        untrusted = outsiders >= OUTSIDERS_AGREED
    return untrusted, confidential >= CONFIDENTIAL, sink in OUTSIDE or outside >= LIKELY, back >= LIKELY


def _chance(weight: float) -> float:
    return 1 / (1 + math.exp(-max(-50.0, min(50.0, weight))))


def kinds(said: Said, sink: str, model: ToolModel) -> dict[str, str]:
    """What each argument of the schema decides; those that decide nothing are not listed."""
    out = {}
    for argument, found in argument_marks(said, sink):
        chances = shares(_sum(["bias", *found], model.arguments, len(model.kinds)))
        chances[0] /= UNLISTED
        best = max(range(len(chances)), key=chances.__getitem__)
        if best:
            out[argument] = model.kinds[best]
    return out


_PLACES = {"n": "name", "v": "name", "first": "name", "last": "name", "d": "description", "dv": "description"}
_PLACES |= {"a": "argument", "ak": "argument", "s": "choice"}


def _why(found: list[str], sink: str, model: ToolModel) -> str:
    """The marks that spoke most for the class, in words: `name: refund; argument: amount`."""
    if sink not in model.sinks:
        return ""
    at = model.sinks.index(sink)
    spoke: dict[str, float] = {}
    for mark in found:
        place, _, word = mark.partition("=")
        row = model.sink.get(mark)
        if row and word and place in _PLACES:
            key = f"{_PLACES[place]}: {word.replace('_', ' ')}"
            spoke[key] = spoke.get(key, 0.0) + row[at] - sum(row) / len(row)
    best = sorted((key for key, weight in spoke.items() if weight > 0), key=lambda key: -spoke[key])
    return "; ".join(best[:MOST_REASONS])
