"""Short ways to write documents of Ollama's protocol, and to read what the adapter made of them."""

import json
from typing import Any

from interlock.protocols import Frame, Request
from interlock.protocols.ollama import ADAPTER
from tests.protocols.wire import short

BEGUN = {"model": "m", "created_at": "2026-08-21T10:00:00.123Z"}
CHAT, GENERATE = "/api/chat", "/api/generate"


def body(*messages: Any, **more: Any) -> bytes:
    given = messages or ({"role": "user", "content": "hi"},)
    return json.dumps({"model": "m", "messages": list(given), **more}).encode()


def call(name: str, arguments: Any = None, **more: Any) -> dict[str, Any]:
    return {"function": {"name": name, "arguments": {} if arguments is None else arguments, **more}}


def request(data: bytes, path: str = CHAT) -> Request:
    target = ADAPTER.target(path)
    assert target
    return ADAPTER.request(data, target)


def asked(data: bytes, path: str = CHAT) -> list[str]:
    return short(request(data, path).events)


def piece(content: str = "", calls: Any = None, *, done: bool = False, **more: Any) -> dict[str, Any]:
    message = {"role": "assistant", "content": content, **({"tool_calls": calls} if calls else {})}
    return BEGUN | {"message": message, "done": done} | more


def answer(content: str = "", calls: Any = None, **more: Any) -> bytes:
    return json.dumps(piece(content, calls, done=True, **{"done_reason": "stop", **more})).encode()


def answered(data: bytes) -> list[str]:
    return short(ADAPTER.answer(data).events)


def lines(*documents: Any) -> bytes:
    return b"".join(json.dumps(document).encode() + b"\n" for document in documents)


def frames(data: bytes) -> list[Frame]:
    reader = ADAPTER.reader()
    found = reader.feed(data)
    reader.end()
    return found
