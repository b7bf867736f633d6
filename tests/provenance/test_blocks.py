"""YAML as dumpers write it is read; whatever else it may be is not."""

from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]
from hypothesis import given
from hypothesis import strategies as st

from interlock.provenance.blocks import read_blocks

SCALAR = st.text(max_size=200) | st.none() | st.sampled_from(["- x", "a: b", "x\n\nid: 13", "it's", "#a", "*a", "true"])
KEY = st.sampled_from(["id", "id_", "name", "body", "to", "a.b", "x@y.example"])
NODE = st.recursive(
    SCALAR, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEY, inner, max_size=4), max_leaves=10
)
DOCUMENT = st.lists(st.dictionaries(KEY, NODE, min_size=1, max_size=4), min_size=1, max_size=3)


def plain(value: Any) -> Any:
    """The document with nothing but texts; what is empty is None."""
    if isinstance(value, dict):
        return {key: plain(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [plain(inner) for inner in value]
    return value or None


@given(document=DOCUMENT, wide=st.booleans(), raw=st.booleans())
def test_what_a_dumper_writes_is_read_as_it_was_or_not_at_all(document: Any, wide: bool, raw: bool) -> None:
    text = yaml.safe_dump(document, default_flow_style=False, allow_unicode=raw, width=10_000 if wide else 80)
    assert plain(read_blocks(text)) in (plain(document), None)


@given(words=st.text("ab :-'\"\n", max_size=300))
def test_a_text_in_a_document_never_becomes_a_field(words: str) -> None:
    text = yaml.safe_dump([{"body": words, "id": "1"}], default_flow_style=False)
    read = read_blocks(text)
    assert read is None or (isinstance(read, list) and [set(one) for one in read] == [{"body", "id"}])


def test_an_ordinary_result_is_read() -> None:
    text = (
        "- body: 'Hi\n\n\n    id: 9'\n  id_: '7'\n  to:\n  - a@x.example\n- body: a long plain text\n    that goes on\n"
    )
    first = {"body": "Hi\n\nid: 9", "id_": "7", "to": ["a@x.example"]}
    assert read_blocks(text) == [first, {"body": "a long plain text that goes on"}]


@pytest.mark.parametrize(
    "text",
    [
        "", "just words", "Title: x", "b: 1\na: 2", "a: 1\na: 2", "- a: &x 1", "- a: *x", "- a: 'x", "- a: 'x' y",
        "- a: x\n    b: y", "- a: [1, 2]", "- a: !!str x", "---\na: 1", '- a: "\\q"', '- a: "\\u00"', "-",
        "- " * 100 + "a: 1", "a:\n" + "".join(" " * n + "a:\n" for n in range(1, 100)) + " " * 100 + "b: 1",
    ],
)  # fmt: skip
def test_what_no_dumper_writes_is_nothing(text: str) -> None:
    assert read_blocks(text) in (None, {"Title": "x"})


@given(text=st.text("ab:-'\"| >\n\\u0 ", max_size=200))
def test_any_text_has_an_answer(text: str) -> None:
    assert isinstance(read_blocks(text), dict | list | None)
