"""A server on loopback that says exactly the bytes it is told to, however wrong they are as HTTP.

Each connection plays one `Play`: a list of steps, done in order, then the connection is closed. A step is the bytes
to send, or one of the moves below. It waits only for its peer or for an event of the test, never for time.
"""

import asyncio
import ssl
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from types import TracebackType
from typing import Self, TypeAlias


class Move(Enum):
    """What a server can do besides sending bytes."""

    READ = auto()
    """Wait for a whole request: a head, and as many bytes as its Content-Length says. It is kept in `asked`."""
    HEAD = auto()
    """Wait for a request's head only, and read no further."""
    END = auto()
    """Close our side for writing only."""
    RESET = auto()
    """Drop the connection, with a reset."""
    HOLD = auto()
    """Wait until the peer closes."""


Step: TypeAlias = bytes | Move | asyncio.Event
Play: TypeAlias = Sequence[Step]


@dataclass
class RawServer:
    """The server; an asynchronous context manager. Connection n plays `plays[n]`, and every later one the last.

    `asked` holds the requests as they came, `open` counts connections, `gone` is set whenever a peer has closed one.
    """

    plays: Sequence[Play]
    tls: ssl.SSLContext | None = None
    asked: list[bytes] = field(default_factory=list)
    came: asyncio.Event = field(default_factory=asyncio.Event)
    gone: asyncio.Event = field(default_factory=asyncio.Event)
    connections: int = 0
    open: int = 0
    _server: asyncio.Server | None = None
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0, ssl=self.tls)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @property
    def port(self) -> int:
        """Where it listens."""
        assert self._server
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    @property
    def url(self) -> str:
        """Its base address, with `/v1`."""
        return f"http{'s' if self.tls else ''}://127.0.0.1:{self.port}/v1"

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        play = self.plays[min(self.connections, len(self.plays) - 1)]
        self.connections += 1
        task = asyncio.get_running_loop().create_task(self._play(play, reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _play(self, play: Play, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.open += 1
        self.came.set()
        try:
            for step in play:
                await self._do(step, reader, writer)
        except (OSError, EOFError):
            self.gone.set()
        finally:
            self.open -= 1
            writer.close()

    async def _do(self, step: Step, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        match step:
            case bytes():
                writer.write(step)
                await writer.drain()
            case asyncio.Event():
                await step.wait()
            case Move.READ:
                self.asked.append(await _request(reader))
            case Move.HEAD:
                await reader.readuntil(b"\r\n\r\n")
            case Move.END:
                writer.write_eof()
            case Move.RESET:
                writer.transport.abort()
            case Move.HOLD:
                while await reader.read(65_536):
                    pass
                self.gone.set()


async def _request(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    length = next(
        (int(line.partition(b":")[2]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")), 0
    )
    return head + await reader.readexactly(length)
