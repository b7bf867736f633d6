"""What of a client's `_meta` reaches a server: each in its own syntax, and nothing that could be a text."""

import pytest

from interlock.mcp.eras import CAPABILITIES_META, LEVEL_META, Era, passed_meta, sent_params
from tests.mcp.test_headers import TRACE


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("traceparent", TRACE), ("tracestate", "rojo=00f067aa0ba902b7,congo=t61"), ("tracestate", "a@b=c , d=e"),
        ("progressToken", 7), ("progressToken", "p"), (LEVEL_META, "debug"),
    ],
)  # fmt: skip
def test_what_is_as_it_should_be_passes(key: str, value: object) -> None:
    assert passed_meta({"_meta": {key: value}}) == {key: value}


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("traceparent", "a text"), ("traceparent", {"any": ["json"]}), ("traceparent", TRACE.upper()),
        ("traceparent", "00-" + "0" * 32 + TRACE[35:]), ("traceparent", TRACE + "\n"), ("traceparent", TRACE + "-more"),
        ("tracestate", "a text"), ("tracestate", {"k": "v"}), ("tracestate", "k=" + "v" * 300), ("tracestate", ""),
        ("tracestate", ",".join(f"k{n}=v" for n in range(40))), ("tracestate", "k=caf\u00e9"), ("tracestate", "k=a=b"),
        ("progressToken", {"a": 1}), ("progressToken", True), (LEVEL_META, "a text"), (LEVEL_META, ["debug"]),
        ("baggage", "k=v"), ("other", 1),
    ],
)  # fmt: skip
def test_nothing_else_does(key: str, value: object) -> None:
    assert passed_meta({"_meta": {key: value}}) == {}


def test_what_a_client_can_do_is_switches() -> None:
    can = {
        "sampling": {"tools": {"x": "a text"}, "more": "x"},
        "roots": {"listChanged": "a text"},
        "elicitation": {"form": {"a": 1}},
        "x": 1,
    }
    sent = sent_params({}, Era.MODERN, {}, can)["_meta"][CAPABILITIES_META]
    assert sent == {"sampling": {"tools": {}}, "roots": {}, "elicitation": {"form": {}}}
