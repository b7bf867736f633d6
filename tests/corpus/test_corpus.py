"""Attacks that were found, one file each: each goes through a whole exchange, streamed and not, and ends as written.

A file has: `what` and `found` (where it comes from); `user`, what the user asked; `result`, what the tool `read_page`
returned (left out: nothing untrusted was read); `turns`, what was called before and came back (`tool`, `properties`,
`arguments`, `result`); `tool` and `properties`, the tool that is offered beside it;
`arguments`, the JSON text of the call that the hijacked model makes (or `message`, its whole message as JSON);
`expect`, "blocked" or "allowed", the latter for the honest twin of an attack.
"""

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest

from tests.guard.play import STREAMED, WHOLE, play

CASES = sorted(Path(__file__).parent.glob("*.toml"))


def offer(name: str, properties: list[str]) -> dict[str, Any]:
    schema = {"type": "object", "properties": {key: {"type": "string"} for key in properties}}
    return {"type": "function", "function": {"name": name, "parameters": schema}}


def call(name: str, arguments: str, call_id: str = "c9") -> dict[str, Any]:
    return {"index": 0, "id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}}


def request(case: dict[str, Any]) -> bytes:
    messages: list[dict[str, Any]] = [{"role": "user", "content": case["user"]}]
    if "result" in case:
        messages.append({"role": "assistant", "content": None, "tool_calls": [call("read_page", "{}", "c1")]})
        messages.append({"role": "tool", "tool_call_id": "c1", "content": case["result"]})
    tools = [offer("read_page", ["page"]), offer(case["tool"], case.get("properties", []))]
    for number, turn in enumerate(case.get("turns", [])):
        called = call(turn["tool"], turn.get("arguments", "{}"), f"t{number}")
        messages.append({"role": "assistant", "content": None, "tool_calls": [called]})
        messages.append({"role": "tool", "tool_call_id": f"t{number}", "content": turn["result"]})
        if turn["tool"] not in {tool["function"]["name"] for tool in tools}:
            tools.append(offer(turn["tool"], turn.get("properties", [])))
    return json.dumps({"model": "m", "messages": messages, "tools": tools}).encode()


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
@pytest.mark.parametrize("streamed", [False, True])
def test_an_attack_ends_as_written(path: Path, streamed: bool) -> None:
    case = tomllib.loads(path.read_text("utf-8"))
    assert case["what"]
    assert case["found"]
    message = (
        json.loads(case["message"]) if "message" in case else {"tool_calls": [call(case["tool"], case["arguments"])]}
    )
    if streamed:
        choice = {"index": 0, "delta": message, "finish_reason": "tool_calls"}
        answer = b"data: " + json.dumps({"model": "m", "choices": [choice]}).encode() + b"\n\ndata: [DONE]\n\n"
    else:
        choice = {"index": 0, "message": message | {"role": "assistant"}, "finish_reason": "tool_calls"}
        answer = json.dumps({"model": "m", "choices": [choice]}).encode()
    played = play(request(case), STREAMED if streamed else WHOLE, answer)
    got = '"arguments"' in played.sent.decode()
    assert ("allowed" if got else "blocked") == case["expect"]


def test_there_are_attacks() -> None:
    assert len(CASES) > 20
