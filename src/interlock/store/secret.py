"""Secrets of this installation: random bytes in a file of their own, made on first use."""

import secrets
from pathlib import Path

from interlock.model.errors import ConfigError
from interlock.store.files import create_whole, read_plain

SECRET_BYTES = 32


def secret(path: Path) -> bytes:
    """32 random bytes that are kept in `path`, made on first use."""
    try:
        if not path.exists():
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            create_whole(path, secrets.token_bytes(SECRET_BYTES))
        held = read_plain(path)
    except OSError as error:
        hint = "the data folder must be readable and writable"
        raise ConfigError(f"cannot keep a secret: {error.strerror}", where=str(path), hint=hint) from error
    if len(held) != SECRET_BYTES:
        raise ConfigError(f"holds {len(held)} bytes", where=str(path), hint="put it back from your backup")
    return held
