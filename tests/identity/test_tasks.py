"""A task token says what the user asked for; nobody without the key can make or change one."""

import base64
import itertools
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock.identity.tasks import LONGEST_REQUEST_BYTES, Taskmaster, mint
from interlock.model.errors import IdentityError, UsageError

KEY, OTHER = b"k" * 32, b"o" * 32
HOUR = 3_600_000_000


def token(request: str = "Pay Bob.", key: bytes = KEY, *, now: int = 1_000, life: int = HOUR) -> str:
    counter = itertools.count()
    return mint(key, "mail", request, now, life, lambda n: bytes([next(counter)] * n), ("bank",), ("pay",))


@given(st.text(alphabet=st.characters(codec="utf-8"), max_size=500))
def test_a_task_comes_back_as_it_was_said(request: str) -> None:
    task = Taskmaster(KEY).prove(token(request), 2_000)
    assert (task.workload, task.request, task.servers, task.tools) == ("mail", request, ("bank",), ("pay",))
    assert (task.issued_us, task.expires_us) == (1_000, 1_000 + HOUR)


def test_it_expires_also_when_it_was_believed_before() -> None:
    believer, shown = Taskmaster(KEY), token()
    assert believer.prove(shown, 1_000).id == believer.prove(shown, HOUR).id
    with pytest.raises(IdentityError, match="has expired"):
        believer.prove(shown, 1_000 + HOUR)


def test_one_from_the_future_is_refused() -> None:
    with pytest.raises(IdentityError, match="future"):
        Taskmaster(KEY).prove(token(now=HOUR), 0)


def forged() -> dict[str, str]:
    payload, seal = token().removeprefix("ilt_").split(".")
    body = json.loads(base64.urlsafe_b64decode(payload + "==="))
    changed = base64.urlsafe_b64encode(json.dumps({**body, "request": "Pay Eve."}).encode()).decode().rstrip("=")
    return {
        "made with another key": token(key=OTHER),
        "another request": f"ilt_{changed}.{seal}",
        "no seal": f"ilt_{payload}.",
        "half a seal": f"ilt_{payload}.{seal[:-2]}",
        "another alphabet": f"ilt_{payload}.{seal[:-1]}+",
        "empty": "",
        "a key": "ilk_aaaaaaaaaa_" + "a" * 59,
        "with a space": f" {token()}",
        "twice": token() + token(),
    }


@pytest.mark.parametrize("how", forged())
def test_a_forged_one_is_refused(how: str) -> None:
    with pytest.raises(IdentityError):
        Taskmaster(KEY).prove(forged()[how], 2_000)


@given(st.integers(0, 200), st.characters(codec="ascii"))
def test_any_changed_character_is_noticed(at: int, character: str) -> None:
    shown = token()
    at %= len(shown)
    changed = shown[:at] + character + shown[at + 1 :]
    if changed == shown:
        assert Taskmaster(KEY).prove(changed, 2_000).workload == "mail"
        return
    with pytest.raises(IdentityError):
        Taskmaster(KEY).prove(changed, 2_000)


@pytest.mark.parametrize(
    ("request_", "life"), [("x" * (LONGEST_REQUEST_BYTES + 1), HOUR), ("x", 0), ("x", 25 * HOUR), ("\ud800", HOUR)]
)
def test_what_cannot_be_a_task_is_refused(request_: str, life: int) -> None:
    with pytest.raises(UsageError):
        token(request_, life=life)
