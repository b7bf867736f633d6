"""What a model's server can do wrong: the client gets one clear error, the log a record, the next client is served."""

import asyncio
import datetime
import ipaddress
import json
import ssl
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from interlock.gateway.pool import KEPT_S, Pool
from interlock.gateway.settings import GatewaySettings, Upstream
from interlock.gateway.upstream import HIGH_WATER
from interlock.model.errors import ConfigError
from interlock.model.record import RecordKind, Verdict
from interlock.testing.raw import Move, Play, RawServer
from tests.gateway.wire import (
    DONE,
    END,
    PROVIDER_KEY,
    STREAM_HEAD,
    STREAMED,
    Answer,
    Wire,
    chunk,
    completion,
    event,
    head,
    run,
    streamed,
    until,
    whole,
    wire,
)

FAR = 1e9
JSON = "application/json"
BODY = completion()


def faulty(gate: Wire, answer: Answer, status: int, *says: str) -> None:
    """The client was told, in the protocol's shape; the log says the same; no connection was kept."""
    assert answer.status == status
    assert answer.error["code"] == "upstream_error"
    request, record = gate.records()
    assert (request.kind, record.kind) == (RecordKind.REQUEST, RecordKind.ANSWER)
    assert (record.status, record.verdict) == (status, Verdict.FAILED)
    for word in says:
        assert word in record.reason
    assert not gate.gateway.pools["openai"]._open
    assert not gate.gateway.performing
    assert gate.said == []


WRONG: dict[str, tuple[Play, str]] = {
    "nothing": ([Move.READ], "before its answer was whole"),
    "a reset": ([Move.READ, Move.RESET], "before its answer was whole"),
    "half a head": ([Move.READ, b"HTTP/1.1 200 OK\r\nContent-"], "before its answer was whole"),
    "a body cut short": (
        [Move.READ, head(content_type=JSON, content_length=len(BODY) + 1), BODY],
        "before its answer was",
    ),
    "chunks cut short": ([Move.READ, head(transfer_encoding="chunked"), chunk(BODY)], "before its answer was whole"),
    "too short a length": ([Move.READ, head(content_type=JSON, content_length=len(BODY) - 5), BODY], "not valid JSON"),
    "two lengths": (
        [Move.READ, head(content_length=len(BODY))[:-2], b"Content-Length: 3\r\n\r\n", BODY],
        "Content-Length",
    ),
    "a length and chunks": (
        [Move.READ, head(content_length=4, transfer_encoding="chunked"), chunk(BODY), END],
        "Transfer-Encoding",
    ),
    "wrong chunks": ([Move.READ, head(transfer_encoding="chunked"), b"zz\r\n", BODY], "chunk size"),
    "another encoding": ([Move.READ, head(transfer_encoding="gzip"), BODY], "before its answer was whole"),
    "a compressed body": (
        [Move.READ, head(content_encoding="gzip", content_length=len(BODY)), BODY],
        "cannot be decoded",
    ),
    "no HTTP at all": ([Move.READ, b"SSH-2.0-OpenSSH_9.6\r\n"], "HTTP/1.1"),
    "bare line feeds": ([Move.READ, b"HTTP/1.1 200 OK\nContent-Length: 2\n\n{}"], "HTTP/1.1"),
    "another protocol": (
        [Move.READ, b"HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n"],
        "changed the protocol",
    ),
    "a head without end": ([Move.READ, b"HTTP/1.1 200 OK\r\n", b"X: " + b"x" * 300_000, Move.HOLD], "too long a head"),
    "informs without end": ([Move.READ, b"HTTP/1.1 103 Early\r\n\r\n" * 30_000, Move.HOLD], "too long a head"),
    "too much, by length": (
        [Move.READ, head(content_length=2_000_000) + b" " * 2_000_000, Move.HOLD],
        "over 1000000 bytes",
    ),
    "too much, by chunks": (
        [Move.READ, head(transfer_encoding="chunked") + chunk(b" " * 50_000) * 30, Move.HOLD],
        "over 1000000 bytes",
    ),
    "not JSON": ([Move.READ, head(content_length=4), b"<ok>"], "not valid JSON"),
    "an empty answer": ([Move.READ, head(204)], "204"),
    "a redirect": ([Move.READ, head(307, location="http://127.0.0.1:9/x", content_length=0)], "307"),
    "an error's page": ([Move.READ, head(500, content_type="text/html", content_length=13), b"<h1>Oh</h1>  "], "500"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_answer(name: str) -> None:
    play, says = WRONG[name]

    async def work() -> None:
        async with RawServer([play]) as server, wire(server.url, max_body_bytes=1_000_000) as gate:
            answer = await gate.ask(gate.post())
            faulty(gate, answer, 500 if name == "an error's page" else 502, says)
            assert b"<h1>" not in answer.body
            assert "location" not in answer.headers
            assert len(server.asked) == 1
            assert await gate.serves()

    run(work)


@pytest.mark.parametrize("status", [401, 403])
def test_what_is_said_of_our_credential_is_not_passed_on(status: int) -> None:
    async def work() -> None:
        body = json.dumps({"error": {"message": f"Incorrect API key provided: {PROVIDER_KEY}"}}).encode()
        said = head(status, content_type=JSON, content_length=len(body), x_request_id="r") + body
        async with RawServer([[Move.READ, said]]) as server, wire(server.url) as gate:
            answer = await gate.ask(gate.post())
            assert answer.status == 502
            assert "interlock's credential" in answer.error["message"]
            assert PROVIDER_KEY.encode() not in answer.body

    run(work)


def test_a_limit_of_the_model_is_passed_on() -> None:
    async def work() -> None:
        body = b'{"error":{"message":"slow down","type":"rate_limit"}}'
        said = head(429, content_type=JSON, content_length=len(body), retry_after=7, x_ratelimit_limit_tokens=5) + body
        async with RawServer([[Move.READ, said]]) as server, wire(server.url) as gate:
            answer = await gate.ask(gate.post())
            assert answer.status == 429
            assert b"slow down" in answer.body
            assert answer.headers["retry-after"] == "7"
            assert answer.headers["x-ratelimit-limit-tokens"] == "5"
            assert gate.records()[1].status == 429

    run(work)


def test_an_error_of_over_the_high_water_mark_that_calls_itself_a_stream() -> None:
    async def work() -> None:
        said = head(500, content_type="text/event-stream", content_length=HIGH_WATER * 2) + b"x" * HIGH_WATER * 2
        async with RawServer([[Move.READ, said, Move.HOLD]]) as server, wire(server.url) as gate:
            assert (await gate.ask(gate.post(STREAMED))).status == 500

    run(work)


@pytest.mark.parametrize(
    "said",
    [
        b"HTTP/1.1 100 Continue\r\n\r\n" + whole(),
        b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n" + whole(),
        head(content_type=JSON) + BODY,
        head(content_type=JSON, connection="close") + BODY,
        head(content_type=JSON, transfer_encoding="chunked") + b"".join(chunk(bytes([b])) for b in BODY) + END,
        head(content_type=JSON, transfer_encoding="chunked") + chunk(BODY) + b"0\r\nX-Trailer: a\r\n\r\n",
        b"HTTP/1.0 200 OK\r\n\r\n" + BODY,
        whole() + b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil",
        whole() + b"nonsense",
    ],
    ids=[
        "100",
        "103 and 102",
        "until close",
        "closing",
        "small chunks",
        "trailer",
        "HTTP/1.0",
        "a second answer",
        "more",
    ],
)
@pytest.mark.parametrize("cut", [False, True], ids=["at once", "cut"])
def test_an_unusual_answer_that_is_right(said: bytes, cut: bool) -> None:
    async def work() -> None:
        play: Play = [Move.READ, *([said[n : n + 1] for n in range(len(said))] if cut else [said])]
        async with RawServer([play]) as server, wire(server.url) as gate:
            answer = await gate.ask(gate.post())
            assert answer.status == 200
            assert answer.body == BODY
            assert not gate.gateway.pools["openai"]._idle
            assert gate.said == []

    run(work)


def test_a_connection_is_used_again() -> None:
    async def work() -> None:
        play: Play = [Move.READ, whole("one"), Move.READ, streamed("two"), Move.READ, whole("three"), Move.HOLD]
        async with RawServer([play]) as server, wire(server.url) as gate:
            assert b"one" in (await gate.ask(gate.post())).body
            assert b"two" in (await gate.ask(gate.post(STREAMED))).body
            assert b"three" in (await gate.ask(gate.post())).body
            assert server.connections == 1
            [connection] = gate.gateway.pools["openai"]._idle
            assert connection.deadline is not None
            gate.gateway.sweep(connection.deadline)
            await server.gone.wait()
            assert not gate.gateway.pools["openai"]._open
            assert KEPT_S > 0

    run(work)


def test_an_answer_before_the_request_was_read() -> None:
    async def work() -> None:
        body = b'{"error":{"message":"too large"}}'
        early = head(413, content_type=JSON, content_length=len(body)) + body
        async with RawServer([[Move.HEAD, early, wait], [Move.READ, whole()]]) as server, wire(server.url) as gate:
            # The server reads no further than the head, so that most of this stays with the gateway.
            large = b'{"model":"m","messages":[{"role":"user","content":"%b"}]}' % (b"x" * 14_000_000)
            answer = await gate.ask(gate.post(large))
            assert answer.status == 413
            assert "too large" in answer.error["message"]
            assert not gate.gateway.pools["openai"]._idle
            assert (await gate.ask(gate.post())).status == 200

    wait = asyncio.Event()
    run(work)


def test_concurrent_exchanges_have_connections_of_their_own() -> None:
    async def work() -> None:
        async with RawServer([[Move.READ, go, whole(), Move.HOLD]]) as server, wire(server.url) as gate:
            asked = [asyncio.ensure_future(gate.ask(gate.post())) for _ in range(20)]
            await until(lambda: len(server.asked) == 20)
            go.set()
            assert {answer.status for answer in await asyncio.gather(*asked)} == {200}
            assert server.connections == 20
            assert len(gate.gateway.pools["openai"]._idle) == 20

    go = asyncio.Event()
    run(work)


def test_bytes_that_nobody_asked_for_end_an_idle_connection() -> None:
    async def work() -> None:
        play: Play = [Move.READ, whole("one"), speak, whole("evil"), Move.HOLD]
        async with RawServer([play, [Move.READ, whole("two")]]) as server, wire(server.url) as gate:
            assert b"one" in (await gate.ask(gate.post())).body
            speak.set()
            await server.gone.wait()
            assert not gate.gateway.pools["openai"]._open
            assert b"two" in (await gate.ask(gate.post())).body

    speak = asyncio.Event()
    run(work)


def test_a_kept_connection_that_has_died_is_not_used() -> None:
    """Its end is in the kernel, but the loop has not told anybody yet: the moment in which a POST would be lost."""

    async def work() -> None:
        async with (
            RawServer([[Move.READ, whole()], [Move.READ, whole("two"), Move.HOLD]]) as server,
            wire(server.url) as gate,
        ):
            assert (await gate.ask(gate.post())).status == 200
            pool = gate.gateway.pools["openai"]
            connection = next(iter(pool._idle), None)
            if connection:  # else it was told already, which is as good
                await until(lambda: not connection.is_quiet or not connection.is_open)
            assert b"two" in (await gate.ask(gate.post())).body
            assert len(server.asked) == 2

    run(work)


def test_a_request_whose_bytes_went_out_is_never_sent_twice() -> None:
    async def work() -> None:
        async with (
            RawServer([[Move.READ, whole(), Move.READ, Move.RESET], [Move.READ, whole()]]) as server,
            wire(server.url) as gate,
        ):
            assert (await gate.ask(gate.post())).status == 200
            answer = await gate.ask(gate.post())
            assert answer.status == 502
            assert len(server.asked) == 2
            assert server.connections == 1

    run(work)


def test_a_stream_that_is_cut() -> None:
    async def work() -> None:
        play: Play = [Move.READ, STREAM_HEAD + chunk(event("one ")) + chunk(event("two "))]
        async with RawServer([play]) as server, wire(server.url) as gate:
            answer = await gate.ask(gate.post(STREAMED))
            assert answer.status == 200
            assert b"one" in answer.body
            last = answer.body.rstrip().rpartition(b"data: ")[2]
            assert "ended its answer" in json.loads(last)["error"]["message"]
            assert DONE not in answer.body
            record = gate.records()[1]
            assert (record.status, record.verdict) == (502, Verdict.FAILED)
            assert "before its answer was whole" in record.reason

    run(work)


@pytest.mark.parametrize(
    "end", [[END], [chunk(b'data: {"error":{"message":"overloaded"}}\n\n'), END], [chunk(b"data: {\n\n"), END]],
    ids=["no mark", "error", "nonsense"],
)  # fmt: skip
def test_a_stream_that_ends_wrongly(end: list[bytes]) -> None:
    async def work() -> None:
        async with (
            RawServer([[Move.READ, STREAM_HEAD, chunk(event("one ")), *end]]) as server,
            wire(server.url) as gate,
        ):
            answer = await gate.ask(gate.post(STREAMED))
            assert b'"error"' in answer.body
            assert DONE not in answer.body
            assert len(gate.records()) == 2

    run(work)


def test_a_server_that_hangs_after_the_end_mark_is_not_waited_for() -> None:
    async def work() -> None:
        play: Play = [Move.READ, STREAM_HEAD, chunk(event("one")), chunk(event("", "stop")) + chunk(DONE), Move.HOLD]
        async with RawServer([play]) as server, wire(server.url) as gate:
            answer = await gate.ask(gate.post(STREAMED))
            assert answer.body.endswith(DONE)
            await server.gone.wait()
            assert gate.records()[1].status == 200

    run(work)


def test_deadlines_of_the_model() -> None:
    async def work() -> None:
        play: Play = [Move.READ, Move.HOLD]
        async with RawServer([play]) as server, wire(server.url) as gate:
            asked = asyncio.ensure_future(gate.ask(gate.post()))
            await until(lambda: len(server.asked) == 1)
            gate.gateway.sweep(FAR)
            faulty(gate, await asked, 504, "did not answer in time")
            await server.gone.wait()

    run(work)


def test_a_stream_that_stalls() -> None:
    async def work() -> None:
        play: Play = [Move.READ, STREAM_HEAD + chunk(event("one ")), Move.HOLD]
        async with RawServer([play]) as server, wire(server.url) as gate, gate.client() as client:
            client.send(gate.post(STREAMED))
            await client.head()
            gate.gateway.sweep(FAR)
            said = b"".join([piece async for piece in client.chunks()])
            assert b"ended its answer" in said
            assert "silent" in gate.records()[1].reason
            await server.gone.wait()

    run(work)


def test_a_server_that_is_not_there() -> None:
    async def work() -> None:
        async with RawServer([[]]) as server:
            url = server.url
        async with wire(url) as gate:
            answer = await gate.ask(gate.post())
            faulty(gate, answer, 502, "cannot be reached")
            assert "127.0.0.1" not in answer.error["message"]

    run(work)


@pytest.mark.parametrize("url", ["http://no-such-host.invalid/v1", f"http://{'a' * 70}.localhost/v1", "http://a..b/v1"])
def test_a_name_that_leads_nowhere(url: str) -> None:
    async def work() -> None:
        async with wire(url) as gate:
            faulty(gate, await gate.ask(gate.post()), 502, "cannot be reached")

    run(work)


def test_a_connection_that_does_not_come_in_time() -> None:
    async def work() -> None:
        # A server that accepts and never answers the TLS handshake.
        async with (
            RawServer([[Move.HOLD]]) as server,
            wire(server.url.replace("http:", "https:"), connect_timeout_s=0) as gate,
        ):
            faulty(gate, await gate.ask(gate.post()), 504, "no connection in time")

    run(work)


def test_a_client_that_leaves_while_the_connection_is_made() -> None:
    async def work() -> None:
        async with RawServer([[Move.HOLD]]) as server, wire(server.url.replace("http:", "https:")) as gate:
            async with gate.client() as client:
                client.send(gate.post())
                await server.came.wait()
            await until(lambda: not gate.gateway.performing)
            assert [record.status for record in gate.records()] == [0, 499]

    run(work)


def test_a_connection_that_nobody_waits_for_any_more_is_kept() -> None:
    async def work() -> None:
        async with RawServer([[Move.READ, whole()]]) as server, wire(server.url) as gate:
            pool = gate.gateway.pools["openai"]
            async with gate.client() as client:
                client.send(gate.post())
                await until(lambda: bool(pool._tasks))
                next(iter(gate.gateway.clients)).abort()
            await until(lambda: not pool._tasks and not gate.gateway.performing)
            if not pool._idle:  # the connection was faster than the client's end
                return
            assert (await gate.ask(gate.post())).status == 200
            assert server.connections == 1

    run(work)


@pytest.mark.parametrize("when", ["before", "whole", "stream"])
def test_a_client_that_leaves(when: str) -> None:
    plays: dict[str, Play] = {
        "before": [Move.READ, Move.HOLD],
        "whole": [Move.READ, head(content_length=100) + b"{", Move.HOLD],
        "stream": [Move.READ, STREAM_HEAD + chunk(event("one ")) + chunk(event("two ")), Move.HOLD],
    }

    async def work() -> None:
        async with RawServer([plays[when]]) as server, wire(server.url) as gate:
            async with gate.client() as client:
                client.send(gate.post(STREAMED) if when == "stream" else gate.post())
                await until(lambda: len(server.asked) == 1)
                if when == "stream":
                    await client.head()
            await server.gone.wait()
            await until(lambda: not gate.gateway.performing)
            record = gate.records()[1]
            assert (record.kind, record.status) == (RecordKind.ANSWER, 499)
            assert len(gate.records()) == 2
            assert not gate.gateway.pools["openai"]._open
            assert await gate.serves()

    run(work)


def test_a_client_that_closes_its_side_counts_as_gone() -> None:
    async def work() -> None:
        async with RawServer([[Move.READ, Move.HOLD]]) as server, wire(server.url) as gate, gate.client() as client:
            client.send(gate.post())
            await until(lambda: len(server.asked) == 1)
            client.writer.write_eof()
            await server.gone.wait()
            assert await client.ended() == b""
            assert len(server.asked) == 1

    run(work)


def test_an_upstream_that_is_faster_than_the_client() -> None:
    async def work() -> None:
        many = [chunk(event("word " * 200)) * 50 for _ in range(1_000)]  # about 60 MB
        play: Play = [Move.READ, STREAM_HEAD, *many, chunk(event("", "stop")) + chunk(DONE) + END]
        async with RawServer([play]) as server, wire(server.url, max_body_bytes=200_000_000) as gate:
            async with gate.client() as client:
                client.writer.transport.pause_reading()  # type: ignore[attr-defined]
                client.send(gate.post(STREAMED))
                await until(lambda: any(not c.writable for c in gate.gateway.clients))
                [connection] = gate.gateway.clients
                [upstream] = gate.gateway.pools["openai"]._open
                assert upstream._transport
                await until(lambda: upstream._transport is not None and not upstream._transport.is_reading())
                assert connection._transport
                assert upstream._total < 30_000_000
                assert connection._transport.get_write_buffer_size() < 1_000_000
                assert upstream.deadline is None  # the model is not to blame
                assert connection.deadline is not None
                client.writer.transport.resume_reading()  # type: ignore[attr-defined]
                before = upstream._total
                await client.head()
                async for _ in client.chunks():
                    if upstream._total > before:
                        break
                else:
                    pytest.fail("nothing more came")
            await until(lambda: not gate.gateway.performing)
            assert gate.records()[1].status == 499

    run(work)


def test_a_client_that_never_reads_is_cut_off() -> None:
    async def work() -> None:
        many = [chunk(event("word " * 200)) * 50 for _ in range(1_000)]
        async with (
            RawServer([[Move.READ, STREAM_HEAD, *many, Move.HOLD]]) as server,
            wire(server.url, max_body_bytes=200_000_000) as gate,
            gate.client() as client,
        ):
            client.writer.transport.pause_reading()  # type: ignore[attr-defined]
            client.send(gate.post(STREAMED))
            await until(lambda: any(not c.writable for c in gate.gateway.clients))
            [connection] = gate.gateway.clients
            assert connection.deadline is not None
            connection.expire()
            await server.gone.wait()
            await until(lambda: not gate.gateway.performing)
            assert gate.records()[1].status == 499

    run(work)


@pytest.mark.parametrize(
    "url",
    ["http://host:99999/v1", "http://[::1/v1", "http://user:secret@host/v1", "http://host/v1?key=secret",
     "http://ho st/v1", "http://höst/v1", "http://host/v1/a b", "http://:80/v1"],
)  # fmt: skip
def test_an_address_that_cannot_be_used(url: str) -> None:
    async def work() -> None:
        with pytest.raises(ConfigError, match=r"llm\.upstreams\.x\.url") as caught:
            Pool("x", Upstream(url), "", GatewaySettings(), asyncio.get_running_loop())
        assert "secret" not in str(caught.value)

    run(work)


def test_a_credential_with_a_line_end_is_mended_and_one_with_two_lines_refused() -> None:
    async def work() -> None:
        loop = asyncio.get_running_loop()
        pool = Pool("x", Upstream("http://h/v1", "KEY"), "sk-1\n", GatewaySettings(), loop)
        assert pool._key == b"sk-1"
        with pytest.raises(ConfigError, match="KEY") as caught:
            Pool("x", Upstream("http://h/v1", "KEY"), "sk-1\r\nHost: evil", GatewaySettings(), loop)
        assert "sk-1" not in str(caught.value)

    run(work)


# --- TLS -----------------------------------------------------------------------------------------------------


class Authority:
    """A certificate authority of the test's own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test authority")])
        certificate = (
            self._builder(self._name, self._key.public_key())
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .sign(self._key, hashes.SHA256())
        )
        self.file = folder / "ca.pem"
        self.file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))

    def serve(self, address: str = "127.0.0.1", days: int = 1) -> ssl.SSLContext:
        """A server's side for this address."""
        key = ec.generate_private_key(ec.SECP256R1())
        names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))])
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "model")])
        certificate = (
            self._builder(subject, key.public_key(), days)
            .add_extension(names, critical=False)
            .sign(self._key, hashes.SHA256())
        )
        file = self._folder / "server.pem"
        file.write_bytes(
            certificate.public_bytes(serialization.Encoding.PEM)
            + key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(file)
        return context

    def _builder(self, subject: x509.Name, key: ec.EllipticCurvePublicKey, days: int = 1) -> x509.CertificateBuilder:
        now = datetime.datetime.now(datetime.UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=10))
            .not_valid_after(now + datetime.timedelta(days=days))
        )


def test_tls_that_is_trusted(tmp_path: Path) -> None:
    authority = Authority(tmp_path)

    async def work() -> None:
        play: Play = [Move.READ, whole("one"), Move.READ, whole("two"), Move.HOLD]
        async with (
            RawServer([play], tls=authority.serve()) as server,
            wire(server.url, ca_file=str(authority.file)) as gate,
        ):
            assert b"one" in (await gate.ask(gate.post())).body
            assert b"two" in (await gate.ask(gate.post())).body
            assert server.connections == 1

    run(work)


CONTEXTS: dict[str, Callable[[Authority], ssl.SSLContext]] = {
    "expired": lambda authority: authority.serve(days=-1),
    "another address": lambda authority: authority.serve("127.0.0.2"),
}


@pytest.mark.parametrize("wrong", [*CONTEXTS, "not trusted"])
def test_tls_that_is_not_trusted(wrong: str, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    context = CONTEXTS.get(wrong, Authority.serve)(authority)

    async def work() -> None:
        # What the server's own loop says of the failed handshake is none of the gateway's.
        async with (
            RawServer([[Move.READ, whole()]], tls=context) as server,
            wire(server.url, ca_file="" if wrong == "not trusted" else str(authority.file)) as gate,
        ):
            answer = await gate.ask(gate.post())
            assert answer.status == 502
            assert "certificate was refused" in gate.records()[1].reason
            assert server.asked == []

    run(work)


def test_plain_http_where_tls_was_expected() -> None:
    async def work() -> None:
        async with (
            RawServer([[b"HTTP/1.1 400 Bad\r\n\r\n"]]) as server,
            wire(server.url.replace("http:", "https:")) as gate,
        ):
            faulty(gate, await gate.ask(gate.post()), 502, "cannot be reached")

    run(work)


def test_a_file_of_authorities_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("nothing")

    async def work() -> None:
        for file in (tmp_path / "ca.pem", tmp_path / "absent.pem"):
            with pytest.raises(ConfigError, match="ca_file"):
                Pool("x", Upstream("https://h/v1", "", str(file)), "", GatewaySettings(), asyncio.get_running_loop())

    run(work)
