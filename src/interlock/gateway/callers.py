"""Who calls: where a credential stands in a request, whose it is, and what is said to one whose is refused."""

from collections.abc import Mapping

from interlock.gateway.pool import FORMS
from interlock.identity.issuers import Issuers
from interlock.identity.keys import Keyring
from interlock.identity.tokens import ScopeError, bare
from interlock.model.decision import Principal
from interlock.model.errors import IdentityError
from interlock.protocols import BEARER, Credential, encode

# Where the SDKs put their key; AWS's, which sign, as the token of a session.
CREDENTIALS = (b"authorization", b"x-api-key", b"api-key", b"x-goog-api-key", b"x-amz-security-token")


def presented(headers: Mapping[bytes, bytes]) -> str:
    """What a caller shows to prove who it is: an interlock key wherever SDKs put keys, else the first of those."""
    shown = [headers[name].decode("latin-1") for name in CREDENTIALS if name in headers]
    keys = [one for one in shown if "ilk_" in one] or shown
    return keys[0] if keys else ""


def form(headers: Mapping[bytes, bytes]) -> Credential:
    """The header in which a caller shows its key, as the form of a credential."""
    names = ("x-api-key", "api-key", "x-goog-api-key")
    return next((FORMS[name] for name in names if name.encode() in headers), BEARER)


def prove(keyring: Keyring, issuers: Issuers | None, shown: str, now_us: int, path: str) -> Principal:
    """Who shows this credential at `path`: an interlock key, or an issuer's token. Raises: IdentityError."""
    if issuers and bare(shown):
        return issuers.prove(shown, now_us, path)
    return keyring.prove(shown, now_us)


def challenge(issuers: Issuers | None, error: IdentityError, path: str) -> tuple[int, bytes]:
    """Status and header of a refusal: what would be taken, and never what was wrong."""
    if issuers is None:
        return 401, b"www-authenticate: Bearer\r\n"
    if isinstance(error, ScopeError):
        return 403, issuers.challenge(path, error.scopes)
    return 401, issuers.challenge(path)


def metadata(issuers: Issuers, path: str) -> tuple[int, bytes]:
    """Status and body for whoever looks for the issuers (RFC 9728). It is no secret, and nothing is recorded."""
    found = issuers.metadata(path)
    return (200, encode(found)) if found else (404, encode({"error": "not_found"}))
