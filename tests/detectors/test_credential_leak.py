"""Keys are found whole, in every context they are written in; what is almost a key is not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock.detectors import Engine, detectors
from interlock.model.event import Channel
from tests.detectors.keys import DETECTOR, EXAMPLES, PEM

HF = "hf_" + "aB3dE6gH9j" * 3 + "kLmN"


def flagged(text: str) -> list[str]:
    return [text[s.span.start : s.span.end] for s in DETECTOR.detect(text)]


def test_the_formats_have_examples() -> None:
    assert len(EXAMPLES) > 40


@pytest.mark.parametrize("id_", EXAMPLES)
@pytest.mark.parametrize(
    "around",
    ["{}", "key={}", '{{"key": "{}"}}', "`{}`", "**{}**", "<{}>", "/{}?", "ключ {}。", "é{}\n", "({})", " {} "],
)
def test_a_key_is_found_whole_in_any_context(id_: str, around: str) -> None:
    key = EXAMPLES[id_]
    found = flagged(around.format(key))
    # The host of an address goes on with whatever may stand in one.
    assert any(piece.startswith(key) if id_ == "postgres_url" else piece == key for piece in found)


@pytest.mark.parametrize("id_", EXAMPLES)
def test_a_signal_names_the_format_and_its_span_is_bounded(id_: str) -> None:
    signals = DETECTOR.detect(f"x {EXAMPLES[id_]} y")
    assert id_ in {signal.rule for signal in signals}
    assert all(signal.span.end - signal.span.start <= DETECTOR.reach for signal in signals)


@pytest.mark.parametrize("prefix", ["AKIA", "ASIA", "ABIA", "ACCA"])
def test_every_kind_of_aws_key_is_found(prefix: str) -> None:
    assert flagged(f"id {prefix}QWERTYUIOP234567 end") == [f"{prefix}QWERTYUIOP234567"]


def test_test_keys_of_stripe_and_refresh_tokens_of_slack_are_found() -> None:
    assert flagged("rk_" + "test_abcdefghij") == ["rk_" + "test_abcdefghij"]
    token = "xoxe-" + "-".join(["1234567890"] * 3) + "-" + "a" * 30
    assert flagged(f"({token})") == [token]


@pytest.mark.parametrize("text", [HF[:-1], HF + "x", "x" + HF, HF[:20] + " " + HF[20:], "hf_", HF.replace("_", "-")])
def test_what_is_almost_a_key_is_none(text: str) -> None:
    assert flagged(text) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (PEM, PEM),
        (f"{PEM} and on", PEM),
        (PEM.replace("\n", "\\n"), PEM.replace("\n", "\\n")),
        (PEM.replace("\n", "\r\n"), PEM.replace("\n", "\r\n")),
        (PEM.replace("PRIVATE", "RSA PRIVATE"), PEM.replace("PRIVATE", "RSA PRIVATE")),
        (PEM.replace("KEY", "KEY BLOCK"), PEM.replace("KEY", "KEY BLOCK")),
        (PEM[:60], PEM[:60]),
        (PEM[:-3], PEM[: PEM.index("-----END")]),
        ("-----BEGIN PRIVATE KEY-----", "-----BEGIN PRIVATE KEY-----"),
        ("begins `-----BEGIN PRIVATE KEY-----`. Then", "-----BEGIN PRIVATE KEY-----"),
    ],
)
def test_a_private_key_in_all_its_states(text: str, expected: str) -> None:
    assert flagged(text) == [expected]


def test_two_private_keys_are_two() -> None:
    assert flagged(f"{PEM}\n\n{PEM}") == [PEM, PEM]


@pytest.mark.parametrize("text", ["-----BEGIN PUBLIC KEY-----\nMII", "-----BEGIN CERTIFICATE-----", "PRIVATE KEY-----"])
def test_public_things_are_no_private_keys(text: str) -> None:
    assert flagged(text) == []


def test_a_private_key_without_end_is_taken_as_far_as_one_can_reach() -> None:
    text = "-----BEGIN PRIVATE KEY-----\n" + "MIIE" * 10_000
    (found,) = DETECTOR.detect(text)
    assert found.span.end - found.span.start <= DETECTOR.reach
    assert found.span.end < len(text)


PIECES = st.sampled_from(
    [*EXAMPLES.values(), PEM, "-----BEGIN", "-----END", "-----", " ", "\n", "\u00a0", "a", "é", "🔑"]
)


@given(pieces=st.lists(PIECES | st.text(max_size=5), max_size=8), data=st.data())
def test_a_signal_that_begins_before_what_is_pending_is_final(pieces: list[str], data: st.DataObject) -> None:
    whole = "".join(pieces)
    cut = data.draw(st.integers(0, len(whole)))
    begun = whole[:cut]
    pending = DETECTOR.pending(begun)
    decided = [s for s in DETECTOR.detect(begun) if s.span.start < pending]
    assert decided == [s for s in DETECTOR.detect(whole) if s.span.start < pending]


@pytest.mark.parametrize("body", [16_380, 16_390])
@pytest.mark.parametrize("filler", [0, 100])
def test_the_longest_private_keys_are_pending_until_they_are_whole(body: int, filler: int) -> None:
    header = "-----BEGIN" + " " + "A" * filler + "PRIVATE KEY BLOCK-----"
    whole = f"x {header}{'M' * body}-----END {'B' * 100}-----\nafter"
    final = DETECTOR.detect(whole)
    for cut in (*range(0, 160, 9), *range(16_370, len(whole) + 1, 3)):
        begun = whole[:cut]
        pending = DETECTOR.pending(begun)
        decided = [s for s in DETECTOR.detect(begun) if s.span.start < pending]
        assert decided == [s for s in final if s.span.start < pending]


@pytest.mark.parametrize(
    "unit",
    ["-----BEGIN PRIVATE KEY-----", "-----BEGIN", "-----", "a", "sk-", "postgres://a:", "ya29." + "a" * 30, HF + " "],
)
def test_a_megabyte_of_the_worst_comes_to_an_end(unit: str) -> None:
    text = unit * (1_000_000 // len(unit))
    engine = Engine(detectors())
    assert len(engine.scan(text, Channel.OUTPUT)) <= len(text)
    assert 0 <= engine.pending(text, Channel.OUTPUT) <= len(text)
