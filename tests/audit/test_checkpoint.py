"""Checkpoints: the public formats, and that nothing but the signed bytes is believed."""

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from interlock.audit.checkpoint import Checkpoint, parse_verifier, read, sign, verifier
from interlock.model.errors import AuditError

KEY = Ed25519PrivateKey.from_private_bytes(b"\x07" * 32)
OTHER = Ed25519PrivateKey.from_private_bytes(b"\x08" * 32)
NAME = "interlock/gw-1"
POINT = Checkpoint(NAME, 17, b"\x05" * 32)
NOTE = sign(POINT, KEY)
# The example of https://c2sp.org/signed-note.
SPEC_KEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
SPEC_NOTE = (
    "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n\n"
    "\u2014 PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)


def test_a_checkpoint_comes_back() -> None:
    assert read(NOTE, verifier(NAME, KEY)) == POINT
    lines = NOTE.decode().split("\n")
    assert lines[:4] == [NAME, "17", base64.b64encode(POINT.root).decode(), ""]
    assert lines[4].startswith(f"\u2014 {NAME} ")


def test_the_verifier_key_of_the_specification() -> None:
    key = parse_verifier(SPEC_KEY + "\n")
    assert (key.name, key.id.hex(), str(key)) == ("PeterNeumann", "c74f20a3", SPEC_KEY)
    with pytest.raises(AuditError, match="size and a root"):  # the text of that note is no checkpoint
        read(SPEC_NOTE.encode(), key)


@given(st.integers(0, len(NOTE) - 1), st.integers(1, 255))
def test_any_changed_byte_is_found(at: int, change: int) -> None:
    changed = NOTE[:at] + bytes([NOTE[at] ^ change]) + NOTE[at + 1 :]
    with pytest.raises(AuditError):
        read(changed, verifier(NAME, KEY))


@given(st.binary(max_size=200))
def test_junk_is_an_audit_error_or_nothing(junk: bytes) -> None:
    with pytest.raises(AuditError):
        read(junk, verifier(NAME, KEY))


def test_another_key_is_not_believed() -> None:
    with pytest.raises(AuditError, match="not signed by"):
        read(NOTE, verifier(NAME, OTHER))
    with pytest.raises(AuditError, match="not signed by"):
        read(sign(POINT, OTHER), verifier(NAME, KEY))


def test_a_checkpoint_of_another_log_is_not_believed() -> None:
    body = NOTE.decode().split("\n\n")[0].replace(NAME, "interlock/gw-2") + "\n"
    blob = base64.b64encode(verifier(NAME, KEY).id + KEY.sign(body.encode())).decode()
    with pytest.raises(AuditError, match="is of interlock/gw-2"):
        read(f"{body}\n\u2014 {NAME} {blob}\n".encode(), verifier(NAME, KEY))


def test_a_witness_may_sign_as_well() -> None:
    witness = NOTE + "\u2014 witness.example AAAAAAAA\n".encode()
    assert read(witness, verifier(NAME, KEY)) == POINT


@pytest.mark.parametrize(
    "note",
    [
        NOTE[:-1],
        NOTE + b"\n",
        NOTE + b"x\n",
        NOTE.replace(b"\n17\n", b"\n017\n"),
        NOTE.replace(b"\n17\n", b"\n-1\n"),
        NOTE.replace(b"\n17\n", "\n\uff11\uff17\n".encode()),
        NOTE.replace(b"\n17\n", b"\n99999999999999999999\n"),
        NOTE.replace(b"\xe2\x80\x94 ", b"- "),
        NOTE.split(b"\n\n")[0] + b"\n",
    ],
)
def test_malformed_notes(note: bytes) -> None:
    with pytest.raises(AuditError):
        read(note, verifier(NAME, KEY))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "name",
        "name+id",
        SPEC_KEY[:-1],
        SPEC_KEY.replace("c74f20a3", "c74f20a4"),
        SPEC_KEY.replace("PeterNeumann", "Peter Neumann"),
        SPEC_KEY.replace("+ARpc", "+BRpc"),
        SPEC_KEY + "+more",
    ],
)
def test_malformed_verifier_keys(text: str) -> None:
    with pytest.raises(AuditError):
        parse_verifier(text)
