"""What a scripted model says, by Amazon Bedrock: Converse and InvokeModel, also streamed.

It checks signatures as AWS does, by the letter of the documentation ("Create a signed AWS API request") and with
nothing of botocore, for the one access key that it knows. InvokeModel speaks Anthropic's messages, and Titan's
embeddings.
"""

import base64
import hashlib
import hmac
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from urllib.parse import quote, unquote

from interlock.protocols._eventstream import message
from interlock.testing import anthropic
from interlock.testing.answering import Answered, Asked
from interlock.testing.model import Document, Say, Script

STREAM_TYPE = "application/vnd.amazon.eventstream"
ACCESS_KEY, SECRET_KEY, REGION = "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "eu-north-1"
USAGE = {"inputTokens": 40, "outputTokens": 12, "totalTokens": 52}
_SIGNED = re.compile(r"AWS4-HMAC-SHA256 Credential=([^/]+)/(\d+)/([^/]+)/([^/]+)/aws4_request, "
                     r"SignedHeaders=([^,]+), Signature=([0-9a-f]{64})")  # fmt: skip


@dataclass
class BedrockModel:
    """The server's side: Converse and InvokeModel, also streamed.

    `fault`, a status and an exception's name, is answered to everything as long as it is set; with 200, streams begin,
    and end with it. `signed` says by whom each request was signed: empty if its signature is wrong, or there is none.
    """

    script: Script
    fault: tuple[int, str] | None = None
    signed: list[str] = field(default_factory=list)

    def __call__(self, asked: Asked) -> Answered:
        """What is answered to a request."""
        self.signed.append(signer(asked.path, asked.headers, asked.body))
        more = {"x-amzn-requestid": f"request-{len(self.signed)}", "x-amzn-bedrock-content-type": "application/json"}
        return self._answer(asked)._replace(headers=more)

    def _answer(self, asked: Asked) -> Answered:
        document = asked.document
        model, _, way = unquote(asked.path).removeprefix("/model/").rpartition("/")
        status, name = self.fault or (200, "")
        if status != 200:
            return Answered(_json({"message": "as the script says", "__type": name}), status=status)
        if "inputText" in document:
            return Answered(_json({"embedding": [0.5, -0.25], "inputTextTokenCount": 1}))
        say = self.script(document)
        match way:
            case "converse":
                return Answered(whole(say))
            case "converse-stream":
                events = [*stream(say)]
                broken = [*events[:2], exception(name, "as the script says")] if name else events
                return Answered(b"".join(broken), STREAM_TYPE)
            case "invoke":
                return Answered(anthropic.whole({"model": model, **document}, say))
            case _:
                return Answered(b"".join(chunks({"model": model, **document}, say)), STREAM_TYPE)


def signer(path: str, headers: Mapping[str, str], body: bytes) -> str:
    """The access key by which a request was signed; empty if its signature does not hold."""
    found = _SIGNED.fullmatch(headers.get("authorization", ""))
    if not found:
        return ""
    key, date, region, service, names, signature = found.groups()
    canonical = "".join(f"{name}:{' '.join(headers[name].split())}\n" for name in names.split(";"))
    asked = ["POST", quote(path, safe="/~"), "", canonical, names, hashlib.sha256(body).hexdigest()]
    scope = f"{date}/{region}/{service}/aws4_request"
    digest = hashlib.sha256("\n".join(asked).encode()).hexdigest()
    secret = f"AWS4{SECRET_KEY}".encode()
    for part in (date, region, service, "aws4_request"):
        secret = hmac.digest(secret, part.encode(), "sha256")
    text = "\n".join(["AWS4-HMAC-SHA256", headers["x-amz-date"], scope, digest])
    known = (key, region, service) == (ACCESS_KEY, REGION, "bedrock") and {"host", "x-amz-date"} <= {*names.split(";")}
    return key if known and hmac.digest(secret, text.encode(), "sha256").hex() == signature else ""


def whole(say: Say) -> bytes:
    """A whole answer's body, of Converse."""
    content: list[Document] = [{"text": say.text}] if say.text else []
    content += [{"toolUse": {**_named(index, say), "input": call.arguments}} for index, call in enumerate(say.calls)]
    answer = {"output": {"message": {"role": "assistant", "content": content}}, "stopReason": _stop(say)}
    return _json({"metrics": {"latencyMs": 7}, **answer, "usage": USAGE})


def stream(say: Say) -> Iterator[bytes]:
    """The events of a streamed answer, of Converse, each as the bytes of one event."""
    yield event("messageStart", role="assistant")
    index = 0
    if say.text:
        for word in say.pieces if say.pieces is not None else tuple(word + " " for word in say.text.split(" ")):
            yield event("contentBlockDelta", contentBlockIndex=index, delta={"text": word})
        yield event("contentBlockStop", contentBlockIndex=index)
        index += 1
    for number, call in enumerate(say.calls):
        yield event("contentBlockStart", contentBlockIndex=index, start={"toolUse": _named(number, say)})
        arguments = json.dumps(call.arguments, ensure_ascii=False)
        for at in range(0, len(arguments), 7):
            piece = {"toolUse": {"input": arguments[at : at + 7]}}
            yield event("contentBlockDelta", contentBlockIndex=index, delta=piece)
        yield event("contentBlockStop", contentBlockIndex=index)
        index += 1
    yield event("messageStop", stopReason=_stop(say))
    yield event("metadata", usage=USAGE, metrics={"latencyMs": 7})


def chunks(request: Document, say: Say) -> Iterator[bytes]:
    """The events of a streamed answer, of InvokeModel in Anthropic's messages."""
    for one in anthropic.stream(request, say):
        own = one.partition(b"data: ")[2].rstrip(b"\n")
        yield event("chunk", bytes=base64.b64encode(own).decode())


def event(kind: str, **fields: object) -> bytes:
    """One event of a stream, padded as Bedrock does it."""
    headers = {":event-type": kind, ":content-type": "application/json", ":message-type": "event"}
    return message(headers, _json({**fields, "p": "abcdefghijklmnopqrstuvwxyzABCDEF"[: len(kind)]}))


def exception(kind: str, text: str) -> bytes:
    """An error in a stream."""
    headers = {":exception-type": kind, ":content-type": "application/json", ":message-type": "exception"}
    return message(headers, _json({"message": text}))


def _named(index: int, say: Say) -> Document:
    return {"toolUseId": f"tooluse_{index}", "name": say.calls[index].name}


def _stop(say: Say) -> str:
    return "tool_use" if say.calls else "end_turn"


def _json(document: Document) -> bytes:
    return json.dumps(document, separators=(",", ":")).encode()
