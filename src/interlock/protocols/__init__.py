"""CATALOGUE of wire protocols: bytes <-> events, without I/O. One adapter for each protocol, never for a pair.

One file or package is one adapter. It holds its docstring and `ADAPTER`: its `Meta`, its routes, pure functions
for both directions, and three to six examples. What an adapter does not understand comes out as `Opaque`, or
the message is refused with `ProtocolError`; nothing is passed in silence. Bytes that nobody edits are
forwarded exactly as they came.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol, TypeAlias

from interlock.catalog import load
from interlock.model.event import Event, Media, Opaque, Path
from interlock.model.meta import Example, Meta
from interlock.protocols._json import decode as decode
from interlock.protocols._json import encode as encode
from interlock.protocols._json import named as named
from interlock.protocols._json import texts as texts
from interlock.protocols._json import values as values
from interlock.protocols._json import where as where
from interlock.protocols._routes import Pattern as Pattern
from interlock.protocols._routes import Target as Target
from interlock.protocols._sse import Events as Events

Document: TypeAlias = dict[str, Any]


class Request(NamedTuple):
    """A client's request, understood. `raw` is what is forwarded as long as nobody edits it.

    `asks` names what is asked for beside an answer and helps to copy a model: `logprobs`, `embeddings`.
    """

    raw: bytes
    document: Document
    model: str
    stream: bool
    events: tuple[Event, ...]
    asks: frozenset[str] = frozenset()


class Usage(NamedTuple):
    """Tokens as the model's server counts them; 0 where it does not say."""

    tokens_in: int = 0
    tokens_out: int = 0


class Answer(NamedTuple):
    """A model's whole answer, understood. Its `events` are Text and Media, ToolCall and Opaque.

    The channel of a text is OUTPUT, or PARAMETER if it only repeats what the client has sent.
    """

    raw: bytes
    document: Document
    model: str
    events: tuple[Event, ...]
    usage: Usage


class TextDelta(NamedTuple):
    """A piece of text. `stream` tells texts apart that grow side by side, such as ("content", choice 0).

    `again`: it is no new piece; the protocol says the whole text once more. Then nothing may be added to it. `echo`:
    the client's own text, which the answer repeats. `joined` names the text that clients make of several streams of
    a choice, one behind the other: the text of all its blocks.
    """

    stream: tuple[str, int]
    text: str
    again: bool = False
    echo: bool = False
    joined: str = ""


@dataclass(frozen=True, slots=True)
class CallDelta:
    """A piece of the tool call `index` of `choice`; id and name come with its first piece.

    `kind` is which of its fields holds the arguments; `numbered`, whether the wire gave the index. `again`: the
    protocol says the whole call once more; nothing may be added to it. A frame without a piece of a call's arguments
    that belongs to it all the same (its end, say) gives one with none.
    """

    choice: int
    index: int
    call_id: str
    name: str
    arguments: str
    kind: str = "function"
    numbered: bool = True
    again: bool = False


class Finish(NamedTuple):
    """A choice is complete: all its texts and calls are."""

    choice: int


Delta: TypeAlias = TextDelta | CallDelta | Finish | Media | Opaque


class Frame(NamedTuple):
    """One whole event of a stream: its bytes, and what they mean. `done` is the protocol's end mark.

    `last`: the answer is complete with it, though the protocol has no end mark, and more may follow that says nothing.
    `error` marks an error that the model's server reports in the stream. `usage` is all that is known so far.
    """

    raw: bytes
    document: Document | None = None
    deltas: tuple[Delta, ...] = ()
    usage: Usage | None = None
    model: str = ""
    done: bool = False
    error: bool = False
    last: bool = False


class Reader(Protocol):
    """Cuts a stream into frames. Holds at most one unfinished frame, of bounded size."""

    def feed(self, data: bytes) -> list[Frame]:
        """The frames that `data` completes. Raises: ProtocolError."""
        ...

    def end(self) -> None:
        """The stream is over. Raises: ProtocolError if it ended inside a frame, or before its end mark."""
        ...


@dataclass(frozen=True, slots=True)
class AnswerEdit:
    """What is to be changed in a whole answer: texts by path, and tool calls by path.

    `refused` calls are taken out; each has the sentence that says so, and `notice` is one for all of them: an adapter
    says either. `arguments` replace a call's arguments. `stripped` takes out what is named so in `Request.asks`.
    """

    texts: Mapping[Path, str] = field(default_factory=dict)
    refused: Mapping[Path, str] = field(default_factory=dict)
    notice: str = ""
    arguments: Mapping[Path, str] = field(default_factory=dict)
    stripped: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class FrameEdit:
    """What is to be changed in a frame of a stream; the same value comes with every frame that it concerns.

    `texts` replace a text delta by its stream. `calls` give the new index of each (choice, index), None to
    take it out. `notices` are sentences to say in a choice, `emptied` the choices with no call left. `told` is the
    sentence for each call that is taken out: an adapter says either that in the call's place or the notice.
    `arguments` replace a piece of a call's arguments in this frame; `stripped` takes out what is named so in `asks`.
    """

    texts: Mapping[tuple[str, int], str] = field(default_factory=dict)
    calls: Mapping[tuple[int, int], int | None] = field(default_factory=dict)
    notices: Mapping[int, str] = field(default_factory=dict)
    emptied: frozenset[int] = frozenset()
    told: Mapping[tuple[int, int], str] = field(default_factory=dict)
    arguments: Mapping[tuple[int, int], str] = field(default_factory=dict)
    stripped: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Wire:
    """An example's bytes: a `request`, a whole `answer`, or an answer as a `stream`.

    `path` is where a request goes, with its query; empty for the adapter's first route.
    """

    kind: str
    data: bytes
    path: str = ""


@dataclass(frozen=True, slots=True)
class Credential:
    """The header in which a protocol carries a key: its name in lower case, and what stands before the key."""

    header: bytes
    prefix: bytes = b""


BEARER = Credential(b"authorization", b"Bearer ")


@dataclass(frozen=True, slots=True)
class Adapter:
    """An entry of this room.

    `routes` are the paths as the SDKs write them, with names in braces: `/model/{model}/converse`. `base` is what of
    them an upstream's own address stands for: `https://host/some/v1` for `/v1` in the OpenAI protocols. `query` names
    the parameters that may follow, `headers` the request headers that an upstream needs. `credential` is None where
    the upstream's key goes into the header in which the client shows its own. `stream_type` is the media type of a
    streamed answer. `request`, `answer` and `reader` raise ProtocolError on what the protocol does not
    allow, and nothing else. `edit_request` replaces texts, and arguments of calls, by the paths of their events.
    `error` is the body of an error in the protocol's own shape (status, code, message); `stream_error` the same as
    bytes of a stream. Examples give bytes and expect the events, written short: `user:hello`, `call:pay({"to":"x"})`.
    """

    meta: Meta
    routes: tuple[str, ...]
    request: Callable[[bytes, Target], Request]
    answer: Callable[[bytes], Answer]
    reader: Callable[[], Reader]
    edit_request: Callable[[Request, Mapping[Path, str]], bytes]
    edit_answer: Callable[[Answer, AnswerEdit], bytes]
    edit_frame: Callable[[Frame, FrameEdit], bytes]
    error: Callable[[int, str, str], bytes]
    stream_error: Callable[[str, str], bytes]
    examples: tuple[Example[Wire, tuple[str, ...]], ...]
    base: str = ""
    query: frozenset[str] = frozenset()
    headers: tuple[bytes, ...] = ()
    credential: Credential | None = BEARER
    method: bytes = b"POST"
    stream_type: bytes = b"text/event-stream"

    def target(self, path: str) -> Target | None:
        """What a path with its query asks of this protocol; None if it is none of its routes.

        Raises: ProtocolError for a query that the protocol does not know.
        """
        if path in self.routes:
            return Target(path)
        for route in self.routes:
            if target := Pattern(route).match(path, self.query):
                return target
        return None


def adapters() -> Mapping[str, Adapter]:
    """Every adapter by id."""
    return load("protocols", "ADAPTER", Adapter)
