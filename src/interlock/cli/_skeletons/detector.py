"""One sentence: what a text holds that somebody has to know of.

What: the exact form that is flagged. Why: what happens if nobody sees it. Limits: what it does not see.
"""

from functools import cache
from typing import Any

import re2

from interlock.detectors import Detector
from interlock.model.event import Channel, Signal, Span
from interlock.model.meta import Confidence, Example, Maturity, Meta, Severity

ID = "new-detector"
# RE2: no look-around, no back-references, and each repetition has an end, so that a stream can be held back.
EXPRESSION = r"(?i)\bproject\s{1,4}codename\b"
REACH = 32
SCORE = 700


@cache
def _compiled() -> Any:
    return re2.compile(EXPRESSION)


def _detect(text: str) -> tuple[Signal, ...]:
    return tuple(Signal(ID, "codename", SCORE, Span(*match.span())) for match in _compiled().finditer(text))


def _pending(text: str) -> int:
    """Any of the last `REACH` characters may begin a match that the end cuts off."""
    return max(0, len(text) - REACH)


DETECTOR = Detector(
    meta=Meta(
        id=ID,
        title="New detector",
        why="What happens if nobody sees it.",
        since="0.1.0",
        maturity=Maturity.SANDBOX,
        confidence=Confidence.MEDIUM,
        severity=Severity.MEDIUM,
        fix="What to do about it, in one sentence.",
        refs=("owasp_llm_2025:LLM02:2025",),
    ),
    channels=frozenset({Channel.OUTPUT, Channel.TOOL_RESULT}),
    marks=(EXPRESSION,),
    detect=_detect,
    reach=REACH,
    pending=_pending,
    examples=(
        Example("in an answer", (Channel.OUTPUT, "It is the Project  Codename list."), ("Project  Codename",)),
        Example("something like it", (Channel.OUTPUT, "The project has no code name."), ()),
        Example("the user may say it", (Channel.USER, "project codename"), ()),
    ),
)
