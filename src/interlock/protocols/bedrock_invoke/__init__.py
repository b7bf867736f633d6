"""Amazon Bedrock InvokeModel and InvokeModelWithResponseStream, where the body is the model family's own.

Read are Anthropic's messages (`anthropic_version` in the body), which is what is mostly sent so, and the embeddings of
Titan and Cohere. A body of any other family is `Opaque` as a whole, so that policy decides; by default it is refused:
ask those models through Converse. Source: the `bedrock-runtime` model of botocore 1.44, the Bedrock user guide, and
`AnthropicBedrock` of `anthropic` 2.13.
"""

from interlock.model.meta import Example, Meta
from interlock.protocols import Adapter, Wire, decode
from interlock.protocols._anthropic.edit import edit_answer, edit_request
from interlock.protocols._bedrock import STREAM_TYPE, error, stream_error
from interlock.protocols.bedrock_invoke.answer import read_answer
from interlock.protocols.bedrock_invoke.chunks import packed
from interlock.protocols.bedrock_invoke.edit import edit_frame
from interlock.protocols.bedrock_invoke.request import read_request
from interlock.protocols.bedrock_invoke.stream import Reader

_TOOLS = (
    b'{"anthropic_version":"bedrock-2023-05-31","max_tokens":9,"messages":[{"role":"user","content":"pay"},'
    b'{"role":"assistant","content":[{"type":"tool_use","id":"t1","name":"read","input":{}}]},'
    b'{"role":"user","content":[{"type":"tool_result","tool_use_id":"t1","content":"INVOICE"}]}],'
    b'"tools":[{"name":"read","description":"reads","input_schema":{"type":"object"}}]}'
)
_ANSWER = (
    b'{"id":"msg_1","type":"message","role":"assistant","model":"m","content":[{"type":"text","text":"ok"},'
    b'{"type":"tool_use","id":"t1","name":"pay","input":{"to":1}}],"stop_reason":"tool_use","stop_sequence":null,'
    b'"usage":{"input_tokens":3,"output_tokens":4},"amazon-bedrock-guardrailAction":"NONE"}'
)
_EVENTS = (
    b'{"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","model":"m","content":[],'
    b'"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":3,"output_tokens":1}}}\n'
    b'{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}\n'
    b'{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"ok"}}\n'
    b'{"type":"content_block_stop","index":0}\n'
    b'{"type":"content_block_start","index":1,"content_block":{"type":"tool_use","id":"t1","name":"pay","input":{}}}\n'
    b'{"type":"content_block_delta","index":1,"delta":{"type":"input_json_delta","partial_json":"{\\"to\\":1}"}}\n'
    b'{"type":"content_block_stop","index":1}\n'
    b'{"type":"message_delta","delta":{"stop_reason":"tool_use","stop_sequence":null},"usage":{"output_tokens":4}}\n'
    b'{"type":"message_stop","amazon-bedrock-invocationMetrics":{"inputTokenCount":3,"outputTokenCount":4}}'
)
_STREAM = b"".join(packed(decode(event)) for event in _EVENTS.split(b"\n"))
_SETTINGS = (
    "accept", "guardrailidentifier", "guardrailversion", "performanceconfig-latency", "projectidentifier",
    "request-metadata", "service-tier", "trace",
)  # fmt: skip

ADAPTER = Adapter(
    meta=Meta(
        id="bedrock-invoke",
        title="Amazon Bedrock InvokeModel",
        why="The older way to Bedrock, by which most programs ask Claude there, and which embeddings need.",
        since="0.1.0",
    ),
    routes=("/model/{model}/invoke", "/model/{model}/invoke-with-response-stream"),
    headers=tuple(f"x-amzn-bedrock-{name}".encode() for name in _SETTINGS),
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
            "Anthropic's body, with a tool's result",
            Wire("request", _TOOLS, "/model/us.anthropic.claude-sonnet-4-v1%3A0/invoke"),
            ("user:pay", "call:read({})", "tool_result:INVOICE", "tool:read", "parameter:bedrock-2023-05-31"),
        ),
        Example(
            "a text to embed",
            Wire("request", b'{"inputText":"hello","dimensions":256}', "/model/amazon.titan-embed-text-v2%3A0/invoke"),
            ("retrieved:hello",),
        ),
        Example(
            "a body of another family",
            Wire("request", b'{"prompt":"hello","max_gen_len":9}', "/model/meta.llama3-8b-instruct-v1%3A0/invoke"),
            ('opaque:invoke-body-of-this-model-family={"prompt":"hello","max_gen_len":9}',),
        ),
        Example("an answer with a call", Wire("answer", _ANSWER), ("output:ok", 'call:pay({"to":1})')),
        Example("the same, streamed", Wire("stream", _STREAM), ("output:ok", 'call:pay({"to":1})')),
    ),
)
