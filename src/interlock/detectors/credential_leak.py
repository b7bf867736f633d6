"""A provider's key or a private key in what a model says, or in what it is told.

What: the published formats of API keys (see `knowledge/data/credentials.json`, each with its source) and PEM private
keys. Why: a key in an answer is in the hands of whoever reads it, and a hijacked model leaks by answering.
Limits: formats that are no more than random letters need a word beside them and are left to the scan of
source; encoded or split keys are not seen.
"""

from functools import cache
from typing import Any

import re2

from interlock.detectors import Detector
from interlock.knowledge import Credential, credentials
from interlock.model.event import Channel, Signal, Span
from interlock.model.meta import Example, Maturity, Meta, Severity

ID = "credential-leak"
CERTAIN = 990
# Not secrets (a label in a file, a public key), or without bound, so that no stream could be held for them.
LEFT_OUT = frozenset({"gcp_service_account", "langfuse_public", "jwt", "slack_app", "azure_ad_secret"})
# The longest key of the formats used is google_oauth_access with 1,005 characters.
LONGEST_KEY = 1_024
# RSA with 16,384 bits is about 13,000 characters in PEM; what is longer is no key.
LONGEST_PEM = 16_384
PEM_BEGIN = "-----BEGIN"
# The longest header of the format: `-----BEGIN`, 100 characters, `PRIVATE KEY BLOCK-----`. An END line is no longer.
PEM_HEADER = 132
PEM_END = "-----END"
# Base64, header lines, and what stands between the lines of a key that is quoted in JSON or in code.
PEM_BODY = r"""[A-Za-z0-9+/=\s\\:,_"'-]*"""
# What RE2 takes for white space; Python's `isspace` knows more of it, which a key may hold.
SPACE = " \t\n\f\r"
REACH = LONGEST_PEM + 2 * PEM_HEADER + len(PEM_END)


@cache
def _formats() -> tuple[Credential, ...]:
    """Formats that stand alone: no word needed near them, no white space inside, bounded."""
    usable = (c for c in credentials() if not c.needs_context and c.id not in LEFT_OUT)
    return tuple(c for c in usable if c.id == "private_key" or "[\\s" not in c.regex.replace("[^\\s", ""))


@cache
def _compiled(regex: str) -> Any:
    return re2.compile(regex)


def _detect(text: str) -> tuple[Signal, ...]:
    found = []
    for credential in _formats():
        for match in _compiled(credential.regex).finditer(text):
            start, end = match.span()
            if credential.id == "private_key":
                end = _end_of_pem(text, end)
            found.append(Signal(ID, credential.id, CERTAIN, Span(start, end)))
    return tuple(sorted(found, key=lambda signal: (signal.span.start, -signal.span.end)))


def _end_of_pem(text: str, body: int) -> int:
    """Where the private key whose header ends at `body` ends: its END line, or where its text can go no further."""
    limit = min(len(text), body + LONGEST_PEM)
    end = text.find(PEM_END, body, limit)
    if end < 0:
        return int(_compiled(PEM_BODY).match(text[body:limit]).end()) + body
    close = text.find("-----", end + len(PEM_END), end + len(PEM_END) + PEM_HEADER)
    return close + len("-----") if close >= 0 else end


def _pending(text: str) -> int:
    """A key has no white space in it; a PEM block is open until its END line is whole."""
    floor = max(0, len(text) - LONGEST_KEY)
    at = max(floor, *(text.rfind(space, floor) + 1 for space in SPACE))
    pem = text.find(PEM_BEGIN, max(0, len(text) - REACH))
    while 0 <= pem < at:
        if _is_open(text, pem):
            return pem
        pem = text.find(PEM_BEGIN, pem + 1)
    return at


def _is_open(text: str, begin: int) -> bool:
    """Whether the PEM block at `begin` may still grow: its header, or its END line, is not whole yet."""
    match = _compiled(_pem_regex()).match(text[begin : begin + PEM_HEADER])
    if match is None:
        return len(text) - begin < PEM_HEADER
    body: int = begin + match.end()
    end = text.find(PEM_END, body, body + LONGEST_PEM)
    if end < 0:
        return len(text) - body < LONGEST_PEM
    after = end + len(PEM_END)
    return text.find("-----", after, after + PEM_HEADER) < 0 and len(text) - after < PEM_HEADER


@cache
def _pem_regex() -> str:
    return next(c.regex for c in credentials() if c.id == "private_key")


_OPENAI = "sk-proj-" + "A1" * 37 + "T3BlbkFJ" + "b2" * 37
_PEM = "-----BEGIN RSA PRIVATE KEY-----\nMIIEow==\n-----END RSA PRIVATE KEY-----"

DETECTOR = Detector(
    meta=Meta(
        id=ID,
        title="A provider's key or a private key",
        why="Whoever reads a key can use it; a hijacked model leaks by answering.",
        fix="Keep keys out of prompts, documents and tool results; rotate the one that was shown.",
        severity=Severity.CRITICAL,
        maturity=Maturity.STABLE,
        refs=("owasp_llm_2025:LLM02:2025",),
        since="0.1.0",
    ),
    channels=frozenset({Channel.OUTPUT, Channel.TOOL_RESULT, Channel.USER}),
    marks=tuple(c.regex for c in _formats()),
    detect=_detect,
    reach=REACH,
    pending=_pending,
    rules=frozenset({"own-credential", *(credential.id for credential in _formats())}),
    examples=(
        Example("a project key", (Channel.OUTPUT, f"The key is {_OPENAI}."), (_OPENAI,)),
        Example("a private key, whole", (Channel.OUTPUT, f"Here:\n{_PEM}\nDone."), (_PEM,)),
        Example(
            "a private key without its end",
            (Channel.OUTPUT, "-----BEGIN PRIVATE KEY-----\nMIIEvQ"),
            ("-----BEGIN PRIVATE KEY-----\nMIIEvQ",),
        ),
        Example("a public key is no secret", (Channel.OUTPUT, "-----BEGIN PUBLIC KEY-----\nMIIB"), ()),
        Example("talk about keys", (Channel.OUTPUT, "Keys of OpenAI begin with sk-proj- and are long."), ()),
    ),
)
