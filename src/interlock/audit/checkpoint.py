"""A signed statement of how many records a log has and what their root is: a C2SP checkpoint.

The body is a tlog-checkpoint (origin, size, root in base64, one a line), the envelope a signed note with an
Ed25519 signature; both are public formats of https://c2sp.org/tlog-checkpoint and
https://c2sp.org/signed-note, so that an auditor or a witness needs nothing of ours to read one.
"""

import base64
import binascii
import re
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from interlock.audit.merkle import HASH_BYTES
from interlock.model.errors import AuditError

ED25519 = b"\x01"  # signed-note: the signature type byte of a plain Ed25519 key
KEY_ID_BYTES = 4
# signed-note: a key name is not empty and has neither Unicode spaces nor a plus.
_NAME = re.compile(r"[^\s+]+")
_SIZE = re.compile(r"0|[1-9][0-9]{0,18}")
# signed-note: a signature line opens with U+2014 and a space; no line of a checkpoint's body does.
SIGNATURE_MARK = "\u2014 ".encode()
_SIGNATURE = re.compile(r"\u2014 ([^\s+]+) ([A-Za-z0-9+/]+={0,2})")


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The first `size` records of the log `origin` have this Merkle root (32 bytes)."""

    origin: str
    size: int
    root: bytes


@dataclass(frozen=True, slots=True)
class Verifier:
    """The public half of a log's key: its name, and 32 bytes of Ed25519."""

    name: str
    public: bytes

    @property
    def id(self) -> bytes:
        """The four bytes that a signature line names this key by (signed-note: the key ID)."""
        return sha256(self.name.encode() + b"\n" + ED25519 + self.public).digest()[:KEY_ID_BYTES]

    def __str__(self) -> str:
        """The verifier key in one line, as a file or a ticket holds it: `name+id+key`."""
        return f"{self.name}+{self.id.hex()}+{base64.b64encode(ED25519 + self.public).decode()}"


def verifier(name: str, key: Ed25519PrivateKey) -> Verifier:
    """The public half of a signer's key."""
    return Verifier(name, key.public_key().public_bytes_raw())


def parse_verifier(text: str) -> Verifier:
    """A verifier from its line. Raises: AuditError if it is not one, or its id does not fit its key."""
    name, _, rest = text.strip().partition("+")
    key_id, _, encoded = rest.partition("+")
    blob = _unbase64(encoded)
    if not _NAME.fullmatch(name) or blob is None or blob[:1] != ED25519 or len(blob) != 33:
        raise AuditError(
            "this is not a verifier key for Ed25519", hint="it is one line, name+id+key, as in verifier.pub"
        )
    found = Verifier(name, blob[1:])
    if key_id != found.id.hex():
        raise AuditError("the verifier key's id does not fit its key", hint="copy verifier.pub again, whole")
    return found


def sign(checkpoint: Checkpoint, key: Ed25519PrivateKey) -> bytes:
    """The signed note of a checkpoint; the key's name is the origin. Ends with a line end."""
    root = base64.b64encode(checkpoint.root).decode()
    body = f"{checkpoint.origin}\n{checkpoint.size}\n{root}\n".encode()
    signature = verifier(checkpoint.origin, key).id + key.sign(body)
    return body + f"\n\u2014 {checkpoint.origin} {base64.b64encode(signature).decode()}\n".encode()


def read(note: bytes, trusted: Verifier) -> Checkpoint:
    """The checkpoint in a signed note, if `trusted` signed it. Signatures of others (witnesses) are passed over.

    Raises: AuditError if the note is malformed, is not signed by that key, or the signature is wrong.
    """
    body, signatures = _split(note)
    checkpoint = _parse(body)
    ours = [s for name, s in signatures if name == trusted.name and s[:KEY_ID_BYTES] == trusted.id]
    if not ours:
        raise AuditError(f"this checkpoint is not signed by {trusted.name}+{trusted.id.hex()}")
    public = Ed25519PublicKey.from_public_bytes(trusted.public)
    try:
        for signature in ours:
            public.verify(signature[KEY_ID_BYTES:], body)
    except InvalidSignature:
        raise AuditError("the signature of this checkpoint is wrong: it was changed, or another key made it") from None
    if checkpoint.origin != trusted.name:
        raise AuditError(f"this checkpoint is of {checkpoint.origin}, not of {trusted.name}")
    return checkpoint


def _split(note: bytes) -> tuple[bytes, Sequence[tuple[str, bytes]]]:
    try:
        note.decode()
    except UnicodeDecodeError:
        raise AuditError("this checkpoint is not in UTF-8") from None
    head, separator, tail = note.rpartition(b"\n\n")
    if not separator or not tail.endswith(b"\n"):
        raise AuditError("this is not a signed note: there is no signature after an empty line")
    signatures = []
    for line in tail.decode()[:-1].split("\n"):
        match = _SIGNATURE.fullmatch(line)
        blob = _unbase64(match[2]) if match else None
        if not match or blob is None or len(blob) <= KEY_ID_BYTES:
            raise AuditError("a signature line of this checkpoint is malformed")
        signatures.append((match[1], blob))
    return head + b"\n", signatures


def _parse(body: bytes) -> Checkpoint:
    lines = body.decode().split("\n")
    if len(lines) < 4 or not _NAME.fullmatch(lines[0]) or not _SIZE.fullmatch(lines[1]):
        raise AuditError("this checkpoint does not have an origin, a size and a root")
    root = _unbase64(lines[2])
    if root is None or len(root) != HASH_BYTES:
        raise AuditError("the root of this checkpoint is not a hash")
    return Checkpoint(lines[0], int(lines[1]), root)


def _unbase64(text: str) -> bytes | None:
    """The bytes, or None for any but the one canonical spelling."""
    try:
        blob = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    return blob if base64.b64encode(blob).decode() == text else None
