"""Ollama's native protocol: chat, generate and embeddings, as its own server and SDKs speak it.

Source: `api/types.go` and `server/routes.go` of Ollama, its API reference, and the types of `ollama` 0.6. Requests
that pull, make, copy, push, delete or show models are not covered. `context`, a conversation as tokens, can be read
by nobody here: in a request it is opaque, and it is taken out of answers.
"""

from interlock.model.meta import Example, Meta
from interlock.protocols import Adapter, Wire
from interlock.protocols.ollama.answer import read_answer
from interlock.protocols.ollama.edit import edit_answer, edit_frame, edit_request, error, stream_error
from interlock.protocols.ollama.request import CHAT, EMBED, EMBEDDINGS, GENERATE, read_request
from interlock.protocols.ollama.stream import Reader

_CHAT = (
    b'{"model":"m","messages":[{"role":"system","content":"be kind"},{"role":"user","content":"pay","images":["AA=="]},'
    b'{"role":"assistant","thinking":"hm","tool_calls":[{"function":{"name":"read","arguments":{"n":1}}}]},'
    b'{"role":"tool","content":"INVOICE","tool_name":"read"}],"tools":[{"type":"function","function":{"name":"read",'
    b'"description":"reads","parameters":{"type":"object"}}}],"format":"json","keep_alive":"5m"}'
)
_GENERATE = b'{"model":"m","system":"be kind","prompt":"hello","context":[1,2],"stream":false,"think":true}'
_ANSWER = (
    b'{"model":"m","created_at":"2026-08-21T10:00:00.1Z","message":{"role":"assistant","content":"ok","tool_calls":['
    b'{"id":"call_1","function":{"index":0,"name":"pay","arguments":{"to":1}}}]},"done":true,"done_reason":"stop",'
    b'"total_duration":5,"prompt_eval_count":3,"eval_count":4}'
)
_STREAM = (
    b'{"model":"m","created_at":"2026-08-21T10:00:00.1Z","message":{"role":"assistant","content":"o"},"done":false}\n'
    b'{"model":"m","created_at":"2026-08-21T10:00:00.2Z","message":{"role":"assistant","content":"","tool_calls":['
    b'{"function":{"name":"pay","arguments":{"to":1}}}]},"done":false}\n'
    b'{"model":"m","created_at":"2026-08-21T10:00:00.3Z","message":{"role":"assistant","content":"k"},"done":true,'
    b'"done_reason":"stop","prompt_eval_count":3,"eval_count":4}\n'
)

ADAPTER = Adapter(
    meta=Meta(
        id="ollama",
        title="Ollama",
        why="The native protocol of models that run on one's own machines.",
        since="0.1.0",
    ),
    routes=(CHAT, GENERATE, EMBED, EMBEDDINGS),
    request=read_request,
    answer=read_answer,
    reader=Reader,
    edit_request=edit_request,
    edit_answer=edit_answer,
    edit_frame=edit_frame,
    error=error,
    stream_error=stream_error,
    stream_type=b"application/x-ndjson",
    examples=(
        Example(
            "a chat in which a tool's result comes back",
            Wire("request", _CHAT),
            (
                "system:be kind", "user:pay", "image:inline", "assistant:hm", 'call:read({"n":1})',
                "tool_result:INVOICE", "tool:read", "parameter:json", "parameter:5m",
            ),
        ),
        Example(
            "a prompt that goes on from tokens",
            Wire("request", _GENERATE, GENERATE),
            ("system:be kind", "user:hello", "opaque:context=[1,2]"),
        ),
        Example(
            "texts to embed",
            Wire("request", b'{"model":"e","input":["a","b"],"truncate":true}', EMBED),
            ("retrieved:a", "retrieved:b"),
        ),
        Example("an answer with a call", Wire("answer", _ANSWER), ("output:ok", 'call:pay({"to":1})')),
        Example("the same, streamed", Wire("stream", _STREAM), ("output:ok", 'call:pay({"to":1})')),
        Example("vectors", Wire("answer", b'{"model":"e","embeddings":[[0.5,-0.5]],"prompt_eval_count":2}'), ()),
    ),
)  # fmt: skip
