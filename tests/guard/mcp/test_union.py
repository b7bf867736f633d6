"""All servers behind one address: names, what a caller may see of them, servers that are down, and sessions."""

from itertools import count
from typing import Any

import pytest

from interlock.guard.mcp import Server, Union, asks
from interlock.guard.mcp.settings import McpServer
from interlock.guard.mcp.state import Catalogue
from interlock.guard.mcp.union import PAGE, UNAVAILABLE
from interlock.mcp import messages
from interlock.model.decision import Principal
from interlock.model.record import Verdict
from tests.guard.mcp.play import DOWN, Fake, Gate, a_task, tool
from tests.guard.mcp.test_asks import ANSWERS, CAN, OPEN, SAMPLE, asking

CALL, LIST = "tools/call", "tools/list"
HELLO: dict[str, Any] = {"protocolVersion": "2025-11-25", "capabilities": {}}
URL = McpServer(url="http://server/mcp")


def united(settings: dict[str, McpServer] | None = None, **fakes: Fake) -> Gate:
    """Servers of these names behind one address."""
    gate, ids = Gate(), count()
    servers = {
        name: Server(name, (settings or {}).get(name, URL), Catalogue(name, "first-use"), lambda: f"part-{next(ids)}")
        for name in fakes
    }
    gate.fakes, gate.union = fakes, Union(servers, "__", lambda: f"union-{next(ids)}")
    return gate


def listing(*names: str, **more: Any) -> Fake:
    return Fake(tools=[tool(name, "Read it.") for name in names], **more)


def test_two_servers_may_have_a_tool_of_one_name() -> None:
    gate = united(mail=listing("read", "read_all"), notes=listing("read", modern=False))
    assert gate.play(LIST).names == ["mail__read", "mail__read_all", "notes__read"]
    assert gate.play(CALL, {"name": "notes__read", "arguments": {}}).text == "read done"
    assert gate.fakes["notes"].asked[-1]["params"]["name"] == "read"
    assert CALL not in [said["method"] for said in gate.fakes["mail"].asked]
    assert gate.play(CALL, {"name": "mail__read", "arguments": {}}).text == "read done"
    assert dict(gate.fakes["mail"].sent[-1].headers)[b"mcp-name"] == b"read"
    assert {record.upstream for record in gate.records if record.steps} >= {"mail", "notes"}


def test_the_headers_repeat_the_name_that_the_client_knows() -> None:
    gate = united(mail=listing("read"))
    wrong = gate.play(CALL, {"name": "mail__read", "arguments": {}}, headers={b"mcp-name": b"read"})
    assert (wrong.status, wrong.code) == (400, messages.HEADER_MISMATCH)


@pytest.mark.parametrize("name", ["notes__read", "nobody__read", "mail__other", "read", "mail", "", "__read", 7])
def test_what_nobody_has_and_what_nobody_may_use_are_answered_alike(name: object) -> None:
    settings = {"notes": McpServer(url="http://n/mcp", workloads=("other",))}
    gate = united(settings, mail=listing("read"), notes=listing("read"))
    assert gate.play(LIST).names == ["mail__read"]
    headers = {b"mcp-name": str(name).encode()}
    if name == 7:
        assert gate.play(CALL, {"name": name, "arguments": {}}, headers=headers).code == messages.HEADER_MISMATCH
        return
    played = gate.play(CALL, {"name": name, "arguments": {}}, headers=headers if name == "" else None)
    assert played.answer["result"] == {
        "content": [{"type": "text", "text": "Not permitted."}], "isError": True, "resultType": "complete"
    }  # fmt: skip
    assert not gate.fakes["notes"].asked
    assert any(record.verdict is Verdict.BLOCKED for record in gate.records)


def test_a_task_reaches_to_the_servers_that_it_names() -> None:
    gate = united(mail=listing("read"), notes=listing("read"))
    assert gate.play(LIST, task=a_task(servers=frozenset({"notes"}))).names == ["notes__read"]


def test_a_server_that_is_down_hides_no_other_and_not_itself() -> None:
    gate = united(mail=listing("read"), notes=listing("read", fails={"server/discover": DOWN}))
    listed = gate.play(LIST).answer["result"]
    assert [one["name"] for one in listed["tools"]] == ["mail__read"]
    assert listed["_meta"] == {UNAVAILABLE: ["notes"]}
    (step,) = gate.steps("upstream")
    assert (step.tool, step.verdict) == ("notes", Verdict.FAILED)


def test_many_tools_come_in_pages() -> None:
    fakes = {f"s{n}": listing(*(f"t{i:03}" for i in range(PAGE // 2 + 1))) for n in range(3)}
    gate = united({}, **fakes)
    seen: list[str] = []
    params: dict[str, Any] = {}
    for _ in range(9):
        page = gate.play(LIST, params).answer["result"]
        seen += [one["name"] for one in page["tools"]]
        if "nextCursor" not in page:
            break
        params = {"cursor": page["nextCursor"]}
    assert len(seen) == len(set(seen)) == 3 * (PAGE // 2 + 1)
    assert seen == sorted(seen)
    assert gate.play(LIST, {"cursor": 7}).code == messages.INVALID_PARAMS


def test_a_server_whose_name_begins_with_anothers() -> None:
    gate = united(a=listing("b__read"), a__b=listing("read_on"))
    assert gate.play(LIST).names == ["a__b__read", "a__b__read_on"]
    assert gate.play(CALL, {"name": "a__b__read", "arguments": {}}).text == "b__read done"
    assert gate.play(CALL, {"name": "a__b__read_on", "arguments": {}}).text == "read_on done"
    both = united(a=listing("b__read"), a__b=listing("read"))
    assert both.play(LIST).names == []
    assert both.play(CALL, {"name": "a__b__read", "arguments": {}}).text == "Not permitted."


def test_resources_and_prompts_of_all() -> None:
    def having(uri: str, prompt: str) -> Fake:
        lists = {
            "resources/list": {"resources": [{"uri": uri, "name": "n"}]},
            "prompts/list": {"prompts": [{"name": prompt}]},
            "resources/read": {"contents": [{"uri": uri, "text": uri}]},
            "prompts/get": {"messages": []},
        }
        return Fake(results=lists, modern=False)

    gate = united(mail=having("a://1", "sum"), notes=having("b://1", "sum"))
    for fake in gate.fakes.values():
        fake.capabilities = {"resources": {}, "prompts": {}, "tools": {}}
    assert [one["uri"] for one in gate.play("resources/list").answer["result"]["resources"]] == ["a://1", "b://1"]
    prompts = gate.play("prompts/list").answer["result"]["prompts"]
    assert [one["name"] for one in prompts] == ["mail__sum", "notes__sum"]
    assert gate.play("resources/read", {"uri": "b://1"}).answer["result"]["contents"][0]["text"] == "b://1"
    assert gate.play("resources/read", {"uri": "c://1"}).code == messages.INVALID_PARAMS
    assert gate.play("prompts/get", {"name": "notes__sum"}).answer["result"]["messages"] == []
    assert gate.fakes["notes"].asked[-1]["params"]["name"] == "sum"
    assert gate.play("prompts/get", {"name": "other__sum"}).code == messages.INVALID_PARAMS


# --- clients of the older era ----------------------------------------------------------------------------------


def test_a_session_with_all_servers_at_once() -> None:
    gate = united(mail=listing("read", modern=False), notes=listing("read"))
    assert gate.play(LIST, modern=False).status == 400
    hello = gate.play("initialize", HELLO, modern=False).answer["result"]
    assert hello["serverInfo"]["name"] == "interlock"
    assert gate.play("ping", modern=False).answer["result"] == {}
    assert gate.play("logging/setLevel", {"level": "error"}, modern=False).answer["result"] == {}
    assert gate.play(LIST, modern=False).names == ["mail__read", "notes__read"]
    assert gate.play(CALL, {"name": "mail__read", "arguments": {}}, modern=False).text == "read done"
    assert gate.play("", http="GET", modern=False).status == 405
    stranger = gate.play(LIST, modern=False, principal=Principal("w", "k2"))
    assert stranger.status == 404
    assert gate.play("", http="DELETE", modern=False).status == 200
    assert gate.fakes["mail"].sent[-1].method == "DELETE"
    assert gate.play(LIST, modern=False).status == 404


def test_a_server_behind_it_asks_the_client() -> None:
    fake = asking(asks.SAMPLING, SAMPLE)
    gate = united({"mail": OPEN}, mail=fake)
    gate.user = lambda asked: ANSWERS[asked["method"]]
    gate.play("initialize", HELLO | {"capabilities": CAN}, modern=False)
    played = gate.play(CALL, {"name": "mail__read_mail", "arguments": {}}, modern=False)
    assert [one.get("method") for one in played.events] == [asks.SAMPLING, None]
    assert [said["id"] for said in gate.told if "result" in said] == ["q7"]
    nobody = gate.play("", body=messages.result("x", {}), modern=False)
    assert (nobody.status, nobody.code) == (400, messages.INVALID_REQUEST)
    cancelled = messages.notification("notifications/cancelled", {"requestId": 1})
    assert gate.play("", body=cancelled, modern=False).status == 202


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"jsonrpc":"2.0","id":1,"method":"no/such"}'])
def test_messages_that_are_none(body: bytes) -> None:
    gate = united(mail=listing("read"))
    assert "error" in gate.play("", body=body, modern=False).answer
    assert gate.records[-1].verdict is Verdict.BLOCKED
