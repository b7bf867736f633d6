"""A small MCP server on stdin and stdout, of the older era. What it does is said by its tools' names."""

import json
import os
import sys

WAITING: list[object] = []
TOOLS = [
    "read_names",
    "read_crash",
    "read_junk",
    "read_endless",
    "read_asking",
    "read_nothing",
    "read_changes",
    "read_half",
]


def say(message: object) -> None:
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


def call(name: str) -> str:
    if name == "read_crash":
        os._exit(3)
    if name == "read_junk":
        sys.stdout.write("starting up...\n")
        sys.stdout.flush()
    if name == "read_endless":
        sys.stdout.write("x" * 200_000)
        sys.stdout.flush()
    if name in ("read_asking", "read_half"):
        said = [{"role": "user", "content": {"type": "text", "text": "Hello?"}}]
        params = {"messages": said, "maxTokens": 9}
        say({"jsonrpc": "2.0", "id": "q", "method": "sampling/createMessage", "params": params})
        while "method" in (answer := json.loads(sys.stdin.readline())):
            WAITING.append(answer)  # until this call has its answer
        return f"told {answer['result']['model'] if 'result' in answer else answer['error']['message']}"
    if name == "read_changes":
        say({"jsonrpc": "2.0", "method": "notifications/tools/list_changed"})
    return " ".join(sorted(os.environ))


def main() -> None:
    while line := json.dumps(WAITING.pop(0)) if WAITING else sys.stdin.readline():
        said = json.loads(line)
        id_, method, params = said.get("id"), said.get("method"), said.get("params", {})
        if method == "initialize":
            result: object = {
                "protocolVersion": "2025-11-25",
                "capabilities": {"tools": {}},
                "serverInfo": {"name": "p", "version": "1"},
            }
        elif method == "tools/list":
            schema = {"type": "object"}
            result = {"tools": [{"name": name, "description": "Read.", "inputSchema": schema} for name in TOOLS]}
        elif method == "tools/call" and params["name"] != "read_nothing":
            result = {"content": [{"type": "text", "text": call(params["name"])}]}
            if params["name"] == "read_half":
                continue
        else:
            continue
        say({"jsonrpc": "2.0", "id": id_, "result": result})


if __name__ == "__main__":
    main()
