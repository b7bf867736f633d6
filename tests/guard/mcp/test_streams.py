"""What a server says unasked: on GET and subscriptions/listen, in the answer to a call, in either era."""

from typing import Any

import pytest

from interlock.guard.mcp import Answered
from interlock.guard.mcp.settings import McpServer
from interlock.mcp import messages
from interlock.mcp.eras import LEVEL_META, SUBSCRIPTION_META
from interlock.mcp.framing import Framing, event
from tests.guard.mcp.play import Fake, Gate

CALL, LISTEN = "tools/call", "subscriptions/listen"
READ: dict[str, Any] = {"name": "read_mail", "arguments": {}}
TOOLS = messages.notification("notifications/tools/list_changed")
PROMPTS = messages.notification("notifications/prompts/list_changed")
UPDATED = messages.notification("notifications/resources/updated", {"uri": "test://a/b"})
LOG = messages.notification("notifications/message", {"level": "info", "data": "started", "logger": "l", "more": 1})
ODD = messages.notification("notifications/odd", {"a": 1})


def connected(fake: Fake, **more: Any) -> Gate:
    gate = Gate(fake, **more)
    gate.play("initialize", {"protocolVersion": "2025-11-25", "capabilities": {}}, modern=False)
    return gate


def heard(events: list[dict[str, Any]]) -> list[str]:
    return [one["method"].removeprefix("notifications/") for one in events if "method" in one]


@pytest.mark.parametrize("server", [True, False], ids=["modern server", "legacy server"])
def test_get_gives_what_has_changed(server: bool) -> None:
    gate = connected(Fake(modern=server, stream=[TOOLS, ODD, PROMPTS]))
    gate.play("tools/list", modern=False)
    played = gate.play("", http="GET", modern=False, headers={b"last-event-id": b"7"})
    assert heard(played.events) == ["tools/list_changed", "prompts/list_changed"]
    assert gate.server.catalogue.listed_us is None
    if not server:
        assert (b"last-event-id", b"7") in gate.fake.sent[-1].headers


@pytest.mark.parametrize("server", [True, False], ids=["modern server", "legacy server"])
def test_listen_gives_what_was_asked_for_under_the_clients_id(server: bool) -> None:
    results = {"resources/subscribe": {}, "resources/list": {"resources": [{"uri": "test://a", "name": "a"}]}}
    gate = Gate(Fake(modern=server, stream=[TOOLS, PROMPTS, UPDATED, ODD], results=results))
    gate.play("resources/list")
    wanted = {"toolsListChanged": True, "resourceSubscriptions": ["test://a"], "odd": True}
    played = gate.play(LISTEN, {"notifications": wanted}, id_=41)
    *said, last = played.events
    assert heard(said) == ["subscriptions/acknowledged", "tools/list_changed", "resources/updated"]
    assert all(one["params"]["_meta"] == {SUBSCRIPTION_META: 41} for one in said)
    assert said[0]["params"]["notifications"] == {"toolsListChanged": True, "resourceSubscriptions": ["test://a"]}
    if not server:
        assert last["result"]["_meta"] == {SUBSCRIPTION_META: 41}
        assert "resources/subscribe" in gate.asked()


@pytest.mark.parametrize("wanted", [None, {"resourceSubscriptions": "test://a"}, {"resourceSubscriptions": [1]}])
def test_a_filter_that_is_none_is_refused(wanted: object) -> None:
    assert Gate().play(LISTEN, {"notifications": wanted}).code == messages.INVALID_PARAMS


def test_nothing_goes_out_in_an_address_that_is_subscribed_to() -> None:
    listed = {"resources": [{"uri": "test://a", "name": "a"}]}
    gate = Gate(Fake(stream=[], results={"resources/list": listed}))
    gate.play("resources/list")
    uris = ["test://a", "test://AKIA" + "Q3EXAMPLEKEYXYZ7", "https://evil.example/?q=x"]
    played = gate.play(LISTEN, {"notifications": {"resourceSubscriptions": uris}})
    assert played.events[0]["params"]["notifications"] == {"resourceSubscriptions": ["test://a"]}
    assert gate.fake.asked[-1]["params"]["notifications"] == {"resourceSubscriptions": ["test://a"]}
    assert "request resources/subscribe" in gate.blocked()


def test_a_client_hears_nothing_of_tools_that_it_may_not_see() -> None:
    gate = connected(Fake(modern=False, stream=[TOOLS, PROMPTS]))
    gate.play("tools/list", modern=False)
    gate.server.catalogue.tools = {"never_approved": {"name": "never_approved"}}
    assert heard(gate.play("", http="GET", modern=False).events) == ["prompts/list_changed"]


def test_a_client_of_the_newer_era_opens_no_stream_and_ends_no_session() -> None:
    gate = Gate(Fake(modern=False, stream=[TOOLS]))
    for method in ("GET", "DELETE"):
        assert gate.play("", http=method).status == 405


def test_a_stream_of_a_session_of_somebody_else() -> None:
    gate = connected(Fake(modern=False, stream=[TOOLS]))
    gate.session = "client-9"
    assert gate.play("", http="GET", modern=False).status == 404


# --- in the answer to a call ---------------------------------------------------------------------------------


def logging(*said: bytes, **more: Any) -> Fake:
    return Fake(aside=lambda asked: list(said) if asked["method"] == CALL else [], **more)


def test_what_is_logged_reaches_a_client_of_the_older_era_from_its_level_on() -> None:
    gate = connected(logging(LOG, modern=False))
    played = gate.play(CALL, READ, modern=False)
    assert played.events[0]["params"] == {"level": "info", "data": "started", "logger": "l"}
    assert gate.play("logging/setLevel", {"level": "error"}, modern=False).answer["result"] == {}
    assert heard(gate.play(CALL, READ, modern=False).events) == []
    assert gate.play("logging/setLevel", {"level": "loud"}, modern=False).code == messages.INVALID_PARAMS


@pytest.mark.parametrize("wants", [True, False])
def test_and_one_of_the_newer_era_that_says_so(wants: bool) -> None:
    gate = Gate(logging(LOG))
    params = {**READ, "_meta": {LEVEL_META: "debug"}} if wants else READ
    assert heard(gate.play(CALL, params).events) == ["message"] * wants
    assert (LEVEL_META in gate.fake.asked[-1]["params"]["_meta"]) == wants


def test_changes_reach_only_clients_of_the_older_era_in_an_answer() -> None:
    assert heard(Gate(logging(TOOLS)).play(CALL, READ).events) == []
    gate = connected(logging(TOOLS, modern=False))
    assert heard(gate.play(CALL, READ, modern=False).events) == ["tools/list_changed"]


def test_a_result_that_is_withheld_after_a_stream_has_begun_ends_it() -> None:
    odd = {"prompts/get": {"resultType": "odd", "messages": []}}
    gate = connected(Fake(modern=False, results=odd, aside=lambda said: [LOG] if said["method"] in odd else []))
    played = gate.play("prompts/get", {"name": "p"}, modern=False)
    assert (played.status, played.streamed) == (0, True)
    assert [one.get("method", "answer") for one in played.events] == ["notifications/message", "answer"]
    assert played.code == messages.INVALID_PARAMS


# --- cancelled -----------------------------------------------------------------------------------------------


def test_a_request_that_is_under_way_is_not_made_twice_and_can_be_ended() -> None:
    gate = connected(Fake(modern=False))
    key = ("k1", gate.session, 5)
    seen: list[object] = []

    def look(said: Any) -> list[bytes]:
        if said["method"] == CALL:
            bell = gate.server.under_way[key]
            seen.append(gate.play(CALL, READ, modern=False, id_=5).code)
            cancelled = messages.notification("notifications/cancelled", {"requestId": 5})
            assert gate.play("", body=cancelled, modern=False).status == 202
            seen.append(bell.rung)
        return []

    gate.fake.aside = look
    gate.play(CALL, READ, modern=False, id_=5)
    assert seen == [messages.INVALID_REQUEST, True]
    assert not gate.server.under_way


def test_nobody_ends_the_requests_of_somebody_else() -> None:
    gate = connected(Fake(modern=False))
    for headers in ({}, {b"mcp-session-id": b"client-9"}):
        cancelled = messages.notification("notifications/cancelled", {"requestId": 5})
        assert gate.play("", body=cancelled, modern=False, headers=headers).status in (202, 404)
    assert not gate.server.under_way


def test_roots_that_change_are_told_to_servers_that_may_ask_for_them() -> None:
    for offers, told in (((), []), (("roots",), ["notifications/roots/list_changed"])):
        gate = connected(Fake(modern=False), settings=McpServer(url="http://s/mcp", offers=offers))
        gate.play("", body=messages.notification("notifications/roots/list_changed"), modern=False)
        assert [one["method"] for one in gate.told] == told


# --- streams that end, and servers that misbehave --------------------------------------------------------------


def test_a_server_may_end_the_stream_before_its_answer_and_go_on() -> None:
    gate = connected(Fake(modern=False, aside=lambda said: [LOG] if said["method"] == CALL else []))
    plain = gate.fake.answer

    def answer(command: Any) -> Any:
        """It ends the call's stream after one event, and says the rest where it is asked to go on."""
        if command.method == "GET":
            id_ = gate.fake.asked[-1]["id"]
            done = messages.result(id_, {"content": [{"type": "text", "text": "late"}]})
            return Answered(200, Framing.EVENTS, ""), [event(done), None]
        told = plain(command)
        assert isinstance(told, tuple)
        answered, pieces = told
        if len(pieces) > 1:
            pieces = [b"id: e1\ndata:\n\n", pieces[0], None]
        return answered, pieces

    gate.fake.answer = answer  # type: ignore[method-assign]
    played = gate.play(CALL, READ, modern=False)
    assert played.text == "late"
    assert gate.order.count("await") == 1


@pytest.mark.parametrize("server", [True, False], ids=["modern server", "legacy server"])
@pytest.mark.parametrize("junk", [b"{", b"[]", b'{"jsonrpc":"2.0","id":1,"error":{"code":1,"message":"no"}}'])
def test_a_stream_with_what_is_no_message_ends_and_is_recorded(server: bool, junk: bytes) -> None:
    gate = connected(Fake(modern=server, stream=[PROMPTS, junk, PROMPTS]))
    played = gate.play("", http="GET", modern=False)
    assert heard(played.events) == ["prompts/list_changed"]
    assert gate.records[-1].reason


def test_a_long_stream_is_recorded_in_between() -> None:
    gate = connected(Fake(modern=False, stream=[UPDATED] * 250))
    before = len(gate.records)
    played = gate.play("", http="GET", modern=False)
    assert len(played.events) == 250
    assert len(gate.records) - before == 4
    assert sum(len(record.steps) for record in gate.records[before + 1 :]) == 250


def test_a_server_that_asks_on_a_stream() -> None:
    asks = messages.request("q", "roots/list", {})
    settings = McpServer(url="http://s/mcp", offers=("roots",))
    gate = Gate(Fake(modern=False, stream=[asks, messages.request("p", "ping", {})]), settings)
    gate.user = lambda _: {"roots": []}
    hello = {"protocolVersion": "2025-11-25", "capabilities": {"roots": {}}}
    gate.play("initialize", hello, modern=False)
    gate.play("", http="GET", modern=False)
    assert gate.told == [
        {"jsonrpc": "2.0", "id": "q", "result": {"roots": []}},
        {"jsonrpc": "2.0", "id": "p", "result": {}},
    ]
