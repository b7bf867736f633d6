"""The key that signs the checkpoints of the audit log, in a file that only its owner may read."""

import os
import stat
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from interlock.model.errors import AuditError
from interlock.store.files import create_whole, read_plain


def load_signer(path: Path) -> Ed25519PrivateKey:
    """The Ed25519 key in the PEM file `path`.

    Raises: AuditError if it is not there, is a link, may be read by others, or is not such a key.
    """
    hint = "put the key back from your backup; a log can only be continued with the key that began it"
    try:
        mode = path.lstat().st_mode
        pem = read_plain(path)
    except OSError as error:
        raise AuditError(f"cannot read the audit key: {error.strerror}", where=str(path), hint=hint) from error
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise AuditError("others may read the audit key", where=str(path), hint=f"run: chmod 600 {path}")
    try:
        key = serialization.load_pem_private_key(pem, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        # The library's own words could quote the file, and the file is a secret.
        raise AuditError("this file does not hold a key", where=str(path), hint=hint) from None
    if not isinstance(key, Ed25519PrivateKey):
        raise AuditError("the audit key is not an Ed25519 key", where=str(path), hint=hint)
    return key


def make_signer(path: Path) -> Ed25519PrivateKey:
    """The key in `path`, made now if there is none (if two processes make one, both get the first)."""
    if not os.path.lexists(path):
        pem = Ed25519PrivateKey.generate().private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            create_whole(path, pem)
        except OSError as error:
            hint = "the data folder must be writable"
            raise AuditError(f"cannot write the audit key: {error.strerror}", where=str(path), hint=hint) from error
    return load_signer(path)
