"""OpenAI responses, as the official SDKs speak it and as model servers answer it.

Source: the OpenAI API reference, `POST /v1/responses`, and the types of `openai` 3.57. Function and custom tools, also
those of a namespace, are understood. Not understood, so opaque in a request: tools that the server runs or defines
(web and file search, code interpreter, MCP, computer, shell, patches) and their items, `previous_response_id`,
`conversation`, `prompt` and `item_reference` (what the server keeps is not in the request, so nobody can say where
a value came from), `background` and `context_management`. Calls of tools that the API defines and the client runs
never pass in an answer. What an answer says once more of its request is read as one text, and goes as one.
Not covered: getting, listing, cancelling and deleting kept responses, and the WebSocket.
"""

from interlock.model.meta import Example, Meta
from interlock.protocols import Adapter, Wire
from interlock.protocols._openai import error
from interlock.protocols.openai_responses.answer import read_answer
from interlock.protocols.openai_responses.edit import edit_answer, edit_frame, edit_request, stream_error
from interlock.protocols.openai_responses.request import read_request
from interlock.protocols.openai_responses.stream import Reader

_HELLO = b'{"model":"m","instructions":"be kind","input":"hello"}'
_TOOLS = (
    b'{"model":"m","stream":true,"store":false,"input":[{"role":"user","content":[{"type":"input_text","text":"pay"},'
    b'{"type":"input_image","detail":"auto","image_url":"data:image/png;base64,AA=="}]},{"type":"reasoning","id":"rs_1",'
    b'"summary":[{"type":"summary_text","text":"hm"}],"encrypted_content":"gAAA"},{"type":"function_call","id":"fc_1",'
    b'"call_id":"c1","name":"read","arguments":"{}","status":"completed"},{"type":"function_call_output","call_id":"c1",'
    b'"output":"INVOICE"}],"tools":[{"type":"function","name":"read","description":"reads","parameters":'
    b'{"type":"object"},"strict":true}]}'
)
_KEPT = b'{"model":"m","previous_response_id":"resp_1","input":"go on","tools":[{"type":"web_search"}]}'
_ANSWER = (
    b'{"id":"resp_1","object":"response","created_at":1,"status":"completed","model":"m","instructions":"be kind",'
    b'"tools":[],"tool_choice":"auto","output":[{"type":"message","id":"msg_1","status":"completed","role":"assistant",'
    b'"content":[{"type":"output_text","text":"ok","annotations":[],"logprobs":[]}]},{"type":"function_call","id":"fc_1",'
    b'"call_id":"c1","name":"pay","arguments":"{\\"to\\":1}","status":"completed"}],"usage":{"input_tokens":1,'
    b'"output_tokens":2,"total_tokens":3}}'
)


def _event(name: str, rest: str) -> bytes:
    return f'event: response.{name}\ndata: {{"type":"response.{name}",{rest}}}\n\n'.encode()


_CALL = '{"type":"function_call","id":"fc_1","call_id":"c1","name":"pay","arguments":"%s"}'
_STREAM = b"".join(
    (
        _event("created", '"sequence_number":0,"response":{"id":"resp_1","model":"m","output":[]}'),
        _event(
            "output_item.added",
            '"sequence_number":1,"output_index":0,"item":{"type":"message","id":"msg_1","role":"assistant",'
            '"content":[]}',
        ),
        _event(
            "content_part.added",
            '"sequence_number":2,"item_id":"msg_1","output_index":0,"content_index":0,'
            '"part":{"type":"output_text","text":"","annotations":[]}',
        ),
        _event(
            "output_text.delta",
            '"sequence_number":3,"item_id":"msg_1","output_index":0,"content_index":0,"delta":"o","logprobs":[]',
        ),
        _event(
            "output_text.done",
            '"sequence_number":4,"item_id":"msg_1","output_index":0,"content_index":0,"text":"o","logprobs":[]',
        ),
        _event("output_item.added", f'"sequence_number":5,"output_index":1,"item":{_CALL % ""}'),
        _event("function_call_arguments.delta", '"sequence_number":6,"item_id":"fc_1","output_index":1,"delta":"{}"'),
        _event(
            "function_call_arguments.done", '"sequence_number":7,"item_id":"fc_1","output_index":1,"arguments":"{}"'
        ),
        _event("output_item.done", f'"sequence_number":8,"output_index":1,"item":{_CALL % "{}"}'),
        _event("completed", '"sequence_number":9,"response":{"id":"resp_1","model":"m","output":[]}'),
    )
)

ADAPTER = Adapter(
    meta=Meta(
        id="openai-responses",
        title="OpenAI responses",
        why="What OpenAI's SDKs and agents speak by now.",
        since="0.1.0",
    ),
    routes=("/v1/responses", "/openai/responses"),
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
        Example("instructions and a question", Wire("request", _HELLO), ("system:be kind", "user:hello")),
        Example(
            "a tool's result comes back",
            Wire("request", _TOOLS),
            (
                "user:pay",
                "image:inline",
                "assistant:hm",
                "assistant:gAAA",
                "call:read({})",
                "tool_result:INVOICE",
                "tool:read",
            ),
        ),
        Example(
            "a conversation that the server keeps, and a tool that it runs",
            Wire("request", _KEPT),
            (
                "user:go on",
                "opaque:conversation.previous_response_id=resp_1",
                'opaque:tools[0].web_search={"type":"web_search"}',
            ),
        ),
        Example(
            "an answer with a call", Wire("answer", _ANSWER), ("output:ok", 'call:pay({"to":1})', "parameter:be kind")
        ),
        Example("the same, streamed", Wire("stream", _STREAM), ("output:o", "call:pay({})")),
    ),
)
