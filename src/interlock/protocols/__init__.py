"""CATALOGUE of wire protocols: bytes <-> events, without I/O. One adapter for each protocol, never for a pair.

One file is one adapter. It holds its docstring and `ADAPTER`: its `Meta`, its routes, pure functions for
both directions, and three to six examples. What an adapter does not understand comes out as `Opaque`, or
the message is refused with `ProtocolError`; nothing is passed in silence. Bytes that nobody edits are
forwarded exactly as they came.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol, TypeAlias

from interlock.catalog import load
from interlock.model.event import Event, Opaque, Path
from interlock.model.meta import Example, Meta
from interlock.protocols._json import decode as decode
from interlock.protocols._json import encode as encode
from interlock.protocols._json import named as named
from interlock.protocols._json import texts as texts

Document: TypeAlias = dict[str, Any]


class Request(NamedTuple):
    """A client's request, understood. `raw` is what is forwarded as long as nobody edits it."""

    raw: bytes
    document: Document
    model: str
    stream: bool
    events: tuple[Event, ...]


class Usage(NamedTuple):
    """Tokens as the model's server counts them; 0 where it does not say."""

    tokens_in: int = 0
    tokens_out: int = 0


class Answer(NamedTuple):
    """A model's whole answer, understood. Its `events` are Text (channel OUTPUT), ToolCall and Opaque."""

    raw: bytes
    document: Document
    model: str
    events: tuple[Event, ...]
    usage: Usage


class TextDelta(NamedTuple):
    """A piece of text. `stream` tells texts apart that grow side by side, such as ("content", choice 0)."""

    stream: tuple[str, int]
    text: str


@dataclass(frozen=True, slots=True)
class CallDelta:
    """A piece of the tool call `index` of `choice`; id and name come with its first piece.

    `kind` is which of its fields holds the arguments; `numbered`, whether the wire gave the index.
    """

    choice: int
    index: int
    call_id: str
    name: str
    arguments: str
    kind: str = "function"
    numbered: bool = True


class Finish(NamedTuple):
    """A choice is complete: all its texts and calls are."""

    choice: int


Delta: TypeAlias = TextDelta | CallDelta | Finish | Opaque


class Frame(NamedTuple):
    """One whole event of a stream: its bytes, and what they mean. `done` is the protocol's end mark.

    `error` marks an error that the model's server reports in the stream.
    """

    raw: bytes
    document: Document | None = None
    deltas: tuple[Delta, ...] = ()
    usage: Usage | None = None
    model: str = ""
    done: bool = False
    error: bool = False


class Reader(Protocol):
    """Cuts a stream into frames. Holds at most one unfinished frame, of bounded size."""

    def feed(self, data: bytes) -> list[Frame]:
        """The frames that `data` completes. Raises: ProtocolError."""
        ...

    def end(self) -> None:
        """The stream is over. Raises: ProtocolError if it ended inside a frame."""
        ...


@dataclass(frozen=True, slots=True)
class AnswerEdit:
    """What is to be changed in a whole answer: texts by path, and calls (by path) that are taken out.

    `notice` is the sentence that stands in for the calls that were taken out.
    """

    texts: Mapping[Path, str] = field(default_factory=dict)
    refused: frozenset[Path] = frozenset()
    notice: str = ""


@dataclass(frozen=True, slots=True)
class FrameEdit:
    """What is to be changed in a frame of a stream.

    `texts` replace a text delta by its stream. `calls` give the new index of each (choice, index), None to
    take it out. `notices` are sentences to say in a choice, `emptied` the choices with no call left.
    """

    texts: Mapping[tuple[str, int], str] = field(default_factory=dict)
    calls: Mapping[tuple[int, int], int | None] = field(default_factory=dict)
    notices: Mapping[int, str] = field(default_factory=dict)
    emptied: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Wire:
    """An example's bytes: a `request`, a whole `answer`, or an answer as a `stream`."""

    kind: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Adapter:
    """An entry of this room.

    `route` is the path below the upstream's base address. `request`, `answer` and `reader` raise
    ProtocolError on what the protocol does not allow, and nothing else. `error` is the body of an error in
    the protocol's own shape (status, code, message); `stream_error` the same as bytes of a stream.
    Examples give bytes and expect the events, written short: `user:hello`, `call:pay({"to":"x"})`.
    """

    meta: Meta
    route: str
    request: Callable[[bytes], Request]
    answer: Callable[[bytes], Answer]
    reader: Callable[[], Reader]
    edit_answer: Callable[[Answer, AnswerEdit], bytes]
    edit_frame: Callable[[Frame, FrameEdit], bytes]
    error: Callable[[int, str, str], bytes]
    stream_error: Callable[[str, str], bytes]
    examples: tuple[Example[Wire, tuple[str, ...]], ...]


def adapters() -> Mapping[str, Adapter]:
    """Every adapter by id."""
    return load("protocols", "ADAPTER", Adapter)
