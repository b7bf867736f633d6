"""Personal data is found whole in any writing of it; what only looks like it is not, and no cut changes that."""

from collections.abc import Callable

import pytest
import re2
from hypothesis import given
from hypothesis import strategies as st

from interlock.detectors import Engine, detectors
from interlock.detectors.personal_data import checks
from interlock.model.event import Channel
from tests.detectors.windows import flagged, streamed

DETECTOR = detectors()["personal-data"]
ENGINE = Engine({DETECTOR.meta.id: DETECTOR})


def found(text: str) -> list[tuple[str, str]]:
    signals = ENGINE.scan(text, Channel.USER)
    assert signals == DETECTOR.detect(text), "a mark is missing"
    return [(signal.rule, text[signal.span.start : signal.span.end]) for signal in signals]


ALONE = [
    ("email", "ada@example.com"),
    ("email", "ada.byron+news@mail.example.co.uk"),
    ("email", "o'brien@example.ie"),
    ("email", "jörg@müller.example"),
    ("email", "ada%40example.com"),
    ("email", "x@xn--bcher-kva.xn--p1ai"),
    ("card", "4111111111111111"),
    ("card", "4111 1111 1111 1111"),
    ("card", "4111-1111-1111-1111"),
    ("card", "4111\u00a01111\u00a01111\u00a01111"),
    ("card", "3782 822463 10005"),
    ("card", "378282246310005"),
    ("card", "3056 930902 5904"),
    ("card", "5555555555554444"),
    ("card", "2223003122003222"),
    ("card", "6011111111111117"),
    ("card", "3530111333300000"),
    ("iban", "DE89370400440532013000"),
    ("iban", "DE89 3704 0044 0532 0130 00"),
    ("iban", "de89370400440532013000"),
    ("iban", "GB29 NWBK 6016 1331 9268 19"),
    ("iban", "NO93 8601 1117 947"),
    ("iban", "MT84MALT011000012345MTLCAST001S"),
    ("phone", "+49 30 1234567"),
    ("phone", "+493012345678"),
    ("phone", "+44 (0)20 7946 0958"),
    ("phone", "+1 (212) 555-0142"),
    ("phone", "+1-212-555-0142"),
    ("phone", "+33 1 23 45 67 89"),
    ("phone", "+39 06 6982 1234"),
    ("fr_nir", "2 55 08 14 168 025 38"),
    ("fr_nir", "255081416802538"),
    ("uk_nino", "AB 12 34 56 C"),
    ("br_cpf", "529.982.247-25"),
    ("it_fiscal_code", "RSSMRA85T10A562S"),
    ("cn_resident_id", "11010519491231002X"),
]
WITH_A_WORD = [
    ("phone", "Phone", "(212) 555-0142"),
    ("phone", "tel.", "0171 1234567"),
    ("phone", "Téléphone :", "01 23 45 67 89"),
    ("phone", '"phone_number":', "030/1234-5678"),
    ("phone", "llama al móvil", "612 34 56 78"),
    ("us_ssn", "SSN", "078-05-1120"),
    ("us_ssn", "ssn:", "078051120"),
    ("us_ssn", "social security number is", "078 05 1120"),
    ("de_tax_id", "Steuer-ID:", "86 095 742 719"),
    ("de_tax_id", "IdNr", "86095742719"),
    ("nl_bsn", "BSN", "111222333"),
    ("es_id", "DNI", "12345678Z"),
    ("es_id", "mi NIE es", "X-1234567-L"),
    ("pl_pesel", "PESEL:", "44051401359"),
    ("uk_nino", "National Insurance number", "AB123456C"),
    ("in_aadhaar", "Aadhaar", "2341 2341 2346"),
    ("br_cpf", "CPF", "52998224725"),
]
NOTHING = [
    "4111111111111112",
    "41111111111111111",
    "order 1732459905123456 at 2024-11-24T14:51:22+0100",
    "4111-1111-1111-1111-1111",
    "0.4111111111111111",
    "550e8400-e29b-41d4-a716-446655440000",
    "d41d8cd98f00b204e9800998ecf8427e",
    "DE89 3704 0044 0532 0130 01",
    "git@github.com:org/repo.git, lodash@4.17.21, icon@2x.png, actions/checkout@v4, user@host",
    "@dataclass, @alice, a @ b.c",
    "+1234567890 and +20 000 000 and C++20 1234 5678",
    "call 192.168.100.200 or 2024-11-24 or version 1.20.300.4000",
    "phone us on 01-02-2024 1430",
    "SSN: 000-12-3456, 666-12-3456, 123-00-4567",
    "the phone order 0171-1234567",
    "078-05-1120",
    "12345678Z and 111222333 and 44051401359",
    "GB 12 34 56 C",
    "111.111.111-11",
    "It is security policy that 500 users share 10 desks.",
]


@pytest.mark.parametrize(("rule", "text"), ALONE)
@pytest.mark.parametrize(
    "around", ["{}", "see {}.", '{{"v": "{}"}}', "({})", "ключ {}。", "a\n{}\nb", "{}, and", "<{}>"]
)
def test_what_stands_alone_is_found_whole(rule: str, text: str, around: str) -> None:
    assert found(around.format(text)) == [(rule, text)]


@pytest.mark.parametrize(("rule", "word", "text"), WITH_A_WORD)
def test_what_needs_a_word_is_found_with_it_and_not_without(rule: str, word: str, text: str) -> None:
    assert (rule, text) in found(f"{word} {text}, thanks")
    assert found(f"it says {text}, thanks") == []
    assert found(f"{word} {'.' * 60} {text}") == []


@pytest.mark.parametrize("text", NOTHING)
def test_what_only_looks_like_it_is_not(text: str) -> None:
    assert found(text) == []


def test_the_nearest_word_decides() -> None:
    assert found("SSN on file; order 078-05-1120") == []
    assert found("order 7, SSN 078-05-1120") == [("us_ssn", "078-05-1120")]


def test_two_numbers_that_overlap_hide_none() -> None:
    assert ("card", "4111 1111 1111 1111") in found("1234 4111 1111 1111 1111")


@pytest.mark.parametrize(
    ("check", "right"),
    [
        (checks.card, "4111111111111111"),
        (checks.pl_pesel, "44051401359"),
        (checks.in_aadhaar, "234123412346"),
        (checks.de_tax_id, "86095742719"),
        (checks.nl_bsn, "111222333"),
    ],
)
@given(data=st.data())
def test_check_digits_see_every_wrong_digit(check: Callable[[str], bool], right: str, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(right) - 1))
    wrong = data.draw(st.sampled_from([d for d in "0123456789" if d != right[at]]))
    assert check(right)
    assert not check(right[:at] + wrong + right[at + 1 :])


@given(account=st.from_regex(r"[0-9]{18}", fullmatch=True))
def test_an_account_number_has_one_pair_of_check_digits(account: str) -> None:
    valid = [f"DE{check:02d}{account}" for check in range(2, 99) if checks.iban(f"DE{check:02d}{account}")]
    assert len(valid) == 1


PIECES = st.sampled_from(
    [text for _, text in ALONE] + [f"{word} {text}" for _, word, text in WITH_A_WORD]
    + NOTHING[:9] + ["phone", "SSN", "order", " ", "  ", "\n", ".", "-", "AB", "12", "@", "x", "+", "(0)", "é"]
    + ["1 " * 200, "a" * 400]
)  # fmt: skip


@given(pieces=st.lists(PIECES | st.text(max_size=4), max_size=9), data=st.data(), lag=st.sampled_from([0, 0, 1, 7, 30]))
def test_a_stream_cut_anywhere_is_flagged_as_the_whole_is(pieces: list[str], data: st.DataObject, lag: int) -> None:
    whole = "".join(pieces)
    cuts = data.draw(st.lists(st.integers(0, len(whole)), max_size=20))
    expected = flagged(DETECTOR.detect(whole))
    assert streamed(whole, cuts, DETECTOR.detect, DETECTOR.pending, lag) == expected


@given(pieces=st.lists(PIECES | st.text(max_size=4), max_size=9))
def test_what_is_flagged_has_a_mark(pieces: list[str]) -> None:
    whole = "".join(pieces)
    marked = any(re2.search(mark, whole) for mark in DETECTOR.marks)
    assert marked or not DETECTOR.detect(whole)


@pytest.mark.parametrize(
    "unit", ["1", "1 ", "a.", "a@", "a.b@", "+1", "phone 0", "DE89 ", "4111 ", "AB 12 ", "(0", "%40"]
)
def test_a_hundred_kilobytes_of_the_worst_come_to_an_end(unit: str) -> None:
    text = unit * (100_000 // len(unit))
    assert len(DETECTOR.detect(text)) <= len(text)
    assert 0 <= DETECTOR.pending(text) <= len(text)
