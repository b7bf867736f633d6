"""The two eras of MCP: what each asks of headers, `_meta` and results, and how one is said in the other.

Until 2025-11-25 a connection begins with `initialize` and goes on under a session id. From 2026-07-28 on there is
no connection: every request says its revision and what its client can do in `_meta`, and repeats its method, its
target, and the arguments that the tool's schema marks in headers, which must equal the body.
"""

import re
from collections.abc import Mapping
from enum import Enum
from typing import Any

from interlock.mcp.headers import decoded, encoded, mismatch
from interlock.mcp.messages import (
    HEADER_MISMATCH,
    INVALID_PARAMS,
    INVALID_REQUEST,
    METHOD_NOT_FOUND,
    MISSING_CAPABILITY,
    PARSE_ERROR,
    UNSUPPORTED_VERSION,
    MessageError,
    Request,
)

MODERN = "2026-07-28"
LEGACY = ("2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05")
VERSIONS = (MODERN, *LEGACY)

VERSION_HEADER, SESSION_HEADER = b"mcp-protocol-version", b"mcp-session-id"
METHOD_HEADER, NAME_HEADER = b"mcp-method", b"mcp-name"
_PREFIX = "io.modelcontextprotocol/"
VERSION_META, CAPABILITIES_META = f"{_PREFIX}protocolVersion", f"{_PREFIX}clientCapabilities"
CLIENT_META, LEVEL_META = f"{_PREFIX}clientInfo", f"{_PREFIX}logLevel"
SUBSCRIPTION_META = f"{_PREFIX}subscriptionId"
# The result of a request whose server needs more of its client first.
INPUT_REQUIRED = "input_required"
LEVELS = ("debug", "info", "notice", "warning", "error", "critical", "alert", "emergency")
# The trace of W3C Trace Context: its place, and a list of up to 32 members and 512 characters.
TRACE_STATE, LONGEST_STATE, MOST_MEMBERS = "tracestate", 512, 32
_TRACE = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
_MEMBER = re.compile(r"[a-z0-9][a-z0-9_*/@-]{0,255}=[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e]")
# What a client can do, and how each of it may be said further.
_CAN = {"sampling": ("tools",), "roots": ("listChanged",), "elicitation": ("form", "url")}

# What names the target of a request: it stands in `Mcp-Name` too.
NAMED = {"tools/call": "name", "prompts/get": "name", "resources/read": "uri"}
LISTS = {
    "tools/list": "tools",
    "resources/list": "resources",
    "resources/templates/list": "resourceTemplates",
    "prompts/list": "prompts",
}
# Answers to these say how long, and by whom, they may be kept (2026-07-28).
CACHEABLE = frozenset({*LISTS, "resources/read", "server/discover"})
# What a request's answer depends on which says so itself.
_OF_ANSWERS = ("resultType", "ttlMs", "cacheScope")
# What servers may be asked in each era, beside the handshake.
_BOTH = frozenset({*LISTS, *NAMED, "completion/complete"})
_CONNECTED = frozenset({"initialize", "ping", "logging/setLevel", "resources/subscribe", "resources/unsubscribe"})
ASKED = {True: _BOTH | {"server/discover", "subscriptions/listen"}, False: _BOTH | _CONNECTED}
STATUS = {
    PARSE_ERROR: 400, INVALID_REQUEST: 400, INVALID_PARAMS: 400, HEADER_MISMATCH: 400, UNSUPPORTED_VERSION: 400,
    MISSING_CAPABILITY: 400, METHOD_NOT_FOUND: 404,
}  # fmt: skip


class Era(Enum):
    """How a peer speaks."""

    LEGACY = "2025-11-25"
    MODERN = MODERN

    @property
    def is_modern(self) -> bool:
        """Whether there are no sessions."""
        return self is Era.MODERN


def era_of(request: Request, headers: Mapping[bytes, bytes]) -> Era:
    """The era in which a client speaks: the body says so, or a header that names no older revision."""
    meta = request.params.get("_meta")
    if isinstance(meta, dict) and VERSION_META in meta:
        return Era.MODERN
    named = headers.get(VERSION_HEADER, b"").decode("latin-1")
    return Era.LEGACY if request.method == "initialize" or not named or named in LEGACY else Era.MODERN


def check_envelope(request: Request, headers: Mapping[bytes, bytes] | None) -> None:
    """Whether a request of 2026-07-28 says what it must, and its headers, if any, the same. Raises: MessageError."""
    meta = request.params.get("_meta")
    if not isinstance(meta, dict) or VERSION_META not in meta or not isinstance(meta.get(CAPABILITIES_META), dict):
        what = f"params._meta lacks {VERSION_META} or {CAPABILITIES_META}"
        raise MessageError(INVALID_PARAMS, what, id=request.id)
    version = meta[VERSION_META]
    if headers is not None:
        _compare(request, version, headers)
    if version != MODERN:
        data = {"supported": [MODERN], "requested": version}
        raise MessageError(UNSUPPORTED_VERSION, "unsupported protocol version", id=request.id, data=data)


def _compare(request: Request, version: object, headers: Mapping[bytes, bytes]) -> None:
    if not isinstance(version, str) or headers.get(VERSION_HEADER, b"").decode("latin-1") != version:
        raise mismatch(request.id, "MCP-Protocol-Version")
    if headers.get(METHOD_HEADER, b"").decode("latin-1") != request.method:
        raise mismatch(request.id, "Mcp-Method")
    key = NAMED.get(request.method)
    if key and decoded(headers.get(NAME_HEADER)) != request.params.get(key):
        raise mismatch(request.id, "Mcp-Name")


def passed_meta(params: Mapping[str, Any]) -> dict[str, Any]:
    """What of a request's `_meta` goes on to its server: the mark for progress, the trace, the level of the log.

    Each in its own syntax, so that it carries nothing else. Baggage would carry what nobody decided.
    """
    meta = params.get("_meta")
    return {key: value for key, value in meta.items() if _may_pass(key, value)} if isinstance(meta, dict) else {}


def _may_pass(key: str, value: object) -> bool:
    if key == "progressToken":
        return isinstance(value, str | int) and not isinstance(value, bool)
    if not isinstance(value, str):
        return False
    match key:
        case "traceparent":
            return _TRACE.fullmatch(value) is not None
        case "tracestate":
            members = [one.strip(" \t") for one in value.split(",")]
            short = len(value) <= LONGEST_STATE and len(members) <= MOST_MEMBERS
            return short and all(_MEMBER.fullmatch(one) for one in members)
        case _:
            return key == LEVEL_META and value in LEVELS


def plain_capabilities(capabilities: Mapping[str, Any]) -> dict[str, Any]:
    """What a client can do, as switches: nothing else is said by it.

    >>> plain_capabilities({"sampling": {"tools": {"x": "a text"}}, "roots": {"listChanged": True}, "other": "x"})
    {'sampling': {'tools': {}}, 'roots': {'listChanged': True}}
    """
    told: dict[str, Any] = {}
    for name, parts in _CAN.items():
        said = capabilities.get(name)
        if isinstance(said, dict):
            told[name] = {
                part: said[part] if isinstance(said[part], bool) else {}
                for part in parts
                if isinstance(said.get(part), bool | dict)
            }
    return told


def sent_params(
    params: Mapping[str, Any], era: Era, client: Mapping[str, Any], capabilities: Mapping[str, Any]
) -> dict[str, Any]:
    """A request's params as they go to a server of this era; `client` is who we say that we are."""
    meta = passed_meta(params)
    if era.is_modern:
        meta |= {VERSION_META: MODERN, CAPABILITIES_META: plain_capabilities(capabilities), CLIENT_META: dict(client)}
    else:
        meta.pop(LEVEL_META, None)
    rest = {key: value for key, value in params.items() if key != "_meta"}
    return rest | ({"_meta": meta} if meta else {})


def sent_headers(
    era: Era, method: str, params: Mapping[str, Any], version: str, session: str
) -> list[tuple[bytes, bytes]]:
    """The header lines that go with a request to a server of this era, but for those of its arguments."""
    lines = [(VERSION_HEADER, version.encode())] if version else []
    if era.is_modern:
        lines.append((METHOD_HEADER, method.encode()))
        if key := NAMED.get(method):
            lines.append((NAME_HEADER, encoded(str(params.get(key, "")))))
    elif session:
        lines.append((SESSION_HEADER, session.encode()))
    return lines


def told_result(result: Mapping[str, Any], method: str, era: Era, *, ttl_ms: int = 0) -> dict[str, Any]:
    """A result as a client of this era is told it. Nothing of it may be kept for another caller."""
    rest = {key: value for key, value in result.items() if key not in _OF_ANSWERS}
    if not era.is_modern:
        return rest
    if result.get("resultType") == INPUT_REQUIRED:
        return rest | {"resultType": INPUT_REQUIRED}
    rest["resultType"] = "complete"
    return rest | ({"ttlMs": ttl_ms, "cacheScope": "private"} if method in CACHEABLE else {})


def status_of(code: int, era: Era) -> int:
    """The HTTP status of an error: 2026-07-28 gives each its own, before that it is said in the body alone."""
    return STATUS.get(code, 200) if era.is_modern else 200
