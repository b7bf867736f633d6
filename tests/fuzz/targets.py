"""What is fuzzed, and what must hold: one function for each adapter and direction, and for HTTP on both sides.

The first bytes of an input choose what is not bytes of the wire: the path, where a stream is cut, which rules hold.
"""

import json
import random
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache, partial
from typing import Any

from interlock.gateway.encodings import COVERED, Decoder
from interlock.gateway.reading import HttpRequest, RefusedError, RequestReader
from interlock.gateway.settings import GatewaySettings
from interlock.gateway.upstream import UpstreamConnection
from interlock.gateway.waiting import Answering
from interlock.guard import Forward, Head, Rules
from interlock.guard.hiding import _can_change
from interlock.model.errors import ProtocolError, UpstreamError
from interlock.model.event import Channel, Event, Text, ToolCall
from interlock.model.record import Verdict
from interlock.protocols import Adapter, AnswerEdit, Frame, adapters
from tests.guard.play import make_rules, play

# Bytes before those of the wire.
CHOICE = 4
MOST_CUTS = 6
SETTINGS = GatewaySettings(max_body_bytes=1_000_000)
NO_CALLS = '@id("no-calls") forbid (principal, action == Action::"callTool", resource);'


@dataclass(frozen=True, slots=True)
class Fuzzed:
    """One target. `check` raises whatever is no honest refusal; `kind` is what the bytes are, for the mutator."""

    name: str
    check: Callable[[bytes], None]
    seeds: tuple[bytes, ...]
    kind: str


def cut(data: bytes) -> list[bytes]:
    """The bytes behind the choice, in pieces that the choice says."""
    choose, wire = random.Random(data[:CHOICE]), data[CHOICE:]
    at = sorted(choose.randrange(len(wire) + 1) for _ in range(choose.randrange(MOST_CUTS)))
    return [wire[a:b] for a, b in zip([0, *at], [*at, len(wire)], strict=True)]


# --- adapters --------------------------------------------------------------------------------------------------


def paths(adapter: Adapter) -> list[str]:
    """Paths of an adapter, those of its examples first."""
    given = [case.given.path for case in adapter.examples if case.given.kind == "request" and case.given.path]
    plain = [route.replace("{version}", "v1beta").replace("{", "").replace("}", "") for route in adapter.routes]
    return list(dict.fromkeys([*given, *plain]))


def check_request(adapter: Adapter, data: bytes) -> None:
    """A request is refused, or read; it stays as it is unless it is edited, and is readable and edited then."""
    known = paths(adapter)
    target = adapter.target(known[int.from_bytes(data[:CHOICE]) % len(known)])
    assert target
    body = data[CHOICE:]
    try:
        request = adapter.request(body, target)
        # But for the model that a body names beside a deployment in the path.
        assert request.raw == body or json.loads(body)["model"] != request.model == target.fields["model"]
        assert all(isinstance(event, Event) for event in request.events)
        can_change = [event for event in request.events if _can_change(event, request.document)]
        edits = {event.path: _edited(number, event) for number, event in enumerate(can_change)}
        changed = adapter.edit_request(request, edits)
    except ProtocolError:
        return
    said = "\n".join(event.text for event in adapter.request(changed, target).events if isinstance(event, Text))
    assert all(text in said for text in edits.values() if text.startswith("edited")), "an edit is lost"


def _edited(number: int, event: Event) -> str:
    """What to put in the place of an event: JSON in that of JSON, as the guard does."""
    quoted = isinstance(event, ToolCall) or (isinstance(event, Text) and event.text.lstrip()[:1] in ("{", "["))
    return f'{{"edited":{number}}}' if quoted else f"edited {number}"


def check_answer(adapter: Adapter, data: bytes) -> None:
    """An answer is refused, or read; with a call refused and the rest edited it can be read again, without the call."""
    body = data[CHOICE:]
    try:
        answer = adapter.answer(body)
        assert answer.raw == body
        calls = [event for event in answer.events if isinstance(event, ToolCall)]
        spoken = [e for e in answer.events if isinstance(e, Text) and e.channel is Channel.OUTPUT]
        texts = {event.path: _edited(number, event) for number, event in enumerate(spoken)}
        refused = {call.path: "no such call" for call in calls[: data[0] % 3]}
        arguments = {call.path: '{"edited":1}' for call in calls if call.path not in refused}
        edit = AnswerEdit(texts, refused, "no such call" * bool(refused), arguments)
        changed = adapter.edit_answer(answer, edit)
    except ProtocolError:
        return
    again = adapter.answer(changed).events
    assert sum(isinstance(event, ToolCall) for event in again) == len(calls) - len(refused)
    # An edit may take more away than it was told to (the tokens of a text that changed), and leaves nothing as it was.
    left = {(event.path, event.text) for event in again if isinstance(event, Text) and event.text}
    assert not left & {(event.path, event.text) for event in spoken}, "an edit is lost"


def frames(adapter: Adapter, parts: list[bytes]) -> list[Frame] | None:
    """The frames of a stream; None if it is refused."""
    reader = adapter.reader()
    try:
        found = [frame for part in parts for frame in reader.feed(part)]
        reader.end()
    except ProtocolError:
        return None
    return found


def check_stream(adapter: Adapter, data: bytes) -> None:
    """A stream is refused, or read; the same in any cut; its frames are its bytes."""
    pieces = cut(data)
    whole = frames(adapter, [data[CHOICE:]])
    assert frames(adapter, pieces) == whole
    if whole is not None:
        assert b"".join(frame.raw for frame in whole) == data[CHOICE:]


@cache
def rules() -> tuple[Rules, ...]:
    """The bundled rules, and the same with every call refused."""
    return make_rules(), make_rules(NO_CALLS)


def asking(adapter: Adapter) -> tuple[str, bytes] | None:
    """(path, body) of an example that the rules let through; None if it has none."""
    for case in adapter.examples:
        if case.given.kind == "request":
            path = case.given.path or adapter.routes[0]
            played = play(case.given.data, Head(500, streamed=False), b"", rules=rules()[0], adapter=adapter, path=path)
            if any(isinstance(command, Forward) for command in played.commands):
                return path, case.given.data
    return None


def check_exchange(adapter: Adapter, asked: tuple[str, bytes], data: bytes) -> None:
    """Whatever a model answers, whole or streamed: the exchange ends with a record; what goes out can be read."""
    streamed = data[0] % 2 == 1
    answer = [piece for piece in cut(data) if piece] + [None] if streamed else [data[CHOICE:]]
    path, body = asked
    played = play(
        body, Head(200, streamed=streamed), *answer, rules=rules()[data[1] % 2], adapter=adapter, path=path
    )  # fmt: skip
    last = played.records[-1]
    assert last.kind.value == "answer"
    if last.verdict is Verdict.FAILED:
        return
    if streamed:
        out = frames(adapter, [played.sent])
        assert out is not None
        calls = any(getattr(delta, "name", "") for frame in out for delta in frame.deltas)
    else:
        calls = any(isinstance(event, ToolCall) for event in adapter.answer(played.sent).events)
    assert not (calls and data[1] % 2), "a call went out that was refused"


# --- HTTP --------------------------------------------------------------------------------------------------------


@dataclass
class Taken:
    """Takes what the reader of requests reads."""

    requests: list[tuple[HttpRequest, bool]] = field(default_factory=list)

    def on_phase(self, phase: str) -> None:
        assert phase in ("header", "body", "idle")

    def on_expect(self) -> None:
        pass

    def on_request(self, request: HttpRequest, *, last: bool) -> None:
        assert len(request.body) <= SETTINGS.max_body_bytes
        self.requests.append((request, last))


def requests_of(parts: list[bytes]) -> tuple[list[tuple[HttpRequest, bool]], int]:
    """The requests in some bytes, and the status of the refusal that ends them; 0 if there is none."""
    taken = Taken()
    reader = RequestReader(taken, SETTINGS)
    for part in parts:
        try:
            if reader.feed(part) is not None:
                return taken.requests, -1
        except RefusedError as error:
            return taken.requests, error.status
        if taken.requests and taken.requests[-1][1]:
            break  # a connection reads no further
    return taken.requests, 0


def check_client(data: bytes) -> None:
    """Bytes of a client are requests or refused, the same in any cut."""
    whole, refused = requests_of([data[CHOICE:]])
    pieces, refused_in_pieces = requests_of(cut(data))
    assert pieces == whole
    if not (whole and whole[-1][1]):
        assert refused_in_pieces == refused
    for request, _ in whole:
        assert "\n" not in request.target
        assert all(b"\n" not in name + value and b"\r" not in name + value for name, value in request.headers.items())


class Transport:
    """A transport that goes nowhere."""

    def __init__(self) -> None:
        self.closed = False
        self.socket = _silent()[0]

    def get_extra_info(self, name: str) -> Any:
        assert name == "socket"
        return self.socket

    def write(self, data: bytes) -> None:
        pass

    def is_closing(self) -> bool:
        return self.closed

    def is_reading(self) -> bool:
        return True

    def pause_reading(self) -> None:
        pass

    def get_write_buffer_size(self) -> int:
        return 0

    def abort(self) -> None:
        self.closed = True


@cache
def _silent() -> tuple[socket.socket, socket.socket]:
    """Sockets on which nothing is said."""
    return socket.socketpair()


class FakePool:
    """As much of a pool as a connection sees."""

    name = "model"
    settings = SETTINGS

    def forget(self, connection: UpstreamConnection) -> None:
        pass

    def stream_deadline(self) -> float:
        return 1.0


@dataclass
class Waiting:
    """Waits for an answer, and takes what comes."""

    connection: UpstreamConnection
    status: int = 0
    body: bytes = b""
    error: str = ""
    ended: bool = False

    def connected(self, connection: Answering) -> bool:
        return connection is self.connection

    def on_head(self, head: Head, headers: list[tuple[bytes, bytes]]) -> None:
        assert not self.status
        assert headers is not None
        self.status = head.status

    def on_data(self) -> None:
        assert self.status
        while data := self.connection.take():
            self.body += data
        self.ended = data is None

    def on_error(self, error: UpstreamError) -> None:
        assert not self.error
        assert not self.ended
        self.error = error.brief


def answer_of(parts: list[bytes]) -> tuple[int, bytes] | None:
    """(status, body) of what an upstream says before it closes; None if that is an error."""
    connection = UpstreamConnection(FakePool())  # type: ignore[arg-type]
    transport, waiting = Transport(), Waiting(connection)
    connection.connection_made(transport)  # type: ignore[arg-type]
    connection.send(b"", b"text/event-stream", waiting, 1.0)
    for part in parts:
        if not transport.closed:
            connection.data_received(part)
    connection.connection_lost(None)
    assert bool(waiting.error) != waiting.ended
    return None if waiting.error else (waiting.status, waiting.body)


def check_upstream(data: bytes) -> None:
    """Bytes of an upstream are an answer or an error, the same in any cut."""
    assert answer_of(cut(data)) == answer_of([data[CHOICE:]])


def check_encoding(data: bytes) -> None:
    """A body in any encoding is decoded or refused, the same in any cut, and never more than is allowed."""

    def decoded(parts: list[bytes]) -> bytes | None:
        decoder = Decoder(COVERED[data[0] % len(COVERED)].encode(), 100_000)
        try:
            out = b"".join(piece for part in parts for piece in decoder.feed(part))
            decoder.end()
        except ProtocolError:
            return None
        assert len(out) <= 100_000
        return out

    assert decoded(cut(data)) == decoded([data[CHOICE:]])


# --- all of it -----------------------------------------------------------------------------------------------------

HTTP_SEEDS = (
    b"POST /openai/v1/chat/completions HTTP/1.1\r\nHost: g\r\nContent-Length: 2\r\n\r\n{}GET / HTTP/1.0\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: g\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n2;a=b\r\n{}\r\n0\r\n\r\n",
    b"CONNECT g:443 HTTP/1.1\r\nHost: g:443\r\n\r\n",
)
EVENTS = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
ANSWER_SEEDS = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}",
    b"HTTP/1.1 103 Early\r\n\r\n" + EVENTS + b"9\r\ndata: x\n\n\r\n0\r\n\r\n",
    b"HTTP/1.0 503 No\r\nConnection: close\r\n\r\nnot now",
)
ENCODED_SEEDS = (
    bytes.fromhex("1f8b0800000000000003ab56ca48cdc9c95700d1b500d33f4f620b000000"),
    bytes.fromhex("789cab56ca48cdc9c95700d1b5001a5b0403"),
    bytes.fromhex("0b058068656c6c6f2068656c6c6f03"),
    bytes.fromhex("28b52ffd200b59000068656c6c6f2068656c6c6f"),
)


def targets() -> dict[str, Fuzzed]:
    """Every target by name."""
    return {target.name: target for target in (*_of_adapters(), *_of_http())}


def _of_adapters() -> Iterator[Fuzzed]:
    checks = {"request": check_request, "answer": check_answer, "stream": check_stream}
    for name, adapter in adapters().items():
        for kind, check in checks.items():
            seeds = tuple(bytes(CHOICE) + case.given.data for case in adapter.examples if case.given.kind == kind)
            shape = adapter.stream_type.decode() if kind == "stream" else "json"
            yield Fuzzed(f"{name}-{kind}", partial(check, adapter), seeds, shape)
        if asked := asking(adapter):
            seeds = tuple(
                bytes([case.given.kind == "stream", n, 0, 0]) + case.given.data
                for case in adapter.examples
                for n in (0, 1)
                if case.given.kind != "request"
            )
            yield Fuzzed(
                f"{name}-exchange", partial(check_exchange, adapter, asked), seeds, adapter.stream_type.decode()
            )


def _of_http() -> Iterator[Fuzzed]:
    start = bytes(CHOICE)
    yield Fuzzed("http-client", check_client, tuple(start + seed for seed in HTTP_SEEDS), "http")
    yield Fuzzed("http-upstream", check_upstream, tuple(start + seed for seed in ANSWER_SEEDS), "http")
    encoded = tuple(bytes([n, 0, 0, 0]) + seed for n, seed in enumerate(ENCODED_SEEDS))
    yield Fuzzed("http-encodings", check_encoding, encoded, "binary")
