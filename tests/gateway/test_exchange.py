"""What becomes of a request: who may ask, what a body may be, and what its answer may be."""

import json
from dataclasses import replace

import pytest

from interlock.app import now_us
from interlock.model.record import RecordKind, Verdict
from interlock.testing.raw import Move, RawServer
from tests.gateway.wire import (
    BODY,
    DONE,
    PATH,
    PROVIDER_KEY,
    STREAMED,
    completion,
    head,
    key,
    run,
    streamed,
    whole,
    wire,
)

MESSAGES = b'"messages":[{"role":"user","content":"hi"}]'


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "not valid JSON"),
        (b"{", "not valid JSON"),
        (b"[]", "not a JSON object"),
        (b"null", "not a JSON object"),
        (b'{"model":"m",' + MESSAGES + b"}{}", "not valid JSON"),
        (b'\xef\xbb\xbf{"model":"m",' + MESSAGES + b"}", "not valid JSON"),
        (b'{"model":"m","messages":[{"role":"user","content":"\xff"}]}', "not valid JSON"),
        (b'{"model":"m","messages":[{"role":"user","content":"\\ud800"}]}', "not valid JSON"),
        (b'{"model":"m","model":"n",' + MESSAGES + b"}", "stands twice"),
        (b'{"model":"m","messages":[{"role":"user","role":"system","content":"hi"}]}', "stands twice"),
        (b'{"model":"m","n":NaN,' + MESSAGES + b"}", "not valid JSON"),
        (b"[" * 100_000, "nested"),
        (b'{"a":' * 200 + b"1" + b"}" * 200, "nested"),
        (b'{"model":"m"}', "messages"),
        (b'{"model":"m","messages":[]}', "messages"),
        (b"{" + MESSAGES + b"}", "model"),
        (b'{"model":5,' + MESSAGES + b"}", "model"),
        (b'{"model":"m","messages":[{"role":"boss","content":"hi"}]}', "role"),
        (b'{"model":"m","messages":["hi"]}', "expected an object"),
        (b'{"model":"m","stream":"yes",' + MESSAGES + b"}", "stream"),
        (b'{"model":"m","extra_text":"do this",' + MESSAGES + b"}", "not understood"),
        (b'{"model":"m","messages":[{"role":"user","content":"hi","aside":"do this"}]}', "not understood"),
        (b'{"model":"m","messages":[{"role":"user","content":[{"type":"file","file":{}}]}]}', "not understood"),
    ],
)  # fmt: skip
def test_a_body_that_is_refused(body: bytes, says: str) -> None:
    async def work() -> None:
        async with RawServer([[Move.READ, whole()]]) as server, wire(server.url) as gate:
            answer = await gate.ask(gate.post(body))
            assert answer.status == 400
            assert says in answer.error["message"]
            [record] = gate.records()
            assert record.status == 400
            assert record.verdict is Verdict.BLOCKED
            assert record.kind is (RecordKind.REQUEST if says == "not understood" else RecordKind.REFUSAL)
            assert record.workload == "w"
            assert server.asked == []
            assert await gate.serves()

    run(work)


@pytest.mark.parametrize("where", ["role", "key", "model"])
def test_a_huge_word_of_the_client_does_not_fill_the_log(where: str) -> None:
    word = "w" * 1_000_000
    body = {
        "role": {"model": "m", "messages": [{"role": word, "content": "hi"}]},
        "key": {"model": "m", word: "x", "messages": [{"role": "user", "content": "hi"}]},
        "model": {"model": word, "messages": [{"role": "boss", "content": "hi"}]},
    }[where]

    async def work() -> None:
        async with wire() as gate:
            answer = await gate.ask(gate.post(json.dumps(body).encode()))
            assert answer.status == 400
            assert len(answer.body) < 10_000
            [record] = gate.records()
            assert len(record.reason) + len(record.model) < 2_000

    run(work)


@pytest.mark.parametrize(
    ("authorization", "reason"),
    [
        (None, "no credential"),
        ("", "no credential"),
        ("Basic dzp3", "malformed"),
        ("Bearer", "malformed"),
        ("Bearer sk-proj-somebody-elses", "malformed"),
        ("Bearer {key} ", None),
        ("bearer {key}", None),
        ("{key}", None),
        ("Bearer {key}x", "malformed"),
        ("Bearer {key}, Bearer {key}", "malformed"),
        ("Bearer {mistyped}", "checksum"),
        ("Bearer {unknown}", "is unknown"),
        ("Bearer {expired}", "has expired"),
        ("Bearer {revoked}", "was revoked"),
    ],
)
def test_who_may_ask(authorization: str | None, reason: str | None) -> None:
    async def work() -> None:
        async with RawServer([[Move.READ, whole()]]) as server, wire(server.url) as gate:
            expired, expired_text = key("late", lifetime_us=1)
            revoked, revoked_text = key("gone")
            gate.gateway.keyring.replace([gate.kept, expired, replace(revoked, revoked_us=now_us())])
            words = {
                "key": gate.key,
                "mistyped": gate.key[:-1] + ("a" if gate.key[-1] != "a" else "b"),
                "unknown": key()[1],
                "expired": expired_text,
                "revoked": revoked_text,
            }
            line = "" if authorization is None else f"Authorization: {authorization.format(**words)}\r\n"
            data = f"POST {PATH} HTTP/1.1\r\nHost: g\r\n{line}Content-Length: {len(BODY)}\r\n\r\n".encode() + BODY
            answer = await gate.ask(data)
            if reason is None:
                assert answer.status == 200
                return
            assert answer.status == 401
            assert answer.headers["www-authenticate"] == "Bearer"
            assert answer.error["code"] == "invalid_credential"
            assert reason not in answer.error["message"]
            [record] = gate.records()
            assert record.kind is RecordKind.REFUSAL
            assert reason in record.reason
            assert server.asked == []

    run(work)


def test_a_key_that_is_revoked_while_its_client_is_connected() -> None:
    async def work() -> None:
        async with RawServer([[Move.READ, whole(), Move.HOLD]]) as server, wire(server.url) as gate:
            async with gate.client() as client:
                client.send(gate.post())
                assert (await client.answer()).status == 200
                gate.gateway.keyring.replace([replace(gate.kept, revoked_us=now_us())])
                client.send(gate.post())
                assert (await client.answer()).status == 401
            assert "revoked" in gate.refusals()[0].reason
            assert len(server.asked) == 1

    run(work)


def test_only_what_is_needed_goes_to_the_model() -> None:
    async def work() -> None:
        async with RawServer([[Move.READ, whole()]]) as server, wire(server.url) as gate:
            sent = ["Cookie: c=1", "X-Forwarded-For: 10.0.0.1", "Content-Type: application/json; charset=utf-7",
                    "OpenAI-Beta: assistants=v2", "Connection: keep-alive, X-Secret", "X-Secret: s",
                    "Accept-Encoding: gzip", "User-Agent: test/1"]  # fmt: skip
            answer = await gate.ask(gate.post(BODY, *sent))
            assert answer.status == 200
            asked_head, _, body = server.asked[0].partition(b"\r\n\r\n")
            assert body == BODY
            line, *lines = asked_head.decode().split("\r\n")
            assert line == "POST /v1/chat/completions HTTP/1.1"
            assert sorted(lines) == sorted(
                [
                    f"host: 127.0.0.1:{server.port}",
                    "accept-encoding: identity",
                    "content-type: application/json",
                    f"authorization: Bearer {PROVIDER_KEY}",
                    f"content-length: {len(BODY)}",
                    "openai-beta: assistants=v2",
                    "user-agent: test/1",
                ]
            )

    run(work)


def test_a_query_that_the_protocol_does_not_know_is_refused_and_not_kept() -> None:
    async def work() -> None:
        async with RawServer([]) as server, wire(server.url) as gate:
            answer = await gate.ask(gate.post(path=PATH + "?key=secret-in-a-url"))
            assert answer.status == 400
            assert "query" in answer.error["message"]
            assert not server.asked
            assert not any("secret-in-a-url" in str(record) for record in gate.records())

    run(work)


def test_an_answer_passes_byte_by_byte_and_is_recorded() -> None:
    async def work() -> None:
        body = completion("hällo").replace(b", ", b" ,  ")
        said = head(content_type="application/json", content_length=len(body), x_request_id="req_1", set_cookie="a=b",
                    x_ratelimit_remaining_requests=7, server="model") + body  # fmt: skip
        async with RawServer([[Move.READ, said]]) as server, wire(server.url) as gate:
            answer = await gate.ask(gate.post())
            assert answer.status == 200
            assert answer.body == body
            assert set(answer.headers) == {
                "content-type", "content-length", "x-request-id", "x-ratelimit-remaining-requests"
            }  # fmt: skip
            request, record = gate.records()
            assert (request.kind, record.kind) == (RecordKind.REQUEST, RecordKind.ANSWER)
            assert (request.request, request.workload, request.bytes_in) == (record.request, "w", len(BODY))
            assert (record.status, record.verdict, record.bytes_out) == (200, Verdict.ALLOWED, len(body))

    run(work)


def test_a_stream_passes_and_is_recorded() -> None:
    async def work() -> None:
        async with RawServer([[Move.READ, streamed("one ", "two ")]]) as server, wire(server.url) as gate:
            answer = await gate.ask(gate.post(STREAMED))
            assert answer.status == 200
            assert answer.headers["content-type"] == "text/event-stream"
            assert answer.body.endswith(DONE)
            assert [record.kind for record in gate.records()] == [RecordKind.REQUEST, RecordKind.ANSWER]

    run(work)
