"""A secret that only its name gives away: `password = ...`, a key of a service whose keys are mere random letters.

What: what is given to a name such as password, secret, token or api_key if it looks random, and keys without a form of
their own behind the name of their service (the formats of `knowledge/data/credentials.json` that need a word beside
them). Only the value is flagged. Why: passwords have no form, and most of what leaks has been assigned to a name.
Limits: values of less than 8 characters, words of a dictionary, and what looks like a placeholder, a path, a call or a
variable are let pass; so is a name more than a line away, or in another language than English. Answers are not read for
them: a stream would have to wait for each word that may be a name.
"""

import math
import re
from bisect import bisect_left
from collections import Counter
from functools import cache
from typing import Any

import re2

from interlock.detectors import Detector
from interlock.knowledge import Credential, credentials
from interlock.model.event import Channel, Signal, Span
from interlock.model.meta import Confidence, Example, Maturity, Meta, Severity

ID = "named-secret"
KNOWN, LIKELY = 950, 800
LONGEST_NAME, LONGEST_VALUE, NEAR = 64, 304, 64
REACH = LONGEST_NAME + NEAR + LONGEST_VALUE
# Bits a character: of random hexadecimal digits 3 and more, of words less than that in so few letters.
LEAST_ENTROPY = 2.75
LEAST_LENGTH, LONG = 8, 20

_WORDS = (
    r"passwor[dt]|passwd|passphrase|pwd|secret|token|api[_\- ]?key|apikey|access[_-]?key|private[_-]?key|auth[_-]?key|"
    r"account[_-]?key|encryption[_-]?key|signing[_-]?key|credentials?"
)
_ASSIGNED = re.compile(
    rf"(?i)(?:{_WORDS})[A-Za-z0-9_-]{{0,24}}[\"'`\]]{{0,2}}[ \t]{{0,3}}(?::=|=>|==?|:|\bis\b)[ \t]{{0,3}}[rbu]?"
    rf"(?P<quote>[\"'`]?)(?P<value>[^\s\"'`<>{{}}()\[\],;]{{{LEAST_LENGTH},{LONGEST_VALUE}}})"
)
_PLACEHOLDER = re.compile(
    r"(?i)example|sample|placeholder|changeme|change_me|your|dummy|redact|insert|replace|todo|none|null|undefined|"
    r"x{4}|\*{3}|\.{3}|\$\{|\$\(|%\(|^\$|^<|^env|process\.|os\.|getenv|config|settings|self\.|://|^/|^\./|^~/"
)
_CODE = re.compile(
    r"^[a-z_]+(?:[.:]{1,2}[A-Za-z_]\w*)+$|^[A-Za-z]+(?:[_-][A-Za-z]+)*$|^[A-Z_]+$|^\d{1,2}/\d|^[a-z]+(?:[A-Z][a-z]+)+\d?$"
)
# What `guard/pseudonyms.py` puts in place of a value.
_PSEUDONYM = re.compile(r"^[A-Za-z]{1,32}-[A-Za-z]{14}\d$")
_DIGIT = re.compile("[0-9]")
_KINDS = (re.compile("[a-z]"), re.compile("[A-Z]"), _DIGIT, re.compile("[^A-Za-z0-9]"))
_UUID_OR_HEX = re.compile(r"(?i)^[0-9a-f-]{20,}$")


def holds_name(credential: Credential) -> bool:
    """Whether an expression matches the name of the service too, with what may stand between."""
    return (
        "[\\s" in credential.regex.replace("[^\\s", "") and "(" in credential.regex and credential.id != "private_key"
    )


@cache
def _formats() -> tuple[tuple[Credential, Any, str], ...]:
    """The formats that need a word: with their expression, and the words where the expression does not hold one."""
    found = []
    for credential in credentials():
        if credential.needs_context or holds_name(credential):
            expression = re2.compile(credential.regex)
            service = credential.id.split("_")[0]
            found.append((credential, expression, "" if expression.groups else f"(?i){re.escape(service)}"))
    return tuple(found)


@cache
def _services() -> Any:
    """Matches the beginning of each word that gives away a key of its service."""
    words = {word for c, _, near in _formats() for word in (*c.keywords, c.id.split("_")[0]) if near or word}
    return re.compile(rf"(?i)(?:{'|'.join(sorted(map(re.escape, words)))})")


def _detect(text: str) -> tuple[Signal, ...]:
    found: dict[Span, Signal] = {}
    for credential, expression, near in _formats():
        for match in expression.finditer(text):
            span = Span(*match.span(1 if expression.groups else 0))
            if span.end - span.start > LONGEST_VALUE or span.end - match.start() > REACH:
                continue
            if near and not re.search(near, text[max(0, span.start - NEAR) : span.start].rpartition("\n")[2]):
                continue
            found.setdefault(span, Signal(ID, credential.id, KNOWN, span))
    known = sorted(found)
    for match in _ASSIGNED.finditer(text):
        value = match["value"].rstrip(".!?")
        span = Span(match.start("value"), match.start("value") + len(value))
        beside = known[max(0, bisect_left(known, span) - 1) :][:2]
        taken = any(one.start < span.end and span.start < one.end for one in beside)
        if not taken and _is_random(value, quoted=bool(match["quote"])):
            found[span] = Signal(ID, "assigned", LIKELY, span)
    return tuple(sorted(found.values(), key=lambda signal: signal.span))


def _is_random(value: str, *, quoted: bool) -> bool:
    """Whether a value looks like a secret rather than like a word, a path or something to be filled in."""
    if len(value) < LEAST_LENGTH or _PLACEHOLDER.search(value) or _CODE.match(value) or _PSEUDONYM.match(value):
        return False
    kinds = sum(kind.search(value) is not None for kind in _KINDS)
    if len(value) >= LONG and _UUID_OR_HEX.match(value):
        kinds += 1
    if kinds < (2 if quoted or len(value) >= LONG else 3) or not _DIGIT.search(value):
        return False
    counts = Counter(value).values()
    entropy = -sum(n / len(value) * math.log2(n / len(value)) for n in counts)
    return entropy >= min(LEAST_ENTROPY, math.log2(len(value)) - 0.5)


_BEGUN = re.compile(
    rf"(?i)(?:{_WORDS})[A-Za-z0-9_-]{{0,24}}[\"'`\]]{{0,2}}[ \t]{{0,3}}(?::=|=>|==?|:|\bi?s?)?[ \t]{{0,3}}[rbu]?[\"'`]?"
    rf"[^\s\"'`<>{{}}()\[\],;]{{0,{LONGEST_VALUE}}}\Z"
)
_LAST_WORD = re.compile(r"[A-Za-z0-9_.-]{1,64}[ ]?\Z")


def _pending(text: str) -> int:
    """The name whose value may be still to come or still growing, or the word at the end, which may become a name."""
    floor = max(0, len(text) - REACH)
    last = _LAST_WORD.search(text, max(0, len(text) - LONGEST_NAME - 1))
    at = last.start() if last else len(text)
    for begun in (_BEGUN.search(text, floor), _services().search(text, floor)):
        if begun:
            at = min(at, begun.start())
    return at


_KEY = "q7Zt4Nw9Lk2Xv8Rb3Ym6Pc1Hd5Gs0Ja7"

DETECTOR = Detector(
    meta=Meta(
        id=ID,
        title="A secret that its name gives away",
        why="Passwords and many keys have no form of their own, and open as much as those that have.",
        fix="Keep secrets out of prompts, documents and tool results; change the one that was shown.",
        severity=Severity.HIGH,
        confidence=Confidence.MEDIUM,
        maturity=Maturity.STABLE,
        refs=("owasp_llm_2025:LLM02:2025",),
        since="0.1.0",
    ),
    channels=frozenset({Channel.TOOL_RESULT, Channel.RETRIEVED, Channel.USER}),
    marks=(
        rf"(?i)(?:{_WORDS})[A-Za-z0-9_-]{{0,24}}[\"'`\]]{{0,2}}[ \t]{{0,3}}(?:=|:|is\b)",
        *(c.regex for c, _, _ in _formats()),
    ),
    detect=_detect,
    reach=REACH,
    pending=_pending,
    looks_back=True,
    rules=frozenset({"assigned", *(c.id for c, _, _ in _formats())}),
    examples=(
        Example("a key of a service", (Channel.TOOL_RESULT, f"MISTRAL_API_KEY={_KEY}"), (_KEY,)),
        Example("a password", (Channel.TOOL_RESULT, 'db_password: "tR7#kL92!q"\n'), ("tR7#kL92!q",)),
        Example(
            "something to be filled in", (Channel.TOOL_RESULT, "password = 'your-password-1'\ntoken: ${TOKEN_1}"), ()
        ),
        Example("code", (Channel.TOOL_RESULT, "token = tokens[i + 1]\nsecret = self.secret_2(x)\napi_key: str"), ()),
    ),
)
