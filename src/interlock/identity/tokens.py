"""A token that an issuer has signed (JWT, RFC 7519, as RFC 8725 and RFC 9068 want it read) becomes its claims."""

import base64
import binascii
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from jwt import PyJWK, PyJWS, PyJWTError

from interlock.identity.keys import is_workload
from interlock.identity.settings import IssuerSettings
from interlock.model.errors import IdentityError, ProtocolError
from interlock.protocols import decode

# Beside it a request has other headers, and all of them have 32 KB. Tokens with hundreds of groups have about eight.
LONGEST = 16_384
# `Authorization` and the forms without a scheme in which SDKs show a key.
_BEARER = re.compile(r"bearer +", re.IGNORECASE)
# JWS compact serialization (RFC 7515, section 3.1): a JSON object in base64url begins with `ey`.
_TOKEN = re.compile(r"(ey[A-Za-z0-9_-]+)\.(ey[A-Za-z0-9_-]+)\.([A-Za-z0-9_-]*)")
# What a token may say that it is. Others (a logout, a proof of possession) are signed by the same key.
_TYPES = ("jwt", "at+jwt", "application/at+jwt")
# Keys of the signer or the message itself are never taken from the token: `jwk`, `jku`, `x5u` and `x5c` are not read.
_SAFE = re.compile(r"[A-Za-z0-9._:@/|+-]{1,128}")


class ScopeError(IdentityError):
    """The token is good, but does not reach so far: HTTP 403 (RFC 6750, section 3.1)."""

    def __init__(self, what: str, scopes: tuple[str, ...]) -> None:
        super().__init__(what)
        self.scopes = scopes


def bare(presented: str) -> str:
    """The token in what was presented; empty if that is none.

    >>> bare("Bearer eyJhIjoxfQ.eyJhIjoxfQ.AA"), bare("Bearer ilk_...")
    ('eyJhIjoxfQ.eyJhIjoxfQ.AA', '')
    """
    scheme = _BEARER.match(presented)
    text = presented[scheme.end() :] if scheme else presented
    return text if text.startswith("ey") and text.count(".") == 2 else ""


@dataclass(frozen=True, slots=True)
class Unverified:
    """What a token says, before anybody has looked at its signature: only good to find the issuer and the key."""

    token: str = field(repr=False)
    issuer: str
    kid: str | None
    algorithm: str
    claims: Mapping[str, Any] = field(repr=False)


def examine(token: str) -> Unverified:
    """The parts of a token. Raises: IdentityError if it is too long, no token, or of a kind that is not taken here."""
    if len(token) > LONGEST:
        raise IdentityError(f"the token has over {LONGEST} characters")
    match = _TOKEN.fullmatch(token)
    if not match:
        raise IdentityError("the token is malformed")
    header, claims = _object(match[1], "header"), _object(match[2], "payload")
    algorithm, kid, kind = header.get("alg"), header.get("kid"), header.get("typ", "JWT")
    if not isinstance(algorithm, str) or not (kid is None or isinstance(kid, str)):
        raise IdentityError("the token's header is malformed")
    if "crit" in header or "b64" in header:  # RFC 7515, section 4.1.11: what is not known there has to be refused
        raise IdentityError("the token wants more than is known here (crit)")
    if not isinstance(kind, str) or kind.lower() not in _TYPES:
        raise IdentityError("the token is of another kind (typ)")
    issuer = claims.get("iss")
    if not isinstance(issuer, str):
        raise IdentityError("the token does not say who made it (iss)")
    return Unverified(token, issuer, kid, algorithm, claims)


def verify(said: Unverified, key: PyJWK) -> None:
    """Believe the signature. Raises: IdentityError."""
    verifier = PyJWS(algorithms=[key.algorithm_name], options={"enforce_minimum_key_length": True})
    try:
        verifier.decode_complete(said.token, key, algorithms=[key.algorithm_name])
    except (PyJWTError, ValueError):
        raise IdentityError("the token's signature is wrong") from None


@dataclass(frozen=True, slots=True)
class Proven:
    """What a verified token proves. Times in seconds since 1970; `lacks` names scopes."""

    workload: str
    subject: str
    begins_s: float
    expires_s: float
    audience: frozenset[str]
    lacks: tuple[str, ...]


def judge(claims: Mapping[str, Any], name: str, issuer: IssuerSettings) -> Proven:
    """What the claims of a verified token say, whenever that is. Raises: IdentityError that names the claim."""
    expires, issued, begins = (_time(claims, claim) for claim in ("exp", "iat", "nbf"))
    if expires is None:
        raise IdentityError("the token never expires (exp)")
    if issued is None and begins is None:
        raise IdentityError("the token does not say since when it is good (iat)")
    since = min(one for one in (issued, begins) if one is not None)
    if not 0 < expires - since <= issuer.max_lifetime_s:
        what = f"the token is good for {expires - since:.0f} s, and may be for {issuer.max_lifetime_s} (max_lifetime_s)"
        raise IdentityError(what)
    if "cnf" in claims:  # RFC 7800: whoever shows it has to show the key as well, which nobody here asks for
        raise IdentityError("the token is bound to a key of its holder (cnf)")
    audience = claims.get("aud")
    listed = [audience] if isinstance(audience, str) else audience
    if not isinstance(listed, list) or not listed or not all(isinstance(one, str) for one in listed):
        raise IdentityError("the token does not say for whom it is (aud)")
    starts = max(one for one in (issued, begins) if one is not None)
    lacks = tuple(scope for scope in issuer.scopes if scope not in _scopes(claims))
    return Proven(_workload(claims, name, issuer), _subject(claims), starts, expires, frozenset(listed), lacks)


def check(proven: Proven, issuer: IssuerSettings, audiences: Collection[str], now_s: float) -> None:
    """Whether it is good here and now. Raises: IdentityError; ScopeError if that is all that is wrong."""
    if now_s >= proven.expires_s + issuer.skew_s:
        raise IdentityError(f"the token has expired {now_s - proven.expires_s:.0f} s ago")
    if now_s < proven.begins_s - issuer.skew_s:
        raise IdentityError(f"the token is good only in {proven.begins_s - now_s:.0f} s (nbf, iat)")
    if proven.audience.isdisjoint(audiences) and proven.audience.isdisjoint(issuer.audience):
        raise IdentityError("the token is made for somebody else (aud)")
    if proven.lacks:
        raise ScopeError(f"the token lacks the scope {' '.join(proven.lacks)}", issuer.scopes)


def _object(part: str, what: str) -> dict[str, Any]:
    try:
        data = base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
        return decode(data)
    except (binascii.Error, ValueError):
        raise IdentityError(f"the token's {what} is malformed") from None
    except ProtocolError as error:
        raise IdentityError(f"the token's {what} is malformed: {error.what}") from None


def _time(claims: Mapping[str, Any], claim: str) -> float | None:
    value = claims.get(claim)
    if value is None and claim not in claims:
        return None
    # Until the year 5138: larger ones are no seconds.
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e11:
        raise IdentityError(f"the token's {claim} is no time")
    return float(value)


def _scopes(claims: Mapping[str, Any]) -> set[str]:
    """RFC 8693, section 4.2: `scope` is one text; some issuers have a list in `scp`."""
    given = [claims.get("scope"), claims.get("scp")]
    texts = [text for one in given for text in (one if isinstance(one, list) else [one]) if isinstance(text, str)]
    return {scope for text in texts for scope in text.split()}


def _subject(claims: Mapping[str, Any]) -> str:
    """Whose token it is, in a form that can stand in the log."""
    subject = claims.get("sub")
    if not isinstance(subject, str):
        return ""
    digest = sha256(subject.encode("utf-8", "surrogatepass")).hexdigest()[:16]
    return subject if _SAFE.fullmatch(subject) else f"sha256:{digest}"


def _workload(claims: Mapping[str, Any], name: str, issuer: IssuerSettings) -> str:
    claim, names = issuer.workload_claim, issuer.names
    value = claims.get(claim)
    if not isinstance(value, str) or not value:
        raise IdentityError(f"the token does not name a workload ({claim})")
    shown = value if _SAFE.fullmatch(value) else "what it says"
    if names:
        if value not in names:
            raise IdentityError(f"{shown} is none of the workloads of issuer {name} ({claim})")
        return names[value]
    workload = f"{name}/{value}"
    if not is_workload(workload):
        raise IdentityError(f"{shown} cannot be the name of a workload ({claim}): give it one in workloads")
    return workload
