"""A provider's key or a private key in what a model says, or in what it is told.

What: the published formats of API keys and tokens (`knowledge/data/credentials.json` and `secrets.json`), PEM private
keys, and passwords in addresses; one whose checksum is wrong scores less. Why: a key in an answer is in the hands of
whoever reads it, and a hijacked model leaks by answering.
Limits: formats that are no more than random letters need a word beside them, see `named-secret`; keys that were
encoded or put in other letters are seen, those that were taken apart are not.
"""

import string
from functools import cache
from typing import Any
from zlib import crc32

import re2

from interlock.detectors import Detector
from interlock.knowledge import Credential, credentials, secrets
from interlock.model.event import Channel, Signal, Span
from interlock.model.meta import Example, Maturity, Meta, Severity

ID = "credential-leak"
CERTAIN = 990
# The form is right and the checksum is not: made up, mistyped, or an example.
MISTYPED = 700
CHECKED = frozenset({"github_pat", "github_oauth", "github_app", "npm_token"})
BASE62 = string.digits + string.ascii_uppercase + string.ascii_lowercase
# Not secrets (a label in a file, a public key), or without bound, so that no stream could be held for them.
LEFT_OUT = frozenset({"gcp_service_account", "langfuse_public", "jwt", "slack_app", "azure_ad_secret"})
# The longest key of the formats used is google_oauth_access with 1,005 characters.
LONGEST_KEY = 1_024
# A prefix that is no longer than this stands in many words.
SHORT = 4
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
    known = (*credentials(), *secrets())
    usable = (c for c in known if not c.needs_context and c.id not in LEFT_OUT)
    return tuple(c for c in usable if c.id == "private_key" or "[\\s" not in c.regex.replace("[^\\s", ""))


@cache
def _others() -> frozenset[str]:
    return frozenset(credential.id for credential in secrets())


@cache
def _compiled(regex: str) -> Any:
    return re2.compile(regex)


def _detect(text: str) -> tuple[Signal, ...]:
    found = []
    lower = text.lower()
    for credential in _formats():
        if credential.id in _others() and not any(word in lower for word in credential.keywords):
            continue
        for match in _compiled(credential.regex).finditer(text):
            start, end = match.span()
            if credential.id == "private_key":
                end = _end_of_pem(text, end)
            score = CERTAIN if is_whole(credential, match.group()) else MISTYPED
            found.append(Signal(ID, credential.id, score, Span(start, end)))
    return tuple(sorted(found, key=lambda signal: (signal.span.start, -signal.span.end)))


def is_whole(credential: Credential, key: str) -> bool:
    """Whether a key's checksum is right, where its format has a known one: GitHub's and npm's tokens.

    The last six characters are the CRC-32 of those between prefix and checksum, in base 62, digits first.
    """
    if credential.id not in CHECKED:
        return True
    body, said = key[:-6].partition("_")[2], key[-6:]
    value, rest = "", crc32(body.encode())
    while rest:
        rest, digit = divmod(rest, 62)
        value = BASE62[digit] + value
    return value.rjust(6, "0") == said


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


def _marks() -> tuple[str, ...]:
    """The formats; of those whose prefix says enough, all their prefixes as one expression, which is smaller."""
    telling = [c for c in _formats() if c.id in _others() and all(len(word) > SHORT for word in c.keywords)]
    prefixes = sorted({re2.escape(word) for c in telling for word in c.keywords})
    return (*(c.regex for c in _formats() if c not in telling), f"(?i){'|'.join(prefixes)}")


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
    marks=_marks(),
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
