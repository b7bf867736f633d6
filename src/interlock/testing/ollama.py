"""What a scripted model says, in Ollama's native protocol: as its own server writes it."""

import json
from collections.abc import Callable, Iterator

from interlock.testing.answering import Answered, Asked
from interlock.testing.model import Document, Say, Script

STREAM = "application/x-ndjson"
COUNTS = {"total_duration": 5_000, "load_duration": 1_000, "prompt_eval_count": 40, "eval_count": 12}
THOUGHT = "They want an answer."


def answering(script: Script) -> Callable[[Asked], Answered]:
    """The server's side: chat, generate, embed, the list of models and the version; 404 for the rest."""

    def answer(asked: Asked) -> Answered:
        document = asked.document
        match asked.path:
            case "/api/chat" | "/api/generate":
                pieces = list(lines(asked.path, document, script(document)))
                if document.get("stream", True):
                    return Answered(b"".join(json.dumps(piece).encode() + b"\n" for piece in pieces), STREAM)
                return Answered(json.dumps(joined(pieces)).encode())
            case "/api/embed":
                vectors = [[0.5, -0.25]] * (1 if isinstance(document["input"], str) else len(document["input"]))
                return Answered(json.dumps({"model": document["model"], "embeddings": vectors}).encode())
            case "/api/embeddings":
                return Answered(b'{"embedding":[0.5,-0.25]}')
            case "/api/tags":
                return Answered(b'{"models":[{"name":"m:latest","model":"m:latest","size":5,"digest":"sha256:ab"}]}')
            case "/api/version":
                return Answered(b'{"version":"0.12.1"}')
            case path:
                return Answered(json.dumps({"error": f"{path} not found"}).encode(), status=404)

    return answer


def lines(path: str, request: Document, say: Say) -> Iterator[Document]:
    """The lines of a streamed answer: thoughts, words, each call in a line of its own, and the end."""
    begun = {"model": request["model"], "created_at": "2026-08-21T10:00:00.123456789Z"}

    def made(key: str, said: object, *, done: bool = False) -> Document:
        if path == "/api/generate":
            return begun | {"response": "", key.replace("content", "response"): said, "done": done}
        return begun | {"message": {"role": "assistant", "content": "", key: said}, "done": done}

    if request.get("think"):
        yield made("thinking", THOUGHT)
    words = say.pieces if say.pieces is not None else tuple(word + " " for word in say.text.split(" "))
    for piece in words if say.text else ():
        yield made("content", piece)
    for index, call in enumerate(say.calls):
        function = {"index": index, "name": call.name, "arguments": call.arguments}
        yield made("tool_calls", [{"id": f"call_{index}", "function": function}])
    yield made("content", "", done=True) | {"done_reason": "stop"} | COUNTS


def joined(pieces: list[Document]) -> Document:
    """The whole answer of the same lines."""
    whole: Document = json.loads(json.dumps(pieces[-1]))
    target = whole.get("message", whole)
    for piece in pieces[:-1]:
        for key, value in piece.get("message", piece).items():
            if key in ("content", "response", "thinking", "tool_calls"):
                target[key] = target.get(key, type(value)()) + value
    return whole
