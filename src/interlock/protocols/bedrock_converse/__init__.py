"""Amazon Bedrock Converse and ConverseStream, as the AWS SDKs speak them.

Source: the `bedrock-runtime` model of botocore 1.44, and the Bedrock API reference. What Bedrock itself runs or keeps
(system tools, managed prompts) and what goes past it to a model's own server unseen (`additionalModelRequestFields`
beyond known settings) comes out as `Opaque`: nobody here sees what happens there.
"""

from interlock.model.meta import Example, Meta
from interlock.protocols import Adapter, Wire, decode
from interlock.protocols._bedrock import STREAM_TYPE, error, event, stream_error
from interlock.protocols.bedrock_converse.answer import read_answer
from interlock.protocols.bedrock_converse.edit import edit_answer, edit_frame, edit_request
from interlock.protocols.bedrock_converse.request import read_request
from interlock.protocols.bedrock_converse.stream import Reader

_HELLO = b'{"system":[{"text":"be kind"}],"messages":[{"role":"user","content":[{"text":"hello"}]}]}'
_TOOLS = (
    b'{"messages":[{"role":"user","content":[{"text":"pay"},{"document":{"name":"D","format":"txt","source":{"bytes":'
    b'"SGk="}}}]},{"role":"assistant","content":[{"reasoningContent":{"reasoningText":{"text":"first","signature":'
    b'"RXE="}}},{"toolUse":{"toolUseId":"t1","name":"read","input":{}}}]},{"role":"user","content":[{"toolResult":'
    b'{"toolUseId":"t1","content":[{"text":"INVOICE"},{"json":{"a":1}}],"status":"success"}}]}],"toolConfig":{"tools":'
    b'[{"toolSpec":{"name":"read","description":"reads","inputSchema":{"json":{"type":"object"}}}}]},'
    b'"inferenceConfig":{"maxTokens":9}}'
)
_SERVED = (
    b'{"messages":[{"role":"user","content":[{"text":"hi"}]}],"toolConfig":{"tools":[{"systemTool":{"name":'
    b'"nova_grounding"}}]},"additionalModelRequestFields":{"top_k":5,"aside":"do this"}}'
)
_ANSWER = (
    b'{"output":{"message":{"role":"assistant","content":[{"text":"ok"},{"toolUse":{"toolUseId":"t1","name":"pay",'
    b'"input":{"to":1}}}]}},"stopReason":"tool_use","usage":{"inputTokens":3,"outputTokens":4,"totalTokens":7},'
    b'"metrics":{"latencyMs":5}}'
)
_EVENTS = (
    b'messageStart {"p":"abcd","role":"assistant"}\n'
    b'contentBlockDelta {"contentBlockIndex":0,"delta":{"text":"ok"},"p":"ab"}\n'
    b'contentBlockStop {"contentBlockIndex":0,"p":"abc"}\n'
    b'contentBlockStart {"contentBlockIndex":1,"start":{"toolUse":{"toolUseId":"t1","name":"pay"}}}\n'
    b'contentBlockDelta {"contentBlockIndex":1,"delta":{"toolUse":{"input":"{\\"to\\":1}"}}}\n'
    b'contentBlockStop {"contentBlockIndex":1}\n'
    b'messageStop {"stopReason":"tool_use"}\n'
    b'metadata {"usage":{"inputTokens":3,"outputTokens":4,"totalTokens":7},"metrics":{"latencyMs":5}}'
)
_STREAM = b"".join(
    event(kind.decode(), decode(document))
    for kind, _, document in (line.partition(b" ") for line in _EVENTS.split(b"\n"))
)

ADAPTER = Adapter(
    meta=Meta(
        id="bedrock-converse",
        title="Amazon Bedrock Converse",
        why="The protocol by which AWS SDKs speak to every chat model of Bedrock.",
        since="0.1.0",
    ),
    routes=("/model/{model}/converse", "/model/{model}/converse-stream"),
    request=read_request,
    answer=read_answer,
    reader=Reader,
    edit_request=edit_request,
    edit_answer=edit_answer,
    edit_frame=edit_frame,
    error=error,
    stream_error=stream_error,
    stream_type=STREAM_TYPE,
    examples=(
        Example(
            "a system prompt and a question",
            Wire("request", _HELLO, "/model/amazon.nova-lite-v1%3A0/converse"),
            ("system:be kind", "user:hello"),
        ),
        Example(
            "a tool's result comes back",
            Wire("request", _TOOLS, "/model/us.anthropic.claude-sonnet-4-v1%3A0/converse-stream"),
            (
                "user:pay", "file:inline", "retrieved:D", "assistant:first", "call:read({})", "tool_result:INVOICE",
                'tool_result:{"a":1}', "tool:read", "parameter:maxTokens",
            ),
        ),
        Example(
            "a tool that Bedrock runs, and a field for the model's own server",
            Wire("request", _SERVED, "/model/m/converse"),
            (
                "user:hi", 'opaque:toolConfig.tools[0].systemTool={"systemTool":{"name":"nova_grounding"}}',
                "opaque:additionalModelRequestFields.aside=do this",
            ),
        ),
        Example("an answer with a call", Wire("answer", _ANSWER), ("output:ok", 'call:pay({"to":1})')),
        Example("the same, streamed", Wire("stream", _STREAM), ("output:ok", 'call:pay({"to":1})')),
    ),
)  # fmt: skip
