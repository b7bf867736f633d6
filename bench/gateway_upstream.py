"""A scripted model server that costs next to nothing: fixed bytes for whole answers and for streams of 52 events.

`python -m bench.gateway_upstream` takes a free port on loopback, prints it, and serves until it is killed.
"""

import asyncio
import json
import re
from typing import cast

import uvloop

EVENTS = 52
TEXT = (
    "The order was delivered on Tuesday and signed for at the front desk. The invoice matches the purchase order "
    "except for the freight line, which is 14.20 higher than agreed; I would ask the supplier for a credit note "
    "before it is paid. Nothing else in the file needs a decision today, and the next delivery is planned for "
    "the first week of the month. I have put the two open points into the summary for the team."
)
BASE = {"id": "chatcmpl-Bq7f2T9xKQwYv1Zc4Ld8", "created": 1764000000, "model": "gpt-5-mini-2025-08-07"}
USAGE = {"prompt_tokens": 412, "completion_tokens": 96, "total_tokens": 508}


def _json(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def whole() -> bytes:
    """One answer, as a server sends it at once."""
    message: dict[str, object] = {"role": "assistant", "content": TEXT, "refusal": None, "annotations": []}
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}
    body = _json({**BASE, "object": "chat.completion", "choices": [choice], "usage": USAGE})
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def stream() -> list[bytes]:
    """The same answer as `EVENTS` events, each one a chunk on the wire; the head comes with the first."""
    words = re.findall(r"\S+\s*", TEXT)
    pieces = EVENTS - 4  # less the role, the finish, the usage and the end mark
    texts = ["".join(words[i * len(words) // pieces : (i + 1) * len(words) // pieces]) for i in range(pieces)]
    deltas = [{"role": "assistant", "content": ""}, *({"content": text} for text in texts), {}]
    chunk = {**BASE, "object": "chat.completion.chunk"}
    documents: list[dict[str, object]] = [
        {**chunk, "choices": [{"index": 0, "delta": delta, "finish_reason": None if delta else "stop"}]}
        for delta in deltas
    ]
    documents.append({**chunk, "choices": [], "usage": USAGE})
    events = [b"data: " + _json(document) + b"\n\n" for document in documents] + [b"data: [DONE]\n\n"]
    frames = [b"%x\r\n%b\r\n" % (len(event), event) for event in events]
    frames[0] = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n" + frames[0]
    frames[-1] += b"0\r\n\r\n"
    return frames


WHOLE = whole()
STREAM = stream()


class Model(asyncio.Protocol):
    """One connection: a request with a Content-Length at a time, answered by what its `stream` field says."""

    transport: asyncio.Transport

    def __init__(self) -> None:
        self.buffer = bytearray()
        self.need = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        if not self.need:
            end = self.buffer.find(b"\r\n\r\n")
            if end < 0:
                return
            length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", self.buffer[:end])
            self.need = end + 4 + (int(length[1]) if length else 0)
        if len(self.buffer) < self.need:
            return
        streamed = re.search(rb'"stream": ?true', self.buffer) is not None
        del self.buffer[: self.need]
        self.need = 0
        if streamed:
            self.send(0)
        else:
            self.transport.write(WHOLE)

    def send(self, n: int) -> None:
        """Each event in its own turn of the loop, as a model that generates them."""
        if self.transport.is_closing():
            return
        self.transport.write(STREAM[n])
        if n + 1 < len(STREAM):
            asyncio.get_running_loop().call_soon(self.send, n + 1)


async def main() -> None:
    server = await asyncio.get_running_loop().create_server(Model, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main())
