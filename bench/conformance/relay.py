"""Puts a header line into every request that passes: the suite can show no key, and interlock serves nobody without."""

import asyncio
import contextlib
import re

LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


class Relay:
    """Listens on a free port of loopback, and passes bytes on to `port` there. It does NOT change anything else."""

    def __init__(self, port: int, line: bytes) -> None:
        self._port = port
        self._line = line

    async def start(self) -> int:
        """Listen; the port."""
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        listening: int = server.sockets[0].getsockname()[1]
        return listening

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", self._port)
        ways = {asyncio.create_task(self._requests(reader, back)), asyncio.create_task(answers(there, writer))}
        _, rest = await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        for way in rest:
            way.cancel()
        await asyncio.gather(*ways, return_exceptions=True)
        for one in (writer, back):
            one.close()

    async def _requests(self, reader: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = LENGTH.search(head)
                body = await reader.readexactly(int(length[1])) if length else b""
                first, _, rest = head.partition(b"\r\n")
                back.write(first + b"\r\n" + self._line + rest + body)
                await back.drain()


async def answers(there: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """What comes back, as it is."""
    with contextlib.suppress(ConnectionError):
        while data := await there.read(65_536):
            writer.write(data)
            await writer.drain()
