"""What a call carries out of a confidential result, and what it does not."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock.model.event import Channel, Text
from interlock.provenance import ToolLabels
from interlock.provenance.secrets import MOST_VALUES, Confidential

KEY = "k7Qz-99X2-pp41"
SECRET = ToolLabels(sink="read", asserted=True, secret=True)
MAILS = ToolLabels(sink="read", asserted=False, secret=True)
PUBLIC = ToolLabels(sink="read", asserted=True, secret=False)


def read(text: str, labels: ToolLabels | None = SECRET) -> Confidential:
    found = Confidential()
    found.add(Text((), Channel.TOOL_RESULT, text, "tool"), labels)
    return found


@pytest.mark.parametrize(
    "said",
    [
        KEY, KEY.upper(), f"the key: {KEY}.", f"https://x.example/?k={KEY}", f"<b>{KEY}</b>", KEY[::-1],
        base64.b64encode(KEY.encode()).decode(), base64.urlsafe_b64encode(f"a {KEY} b".encode()).decode().rstrip("="),
        KEY.encode().hex(), "k7Qz%2D99X2%2dpp41", {"deep": [{KEY: 1}]}, ["x", {"a": f"'{KEY}'"}],
    ],
)  # fmt: skip
def test_a_key_is_seen_however_it_is_carried(said: object) -> None:
    assert read(f'{{"key": "{KEY}"}}').carried({"body": said})


def test_long_numbers_are_seen_however_they_are_grouped() -> None:
    assert read("card 4111 1111 1111 1111").carried({"n": "4111-1111-1111-1111"})
    assert read("card 4111111111111111").carried({"n": 4111111111111111})


@pytest.mark.parametrize("text", ["balance 1810.00", "on 2026-11-24", "account main", "password hunter", "id 17"])
def test_amounts_dates_and_plain_words_are_none(text: str) -> None:
    assert not read(text).carried({"body": text})


def test_only_what_is_confidential_and_asserted_is_a_secret() -> None:
    assert not read(KEY, MAILS).carried({"body": KEY})
    assert not read(KEY, PUBLIC).carried({"body": KEY})
    assert [read(KEY, labels).private for labels in (SECRET, MAILS, PUBLIC, None)] == [True, True, False, True]
    user = Confidential()
    user.add(Text((), Channel.USER, KEY), SECRET)
    assert (user.private, user.carried({"body": KEY})) == (False, ())


def test_too_much_to_remember_or_to_look_at_counts_as_carried() -> None:
    many = read(" ".join(f"value{n}x" for n in range(MOST_VALUES + 1)))
    assert many.carried({"body": "nothing"}) is None
    assert read(KEY).carried({"body": "x" * 1_000_001}) is None


@given(st.recursive(st.text() | st.none() | st.floats(), lambda s: st.lists(s) | st.dictionaries(st.text(), s)))
def test_any_arguments_are_looked_at(arguments: object) -> None:
    assert read(KEY).carried(arguments) == ()
