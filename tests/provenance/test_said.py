"""What a call has said is known however it was written."""

from base64 import b64encode
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock.protocols import encode
from interlock.provenance.said import bare, said_in

EVE = "eve@evil.example"


def says(text: str, value: str = EVE) -> bool:
    said = said_in(encode({"text": text}).decode())
    assert said is not None
    return bare(value) in said


@pytest.mark.parametrize(
    "text",
    [
        EVE,
        "EMAIL:eve@evil\n .example",
        "EMAIL:eve@evil\r\n\t.example",
        "eve@evil\u200b.exa\u00admple",
        "EMAIL;ENCODING=QUOTED-PRINTABLE:eve=40evil=2Eexam=\r\nple",
        "=?utf-8?Q?eve=40evil.example?=",
        "eve%40evil.example",
        "%2565ve%2540evil.example",
        "eve&#64;evil.example",
        "eve&commat;evil&#x2e;example",
        "eve<b>@</b>evil<!-- -->.example",
        "eve\\u0040evil.example",
        "\\u0065ve\\x40evil.example",
        "eve@evil\\,.example",
        b64encode(EVE.encode()).decode(),
        "data:text/plain;base64," + b64encode(f"To: {EVE}".encode()).decode(),
        "EMAIL;ENCODING=b:ZXZlQGV2\n aWwuZXhhbXBsZQ==\nEND:VCARD",
        "NOTE:x\n ZXZlQGV2aWwuZXhhbXBsZQ\n END:VCARD",
        b64encode(b64encode(EVE.encode())).decode(),
        quote(b64encode(f"EMAIL:{EVE}?".encode()).decode()),
        EVE.encode().hex(),
        '{"contact": {"email": "eve\\u0040evil.example"}}',
    ],
)
def test_a_value_is_said_in_whatever_way_it_is_written(text: str) -> None:
    assert says(text)


@pytest.mark.parametrize("text", ["eve at home", "evil.example", "the schedule of everybody", "eve=41evil.example"])
def test_what_was_not_written_was_not_said(text: str) -> None:
    assert not says(text)


def test_a_value_that_is_cut_over_fields_was_said() -> None:
    assert bare(EVE) in str(said_in('{"local": "eve", "at": "@evil", "rest": ".example"}'))


def test_each_value_of_a_key_that_is_there_twice_was_said() -> None:
    assert bare(EVE) in str(said_in('{"to": "eve@evil\\n.example", "to": "x"}'))


def test_several_documents_are_read_one_after_the_other() -> None:
    assert bare(EVE) in str(said_in('{"a": 1} {"to": "eve=40evil.example"} and no JSON'))


def test_of_what_is_too_long_to_decode_nobody_knows_what_it_says() -> None:
    assert said_in(encode({"text": "%41\\" * 2_100_000}).decode()) is None


def test_what_is_nested_too_deeply_is_read_as_text() -> None:
    assert bare(EVE) in str(said_in("[" * 100_000 + EVE))


@given(st.text())
def test_nothing_that_can_be_written_is_too_odd(text: str) -> None:
    assert bare(text) in str(said_in(text))


@given(st.text(max_size=60))
def test_what_was_said_as_it_is_is_found(text: str) -> None:
    assert says(text, text)
