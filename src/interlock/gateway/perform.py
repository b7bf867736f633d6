"""Performs what the guard asks for one exchange, without a task: each thing that happens moves it on."""

from typing import TYPE_CHECKING, assert_never

from interlock.gateway.http import ClientConnection
from interlock.gateway.upstream import UpstreamConnection
from interlock.guard import (
    Begin,
    ClientGoneError,
    Command,
    Emit,
    Exchange,
    Forward,
    Head,
    Note,
    Read,
    Reply,
    Told,
)
from interlock.model.errors import AuditError, UpstreamError

if TYPE_CHECKING:
    from interlock.gateway.server import Gateway

# Headers of an upstream's answer that a client can use; nothing else of them is passed on.
PASSED_ON = (b"x-request-id", b"retry-after", b"retry-after-ms", b"openai-processing-ms", b"openai-version")


class Performer:
    """One exchange under way.

    Rules: it never decides; a record that cannot be written ends the exchange with 503; when it is over, the
    upstream's connection has been given back and the exchange has run to its end.
    """

    def __init__(
        self, gateway: "Gateway", client: ClientConnection, exchange: Exchange, upstream: str, path: str, headers: bytes
    ) -> None:
        self._gateway = gateway
        self._client = client
        self._exchange = exchange
        self._upstream = upstream
        self._path = path
        self._sent_headers = headers
        self._body = b""
        self._connection: UpstreamConnection | None = None
        self._answer_headers = b""
        self._whole = True
        self._reading = False
        self._waiting_for_client = False
        self._streaming = False
        self._asked_again = False
        self._over = False

    def start(self) -> None:
        """Begin."""
        self._client.on_gone = self._client_gone
        self._client.on_writable = self._client_writable
        self._go(None)

    # --- what happens on the wire ------------------------------------------------------------------------

    def on_head(self, head: Head, headers: list[tuple[bytes, bytes]]) -> None:
        """The upstream's answer has begun."""
        self._answer_headers = b"".join(
            b"%b: %b\r\n" % pair for pair in headers if pair[0] in PASSED_ON or pair[0].startswith(b"x-ratelimit-")
        )
        self._whole = not head.streamed
        self._go(head)

    def on_data(self) -> None:
        """More of the answer has come."""
        if not self._reading or not self._connection:
            return
        if self._whole and not self._connection.is_complete:
            return
        self._reading = False
        self._go(self._taken())

    def on_error(self, error: UpstreamError) -> None:
        """The upstream failed."""
        self._connection = None
        self._throw(error)

    def ask_again(self) -> None:
        """The kept connection was stale; a fresh one gets the same request, once."""
        self._connection = None
        if self._asked_again:
            self._throw(UpstreamError("closes every connection at once", where=self._upstream))
            return
        self._asked_again = True
        self._forward()

    def _client_gone(self) -> None:
        self._throw(ClientGoneError())

    def _client_writable(self) -> None:
        if self._waiting_for_client:
            self._waiting_for_client = False
            self._go(None)

    # --- what the guard asks -----------------------------------------------------------------------------

    def _go(self, told: Told) -> None:
        """Go on until the exchange has to wait, or is over."""
        if self._over:
            return
        try:
            command = self._exchange.send(told)
            while (done := self._perform(command)) is not _WAIT:
                command = self._exchange.send(done)  # type: ignore[arg-type]
        except StopIteration:
            self._finish()
        except AuditError as error:
            self._give_up(error)

    def _throw(self, error: Exception) -> None:
        if self._over:
            return
        self._reading = self._waiting_for_client = False
        try:
            command = self._exchange.throw(error)
            while (done := self._perform(command)) is not _WAIT:
                command = self._exchange.send(done)  # type: ignore[arg-type]
        except StopIteration:
            self._finish()
        except AuditError as failed:
            self._give_up(failed)
        except ClientGoneError:
            self._finish()

    def _perform(self, command: Command) -> object:
        """Do it; what the guard is told, or _WAIT if that comes later."""
        match command:
            case Note(record=record, durable=durable):
                number = self._gateway.log.append(record)
                if durable:
                    self._gateway.when_durable(number, self)
                    return _WAIT
                return None
            case Forward(body=body):
                self._body = body
                self._forward()
                return _WAIT
            case Read():
                return self._read()
            case Begin():
                self._streaming = True
                self._client.begin_stream(self._answer_headers)
                return None
            case Emit(data=data):
                self._client.write(data)
                self._waiting_for_client = not self._client.writable
                return _WAIT if self._waiting_for_client else None
            case Reply(status=status, body=body):
                self._client.on_gone = None
                self._client.reply(status, body, self._answer_headers)
                return None
            case _:
                assert_never(command)

    def _forward(self) -> None:
        self._gateway.pool(self._upstream).send(self._path, self._sent_headers, self._body, self, self._connected)

    def _connected(self, connection: UpstreamConnection) -> None:
        self._connection = connection
        if self._over:
            connection.release()

    def _read(self) -> object:
        assert self._connection
        if self._whole and not self._connection.is_complete:
            self._reading = True
            return _WAIT
        data = self._taken()
        if data == b"" and not self._whole:
            self._reading = True
            return _WAIT
        return data

    def _taken(self) -> bytes | None:
        assert self._connection
        data = self._connection.take()
        return b"" if data is None and self._whole else data

    def durable(self, error: AuditError | None) -> None:
        """The record that was waited for is on the disk, or could not be written."""
        if error:
            self._give_up(error)
        else:
            self._go(None)

    def _finish(self) -> None:
        self._over = True
        if self._connection:
            self._connection.release()
            self._connection = None
        if self._streaming:
            self._streaming = False
            self._client.end_stream()
        self._gateway.finished(self)

    def _give_up(self, error: AuditError) -> None:
        """Nothing can be recorded, so nothing may go on."""
        self._over = True
        self._exchange.close()
        if self._connection:
            self._connection.release()
            self._connection = None
        if self._streaming:
            self._client.abort()
        else:
            self._client.on_gone = None
            self._client.reply(503, self._gateway.unrecorded(error), close=True)
        self._gateway.finished(self)


_WAIT = object()
