"""Any text is an address: it has a place or none, and says so without a fault."""

from hypothesis import given
from hypothesis import strategies as st

from interlock.mcp.addresses import is_odd, place


@given(st.text(alphabet="ahtps:/\\@.?#fil 0"))
def test_any_text_has_a_place_or_none(text: str) -> None:
    where = place(text)
    assert where is None or where.host == where.host.lower()
    assert is_odd(text) == (" " in text)


@given(st.sampled_from(["http", "https", "ws", "ftp"]), st.text(alphabet="/\\", max_size=5))
def test_slashes_of_any_number_and_kind_are_two(scheme: str, slashes: str) -> None:
    where = place(f"{scheme}:{slashes}user@Evil.example/x")
    assert where is not None
    assert (where.scheme, where.host) == (scheme, "evil.example")


def test_a_chain_without_an_end_is_no_place_of_anybody() -> None:
    where = place("a:" * 1_000 + "//x")
    assert where is not None
    assert where.is_web
