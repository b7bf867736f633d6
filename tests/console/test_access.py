"""One-time links and sessions."""

import threading
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock.console.access import LINK_S, MAX_LINKS, MAX_SESSIONS, SESSION_S, Access


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def token(access: Access) -> str:
    link = access.mint_link("http://127.0.0.1:7701/")
    assert link.startswith("http://127.0.0.1:7701/enter?token=")
    return parse_qs(urlsplit(link).query)["token"][0]


def test_a_link_signs_in_once() -> None:
    access = Access()
    offered = token(access)
    session = access.enter(offered)
    assert session is not None
    assert access.admits(session)
    assert access.enter(offered) is None


def test_a_token_has_256_bits_and_no_two_are_equal() -> None:
    access = Access()
    tokens = {token(access) for _ in range(50)}
    assert len(tokens) == 50
    assert all(len(each) == 43 for each in tokens)


def test_a_link_ends_and_so_does_a_session() -> None:
    clock = Clock()
    access = Access(clock)
    late, used = token(access), token(access)
    session = access.enter(used)
    assert session is not None
    clock.now = LINK_S
    assert access.enter(late) is None
    clock.now = SESSION_S - 1
    assert access.admits(session)
    clock.now = SESSION_S
    assert not access.admits(session)


def test_who_leaves_is_out() -> None:
    access = Access()
    session = access.enter(token(access)) or ""
    access.leave(session)
    access.leave("nobody")
    assert not access.admits(session)


def test_the_oldest_makes_room() -> None:
    access = Access()
    links = [token(access) for _ in range(MAX_LINKS + 1)]
    assert access.enter(links[0]) is None
    sessions = [access.enter(links[1])]
    sessions += [access.enter(token(access)) for _ in range(MAX_SESSIONS)]
    assert not access.admits(sessions[0] or "")
    assert all(access.admits(session or "") for session in sessions[1:])


def test_of_many_at_once_exactly_one_wins() -> None:
    access = Access()
    for _ in range(20):
        offered = token(access)
        start = threading.Barrier(8)
        won: list[str | None] = []

        def use(offered: str = offered, start: threading.Barrier = start, won: list[str | None] = won) -> None:
            start.wait()
            won.append(access.enter(offered))

        threads = [threading.Thread(target=use) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(won) == 8
        assert sum(session is not None for session in won) == 1


@given(st.text())
def test_what_was_not_minted_opens_nothing(guess: str) -> None:
    access = Access()
    token(access)
    assert access.enter(guess) is None
    assert not access.admits(guess)


def test_nothing_in_the_object_opens_the_door() -> None:
    access = Access()
    offered = token(access)
    session = access.enter(offered) or ""
    kept = repr(vars(access))
    assert offered not in kept
    assert session not in kept


@pytest.mark.parametrize("base", ["http://127.0.0.1:7701", "http://127.0.0.1:7701/"])
def test_a_link_stands_below_its_base(base: str) -> None:
    assert Access().mint_link(base).startswith("http://127.0.0.1:7701/enter?token=")
