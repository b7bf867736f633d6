"""Keys: what proves who a workload is, and every reason why something does not."""

import re
import secrets
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock.identity.keys import Keyring, mint
from interlock.model.decision import Principal
from interlock.model.errors import IdentityError, UsageError

KEY, TEXT = mint("apps/billing", 1_000, 500, lambda n: bytes(range(n)))
RING = Keyring([KEY])


def reason(presented: str, ring: Keyring = RING, now_us: int = 1_200) -> str:
    with pytest.raises(IdentityError) as caught:
        ring.prove(presented, now_us)
    assert TEXT[15:67] not in str(caught.value)
    return caught.value.what


def test_the_form_of_a_key() -> None:
    assert TEXT == "ilk_aaaqeayeau_aaaqeayeaudaocajbifqydiob4ibceqtcqkrmfyydenbwha5dypqho65bqa"
    assert re.fullmatch(r"ilk_[a-z2-7]{10}_[a-z2-7]{59}", TEXT)
    assert (KEY.id, KEY.workload, KEY.created_us, KEY.expires_us, KEY.revoked_us) == (
        "aaaqeayeau",
        "apps/billing",
        1_000,
        1_500,
        None,
    )
    assert TEXT[15:67] not in repr(KEY)
    assert TEXT[15:67] not in repr(vars(RING))


@pytest.mark.parametrize("form", [TEXT, f"Bearer {TEXT}", f"bearer {TEXT}", f"BEARER   {TEXT}"])
def test_a_key_proves_its_workload(form: str) -> None:
    assert RING.prove(form, 1_200) == Principal("apps/billing", KEY.id)


def test_keys_differ() -> None:
    minted = [mint("w", 1, None, secrets.token_bytes) for _ in range(100)]
    ring = Keyring(key for key, _ in minted)
    assert len({text for _, text in minted}) == 100
    for key, text in minted:
        assert key.expires_us is None
        assert ring.prove(text, 2**60) == Principal("w", key.id)


def test_nothing_presented() -> None:
    assert reason("") == "no credential was presented"


def test_expired() -> None:
    assert RING.prove(TEXT, 1_499).workload == "apps/billing"
    assert reason(TEXT, now_us=1_500) == f"key {KEY.id} of apps/billing has expired"


def test_revoked() -> None:
    assert reason(TEXT, Keyring([replace(KEY, revoked_us=1)])) == f"key {KEY.id} of apps/billing was revoked"


def test_unknown_after_it_was_taken_out() -> None:
    ring = Keyring([KEY])
    ring.replace([])
    assert reason(TEXT, ring) == f"key {KEY.id} is unknown"
    ring.replace([KEY])
    assert ring.prove(TEXT, 1_200).credential == KEY.id


def test_the_right_id_with_another_secret() -> None:
    other = mint("apps/billing", 1_000, 500, lambda n: bytes(range(n)) if n < 32 else bytes(n))[1]
    assert other[:15] == TEXT[:15]
    assert reason(other) == f"the secret of key {KEY.id} is wrong"
    # Whether a key is revoked or expired is not told to who does not have it.
    assert reason(other, Keyring([replace(KEY, revoked_us=1)])) == f"the secret of key {KEY.id} is wrong"
    assert reason(other, now_us=9_999) == f"the secret of key {KEY.id} is wrong"


@given(st.integers(0, len(TEXT) - 1), st.characters())
def test_any_mistyped_character_is_found(at: int, other: str) -> None:
    changed = TEXT[:at] + other + TEXT[at + 1 :]
    if changed != TEXT:
        assert reason(changed).startswith("the credential is malformed")


@given(st.text(max_size=100))
def test_junk_is_malformed(junk: str) -> None:
    if junk:
        assert reason(junk).startswith("the credential is malformed")


@pytest.mark.parametrize(
    "text",
    [
        TEXT.upper(),
        TEXT + " ",
        TEXT + "\n",
        " " + TEXT,
        TEXT + TEXT,
        f"Basic {TEXT}",
        f"Bearer{TEXT}",
        "Bearer ",
        "sk-proj-abc",
        "x" * 1_000_000,
        "bearer " * 100_000,
    ],
)
def test_other_credentials_are_malformed(text: str) -> None:
    assert reason(text).startswith("the credential is malformed")


@pytest.mark.parametrize("name", ["", " ", "a b", "a\n", "-x", "a\x1b[31m", "x" * 129, "a,b", "é"])
def test_names_that_a_workload_cannot_have(name: str) -> None:
    with pytest.raises(UsageError, match="cannot be the name of a workload"):
        mint(name, 1, None, secrets.token_bytes)


@pytest.mark.parametrize("name", ["a", ".", "apps/billing", "a@b", "A.b_c-d+e", "x" * 128])
def test_names_that_a_workload_can_have(name: str) -> None:
    assert mint(name, 1, None, secrets.token_bytes)[0].workload == name
