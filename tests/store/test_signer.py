"""The file of the signing key: made once, for its owner alone, and never guessed at."""

import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key

from interlock.model.errors import AuditError
from interlock.store.signer import load_signer, make_signer


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "keys" / "audit.key"


def test_a_key_is_made_once(path: Path) -> None:
    key = make_signer(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert load_signer(path).private_bytes_raw() == make_signer(path).private_bytes_raw() == key.private_bytes_raw()
    assert [p.name for p in path.parent.iterdir()] == ["audit.key"]


def test_a_key_that_is_not_there_is_not_made_by_loading(path: Path) -> None:
    with pytest.raises(AuditError, match="No such file") as caught:
        load_signer(path)
    assert "backup" in caught.value.hint
    assert not path.exists()


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660])
def test_a_key_that_others_may_read_is_refused(path: Path, mode: int) -> None:
    make_signer(path)
    path.chmod(mode)
    with pytest.raises(AuditError, match="others may read"):
        load_signer(path)


def test_what_is_not_an_ed25519_key_is_refused_and_not_quoted(path: Path) -> None:
    make_signer(path)
    path.write_text("-----BEGIN PRIVATE KEY-----\nSECRET\n-----END PRIVATE KEY-----\n")
    with pytest.raises(AuditError, match="does not hold a key") as caught:
        load_signer(path)
    assert "SECRET" not in str(caught.value)
    other = generate_private_key(SECP256R1())
    path.write_bytes(
        other.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    with pytest.raises(AuditError, match="not an Ed25519 key"):
        load_signer(path)


def test_a_link_is_not_followed(path: Path, tmp_path: Path) -> None:
    make_signer(path)
    path.rename(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(AuditError, match="cannot read"):
        load_signer(path)
    os.unlink(tmp_path / "elsewhere")
    with pytest.raises(AuditError, match="cannot read"):  # nothing is made at the end of a dangling link
        make_signer(path)
    assert not (tmp_path / "elsewhere").exists()


def test_where_no_file_can_be_made(tmp_path: Path) -> None:
    (tmp_path / "keys").write_text("")
    with pytest.raises(AuditError, match="cannot write the audit key"):
        make_signer(tmp_path / "keys" / "audit.key")


def test_two_who_make_it_at_once_get_the_same(path: Path) -> None:
    with ThreadPoolExecutor(2) as pool:
        keys = {key.private_bytes_raw() for key in pool.map(lambda _: make_signer(path), range(2))}
    assert len(keys) == 1
