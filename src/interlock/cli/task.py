"""Begin a task: say what the user asked for, in a form that no agent can write.

  interlock task begin --workload mail-agent < request.txt

The user's request is read from stdin. What is printed is a JSON object of HTTP
headers: give them to the MCP client that works on the task. They prove the
workload, and tell the gateway whose words the user's are, until they expire.
Run it where the user is heard, and not inside the agent.
"""

import argparse
import json
import secrets
import sys
import time

from interlock.cli import _options
from interlock.model.errors import UsageError

SUMMARY = "begin a task: tell the gateway what the user asked for"
TTL = "1h"
_UNITS_S = {"s": 1, "m": 60, "h": 3_600}
# A pipe can hold anything; the token's own limit is smaller, and says what to do.
MOST_BYTES = 1_000_000


def arguments(parser: argparse.ArgumentParser) -> None:
    """Its arguments."""
    actions = parser.add_subparsers(dest="action", metavar="begin", required=True)
    begin = actions.add_parser("begin", help="the user's request on stdin, HTTP headers on stdout")
    begin.add_argument("--workload", metavar="W", required=True, help="the workload that works on it")
    begin.add_argument(
        "--server", metavar="S", action="append", help="an MCP server that it may use (default: all of the workload's)"
    )
    begin.add_argument("--tool", metavar="T", action="append", help="a tool that it may use (default: all)")
    begin.add_argument("--ttl", metavar="TIME", default=TTL, help=f"how long it lives: 90s, 30m, 24h ({TTL})")
    _options.add(begin)


def run(args: argparse.Namespace) -> int:
    """Make the token and print the headers."""
    from interlock.identity.tasks import TASK_KEY, mint
    from interlock.store.secret import secret

    settings = _options.settings(args)
    for server in args.server or ():
        if server not in settings.mcp_servers:
            known = ", ".join(settings.mcp_servers) or "none"
            raise UsageError(f"there is no MCP server {server!r}", hint=f"[mcp.servers.NAME] names: {known}")
    try:
        request = sys.stdin.buffer.read(MOST_BYTES).decode()
    except UnicodeDecodeError as error:
        raise UsageError("the user's request is not UTF-8") from error
    if not request.strip():
        raise UsageError("there is no request", hint="give what the user asked for on stdin")
    token = mint(
        secret(settings.data / "keys" / TASK_KEY),
        args.workload,
        request.strip(),
        time.time_ns() // 1000,
        _seconds(args.ttl) * 1_000_000,
        secrets.token_bytes,
        tuple(args.server) if args.server else None,
        tuple(args.tool) if args.tool else None,
    )
    print(json.dumps({"Authorization": f"Bearer {token}"}))
    return 0


def _seconds(text: str) -> int:
    number, unit = text[:-1], _UNITS_S.get(text[-1:])
    if not unit or not number.isdecimal() or not int(number):
        raise UsageError(f"{text!r} is no time", hint="such as 90s, 30m or 24h")
    return int(number) * unit
