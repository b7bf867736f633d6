"""What the detectors say of texts: JSON lines on stdin, JSON lines on stdout.

A line in has "text", and may have "id" (any value, given back) and "channel":
who wrote it. One of user (the default), system, assistant, tool_result,
tool_description, retrieved, output, parameter.

A line out has "id", "verdict", "score" and "signals". "verdict" is flagged if
something was found, clean if nothing was, partial if only the beginning was
looked at and nothing was found there. "score" is the highest of the signals'.
A signal has "detector", "rule", "score" (0 to 1), "start" and "end"
(characters of the text, half-open), and, if something was undone to find it,
"forms" (what, outermost first) and "decoded" (what the piece then says).
"not_inspected" is there if a text is too long: {"start", "end"}.

A line that cannot be read comes out as {"line", "error"}; those behind it are
read all the same.
Exit codes: 0 nothing was found, 1 something was, 3 some could not be read.
"""

import argparse
import json
import sys
from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO

from interlock.model.meta import Maturity

SUMMARY = "what the detectors say of texts: JSON lines in and out"
FLAGGED, UNREADABLE = 1, 3
# What the gateway takes of one body by default; a line may be as long with all its characters escaped.
MOST_CHARACTERS = 10_000_000
LONGEST_LINE = 6 * MOST_CHARACTERS + 65_536


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument(
        "--maturity",
        choices=[maturity.value for maturity in (Maturity.STABLE, Maturity.INCUBATING, Maturity.SANDBOX)],
        default=Maturity.STABLE.value,
        help="run the detectors that have come so far (default: stable, those of the gateway)",
    )


def run(args: argparse.Namespace) -> int:
    """Inspect what is on stdin."""
    flagged = unreadable = False
    for line in inspected(_lines(sys.stdin.buffer), Maturity(args.maturity)):
        flagged = flagged or line.get("verdict") == "flagged"
        unreadable = unreadable or "error" in line
        print(json.dumps(line, ensure_ascii=True))
    return UNREADABLE if unreadable else FLAGGED if flagged else 0


def inspected(lines: Iterable[bytes], maturity: Maturity = Maturity.STABLE) -> Iterator[dict[str, Any]]:
    """What the detectors say of each line, in order; blank lines are passed over."""
    from interlock.detectors import Engine, detectors

    grown = (Maturity.STABLE, Maturity.INCUBATING, Maturity.SANDBOX)
    engine = Engine(detectors(), maturities=grown[: grown.index(maturity) + 1])
    for number, line in enumerate(lines, 1):
        if line.strip():
            try:
                yield _inspected(_read(line), engine)
            except (TypeError, ValueError, RecursionError) as error:
                yield {"line": number, "error": str(error) or "nested too deeply"}


def _lines(stream: BinaryIO) -> Iterator[bytes]:
    """The lines of a stream; of one that is too long so much that it cannot be read, and nothing of its rest."""
    while line := stream.readline(LONGEST_LINE + 1):
        yield line
        while len(line) > LONGEST_LINE and not line.endswith(b"\n"):
            line = stream.readline(LONGEST_LINE + 1)
            if not line:
                return


def _read(line: bytes) -> dict[str, Any]:
    if len(line) > LONGEST_LINE:
        raise ValueError(f"a line of over {LONGEST_LINE} bytes")
    said = json.loads(line)
    if not isinstance(said, dict):
        raise TypeError("a line is a JSON object")
    if not isinstance(said.get("text"), str):
        raise TypeError('"text" is missing or no text')
    return said


def _inspected(said: dict[str, Any], engine: Any) -> dict[str, Any]:
    from interlock.model.event import Channel

    name = said.get("channel", Channel.USER.value)
    channels = {channel.value: channel for channel in Channel}
    if not isinstance(name, str) or name not in channels:
        raise ValueError(f'"channel" is none of {", ".join(channels)}')
    text = said["text"]
    signals = [_signal(finding) for finding in engine.explain(text[:MOST_CHARACTERS], channels[name])]
    out: dict[str, Any] = {
        "id": said.get("id"),
        "verdict": "flagged" if signals else "clean",
        "score": max((signal["score"] for signal in signals), default=0.0),
        "signals": signals,
    }
    if len(text) > MOST_CHARACTERS:
        out["verdict"] = "flagged" if signals else "partial"
        out["not_inspected"] = {"start": MOST_CHARACTERS, "end": len(text)}
    return out


def _signal(finding: Any) -> dict[str, Any]:
    signal = finding.signal
    out = {
        "detector": signal.detector,
        "rule": signal.rule,
        "score": signal.score / 1000,
        "start": signal.span.start,
        "end": signal.span.end,
    }
    if finding.forms:
        out |= {"forms": [form.value for form in finding.forms], "decoded": finding.said}
    return out
