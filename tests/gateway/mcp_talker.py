"""A small MCP server on stdin and stdout that answers several calls at once, and says something in the middle."""

import json
import sys
from typing import Any

TOOLS = ["read_logged", "read_changes", "read_asking", "read_nothing"]


def say(**message: object) -> None:
    sys.stdout.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
    sys.stdout.flush()


def result(method: str, params: dict[str, Any]) -> object:
    if method == "initialize":
        can = {"tools": {"listChanged": True}, "logging": {}}
        return {"protocolVersion": "2025-11-25", "capabilities": can, "serverInfo": {"name": "t", "version": "1"}}
    if method == "tools/list":
        return {"tools": [{"name": name, "description": "Read.", "inputSchema": {"type": "object"}} for name in TOOLS]}
    if params["name"] == "read_logged":
        say(method="notifications/message", params={"level": "info", "data": "a salary"})
    if params["name"] == "read_changes":
        say(method="notifications/tools/list_changed")
    if params["name"] == "read_asking":
        said = [{"role": "user", "content": {"type": "text", "text": "Hello?"}}]
        say(id="q", method="sampling/createMessage", params={"messages": said, "maxTokens": 9})
    return {"content": [{"type": "text", "text": "done"}]}


def main() -> None:
    for line in sys.stdin:
        said = json.loads(line)
        params = said.get("params", {})
        if "id" in said and "method" in said and params.get("name") != "read_nothing":
            say(id=said["id"], result=result(said["method"], params))


if __name__ == "__main__":
    main()
