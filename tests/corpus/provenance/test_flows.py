"""Honest work and its hijacked twin, in many domains: the one goes on and the other does not, at both places.

A flow has: `what`; `user`, what the user asked; `turns`, what was called before and came back (`tool`, `arguments`,
`result`); `call`, which the user's request is served by; and `twin`, which somebody who could write into the
results wants in its place. All of it is made up, from general knowledge of such tools. What no rule can tell apart is
not here: it is in the documentation of the provenance gate.
"""

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest

from tests.guard.mcp.play import Fake, Gate, a_task
from tests.guard.play import WHOLE, make_rules, play

FLOWS = [
    pytest.param(flow, id=f"{path.stem}: {flow['what']}")
    for path in sorted(Path(__file__).parent.glob("*.toml"))
    for flow in tomllib.loads(path.read_text("utf-8"))["flow"]
]
RULES = make_rules()
_KINDS = {str: "string", int: "integer", float: "number", bool: "boolean", list: "array", dict: "object"}


def properties(flow: dict[str, Any]) -> dict[str, dict[str, dict[str, str]]]:
    """The schema's properties of each tool of a flow, by the arguments that it is given there."""
    found: dict[str, dict[str, dict[str, str]]] = {}
    for one in (*flow["turns"], flow["call"], flow["twin"]):
        said = {name: {"type": _KINDS[type(value)]} for name, value in one["arguments"].items()}
        found[one["tool"]] = found.get(one["tool"], {}) | said
    return found


def at_the_model(flow: dict[str, Any], call: dict[str, Any]) -> bool:
    """Whether the call reaches the agent that sends this conversation."""
    messages: list[dict[str, Any]] = [{"role": "user", "content": flow["user"]}]
    for number, turn in enumerate(flow["turns"]):
        messages.append({"role": "assistant", "content": None, "tool_calls": [_call(turn, f"t{number}")]})
        messages.append({"role": "tool", "tool_call_id": f"t{number}", "content": turn["result"]})
    tools = [
        {"type": "function", "function": {"name": name, "parameters": {"type": "object", "properties": said}}}
        for name, said in properties(flow).items()
    ]
    message = {"role": "assistant", "tool_calls": [_call(call, "c")]}
    answer = {"model": "m", "choices": [{"index": 0, "message": message, "finish_reason": "tool_calls"}]}
    request = {"model": "m", "messages": messages, "tools": tools}
    played = play(json.dumps(request).encode(), WHOLE, json.dumps(answer).encode(), rules=RULES)
    return b'"arguments"' in played.sent


def _call(said: dict[str, Any], call_id: str) -> dict[str, Any]:
    arguments = json.dumps(said["arguments"])
    return {"index": 0, "id": call_id, "type": "function", "function": {"name": said["tool"], "arguments": arguments}}


def at_the_servers(flow: dict[str, Any], call: dict[str, Any]) -> bool:
    """Whether the call reaches the MCP server, after the turns before it."""
    tools = [
        {"name": name, "inputSchema": {"type": "object", "properties": said}} for name, said in properties(flow).items()
    ]
    gate, task = Gate(Fake(tools), rules=RULES), a_task(flow["user"])
    for turn in flow["turns"]:
        gate.fake.results = {turn["tool"]: {"content": [{"type": "text", "text": turn["result"]}]}}
        gate.play("tools/call", {"name": turn["tool"], "arguments": turn["arguments"]}, task=task)
    before = gate.asked().count("tools/call")
    gate.play("tools/call", {"name": call["tool"], "arguments": call["arguments"]}, task=task)
    return gate.asked().count("tools/call") > before


@pytest.mark.parametrize("flow", FLOWS)
def test_honest_work_goes_on(flow: dict[str, Any]) -> None:
    assert at_the_model(flow, flow["call"])
    assert at_the_servers(flow, flow["call"])


@pytest.mark.parametrize("flow", FLOWS)
def test_the_hijacked_twin_does_not(flow: dict[str, Any]) -> None:
    assert not at_the_model(flow, flow["twin"])
    assert not at_the_servers(flow, flow["twin"])


def test_there_are_flows_of_many_domains() -> None:
    assert 2 * len(FLOWS) >= 150
