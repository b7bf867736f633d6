"""Any bytes at all, from either side and cut anywhere: one clear end, no fault of ours, and the next one is served."""

from hypothesis import given, settings
from hypothesis import strategies as st

from interlock.model.record import RecordKind
from interlock.testing.raw import Move, RawServer
from tests.gateway.wire import BODY, STREAMED, run, streamed, until, whole, wire

PIECES = [
    b"POST /openai/v1/chat/completions HTTP/1.1\r\n", b"GET /healthz HTTP/1.1\r\n", b"Host: g\r\n",
    b"Content-Length: 5\r\n", b"Content-Length: 57\r\n", b"Transfer-Encoding: chunked\r\n",
    b"Connection: close\r\n", b"Expect: 100-continue\r\n", b"Upgrade: h2c\r\n", b"\r\n", b"\n", b"\x00",
    b"5\r\n", b"0\r\n\r\n", b"hello", b": ", b" HTTP/1.0\r\n", BODY,
]  # fmt: skip
ANSWERED = (b"HTTP/1.1 ", b"")

bytes_sent = st.lists(st.one_of(st.sampled_from(PIECES), st.binary(max_size=12)), max_size=14).map(b"".join)


@st.composite
def spoilt(draw: st.DrawFn, good: bytes) -> bytes:
    """Good bytes with a few of them changed, left out or doubled, and perhaps cut."""
    data = bytearray(good)
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(data)))
        match draw(st.integers(0, 3)):
            case 0:
                data[at : at + 1] = draw(st.binary(max_size=2))
            case 1:
                del data[at : at + draw(st.integers(1, 40))]
            case 2:
                data[at:at] = data[at : at + draw(st.integers(1, 40))]
            case _:
                data[at:at] = draw(st.sampled_from(PIECES))
    return bytes(data)


def cut(data: bytes, places: list[int]) -> list[bytes]:
    ends = sorted({place % (len(data) + 1) for place in places})
    return [piece for start, end in zip([0, *ends], [*ends, len(data)], strict=True) if (piece := data[start:end])]


@given(sent=st.lists(st.tuples(bytes_sent, st.lists(st.integers(0, 10_000), max_size=5)), min_size=4, max_size=8))
@settings(max_examples=60)
def test_any_bytes_of_a_client(sent: list[tuple[bytes, list[int]]]) -> None:
    async def work() -> None:
        async with wire() as gate:
            for number, (data, places) in enumerate(sent, 1):
                async with gate.client() as client:
                    for piece in cut(data, places):
                        client.send(piece)
                        await client.writer.drain()
                    client.writer.write_eof()
                    said = await client.ended()
                await until(lambda: not gate.gateway.clients)
                assert said.startswith(ANSWERED)
                # Whatever came, at most one refusal of a connection is about bytes that are no request.
                assert len([record for record in gate.refusals() if not record.route]) <= number
            assert gate.said == []
            assert all(record.kind is RecordKind.REFUSAL for record in gate.records())
            assert await gate.serves()

    run(work)


@given(
    said=st.lists(
        st.one_of(spoilt(whole()), spoilt(streamed("one ", "two ")), st.binary(max_size=200)), min_size=4, max_size=8
    )
)
@settings(max_examples=60)
def test_any_bytes_of_a_model(said: list[bytes]) -> None:
    async def work() -> None:
        async with RawServer([[Move.READ, answer] for answer in said]) as server, wire(server.url) as gate:
            for _ in said:
                assert 200 <= (await gate.ask(gate.post(STREAMED))).status < 600
            assert gate.said == []
            assert [record.kind for record in gate.records()] == [RecordKind.REQUEST, RecordKind.ANSWER] * len(said)
            assert not gate.gateway.performing
            assert len(server.asked) == len(said)
            assert await gate.serves()

    run(work)
