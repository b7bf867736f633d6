"""Performs what the guard asks for one exchange, without a task: each thing that happens moves it on."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Generator
from enum import Enum, auto
from typing import TYPE_CHECKING, Any

from interlock.gateway.failover import Turn
from interlock.gateway.http import ClientConnection
from interlock.gateway.routes import Route
from interlock.gateway.waiting import Answering, Replying
from interlock.guard import (
    Begin,
    Claim,
    ClientGoneError,
    Emit,
    Exchange,
    Forward,
    Head,
    Note,
    Petition,
    Read,
    Reply,
    Told,
)
from interlock.model.errors import AuditError, UpstreamError
from interlock.model.record import Record

if TYPE_CHECKING:
    from interlock.gateway.server import Gateway

# Headers of an upstream's answer that a client can use; nothing else of them is passed on.
PASSED_ON = frozenset(
    b"x-request-id request-id x-amzn-requestid apim-request-id retry-after retry-after-ms openai-processing-ms "
    b"openai-version".split()
)
FAMILIES = (b"x-ratelimit-", b"anthropic-ratelimit-", b"x-amzn-bedrock-")


WAIT = object()
"""What `Performer.perform` gives when the exchange goes on later."""


class Wait(Enum):
    """What has to happen before the exchange can go on."""

    NOTHING = auto()
    HEAD = auto()
    DATA = auto()
    CLIENT = auto()
    DISK = auto()
    OTHER = auto()
    DESK = auto()


class Performer(ABC):
    """One exchange under way; there is a kind of it for each kind of peer, which does what only that peer needs.

    Rules: it never decides; what happens while something else is waited for waits as well; a record that cannot be
    written ends the exchange with 503, and a fault of interlock's own with 500; when it is over, the upstream's
    connection has been given back and the exchange has run to its end.
    """

    stream_type = b"text/event-stream"

    def __init__(
        self, gateway: "Gateway", client: Replying, exchange: Generator[Any, Any, None], upstream: str
    ) -> None:
        self._gateway = gateway
        self._client = client
        self._exchange = exchange
        self._upstream = upstream
        self._connection: Answering | None = None
        self._failed: UpstreamError | None = None
        self._answer_headers = b""
        self._whole = True
        self._wait = Wait.NOTHING
        self._streaming = self._replied = self._over = False
        self._noted: Record | None = None

    def start(self) -> None:
        """Begin."""
        self._client.on_gone = self._client_gone
        self._client.on_writable = self._client_writable
        self._go(None)

    def stop(self, why: UpstreamError | None = None) -> None:
        """What still waits for the model is ended, and the client is told so: `why`, else that the gateway stops."""
        if self._wait in (Wait.HEAD, Wait.DATA, Wait.OTHER):
            stopped = UpstreamError("was left, because interlock stops", where=self._upstream, status=503)
            self._throw(why or stopped)

    def prove(self) -> None:  # noqa: B027 - exchanges with models go on to their end
        """End it if its caller's credential does not hold any more, where that is to be."""

    # --- what happens on the wire ------------------------------------------------------------------------

    def connected(self, connection: Answering) -> bool:
        """There is a connection to the upstream; whether it is still wanted."""
        if not self._over:
            self._connection = connection
        return not self._over

    def on_head(self, head: Head, headers: list[tuple[bytes, bytes]]) -> None:
        """The upstream's answer has begun."""
        assert self._wait is Wait.HEAD
        self._whole = not head.streamed
        self._go(self.begun(head, headers))

    @abstractmethod
    def begun(self, head: Head, headers: list[tuple[bytes, bytes]]) -> object:
        """What the guard is told of an answer that has begun."""

    def on_data(self) -> None:
        """More of the answer has come."""
        if self._wait is Wait.DATA and (told := self._read()) is not WAIT:
            self._go(told)

    def on_error(self, error: UpstreamError) -> None:
        """The upstream failed."""
        self._connection, self._failed = None, error
        if self._wait in (Wait.HEAD, Wait.DATA):
            self._throw(error)

    def durable(self, error: Exception | None) -> None:
        """The record that was waited for is on the disk, or could not be written."""
        if self._wait is not Wait.DISK:
            return
        if error:
            self._give_up(error)
        else:
            self._go(None)

    def claimed(self, there: bool) -> None:
        """Whether an approval was there to use."""
        if self._wait is Wait.DESK:
            self._go(there)

    def _client_gone(self) -> None:
        self._throw(ClientGoneError())

    def _client_writable(self) -> None:
        if self._wait is Wait.CLIENT:
            self._go(None)

    # --- what the guard asks -----------------------------------------------------------------------------

    def _go(self, told: object) -> None:
        self._advance(lambda: self._tell(told))

    def _throw(self, error: Exception) -> None:
        self._advance(lambda: self._exchange.throw(error))

    def _tell(self, told: object) -> object:
        if isinstance(told, UpstreamError):
            return self._exchange.throw(told)
        return self._exchange.send(told)

    def _advance(self, step: Callable[[], object]) -> None:
        """Go on with `step` until the exchange has to wait, or is over."""
        if self._over:
            return
        self._wait = Wait.NOTHING
        try:
            command = step()
            while (told := self.perform(command)) is not WAIT:
                command = self._tell(told)
        except (StopIteration, ClientGoneError):
            self._finish()
        except Exception as error:  # noqa: BLE001 - the process's edge: a fault ends this exchange and no other
            self._give_up(error)

    def perform(self, command: object) -> object:
        """Do it; what the guard is told (an UpstreamError is thrown), or `WAIT` if that comes later."""
        match command:
            case Note(record=record, durable=durable):
                number = self._gateway.log.append(record)
                self._noted = record
                if durable:
                    self._wait = Wait.DISK
                    self._gateway.when_durable(number, self)
                    return WAIT
                return None
            case Petition(approval=approval):
                assert self._gateway.desk
                self._gateway.desk.petition(approval)
                return None
            case Claim(id=id_):
                assert self._gateway.desk
                self._wait = Wait.DESK
                self._gateway.desk.claim(id_, self.claimed)
                return WAIT
            case Read():
                return self._read()
            case Begin():
                self._streaming = True
                self._client.begin_stream(self.stream_type, self._answer_headers)
                return None
            case Emit(data=data):
                self._client.write(data)
                if self._client.writable:
                    return None
                self._wait = Wait.CLIENT
                return WAIT
            case _:
                raise AssertionError(f"nobody performs a {type(command).__name__}")

    def reply(self, status: int, body: bytes, headers: bytes = b"") -> None:
        """The whole answer to the client."""
        self._client.on_gone = None
        self._replied = True
        self._client.reply(status, body, self._answer_headers + headers)

    def part(self) -> None:
        """The client has its answer; what follows is done without it."""
        if self._streaming:
            self._client.end_stream()
        self._streaming, self._replied = False, True
        self._client.on_gone = self._client.on_writable = None

    def _read(self) -> Told | UpstreamError | object:
        if self._failed:
            return self._failed
        assert self._connection
        if not self._whole or self._connection.is_complete:
            data = self._connection.take()
            if self._whole:
                return data or b""
            if data != b"":
                return data
        self._wait = Wait.DATA
        return WAIT

    def _finish(self) -> None:
        """The exchange has run to its end."""
        self._end()
        if self._streaming:
            self._client.end_stream()

    def _give_up(self, error: Exception) -> None:
        """Nothing can be recorded, or interlock itself is at fault: nothing may go on."""
        self._end()
        self._exchange.close()
        told = self._gateway.unrecorded(error) if isinstance(error, AuditError) else self._gateway.fault(error)
        status = 503 if isinstance(error, AuditError) else 500
        if status == 500:
            self._gateway.note_fault(self._noted, error)
        if self._streaming:
            self._client.abort()
        elif not self._replied:
            self._client.on_gone = None
            self._client.reply(status, told, close=True)

    def _end(self) -> None:
        self._over = True
        self._wait = Wait.NOTHING
        if self._connection:
            self._connection.release()
            self._connection = None
        self._gateway.finished(self)


class ModelPerformer(Performer):
    """An exchange with a model's server, or with the one that stands in for it."""

    def __init__(
        self, gateway: "Gateway", client: ClientConnection, exchange: Exchange, route: Route, path: str, headers: bytes,
        credential: bytes,
    ) -> None:  # fmt: skip
        super().__init__(gateway, client, exchange, route.upstream)
        self.adapter = route.adapter
        self.stream_type = route.adapter.stream_type
        self._path = path
        self._sent_headers = headers
        self._credential = credential
        self._body = b""
        self._turn: Turn | None = None

    def on_head(self, head: Head, headers: list[tuple[bytes, bytes]]) -> None:
        """The upstream's answer has begun; or it says that it does not do the work, and the next one is asked."""
        assert self._turn
        assert self._connection
        if self._turn.passes_answer(head.status):
            connection, self._connection = self._connection, None
            connection.release()
            self._ask(self._turn)
        else:
            super().on_head(head, headers)

    def begun(self, head: Head, headers: list[tuple[bytes, bytes]]) -> object:
        """The head as it is; some of the headers are the client's."""
        self._answer_headers = b"".join(
            b"%b: %b\r\n" % pair for pair in headers if pair[0] in PASSED_ON or pair[0].startswith(FAMILIES)
        )
        return head

    def on_error(self, error: UpstreamError) -> None:
        """The upstream failed; perhaps another one is asked."""
        sent = self._connection is not None
        if self._wait is Wait.HEAD and self._turn and self._turn.passes_error(error, sent=sent):
            self._connection = None
            self._ask(self._turn)
        else:
            super().on_error(error)

    def perform(self, command: object) -> object:
        """Do it; see `Performer`."""
        match command:
            case Note(record=record, durable=durable) if self._turn and self._turn.passed:
                steps = (*self._turn.passed, *record.steps)
                return super().perform(Note(record._replace(upstream=self._turn.pool.name, steps=steps), durable))
            case Forward(body=body):
                self._wait, self._body = Wait.HEAD, body
                self._turn = Turn(self._gateway.pools, self._upstream)
                self._ask(self._turn)
                return WAIT
            case Reply(status=status, body=body, retry_after_s=wait_s):
                self.reply(status, body, b"retry-after: %d\r\n" % wait_s if wait_s else b"")
                return None
            case _:
                return super().perform(command)

    def _ask(self, turn: Turn) -> None:
        """Send the request to the upstream whose turn it is."""
        # INVARIANT: a client's own key goes to the upstream that it asked for, and to no other.
        own = self._credential if turn.pool.name == self._upstream else b""
        turn.pool.send(self._path, self._sent_headers + own, self._body, self.adapter, self)
