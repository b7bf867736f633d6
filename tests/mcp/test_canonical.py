"""RFC 8785: the numbers of its appendix B, the order of its section 3.2.3, and one spelling for equal documents."""

import json
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock.mcp.canonical import canonical

# RFC 8785, appendix B.
NUMBERS = {
    "0000000000000000": "0",
    "8000000000000000": "0",
    "0000000000000001": "5e-324",
    "8000000000000001": "-5e-324",
    "7fefffffffffffff": "1.7976931348623157e+308",
    "ffefffffffffffff": "-1.7976931348623157e+308",
    "4340000000000000": "9007199254740992",
    "c340000000000000": "-9007199254740992",
    "4430000000000000": "295147905179352830000",
    "44b52d02c7e14af5": "9.999999999999997e+22",
    "44b52d02c7e14af6": "1e+23",
    "44b52d02c7e14af7": "1.0000000000000001e+23",
    "444b1ae4d6e2ef4e": "999999999999999700000",
    "444b1ae4d6e2ef4f": "999999999999999900000",
    "444b1ae4d6e2ef50": "1e+21",
    "3eb0c6f7a0b5ed8c": "9.999999999999997e-7",
    "3eb0c6f7a0b5ed8d": "0.000001",
    "41b3de4355555553": "333333333.3333332",
    "41b3de4355555554": "333333333.33333325",
    "becbf647612f3696": "-0.0000033333333333333333",
}


@pytest.mark.parametrize(("bits", "text"), NUMBERS.items())
def test_numbers_are_written_as_the_rfc_writes_them(bits: str, text: str) -> None:
    (double,) = struct.unpack(">d", bytes.fromhex(bits))
    assert canonical(double).decode() == text


def test_keys_are_in_the_order_of_utf_16() -> None:
    document = {"\u20ac": 1, "\r": 2, "\ufb33": 3, "1": 4, "\U0001f600": 5, "\x80": 6, "\u00f6": 7}
    assert list(json.loads(canonical(document)).values()) == [2, 4, 6, 7, 1, 5, 3]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), {1, 2}, [b""], 10**400])
def test_what_json_cannot_hold_is_refused(value: object) -> None:
    with pytest.raises((ValueError, OverflowError)):
        canonical(value)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


def _doubles(value: object) -> object:
    return json.loads(json.dumps(value), parse_int=float)


@given(JSON)
def test_it_means_the_same_and_writing_it_again_changes_nothing(value: object) -> None:
    data = canonical(value)
    # A whole number beyond 2^53 means the double that is next to it.
    assert _doubles(json.loads(data)) == _doubles(value)
    assert canonical(json.loads(data)) == data


@given(st.dictionaries(st.text(), st.integers(-9, 9)))
def test_the_order_of_keys_says_nothing(value: dict[str, int]) -> None:
    assert canonical(dict(reversed(value.items()))) == canonical(value)


@pytest.mark.parametrize("depth", [129, 1_000, 100_000])
def test_what_is_nested_too_deeply_is_refused(depth: int) -> None:
    value: object = {}
    for _ in range(depth):
        value = [value]
    with pytest.raises(ValueError, match="too deeply"):
        canonical(value)
