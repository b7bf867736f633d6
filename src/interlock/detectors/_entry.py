"""The type of an entry of this room."""

from collections.abc import Callable
from dataclasses import dataclass

from interlock.detectors._views import PLAIN, Form
from interlock.model.event import Channel, Signal
from interlock.model.meta import Example, Meta


@dataclass(frozen=True, slots=True)
class Detector:
    """An entry of this room.

    `marks` are RE2 expressions: a text that matches none of them has no signal, so `detect` is not called.
    `reach` is the longest match in characters. `pending` gives, for a text that may go on, the smallest index
    at which a match could have begun that the end cuts off (the text's length if there is none): a stream
    releases nothing from there on, nor looks back further than `reach`. `rules` are all that its signals can name,
    where settings may name one of them. `looks_back`: it reads more than one
    character before a match, so that `pending` also keeps what a match behind it would look for. Examples give
    (channel, text) and expect the flagged pieces. `reads`: it is also given texts of which these forms are undone, and
    what it finds there is reported at the place in the original that says so.
    """

    meta: Meta
    channels: frozenset[Channel]
    marks: tuple[str, ...]
    detect: Callable[[str], tuple[Signal, ...]]
    reach: int
    pending: Callable[[str], int]
    examples: tuple[Example[tuple[Channel, str], tuple[str, ...]], ...]
    looks_back: bool = False
    rules: frozenset[str] = frozenset()
    reads: frozenset[Form] = PLAIN
