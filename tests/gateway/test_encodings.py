"""Compressed bodies from either side: read whole, in bounded memory, or refused; what goes on is not compressed."""

import gzip
import itertools
import random
import sys
import tracemalloc
import zlib
from collections.abc import Callable

import brotli
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from interlock.gateway.encodings import FREE, MAX_RATIO, PIECE, ZSTD_WINDOW, Decoder
from interlock.model.errors import ProtocolError
from interlock.testing.raw import Move, Play, RawServer
from tests.gateway.wire import (
    BODY,
    DONE,
    END,
    STREAMED,
    chunk,
    completion,
    event,
    head,
    run,
    streamed,
    whole,
    wire,
)

LIMIT = 16_777_216
JSON = "application/json"
ENCODERS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": lambda data: gzip.compress(data, mtime=0),
    "x-gzip": lambda data: gzip.compress(data, mtime=0),
    "deflate": zlib.compress,
    "br": brotli.compress,
    "zstd": zstandard.compress,
}
EVERY = pytest.mark.parametrize("encoding", ENCODERS)
NOISE = random.Random(7).randbytes(300_000)


def decoded(encoding: str, data: bytes, limit: int = LIMIT, cuts: tuple[int, ...] = ()) -> bytes:
    decoder = Decoder(encoding.encode(), limit)
    ends = [0, *sorted(cuts), len(data)]
    out = b"".join(p for a, b in itertools.pairwise(ends) for p in decoder.feed(data[a:b]))
    decoder.end()
    return out


@EVERY
@given(
    text=st.one_of(st.binary(max_size=300), st.integers(0, 90_000).map(lambda n: b"ab" * n)),
    cuts=st.lists(st.integers(0, 400), max_size=4).map(tuple),
)
def test_any_cut_of_what_was_compressed_is_read_alike(encoding: str, text: bytes, cuts: tuple[int, ...]) -> None:
    assert decoded(encoding, ENCODERS[encoding](text), cuts=cuts) == text


@EVERY
def test_what_does_not_compress_well_is_read(encoding: str) -> None:
    assert decoded(encoding, ENCODERS[encoding](NOISE)) == NOISE


@EVERY
def test_what_ends_too_early_or_goes_on_is_refused(encoding: str) -> None:
    data = ENCODERS[encoding](BODY)
    for end in range(1, len(data)):
        with pytest.raises(ProtocolError, match=f"{encoding}.*too early"):
            decoded(encoding, data[:end])
    # A second member as well: RFC 1952 and 8878 have them, but no server is asked to read on.
    for rest in (b"x", b"\x00", data):
        for cuts in ((), (len(data),), (len(data) - 1,)):
            with pytest.raises(ProtocolError, match=encoding):
                decoded(encoding, data + rest, cuts=cuts)


@EVERY
@given(data=st.binary(min_size=1, max_size=80))
def test_anything_else_is_refused(encoding: str, data: bytes) -> None:
    compressed = ENCODERS[encoding](BODY)
    for spoilt in (data, compressed[:12] + data, data + compressed):
        try:
            decoded(encoding, spoilt)
        except ProtocolError as error:
            assert error.status in (400, 413)  # noqa: PT017 - hypothesis may also find what is right


@pytest.mark.parametrize("encoding", ["gzip", "br", "zstd"])
def test_what_was_flushed_comes_out_at_once(encoding: str) -> None:
    zipped, brotlied, framed = zlib.compressobj(wbits=31), brotli.Compressor(), zstandard.ZstdCompressor().compressobj()
    flushed: dict[str, Callable[[bytes], bytes]] = {
        "gzip": lambda data: zipped.compress(data) + zipped.flush(zlib.Z_SYNC_FLUSH),
        "br": lambda data: brotlied.process(data) + brotlied.flush(),
        "zstd": lambda data: framed.compress(data) + framed.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK),
    }
    decoder = Decoder(encoding.encode(), LIMIT)
    for text in (event("one"), event("two"), DONE):
        assert b"".join(decoder.feed(flushed[encoding](text))) == text
    with pytest.raises(ProtocolError, match="too early"):
        decoder.end()


def test_zlib_without_its_header_is_not_deflate() -> None:
    raw = zlib.compressobj(wbits=-15)
    with pytest.raises(ProtocolError, match="deflate"):
        decoded("deflate", raw.compress(BODY) + raw.flush())


def test_nothing_at_all_is_an_empty_body() -> None:
    assert decoded("gzip", b"") == b""


@pytest.mark.parametrize("encoding", ["gzip, gzip", "gzip,identity", "compress", "snappy", "", "gzip;q=1", "x" * 900])
def test_what_is_not_one_known_encoding(encoding: str) -> None:
    with pytest.raises(ProtocolError, match="none of gzip, deflate, br, zstd") as caught:
        Decoder(encoding.encode(), LIMIT)
    assert caught.value.status == 415
    assert len(caught.value.what) < 200


@pytest.mark.parametrize(("encoding", "package"), [("br", "brotli"), ("zstd", "zstandard")])
def test_an_extra_that_is_not_installed(encoding: str, package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ProtocolError, match="extra `encodings`") as caught:
        Decoder(encoding.encode(), LIMIT)
    assert caught.value.status == 415


# --- bombs -----------------------------------------------------------------------------------------------------


def zeros(encoding: str, size: int) -> bytes:
    """`size` zeros, never whole in memory where the library allows it."""
    if encoding == "zstd":
        # Blocks of 128 KB in four bytes each (RFC 8878, section 3.1.1.2), more than any compressor writes.
        block = (131_072 << 3 | 1 << 1).to_bytes(3, "little") + b"\0"
        return bytes.fromhex("28b52ffd0068") + block * (size // 131_072) + b"\x01\0\0"
    return ENCODERS[encoding](bytes(size))


@EVERY
def test_a_bomb_is_stopped_by_its_ratio(encoding: str) -> None:
    with pytest.raises(ProtocolError, match=f"over {MAX_RATIO} times") as caught:
        decoded(encoding, zeros(encoding, 16_000_000))
    assert caught.value.status == 413


@EVERY
def test_a_bomb_is_stopped_by_its_size_and_never_held(encoding: str) -> None:
    data = zeros(encoding, 200_000_000)
    most = ZSTD_WINDOW if encoding == "zstd" else 4 * PIECE
    tracemalloc.start()
    pieces = Decoder(encoding.encode(), FREE).feed(data)
    with pytest.raises(ProtocolError, match="bytes when decoded"):
        assert max(len(piece) for piece in pieces) <= most
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < LIMIT


def test_a_bomb_in_a_bomb_is_one_layer() -> None:
    inner = gzip.compress(bytes(10_000_000), mtime=0)
    assert decoded("gzip", gzip.compress(inner, mtime=0)) == inner


def test_a_window_of_zstandard_over_8_mb_is_refused() -> None:
    wide = zstandard.ZstdCompressionParameters(window_log=27)
    compressor = zstandard.ZstdCompressor(compression_params=wide).compressobj()
    with pytest.raises(ProtocolError, match="too much memory"):
        decoded("zstd", compressor.compress(BODY) + compressor.flush())


# --- through the gateway -----------------------------------------------------------------------------------------


@EVERY
def test_a_compressed_request_goes_on_as_it_was_before(encoding: str) -> None:
    async def work() -> None:
        async with RawServer([[Move.READ, whole()]]) as server, wire(server.url) as gate:
            answer = await gate.ask(gate.post(ENCODERS[encoding](BODY), f"Content-Encoding: {encoding.upper()}"))
            assert answer.status == 200
            assert server.asked[0].endswith(b"\r\n\r\n" + BODY)
            assert b"content-encoding" not in server.asked[0].lower()
            assert gate.records()[0].bytes_in == len(BODY)

    run(work)


def test_a_compressed_request_byte_by_byte_in_chunks() -> None:
    async def work() -> None:
        async with RawServer([[Move.READ, whole()]]) as server, wire(server.url) as gate:
            start = gate.post(b"", "Content-Encoding: gzip").partition(b"Content-Length")[0]
            chunks = b"".join(chunk(bytes([b])) for b in ENCODERS["gzip"](BODY))
            async with gate.client() as client:
                for byte in start + b"Transfer-Encoding: chunked\r\n\r\n" + chunks + END:
                    client.send(bytes([byte]))
                    await client.writer.drain()
                assert (await client.answer()).status == 200
            assert server.asked[0].endswith(b"\r\n\r\n" + BODY)

    run(work)


def test_the_next_request_of_a_connection_is_not_decoded() -> None:
    async def work() -> None:
        async with RawServer([[Move.READ, whole(), Move.READ, whole()]]) as server, wire(server.url) as gate:
            async with gate.client() as client:
                client.send(gate.post(gzip.compress(BODY, mtime=0), "Content-Encoding: gzip") + gate.post())
                assert [(await client.answer()).status for _ in range(2)] == [200, 200]
            assert [asked.endswith(BODY) for asked in server.asked] == [True, True]

    run(work)


@pytest.mark.parametrize(
    ("encoding", "body", "status", "says"),
    [
        ("gzip", gzip.compress(BODY, mtime=0)[:-1], 400, "too early"),
        ("gzip", gzip.compress(BODY, mtime=0) + b"{}", 400, "follows its end"),
        ("gzip", BODY, 400, "incorrect header"),
        ("br", zeros("br", 20_000_000), 413, "times as long"),
        ("gzip, gzip", gzip.compress(gzip.compress(BODY, mtime=0), mtime=0), 415, "none of gzip"),
    ],
    ids=["cut", "longer", "plain", "bomb", "twice"],
)
def test_a_compressed_request_that_is_refused(encoding: str, body: bytes, status: int, says: str) -> None:
    async def work() -> None:
        async with wire() as gate:
            answer = await gate.ask(gate.post(body, f"Content-Encoding: {encoding}"))
            assert answer.status == status
            assert says in answer.error["message"]
            assert answer.headers["connection"] == "close"
            assert answer.headers.get("accept-encoding") == ("gzip, deflate, br, zstd" if status == 415 else None)
            [record] = gate.refusals()
            assert (record.status, says in record.reason) == (status, True)
            assert await gate.serves()

    run(work)


@EVERY
def test_a_model_that_compresses_its_answer_all_the_same(encoding: str) -> None:
    async def work() -> None:
        data = ENCODERS[encoding](completion())
        sized = head(content_type=JSON, content_encoding=encoding, content_length=len(data)) + data
        until_close = head(content_type=JSON, content_encoding=encoding) + data
        plays: list[Play] = [[Move.READ, sized], [Move.READ, until_close]]
        async with RawServer(plays) as server, wire(server.url) as gate:
            for _ in range(2):
                answer = await gate.ask(gate.post())
                assert answer.status == 200
                assert answer.body == completion()
                assert "content-encoding" not in answer.headers

    run(work)


@pytest.mark.parametrize("how", ["length", "close"])
def test_a_compressed_answer_that_is_not_whole(how: str) -> None:
    async def work() -> None:
        data = gzip.compress(completion())[:-3]
        said = head(
            content_type=JSON, content_encoding="gzip", **({"content_length": len(data)} if how == "length" else {})
        )
        async with RawServer([[Move.READ, said + data]]) as server, wire(server.url) as gate:
            answer = await gate.ask(gate.post())
            assert answer.status == 502
            assert "too early" in gate.records()[1].reason
            assert not gate.gateway.pools["openai"]._open

    run(work)


def test_a_compressed_answer_that_is_a_bomb() -> None:
    async def work() -> None:
        said = head(content_type=JSON, content_encoding="gzip", transfer_encoding="chunked")
        async with (
            RawServer([[Move.READ, said + chunk(zeros("gzip", 30_000_000)), Move.HOLD]]) as server,
            wire(server.url) as gate,
        ):
            assert (await gate.ask(gate.post())).status == 502
            assert "times as long" in gate.records()[1].reason

    run(work)


@EVERY
def test_a_compressed_stream(encoding: str) -> None:
    async def work() -> None:
        events = b"".join(event(text) for text in ("one ", "two ")) + event("", "stop") + DONE
        data = ENCODERS[encoding](events)
        said = head(content_type="text/event-stream", content_encoding=encoding, transfer_encoding="chunked")
        said += b"".join(chunk(data[at : at + 7]) for at in range(0, len(data), 7)) + END
        async with RawServer([[Move.READ, said]]) as server, wire(server.url) as gate:
            plain: Play = [Move.READ, streamed("one ", "two ")]
            async with RawServer([plain]) as other, wire(other.url) as beside:
                answers = [await g.ask(g.post(STREAMED)) for g in (gate, beside)]
            assert [answer.status for answer in answers] == [200, 200]
            assert answers[0].body == answers[1].body

    run(work)
