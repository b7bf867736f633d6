"""interlock keys: a workload's own credential, made here, kept only as a hash.

A key is `ilk_<id>_<secret><checksum>`, all in lower-case base32: 10 characters that name the key, 52 that hold
256 random bits, 7 that hold the CRC-32 of all before them. The fixed form lets secret scanners find a key
that leaked (`ilk_[a-z2-7]{10}_[a-z2-7]{59}`), and the checksum tells a typing error from a key we never made.
The secret has the full strength of the hash, so that SHA-256 needs neither salt nor stretching.
"""

import base64
import hmac
import re
import zlib
from collections.abc import Callable, Iterable, Mapping
from hashlib import sha256

from interlock.model.decision import Principal
from interlock.model.errors import IdentityError, UsageError
from interlock.store import Key

_ID_BYTES = 7  # 56 bits in 12 characters, of which the first 10 are taken
_ID_CHARS = 10
_SECRET_BYTES = 32
# A valid credential can be written in a few ways (bare, `Bearer`, more spaces); beyond this, each is examined anew.
PROVEN_MAX = 20_000
_KEY = re.compile(r"(ilk_([a-z2-7]{10})_([a-z2-7]{52}))([a-z2-7]{7})")
# RFC 9110 section 11.1: the scheme's name in any case, then one or more spaces.
_BEARER = re.compile(r"bearer +", re.IGNORECASE)
# What stands in logs, policies and addresses; folders of a repository (`apps/billing`) are such names as well.
_WORKLOAD = re.compile(r"[A-Za-z0-9._][A-Za-z0-9._@/+-]{0,127}")


def is_workload(name: str) -> bool:
    """Whether a workload can have this name."""
    return _WORKLOAD.fullmatch(name) is not None


def mint(workload: str, now_us: int, lifetime_us: int | None, random_bytes: Callable[[int], bytes]) -> tuple[Key, str]:
    """A new key for a workload: what to keep, and the text to hand over, which nobody can make again.

    `random_bytes(n)` gives n bytes nobody can guess (`secrets.token_bytes`); None lives until it is revoked.
    Raises: UsageError if the workload's name has spaces or other signs that a name must not have.
    """
    if not is_workload(workload):
        hint = "letters, digits and . _ @ / + -, at most 128 characters"
        raise UsageError(f"{workload!r} cannot be the name of a workload", hint=hint)
    key_id = _base32(random_bytes(_ID_BYTES))[:_ID_CHARS]
    secret = _base32(random_bytes(_SECRET_BYTES))
    head = f"ilk_{key_id}_{secret}"
    expires_us = None if lifetime_us is None else now_us + lifetime_us
    key = Key(key_id, workload, _digest(secret), created_us=now_us, expires_us=expires_us)
    return key, head + _checksum(head)


class Keyring:
    """The keys by which callers prove who they are.

    - Only the exact text of a key proves anything; the secret is compared in constant time.
    - That a key is revoked or expired is said only to who has its secret.
    - `replace` takes effect with the next `prove`. Safe to use from several threads.

    It does NOT limit how often somebody may try: 256 bits do not need it. It never keeps or shows a secret.
    """

    def __init__(self, keys: Iterable[Key] = ()) -> None:
        self.replace(keys)

    def replace(self, keys: Iterable[Key]) -> None:
        """Hold exactly these keys from now on."""
        # The keys by id; and those that have proven themselves, by the hash of what was presented, so that the
        # next proof is one hash and one look-up. One value, so that no old key can get among the new ones.
        self._held: tuple[dict[str, Key], dict[bytes, Key]] = ({key.id: key for key in keys}, {})

    def prove(self, presented: str, now_us: int) -> Principal:
        """The workload that this `Authorization` value, or bare key, belongs to.

        Raises: IdentityError with the reason, for the log: none, malformed, mistyped, unknown, revoked, expired.
        """
        keys, proven = self._held
        shown = sha256(presented.encode("utf-8", "surrogatepass")).digest()
        key = proven.get(shown)
        if key is None:
            key = _examined(presented, keys)
            if len(proven) < PROVEN_MAX:
                proven[shown] = key
        if key.revoked_us is not None:
            raise IdentityError(f"key {key.id} of {key.workload} was revoked")
        if key.expires_us is not None and now_us >= key.expires_us:
            raise IdentityError(f"key {key.id} of {key.workload} has expired")
        return Principal(key.workload, key.id)


def _examined(presented: str, keys: Mapping[str, Key]) -> Key:
    """The key that `presented` is, whether it still holds or not."""
    if not presented:
        raise IdentityError("no credential was presented")
    scheme = _BEARER.match(presented)
    match = _KEY.fullmatch(presented, scheme.end() if scheme else 0)
    if not match:
        raise IdentityError("the credential is malformed: it is not an interlock key")
    head, key_id, secret, checksum = match.groups()
    key = keys.get(key_id)
    if key is None or not hmac.compare_digest(_digest(secret), key.digest) or checksum != _checksum(head):
        raise IdentityError(_why(head, key_id, checksum, known=key is not None))
    return key


def _why(head: str, key_id: str, checksum: str, *, known: bool) -> str:
    if _checksum(head) != checksum:
        return f"the credential is malformed: the checksum of key {key_id} does not fit"
    return f"the secret of key {key_id} is wrong" if known else f"key {key_id} is unknown"


def _digest(secret: str) -> str:
    return sha256(secret.encode("ascii")).hexdigest()


def _checksum(head: str) -> str:
    return _base32(zlib.crc32(head.encode("ascii")).to_bytes(4, "big"))


def _base32(data: bytes) -> str:
    return base64.b32encode(data).decode("ascii").rstrip("=").lower()
