"""Google's Gemini: generateContent, whole and streamed, countTokens and embeddings; Gemini API and Vertex AI alike.

Source: the Gemini API reference (v1beta), that of Vertex AI, and the types of `google-genai` 3.6. A stream is
understood as server-sent events, as every SDK asks for it; as a JSON array (without `alt=sse`) it is refused. Tools
that the server itself runs (search, code execution, URL context), their results, and cached contents come out as
`Opaque`.
"""

from interlock.model.meta import Example, Meta
from interlock.protocols import Adapter, Credential, Wire
from interlock.protocols.gemini.answer import read_answer
from interlock.protocols.gemini.edit import edit_answer, edit_frame, edit_request, error, stream_error
from interlock.protocols.gemini.request import ALT, METHODS, read_request
from interlock.protocols.gemini.stream import Reader

# Where models are: those of the Gemini API, tuned ones, and Vertex AI's with and without a project.
_MODELS = (
    "/{version}/models/{model}",
    "/{version}/tunedModels/{model}",
    "/{version}/projects/{project}/locations/{location}/publishers/google/models/{model}",
    "/{version}/projects/{project}/locations/{location}/endpoints/{model}",
    "/{version}/publishers/google/models/{model}",
)
_PATH = "/v1beta/models/gemini-2.5-flash"

_HELLO = (
    b'{"system_instruction":{"parts":{"text":"be kind"}},"contents":[{"role":"user","parts":[{"text":"hello"},'
    b'{"inlineData":{"mimeType":"image/png","data":"iVBORw=="}}]}]}'
)
_TOOLS = (
    b'{"contents":[{"parts":[{"text":"pay"}]},{"role":"model","parts":[{"functionCall":{"name":"read","args":{"n":1}},'
    b'"thoughtSignature":"AAEC"}]},{"role":"user","parts":[{"functionResponse":{"name":"read","response":{"result":'
    b'"INVOICE"}}}]}],"tools":[{"functionDeclarations":[{"name":"read","description":"reads","parameters":{"type":'
    b'"OBJECT"}}]}],"generationConfig":{"stopSequences":["END"],"temperature":0}}'
)
_ANSWER = (
    b'{"candidates":[{"content":{"role":"model","parts":[{"text":"hm","thought":true},{"text":"o"},{"text":"k"},'
    b'{"functionCall":{"name":"pay","args":{"to":1}}}]},"finishReason":"STOP","index":0,"groundingMetadata":'
    b'{"groundingChunks":[{"web":{"uri":"https://a.example","title":"A"}}]}}],"usageMetadata":{"promptTokenCount":1,'
    b'"candidatesTokenCount":2,"totalTokenCount":3},"modelVersion":"gemini-2.5-flash","responseId":"r"}'
)
_STREAM = (
    b'data: {"candidates":[{"content":{"parts":[{"text":"o"}],"role":"model"},"index":0}],"modelVersion":"m"}\n\n'
    b'data: {"candidates":[{"content":{"parts":[{"text":"k"}],"role":"model"},"index":0}],"modelVersion":"m"}\n\n'
    b'data: {"candidates":[{"content":{"parts":[{"functionCall":{"name":"pay","args":{}}}],"role":"model"},"index":0}]}'
    b"\n\n"
    b'data: {"candidates":[{"content":{"role":"model"},"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":1}}'
    b"\n\n"
)

ADAPTER = Adapter(
    meta=Meta(
        id="gemini",
        title="Google Gemini and Vertex AI",
        why="The native protocol of Google's models, which google-genai and the Vertex AI SDKs speak.",
        since="0.1.0",
    ),
    routes=tuple(f"{models}:{method}" for models in _MODELS for method in METHODS),
    query=ALT,
    headers=(b"x-server-timeout",),
    credential=Credential(b"x-goog-api-key"),
    request=read_request,
    answer=read_answer,
    reader=Reader,
    edit_request=edit_request,
    edit_answer=edit_answer,
    edit_frame=edit_frame,
    error=error,
    stream_error=stream_error,
    examples=(
        Example(
            "a system prompt, a question and a picture",
            Wire("request", _HELLO, f"{_PATH}:generateContent"),
            ("system:be kind", "user:hello", "image:inline"),
        ),
        Example(
            "a tool's result comes back",
            Wire("request", _TOOLS, f"{_PATH}:streamGenerateContent?alt=sse"),
            ("user:pay", 'call:read({"n":1})', "tool_result:INVOICE", "tool:read", 'parameter:["END"]'),
        ),
        Example(
            "texts to embed",
            Wire(
                "request",
                b'{"requests":[{"model":"models/e","content":{"parts":[{"text":"a"}]},"taskType":"RETRIEVAL_QUERY"}]}',
                "/v1beta/models/e:batchEmbedContents",
            ),
            ("user:a", "parameter:RETRIEVAL_QUERY"),
        ),
        Example(
            "an answer with a thought, a call and sources",
            Wire("answer", _ANSWER),
            (
                "output:hm",
                "output:ok",
                'call:pay({"to":1})',
                'output:{"groundingChunks":[{"web":{"uri":"https://a.example","title":"A"}}]}',
            ),
        ),
        Example("an answer, streamed", Wire("stream", _STREAM), ("output:ok", "call:pay({})")),
        Example(
            "a tool that the server itself runs",
            Wire(
                "request",
                b'{"contents":[{"parts":[{"text":"hi"}]}],"tools":[{"googleSearch":{}}]}',
                f"{_PATH}:generateContent",
            ),
            ("user:hi", "opaque:tools[0].googleSearch={}"),
        ),
    ),
)
