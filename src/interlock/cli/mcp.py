"""MCP servers and their tools.

label  what each tool can cause and what it gives back, derived from its
       definition: JSON lines on stdin, JSON lines on stdout

A line has "server", "tool" (or "name"), "description", "inputSchema" and
"annotations", as tools/list gives them. What comes out has "server", "tool"
and "labels": "output" (trusted, secret, untrusted, untrusted+secret), "sink",
"sensitive_args" {argument: kind}, "open_world", "reversible" and
"annotation_conflict". A definition that cannot be read comes out with "error".
Exit codes: 0 all were labelled, 3 some could not be read.
"""

import argparse
import json
import sys
from collections.abc import Iterable, Iterator
from typing import Any

from interlock.cli import _options

SUMMARY = "MCP servers and their tools: label"
UNREADABLE = 3


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    commands = parser.add_subparsers(dest="what", metavar="COMMAND", required=True)
    label = commands.add_parser("label", help="derive the labels of tool definitions on stdin")
    label.add_argument("--jsonl", action="store_true", required=True, help="JSON lines in and out")
    _options.add(label)


def run(args: argparse.Namespace) -> int:
    """Label what is on stdin; 3 if some of it could not be read."""
    settings = _options.settings(args)
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
    from interlock.model.event import ToolDefinition
    from interlock.provenance import derive
    from interlock.provenance.labels import conflicts, stricter

    if not isinstance(said, dict):
        raise TypeError("a definition is a JSON object")
    name = said.get("tool", said.get("name"))
    if not isinstance(name, str):
        raise TypeError('"tool" is missing or no text')
    schema, annotations = said.get("inputSchema"), said.get("annotations")
    described = said.get("description")
    definition = ToolDefinition(
        (), name, described if isinstance(described, str) else "", schema if isinstance(schema, dict) else {}
    )
    claims = annotations if isinstance(annotations, dict) else {}
    derived = derive(name, definition, overrides)
    labels = derived if name in overrides else stricter(derived, claims)
    return {
        "server": said.get("server", ""),
        "tool": name,
        "labels": {
            "output": labels.output_label,
            "sink": labels.sink,
            "sensitive_args": dict(labels.kinds),
            "open_world": labels.open_world,
            "reversible": labels.reversible,
            "annotation_conflict": conflicts(derived, claims),
        },
    }
