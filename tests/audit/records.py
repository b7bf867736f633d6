"""Records to test with: one that says a lot, and every one that there can be."""

from hypothesis import strategies as st

from interlock.model.record import Argument, Noted, Origin, Record, RecordKind, Step, Verdict

NOW_US = 1_795_521_667_000_000


def answer(at_us: int = NOW_US, session: str = "s-1", workload: str = "invoice-agent") -> Record:
    """An answer in which a payment was taken out: three steps, a signal, an argument."""
    return Record(
        kind=RecordKind.ANSWER,
        at_us=at_us,
        request="r-1",
        workload=workload,
        credential="abcdefghij",
        session=session,
        protocol="openai_chat",
        route="/openai/v1/chat/completions",
        upstream="openai",
        model="gpt-5-mini",
        status=200,
        policies=("base-allow",),
        policy_hash="a" * 64,
        steps=(
            Step("user", 100, "b" * 32),
            Step(
                "tool_result",
                2000,
                "c" * 32,
                "read_invoice",
                "call_1",
                Origin.UNTRUSTED,
                signals=(Noted("instruction-override", "ignore-previous", 930),),
            ),
            Step(
                "call",
                80,
                "d" * 32,
                "send_payment",
                "call_2",
                sink="money",
                verdict=Verdict.BLOCKED,
                reason="the recipient came only from a tool's result",
                policies=("payee-trusted-origin",),
                arguments=(Argument("iban", "DE12…34", (Origin.UNTRUSTED,), ("read_invoice",)),),
            ),
        ),
        bytes_in=2000,
        bytes_out=900,
        tokens_in=500,
        tokens_out=60,
        latency_us=812_345,
    )


_text = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
_texts = st.lists(_text, max_size=2).map(tuple)
_whole = st.integers(0, 2**53 - 1)
_arguments = st.builds(Argument, _text, _text, st.lists(st.sampled_from(Origin), max_size=2).map(tuple), _texts)
_steps = st.builds(
    Step,
    kind=_text,
    size=_whole,
    digest=_text,
    tool=_text,
    call_id=_text,
    origin=st.none() | st.sampled_from(Origin),
    sink=_text,
    verdict=st.sampled_from(Verdict),
    reason=_text,
    policies=_texts,
    arguments=st.lists(_arguments, max_size=2).map(tuple),
    signals=st.lists(st.builds(Noted, _text, _text, _whole), max_size=2).map(tuple),
)
records = st.builds(
    Record,
    kind=st.sampled_from(RecordKind),
    at_us=_whole,
    request=_text,
    workload=_text,
    credential=_text,
    session=_text,
    protocol=_text,
    route=_text,
    upstream=_text,
    model=_text,
    status=_whole,
    verdict=st.sampled_from(Verdict),
    reason=_text,
    policies=_texts,
    policy_hash=_text,
    steps=st.lists(_steps, max_size=3).map(tuple),
    bytes_in=_whole,
    bytes_out=_whole,
    tokens_in=_whole,
    tokens_out=_whole,
    latency_us=_whole,
)
