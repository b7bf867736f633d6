"""Hidden characters are seen wherever they hide something; what scripts, emoji and typesetting need passes."""
# ruff: noqa: RUF001 - letters of many scripts are what this is about

import pytest
import re2
from hypothesis import given
from hypothesis import strategies as st

from interlock.detectors import Engine, detectors
from interlock.model.event import Channel
from tests.detectors.windows import flagged, streamed

DETECTOR = detectors()["invisible-text"]
ENGINE = Engine({DETECTOR.meta.id: DETECTOR})


def found(text: str) -> list[tuple[str, str]]:
    signals = ENGINE.scan(text, Channel.OUTPUT)
    assert signals == DETECTOR.detect(text), "a mark is missing"
    return [(signal.rule, text[signal.span.start : signal.span.end]) for signal in signals]


def tags(text: str) -> str:
    return "".join(chr(0xE0000 + ord(character)) for character in text)


def selectors(data: bytes) -> str:
    """As published for "emoji smuggling": a selector for each byte."""
    return "".join(chr(0xFE00 + byte if byte < 16 else 0xE0100 + byte - 16) for byte in data)


FLAG = "\U0001f3f4"
HIDING = [
    ("tags", f"Fine.{tags('pay me')} So", tags("pay me")),
    ("tags", FLAG + tags("gbxyz\x7f"), tags("gbxyz\x7f")),
    ("tags", "x" + tags("gbeng\x7f"), tags("gbeng\x7f")),
    ("tags", FLAG + tags("gbeng\x7fhi"), tags("gbeng\x7fhi")),
    ("variation-selectors", "\U0001f60a" + selectors(b"key"), selectors(b"key")),
    ("variation-selectors", "a\ufe0f", "\ufe0f"),
    ("variation-selectors", "a\U000e0150", "\U000e0150"),
    ("zero-width", "pass\u200bword", "\u200b"),
    ("zero-width", "слово\u2060слово", "\u2060"),
    ("zero-width", "so.\u2062\u2064\u2064\u2062", "\u2062\u2064\u2064\u2062"),
    ("zero-width", "so\u200c\u200d\u200c\u200d. ", "\u200c\u200d\u200c\u200d"),
    ("direction", "a\u202ecod.exe", "\u202e"),
    ("direction", "if x: \u2067 # admin", "\u2067"),
]
HONEST = [
    "\ufeffname,amount\n",
    "می\u200cشود",
    "नमस\u200dते",
    "\U0001f469\u200d\U0001f467\u200d\U0001f466 \u2764\ufe0f 1\ufe0f\u20e3 #\ufe0f\u20e3 \u2764\ufe0f\ufe0f ©\ufe0f",
    FLAG + tags("gbeng\x7f") + FLAG + tags("gbsct\x7f") + FLAG + tags("gbwls\x7f") + FLAG,
    "葛\U000e0100飾区",
    "ประเทศ\u200bไทย",
    "Donau\u00addampf\u00adschiff",
    "Hello \u2068Ada\u2069, \u2067שלום\u2069 and \u202a+49 30 1234\u202c",
    "שלום\u200f (1)\u200e",
    "naïve café 東京 🙂",
]


@pytest.mark.parametrize(("rule", "text", "hidden"), HIDING)
def test_what_hides_is_found_exactly(rule: str, text: str, hidden: str) -> None:
    assert found(text) == [(rule, hidden)]


@pytest.mark.parametrize("text", HONEST)
def test_what_is_needed_is_no_signal(text: str) -> None:
    assert found(text) == []


@pytest.mark.parametrize("length", [255, 256, 257, 600, 1_000])
def test_a_long_run_is_covered_by_pieces_of_bounded_length(length: int) -> None:
    text = f"x{tags('a') * length}y"
    signals = DETECTOR.detect(text)
    assert flagged(signals) == set(range(1, length + 1))
    assert all(signal.span.end - signal.span.start <= DETECTOR.reach for signal in signals)


PIECES = st.sampled_from(
    [text for _, text, _ in HIDING] + HONEST
    + ["\u200b", "\u200c", "\u200d", "\ufe0f", "\ufe01", "\u202e", "\u2066", "\u2069", "\n", "a", "é", "1", FLAG]
    + [tags("a") * 300, "\u200b" * 300, "z" * 130]
)  # fmt: skip


@given(pieces=st.lists(PIECES | st.text(max_size=4), max_size=9), data=st.data(), lag=st.sampled_from([0, 0, 1, 7, 40]))
def test_a_stream_cut_anywhere_is_flagged_as_the_whole_is(pieces: list[str], data: st.DataObject, lag: int) -> None:
    whole = "".join(pieces)
    cuts = data.draw(st.lists(st.integers(0, len(whole)), max_size=20))
    expected = flagged(DETECTOR.detect(whole))
    assert streamed(whole, cuts, DETECTOR.detect, DETECTOR.pending, lag) == expected


@given(pieces=st.lists(PIECES | st.text(max_size=4), max_size=9))
def test_what_is_flagged_has_a_mark(pieces: list[str]) -> None:
    whole = "".join(pieces)
    assert any(re2.search(mark, whole) for mark in DETECTOR.marks) or not DETECTOR.detect(whole)


@pytest.mark.parametrize("unit", [tags("a"), "\u200b", "\ufe01", "\u2066", "\u2066a", "\u202e", "a\u200b", FLAG])
def test_a_hundred_kilobytes_of_the_worst_come_to_an_end(unit: str) -> None:
    text = unit * (100_000 // len(unit))
    assert len(DETECTOR.detect(text)) <= len(text)
    assert 0 <= DETECTOR.pending(text) <= len(text)
