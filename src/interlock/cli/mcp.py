"""MCP servers and their tools.

list     the servers behind the gateway, and whether their tools are approved
diff     what a server offers that is new, or not what was approved
approve  allow the definitions that you saw, by the digests that diff shows;
         on a terminal they are shown, and asked for. A running gateway notices
add      put a server into interlock.toml, and say what its clients need
import   put the servers of a client's configuration there, and the client
         behind interlock
serve    one of these servers, or all as one, on stdin and stdout, for clients
         that start theirs
wrap     start a server on stdin and stdout with the guard in between: put it
         before the command in a client's configuration
label    what each tool can cause and what it gives back, derived from its
         definition: JSON lines on stdin, JSON lines on stdout

A line has "server", "tool" (or "name"), "description", "inputSchema" and
"annotations", as tools/list gives them. What comes out has "server", "tool"
and "labels": "output" (trusted, secret, untrusted, untrusted+secret), "sink",
"sensitive_args" {argument: kind}, "open_world", "reversible" and
"annotation_conflict". A definition that cannot be read comes out with "error".
Exit codes: 0 nothing waits, all were labelled; 1 tools wait for approval;
3 some could not be read.
"""

import argparse
import contextlib
import json
import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from interlock.cli import _options
from interlock.config import Settings, load

SUMMARY = "MCP servers and their tools: add, import, list, diff, approve, serve, wrap, label"
UNREADABLE = 3
ADD = "interlock mcp add NAME [options] (--url URL | -- CMD...)"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    commands = parser.add_subparsers(dest="what", metavar="COMMAND", required=True)
    listing = commands.add_parser("list", help="show the servers and their tools")
    diff = commands.add_parser("diff", help="show what is new or changed")
    diff.add_argument("server", metavar="SERVER")
    approve = commands.add_parser("approve", help="approve what you have seen of a server's offer")
    approve.add_argument("server", metavar="SERVER")
    approve.add_argument("tool", metavar="TOOL[@DIGEST]", nargs="*", help="as `interlock mcp diff` shows it")
    approve.add_argument("--all", action="store_true", help="all of it")
    approve.add_argument("--digest", default="", help="with --all: the digest of all that `interlock mcp diff` showed")
    label = commands.add_parser("label", help="derive the labels of tool definitions on stdin")
    label.add_argument("--jsonl", action="store_true", required=True, help="JSON lines in and out")
    wrap = commands.add_parser("wrap", help="a server on stdin and stdout, guarded")
    wrap.usage = "interlock mcp wrap [options] -- CMD..."
    wrap.add_argument("--server", metavar="NAME", help="what it is called (default: its package or file)")
    wrap.add_argument("--workload", metavar="W", help="who uses it (default: the server's name)")
    serve = commands.add_parser("serve", help="configured servers on stdin and stdout")
    serve.add_argument("server", metavar="SERVER", nargs="?", help="which one (default: all of them as one)")
    serve.add_argument(
        "--workload", metavar="W", help="who uses it (default: whose key is in INTERLOCK_KEY, else SERVER)"
    )
    add = commands.add_parser("add", help="put a server into interlock.toml")
    add.usage = ADD
    add.add_argument("server", metavar="NAME")
    _added(add)
    _started(add)
    _started(wrap)
    importing = commands.add_parser("import", help="take over the servers of a client's configuration")
    importing.add_argument("file", metavar="FILE", help="the client's file with its mcpServers")
    importing.add_argument(
        "--write", action="store_true", help="change both files (default: print what would be there)"
    )
    for command in (listing, diff, approve, label, wrap, serve, add, importing):
        _options.add(command)
    add.add_argument("program", metavar="CMD...", nargs=argparse.REMAINDER, help="the program and its arguments")
    wrap.add_argument("program", metavar="CMD...", nargs=argparse.REMAINDER, help="the server and its arguments")


def _added(add: argparse.ArgumentParser) -> None:
    add.add_argument("--url", default="", help="where it is, if it speaks HTTP")
    add.add_argument("--api-key-env", metavar="NAME", default="", help="the variable with the credential for --url")
    add.add_argument("--pin", choices=("first-use", "approve"), help="whether its first tools wait for approval")
    add.add_argument("--sha256", action="store_true", help="start only the file that the program is now")
    add.add_argument("--connect", action="store_true", help="start or reach it now, and show its tools")


def _started(command: argparse.ArgumentParser) -> None:
    command.add_argument("--env", metavar="NAME", action="append", default=[], help="a variable that it is given")
    command.add_argument("--sandbox", action="store_true", help="start it in a sandbox (Linux, bubblewrap)")
    command.add_argument("--network", action="store_true", help="with a network in the sandbox")
    command.add_argument(
        "--writable", metavar="PATH", action="append", default=[], help="what it may write in the sandbox"
    )
    command.add_argument(
        "--readable", metavar="PATH", action="append", default=[], help="what of homes it may read in the sandbox"
    )


def _whole(args: argparse.Namespace) -> argparse.Namespace:
    """Options between the server's name and its command, which argparse takes for the command's."""
    rest = args.program
    if not rest or not rest[0].startswith("-"):  # argparse takes the first -- away where it follows the name
        return args
    end = rest.index("--") if "--" in rest else len(rest)
    parser = argparse.ArgumentParser(prog="interlock mcp add", usage=ADD, allow_abbrev=False)
    _added(parser)
    _started(parser)
    _options.add(parser)
    # What stood before the name is in `args` already.
    args.program = rest[end:]
    return parser.parse_args(rest[:end], args)


def run(args: argparse.Namespace) -> int:
    """Do it."""
    args = _whole(args) if args.what == "add" else args
    if args.what in ("add", "import") and args.config and not Path(args.config).exists():
        settings = load(os.devnull, args.data)  # the file is to be made
    else:
        settings = _options.settings(args)
    match args.what:
        case "wrap" | "serve":
            from interlock.cli import _mcp_wrap

            return _mcp_wrap.wrap(settings, args) if args.what == "wrap" else _mcp_wrap.serve(settings, args)
        case "add":
            from interlock.cli._mcp_add import add

            return add(settings, args)
        case "import":
            from interlock.cli._mcp_import import take_over

            return take_over(settings, args)
    return _label(settings) if args.what == "label" else _pins(settings, args)


def _pins(settings: Settings, args: argparse.Namespace) -> int:
    from interlock.app import open_store
    from interlock.cli import _mcp_pins

    with contextlib.closing(open_store(settings)) as store:
        match args.what:
            case "list":
                return _mcp_pins.print_list(settings, store)
            case "diff":
                return _mcp_pins.print_differences(settings, store, args.server)
            case _:
                return _mcp_pins.approve(settings, store, args)


def _label(settings: Settings) -> int:
    """Label what is on stdin; 3 if some of it could not be read."""
    whole = True
    for line in labelled(sys.stdin, settings.tools):
        whole = whole and "error" not in line
        print(json.dumps(line, ensure_ascii=False))
    return 0 if whole else UNREADABLE


def labelled(lines: Iterable[str], overrides: Any) -> Iterator[dict[str, Any]]:
    """The labels of each definition, in order; blank lines are passed over."""
    for number, line in enumerate(lines, 1):
        if line.strip():
            try:
                yield _labelled(json.loads(line), overrides)
            except (TypeError, ValueError, RecursionError) as error:
                yield {"line": number, "error": str(error) or "nested too deeply"}


def _labelled(said: object, overrides: Any) -> dict[str, Any]:
    from interlock.mcp.inspection import definition_of
    from interlock.provenance import derive
    from interlock.provenance.labels import conflicts, label

    if not isinstance(said, dict):
        raise TypeError("a definition is a JSON object")
    name = said.get("tool", said.get("name"))
    if not isinstance(name, str):
        raise TypeError('"tool" is missing or no text')
    server = said.get("server", "")
    definition = definition_of(name, said, server if isinstance(server, str) else "")
    labels = derive(name, definition, overrides)
    return {
        "server": server,
        "tool": name,
        "labels": {
            "output": labels.output_label,
            "sink": labels.sink,
            "sensitive_args": dict(labels.kinds),
            "open_world": labels.open_world,
            "reversible": labels.reversible,
            "annotation_conflict": conflicts(label(name, definition), definition.annotations),
        },
    }
