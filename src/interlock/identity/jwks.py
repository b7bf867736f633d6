"""A set of public keys (JWK set, RFC 7517), as an issuer publishes it, becomes keys that can be asked for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from jwt import PyJWK, PyJWKError
from jwt.exceptions import InvalidKeyError

from interlock.model.errors import IdentityError, ProtocolError
from interlock.protocols import decode

# Issuers have two to ten.
MOST_KEYS = 100
LONGEST_KID = 256
# NIST SP 800-131A: less was not enough even in 2015.
LEAST_RSA_BITS = 2_048
# Which keys sign how (RFC 7518, section 3.1; RFC 8037): (kty, crv).
_KIND = {
    **{f"{family}{size}": ("RSA", None) for family in ("RS", "PS") for size in (256, 384, 512)},
    "ES256": ("EC", "P-256"),
    "ES384": ("EC", "P-384"),
    "ES512": ("EC", "P-521"),
    "EdDSA": ("OKP", "Ed25519"),
}


@dataclass(frozen=True, slots=True)
class Keys:
    """The keys of one issuer, each under its id and the way it signs. A key that has no id is under an empty one."""

    by_id: Mapping[tuple[str, str], PyJWK] = field(default_factory=dict, repr=False)

    def find(self, kid: str | None, algorithm: str) -> PyJWK | None:
        """The key that a token names. One that names none is taken to mean the only key, where there is only one."""
        if kid is not None:
            return self.by_id.get((kid, algorithm))
        fitting = [key for (_, name), key in self.by_id.items() if name == algorithm]
        return fitting[0] if len(fitting) == 1 else None


def read_keys(data: bytes, algorithms: Sequence[str]) -> Keys:
    """The public keys in a JWK set that sign in one of these ways; other entries are passed over (RFC 7517, section 5).

    Symmetric and private keys are other entries, and so is what is too short, not for signatures, or named twice.
    There may be none: that is what an issuer says who takes all of its keys back. Raises: IdentityError if it is no JWK
    set.
    """
    try:
        document = decode(data)
    except ProtocolError as error:
        raise IdentityError(f"the set of keys cannot be read: {error.what}") from None
    entries = document.get("keys")
    if not isinstance(entries, list) or len(entries) > MOST_KEYS:
        raise IdentityError(f"the set of keys is none, or has over {MOST_KEYS}")
    found: dict[tuple[str, str], PyJWK] = {}
    twice = set[tuple[str, str]]()
    for entry in entries:
        for algorithm in algorithms:
            key = _key(entry, algorithm) if isinstance(entry, dict) else None
            if key is None:
                continue
            place = (entry.get("kid") or "", algorithm)
            if place in found:
                twice.add(place)
            found[place] = key
    return Keys({place: key for place, key in found.items() if place not in twice})


def _key(entry: Mapping[str, Any], algorithm: str) -> PyJWK | None:
    kty, crv = _KIND[algorithm]
    kid, operations = entry.get("kid", ""), entry.get("key_ops", ["verify"])
    fits = (
        entry.get("kty") == kty
        and (crv is None or entry.get("crv") == crv)
        and entry.get("alg", algorithm) == algorithm
        and entry.get("use", "sig") == "sig"
        and isinstance(operations, list)
        and "verify" in operations
        and "d" not in entry
        and isinstance(kid, str)
        and len(kid) <= LONGEST_KID
    )
    if not fits:
        return None
    try:
        key = PyJWK(dict(entry), algorithm)
    except (PyJWKError, InvalidKeyError, ValueError, TypeError, KeyError):
        return None
    if isinstance(key.key, RSAPublicKey) and key.key.key_size < LEAST_RSA_BITS:
        return None
    return key
