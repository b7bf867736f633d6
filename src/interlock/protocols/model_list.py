"""Lists of models, and what a server says of one: many programs ask for them when they start.

Source: the API references of OpenAI, Azure OpenAI, Anthropic, Gemini and Ollama, which all answer a GET without a body
with one JSON object. All of it counts as one text of the answer. Since several protocols have the same path, the
upstream's key goes into the header in which the client shows its own. Errors are told in OpenAI's shape.
"""

import re
from collections.abc import Mapping

from interlock.model.errors import ProtocolError
from interlock.model.event import Channel, Path, Text
from interlock.model.meta import Example, Meta
from interlock.protocols import Adapter, Answer, AnswerEdit, Frame, FrameEdit, Request, Target, Usage, Wire
from interlock.protocols._json import decode, encode
from interlock.protocols._openai import Unstreamed, error, stream_error
from interlock.protocols._reading import parsed, readable

_QUERY = frozenset({"after", "after_id", "api-version", "before_id", "beta", "limit", "pageSize", "pageToken"})
# A number, a name or a mark of a page; no plus sign, which servers read as a space.
_VALUE = re.compile(r"[A-Za-z0-9_.:/=-]{1,512}")


def _read_request(data: bytes, target: Target) -> Request:
    if data:
        raise ProtocolError("a list is asked for without a body", where="body", hint="leave it out")
    for name, value in target.query.items():
        if not _VALUE.fullmatch(value):
            raise ProtocolError(f"the parameter {name} holds more than a name or a number", where="query")
    return Request(data, {}, target.fields.get("model", ""), False, ())


def _read_answer(data: bytes) -> Answer:
    document = decode(data)
    return Answer(data, document, "", (Text((), Channel.OUTPUT, readable(document)),), Usage())


def _edit_request(request: Request, _: Mapping[Path, str]) -> bytes:
    return request.raw


def _edit_answer(answer: Answer, edit: AnswerEdit) -> bytes:
    return encode(parsed(edit.texts[()], {})) if () in edit.texts else answer.raw


def _edit_frame(frame: Frame, _: FrameEdit) -> bytes:
    return frame.raw


ADAPTER = Adapter(
    meta=Meta(
        id="model-list",
        title="Lists of models",
        why="Programs ask which models there are before they use one.",
        since="0.1.0",
    ),
    routes=(
        "/v1/models",
        "/v1/models/{model}",
        "/v1beta/models",
        "/v1beta/models/{model}",
        "/openai/models",
        "/openai/models/{model}",
        "/api/tags",
        "/api/ps",
        "/api/version",
    ),
    base="/v1",
    query=_QUERY,
    headers=(b"anthropic-version", b"anthropic-beta", b"openai-beta"),
    credential=None,
    method=b"GET",
    request=_read_request,
    answer=_read_answer,
    reader=Unstreamed,
    edit_request=_edit_request,
    edit_answer=_edit_answer,
    edit_frame=_edit_frame,
    error=error,
    stream_error=stream_error,
    examples=(
        Example("the models of Anthropic", Wire("request", b"", "/v1/models?limit=20"), ()),
        Example("one model of Gemini", Wire("request", b"", "/v1beta/models/gemini-2.5-flash"), ()),
        Example(
            "a list of OpenAI",
            Wire("answer", b'{"object":"list","data":[{"id":"m","object":"model","created":1,"owned_by":"o"}]}'),
            ('output:{"object":"list","data":[{"id":"m","object":"model","created":1,"owned_by":"o"}]}',),
        ),
        Example("the version of Ollama", Wire("answer", b'{"version":"0.12.1"}'), ('output:{"version":"0.12.1"}',)),
        Example(
            "an error where a stream was not to be expected",
            Wire("stream", b'data: {"error":{"message":"busy","type":"server_error","param":null,"code":"busy"}}\n\n'),
            ('opaque:error={"message":"busy","type":"server_error","param":null,"code":"busy"}',),
        ),
    ),
)
