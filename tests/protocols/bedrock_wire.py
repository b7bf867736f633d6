"""Short ways to write what Bedrock says, and every form that the SDK's own types allow it to have."""

import base64
import itertools
import json
from collections.abc import Iterator
from functools import cache
from typing import Any

import botocore.loaders
from botocore.model import ServiceModel
from botocore.parsers import EventStreamJSONParser

from interlock.protocols import Adapter, Frame, Request, Target
from interlock.protocols._bedrock import event
from interlock.protocols._eventstream import Messages, message
from interlock.protocols.bedrock_converse import ADAPTER
from tests.protocols.wire import short

PATH = "/model/m/converse"


def requested(document: dict[str, Any], path: str = PATH, adapter: Adapter = ADAPTER) -> Request:
    target = adapter.target(path)
    assert isinstance(target, Target)
    return adapter.request(json.dumps(document).encode(), target)


def asked(document: dict[str, Any], path: str = PATH, adapter: Adapter = ADAPTER) -> list[str]:
    return short(requested(document, path, adapter).events)


def user(*content: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": list(content)}]}


def answer(*content: Any, stop: str = "end_turn", **more: Any) -> bytes:
    said = {"output": {"message": {"role": "assistant", "content": list(content)}}, "stopReason": stop, **more}
    return json.dumps(said).encode()


def answered(data: bytes, adapter: Adapter = ADAPTER) -> list[str]:
    return short(adapter.answer(data).events)


def call(name: str = "pay", call_id: str = "t1", **arguments: Any) -> dict[str, Any]:
    return {"toolUse": {"toolUseId": call_id, "name": name, "input": arguments}}


START = event("messageStart", {"role": "assistant"})


def stop(reason: str = "end_turn", **more: Any) -> bytes:
    return event("messageStop", {"stopReason": reason, **more})


def delta(index: int, **piece: Any) -> bytes:
    return event("contentBlockDelta", {"contentBlockIndex": index, "delta": piece})


def begin(index: int, **start: Any) -> bytes:
    return event("contentBlockStart", {"contentBlockIndex": index, "start": start})


def end(index: int) -> bytes:
    return event("contentBlockStop", {"contentBlockIndex": index})


def called(index: int, name: str, *pieces: str) -> list[bytes]:
    """The events of a call's block."""
    start = begin(index, toolUse={"toolUseId": f"t{index}", "name": name})
    return [start, *(delta(index, toolUse={"input": piece}) for piece in pieces), end(index)]


def frames(*events: bytes, adapter: Adapter = ADAPTER) -> list[Frame]:
    reader = adapter.reader()
    found = reader.feed(b"".join(events))
    reader.end()
    return found


@cache
def runtime() -> ServiceModel:
    """The SDK's own model of the service."""
    return ServiceModel(botocore.loaders.Loader().load_service_model("bedrock-runtime", "service-2"))


def sdk_events(data: bytes, shape: str = "ConverseStreamOutput") -> list[dict[str, Any]]:
    """A stream's events as boto3 gives them to programs."""
    parser = EventStreamJSONParser()
    read = ({"status_code": 200, "headers": m.headers, "body": m.payload} for m in Messages().feed(data))
    return [parser.parse(one, runtime().shape_for(shape)) for one in read]


def examples(shape: Any, depth: int = 0) -> Iterator[Any]:
    """Documents of a shape: each of its fields once with each form that it can have, the others in their first."""
    if getattr(shape, "is_document_type", False):
        yield {"a": {"b": ["c", 1]}}
    elif shape.type_name == "structure" and depth < 12:
        members = {
            name: list(itertools.islice(examples(inner, depth + 1), 60)) for name, inner in shape.members.items()
        }
        if shape.is_tagged_union:
            yield from ({name: form} for name, forms in members.items() for form in forms)
        else:
            first = {name: forms[0] for name, forms in members.items() if forms}
            yield first
            yield from ({**first, name: form} for name, forms in members.items() for form in forms[1:])
    elif shape.type_name == "list":
        yield from ([inner] for inner in examples(shape.member, depth + 1))
    elif shape.type_name == "map":
        yield from ({"key": inner} for inner in examples(shape.value, depth + 1))
    else:
        yield _leaf(shape)


def _leaf(shape: Any) -> Any:
    match shape.type_name:
        case "string":
            return shape.enum[0] if shape.enum else "x1"
        case "blob":
            return base64.b64encode(b"bytes").decode()
        case "boolean":
            return True
        case "float" | "double":
            return 0.5
        case _:
            return 1


def reframed(data: bytes, number: int, document: Any) -> bytes:
    """A stream with another document in one of its events."""
    messages = Messages().feed(data)
    changed = message(messages[number].headers, json.dumps(document).encode())
    return b"".join(changed if at == number else one.raw for at, one in enumerate(messages))
