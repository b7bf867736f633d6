"""A server of Amazon Bedrock that says what its script tells it, on loopback: Converse and InvokeModel, also streamed.

It checks signatures as AWS does, by the letter of the documentation ("Create a signed AWS API request") and with
nothing of botocore, for the one access key that it knows. InvokeModel speaks Anthropic's messages, and Titan's
embeddings.
"""

import base64
import hashlib
import hmac
import json
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import quote, unquote

from interlock.protocols._eventstream import message
from interlock.testing import anthropic
from interlock.testing.model import Document, Say, Script

STREAM_TYPE = "application/vnd.amazon.eventstream"
ACCESS_KEY, SECRET_KEY, REGION = "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "eu-north-1"
USAGE = {"inputTokens": 40, "outputTokens": 12, "totalTokens": 52}
_SIGNED = re.compile(r"AWS4-HMAC-SHA256 Credential=([^/]+)/(\d+)/([^/]+)/([^/]+)/aws4_request, "
                     r"SignedHeaders=([^,]+), Signature=([0-9a-f]{64})")  # fmt: skip


@dataclass
class BedrockServer:
    """The server. Use it as a context manager; `url` is the base address for an SDK or an upstream.

    `fault`, a status and an exception's name, is answered to everything as long as it is set; with 200, streams begin,
    and end with it. `asked` are the paths and documents of the requests, `headers` their headers, `signed` by whom each
    was signed: empty if its signature is wrong, or there is none.
    """

    script: Script
    fault: tuple[int, str] | None = None
    asked: list[tuple[str, Document]] = field(default_factory=list)
    signed: list[str] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    _server: ThreadingHTTPServer | None = None

    def __enter__(self) -> "BedrockServer":
        model = self

        class Handler(_Handler):
            owner = model

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        assert self._server
        self._server.shutdown()
        self._server.server_close()

    @property
    def url(self) -> str:
        """Its base address."""
        assert self._server
        return f"http://127.0.0.1:{self._server.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    owner: BedrockServer
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.owner.signed.append(signer(self.path, headers, body))
        self.owner.headers.append(headers)
        document: Document = json.loads(body)
        self.owner.asked.append((self.path, document))
        model, _, way = unquote(self.path).removeprefix("/model/").rpartition("/")
        status, name = self.owner.fault or (200, "")
        if status != 200:
            self._send(_json({"message": "as the script says", "__type": name}), "application/json", status)
        elif "inputText" in document:
            self._send(_json({"embedding": [0.5, -0.25], "inputTextTokenCount": 1}), "application/json")
        else:
            say = self.owner.script(document)
            asked = {"model": model, **document}
            match way:
                case "converse":
                    self._send(whole(say), "application/json")
                case "converse-stream":
                    events = [*stream(say)]
                    broken = [*events[:2], exception(name, "as the script says")] if name else events
                    self._send(b"".join(broken), STREAM_TYPE)
                case "invoke":
                    self._send(anthropic.whole(asked, say), "application/json")
                case _:
                    self._send(b"".join(chunks(asked, say)), STREAM_TYPE)

    def _send(self, data: bytes, kind: str, status: int = 200) -> None:
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(data)))
        self.send_header("x-amzn-requestid", f"request-{len(self.owner.asked)}")
        self.send_header("x-amzn-bedrock-content-type", "application/json")
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is http.server's
        """Say nothing."""


def signer(path: str, headers: dict[str, str], body: bytes) -> str:
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
