"""A client's configuration with its servers behind interlock: nothing in it is left as it was."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock.guard.mcp.settings import McpServer
from interlock.run.clients import configuration, routed, servers

GATEWAY, KEY = "http://127.0.0.1:7700", "ilk_made_up"
WRAP = ["interlock", "mcp", "wrap", "--workload", "w"]
KNOWN = {
    "tracker": McpServer(url="https://tracker.example/mcp"),
    "notes": McpServer(command=("notes-mcp", "--all")),
}
LED = {"type": "http", "url": f"{GATEWAY}/mcp/tracker", "headers": {"Authorization": f"Bearer {KEY}"}}


def one(entry: dict[str, Any], wrap: list[str] | None = WRAP) -> tuple[Any, tuple[tuple[str, ...], ...]]:
    document = {"mcpServers": {"x": entry}, "theme": "dark"}
    before = json.dumps(document)
    found = routed(document, KNOWN, GATEWAY, KEY, wrap)
    assert json.dumps(document) == before
    assert found.document["theme"] == "dark"
    return found.document["mcpServers"].get("x"), found[1:]


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ({"url": "https://tracker.example/mcp/", "headers": {"Authorization": "Bearer secret"}}, LED),
        ({"type": "sse", "url": "https://tracker.example/mcp", "disabled": True}, {"disabled": True, **LED}),
        ({"httpUrl": "https://tracker.example/mcp"}, {"httpUrl": LED["url"], "headers": LED["headers"]}),
        ({"command": "notes-mcp", "args": ["--all"]}, {**LED, "url": f"{GATEWAY}/mcp/notes"}),
        ({"command": "interlock", "args": ["mcp", "serve", "tracker", "--config", "f"]}, LED),
    ],
)
def test_a_server_that_the_gateway_has_is_reached_there(entry: dict[str, Any], expected: dict[str, Any]) -> None:
    assert one(entry) == (expected, (("x",), (), ()))
    assert one(entry, wrap=None)[0] == expected


def test_another_program_is_wrapped_with_the_names_of_its_variables() -> None:
    entry = {"command": "npx", "args": ["-y", "files-mcp"], "env": {"TOKEN": "t"}, "cwd": "/srv"}
    words = [*WRAP[1:], "--env", "TOKEN", "--", "npx", "-y", "files-mcp"]
    assert one(entry) == ({**entry, "command": "interlock", "args": words}, ((), ("x",), ()))


def test_what_is_wrapped_already_stays() -> None:
    entry = {"command": "interlock", "args": ["mcp", "wrap", "--", "files-mcp"]}
    assert one(entry) == (entry, ((), ("x",), ()))


@pytest.mark.parametrize(
    "entry",
    [
        {"url": "https://elsewhere.example/mcp"},
        {"url": "https://tracker.example/mcp?x"},
        {"command": "notes-mcp", "args": "--all"},
        {"command": ["notes-mcp", "--all"]},
        {"command": ""},
        {},
    ],
)
def test_what_cannot_be_guarded_is_left_out(entry: dict[str, Any]) -> None:
    assert one(entry, wrap=None) == (None, ((), (), ("x",)))
    assert one(entry)[0] is None or entry == {"command": ""}


@pytest.mark.parametrize(
    "text", ["", "[]", '{"mcpServers": {}}', '{"servers": 5}', "{", '{"a": {"b": 1}}', "[" * 9_999]
)
def test_what_is_no_clients_configuration(text: str) -> None:
    assert configuration(text) is None


def test_comments_and_other_tables() -> None:
    text = '{"mcp": {"servers": {"a": {"url": "u"}}}, // mine\n "context_servers": {"b": {"command": "c"},}}'
    document = configuration(text)
    assert document
    assert [key for _, key, _ in servers(document)] == ["b", "a"]


ENTRY = st.dictionaries(
    st.sampled_from(["command", "args", "url", "httpUrl", "env", "type"]),
    st.one_of(
        st.text(max_size=5),
        st.lists(st.text(max_size=5), max_size=3),
        st.none(),
        st.sampled_from([server.url for server in KNOWN.values()]),
    ),
)


@given(st.dictionaries(st.text(max_size=3), ENTRY, max_size=4), st.booleans())
def test_no_server_stays_as_it_was(table: dict[str, Any], can_wrap: bool) -> None:
    found = routed({"mcpServers": table}, KNOWN, GATEWAY, KEY, WRAP if can_wrap else None)
    assert sorted(found.led + found.wrapped + found.left_out) == sorted(table)
    for entry in found.document["mcpServers"].values():
        address = next((entry[name] for name in ("url", "httpUrl") if isinstance(entry.get(name), str)), "")
        assert entry.get("command") == WRAP[0] or address.startswith(GATEWAY)
