"""Anthropic messages, as the official SDKs and Claude Code speak them, and the count of their tokens.

Source: the Anthropic API reference, `POST /v1/messages` and `/v1/messages/count_tokens`, and the types of `anthropic`
2.13, beta ones too. What the API's own servers run (web search, code execution, MCP connectors, containers, fallbacks
to other models) comes out as `Opaque`: nobody here sees what happens there. A thread, of which the API keeps the
history, is refused in the way in which the API itself does it, so that the SDKs send the history instead.
"""

from functools import partial

from interlock.model.meta import Example, Meta
from interlock.protocols import Adapter, Credential, Wire
from interlock.protocols._anthropic.edit import edit_answer, edit_frame, edit_request
from interlock.protocols.anthropic_messages.answer import read_answer
from interlock.protocols.anthropic_messages.errors import error, stream_error
from interlock.protocols.anthropic_messages.request import read_request
from interlock.protocols.anthropic_messages.stream import Reader, event

_HELLO = (
    b'{"model":"m","max_tokens":9,"system":[{"type":"text","text":"be kind","cache_control":{"type":"ephemeral"}}],'
    b'"messages":[{"role":"user","content":"hello"}]}'
)
_TOOLS = (
    b'{"model":"m","max_tokens":9,"stream":true,"metadata":{"user_id":"u7"},"messages":[{"role":"user","content":"pay"},'
    b'{"role":"assistant","content":[{"type":"thinking","thinking":"first","signature":"RXE="},'
    b'{"type":"tool_use","id":"t1","name":"read","input":{}}]},'
    b'{"role":"user","content":[{"type":"tool_result","tool_use_id":"t1","content":"INVOICE"},'
    b'{"type":"text","text":"go on"}]}],"tools":[{"name":"read","description":"reads","input_schema":'
    b'{"type":"object"}},{"type":"bash_20250124","name":"bash"}]}'
)
_DOCUMENTS = (
    b'{"model":"m","messages":[{"role":"user","content":[{"type":"document","title":"T","source":{"type":"text",'
    b'"media_type":"text/plain","data":"D"}},{"type":"image","source":{"type":"base64","media_type":"image/png",'
    b'"data":"iVBO"}}]}],"tools":[{"type":"web_search_20250305","name":"web_search"}]}'
)
_ANSWER = (
    b'{"id":"msg_1","type":"message","role":"assistant","model":"m","content":[{"type":"text","text":"ok"},'
    b'{"type":"tool_use","id":"t1","name":"pay","input":{"to":1}}],"stop_reason":"tool_use","stop_sequence":null,'
    b'"usage":{"input_tokens":3,"output_tokens":4}}'
)
_EVENTS = (
    b'{"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","model":"m","content":[],'
    b'"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":3,"output_tokens":1}}}\n'
    b'{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}\n'
    b'{"type":"ping"}\n'
    b'{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"ok"}}\n'
    b'{"type":"content_block_stop","index":0}\n'
    b'{"type":"content_block_start","index":1,"content_block":{"type":"tool_use","id":"t1","name":"pay","input":{}}}\n'
    b'{"type":"content_block_delta","index":1,"delta":{"type":"input_json_delta","partial_json":"{\\"to\\":1}"}}\n'
    b'{"type":"content_block_stop","index":1}\n'
    b'{"type":"message_delta","delta":{"stop_reason":"tool_use","stop_sequence":null},"usage":{"output_tokens":4}}\n'
    b'{"type":"message_stop"}'
)
# Each event has its type as its name.
_STREAM = b"".join(b"event: %b\ndata: %b\n\n" % (event.split(b'"')[3], event) for event in _EVENTS.split(b"\n"))

ADAPTER = Adapter(
    meta=Meta(
        id="anthropic-messages",
        title="Anthropic messages",
        why="The protocol of Claude, and of the agents that are built on it.",
        since="0.1.0",
    ),
    routes=("/v1/messages", "/v1/messages/count_tokens"),
    query=frozenset({"beta"}),
    headers=(b"anthropic-version", b"anthropic-beta"),
    credential=Credential(b"x-api-key"),
    request=read_request,
    answer=read_answer,
    reader=Reader,
    edit_request=edit_request,
    edit_answer=edit_answer,
    edit_frame=partial(edit_frame, write=event),
    error=error,
    stream_error=stream_error,
    examples=(
        Example("a system prompt and a question", Wire("request", _HELLO), ("system:be kind", "user:hello")),
        Example(
            "a tool's result comes back",
            Wire("request", _TOOLS, "/v1/messages?beta=true"),
            (
                "user:pay", "assistant:first", "call:read({})", "tool_result:INVOICE", "user:go on",
                "parameter:user_id", "parameter:u7", "tool:read", "tool:bash",
            ),
        ),
        Example(
            "a document, an image, and a tool that the API runs",
            Wire("request", _DOCUMENTS, "/v1/messages/count_tokens"),
            (
                "retrieved:D", "retrieved:T", "image:inline",
                'opaque:tools[0].web_search_20250305={"type":"web_search_20250305","name":"web_search"}',
            ),
        ),
        Example("an answer with a call", Wire("answer", _ANSWER), ("output:ok", 'call:pay({"to":1})')),
        Example("the same, streamed", Wire("stream", _STREAM), ("output:ok", 'call:pay({"to":1})')),
    ),
)  # fmt: skip
