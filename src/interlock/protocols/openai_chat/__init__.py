"""OpenAI chat completions, as the official SDKs speak it and as most model servers answer it.

Source: the OpenAI API reference, `POST /v1/chat/completions`, and the types of `openai` 3.57; for other servers see
`servers.py`. Images, audio, films and files are not looked into: if the words of a spoken answer are changed, the
sound goes, as far as it stands beside them.
"""

from interlock.model.meta import Example, Meta
from interlock.protocols import Adapter, Wire
from interlock.protocols.openai_chat.answer import read_answer
from interlock.protocols.openai_chat.edit import edit_answer, edit_frame, edit_request, error, stream_error
from interlock.protocols.openai_chat.request import read_request
from interlock.protocols.openai_chat.stream import Reader

_HELLO = b'{"model":"m","messages":[{"role":"system","content":"be kind"},{"role":"user","content":"hello"}]}'
_TOOLS = (
    b'{"model":"m","stream":true,"user":"u7","messages":[{"role":"user","content":[{"type":"text","text":"pay"}]},'
    b'{"role":"assistant","content":null,"tool_calls":[{"id":"c1","type":"function","function":{"name":"read",'
    b'"arguments":"{}"}}]},{"role":"tool","tool_call_id":"c1","content":"INVOICE"}],"tools":[{"type":"function",'
    b'"function":{"name":"read","description":"reads","parameters":{"type":"object"}}}]}'
)
_ANSWER = (
    b'{"id":"x","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant",'
    b'"content":"ok","tool_calls":[{"id":"c1","type":"function","function":{"name":"pay","arguments":"{\\"to\\":1}"}}]},'
    b'"finish_reason":"tool_calls"}],"usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3}}'
)
_STREAM = (
    b'data: {"id":"x","object":"chat.completion.chunk","model":"m","choices":[{"index":0,"delta":{"role":"assistant",'
    b'"content":"o"},"finish_reason":null}]}\n\n'
    b'data: {"id":"x","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"c1","type":"function","function":'
    b'{"name":"pay","arguments":"{"}}]}}]}\n\n'
    b'data: {"id":"x","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"}"}}]}}]}\n\n'
    b'data: {"id":"x","choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"}]}\n\n'
    b"data: [DONE]\n\n"
)

ADAPTER = Adapter(
    meta=Meta(
        id="openai-chat",
        title="OpenAI chat completions",
        why="The protocol that most SDKs and most model servers speak.",
        since="0.1.0",
    ),
    routes=("/v1/chat/completions", "/openai/deployments/{model}/chat/completions"),
    base="/v1",
    query=frozenset({"api-version"}),
    headers=(b"openai-beta", b"idempotency-key"),
    request=read_request,
    answer=read_answer,
    reader=Reader,
    edit_request=edit_request,
    edit_answer=edit_answer,
    edit_frame=edit_frame,
    error=error,
    stream_error=stream_error,
    examples=(
        Example("a system prompt and a question", Wire("request", _HELLO), ("system:be kind", "user:hello")),
        Example(
            "a tool's result comes back",
            Wire("request", _TOOLS),
            ("user:pay", "call:read({})", "tool_result:INVOICE", "parameter:u7", "tool:read"),
        ),
        Example("an answer with a call", Wire("answer", _ANSWER), ("output:ok", 'call:pay({"to":1})')),
        Example("the same, streamed", Wire("stream", _STREAM), ("output:o", "call:pay({})")),
        Example(
            "a field that nobody knows",
            Wire("request", b'{"model":"m","messages":[{"role":"user","content":"hi","mood":"bad"}]}'),
            ("user:hi", "opaque:messages[0].mood=bad"),
        ),
    ),
)
