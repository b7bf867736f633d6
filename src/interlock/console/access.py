"""Who may look: one-time links that become sessions. All in memory; a restart signs everybody out."""

import hashlib
import hmac
import secrets
import threading
import time
from collections.abc import Callable

# 256 bits; OWASP ASVS asks for at least 128 of a session's id.
TOKEN_BYTES = 32
# Long enough to find the terminal, short enough that a link in its scroll-back is worth nothing.
LINK_S = 15 * 60
# A working day; after it a new link is one line in the terminal away.
SESSION_S = 12 * 60 * 60
# Nobody needs more at once, and memory stays bounded whatever asks.
MAX_LINKS = 16
MAX_SESSIONS = 64


class Access:
    """Mints links, trades each for one session, and knows which sessions hold.

    Rules: a token works once and for `LINK_S`; a session for `SESSION_S`; only digests are kept, so that
    nothing in this object opens the door; ids are made here and never taken from a client; when there are
    too many, the oldest goes; a form holds a token of the session that it was made for. Thread-safe. It does NOT
    know people: whoever holds the link is let in.
    `clock` gives seconds and never runs backwards.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._key = secrets.token_bytes(TOKEN_BYTES)
        self._links: dict[bytes, float] = {}
        self._sessions: dict[bytes, float] = {}

    def mint_link(self, base: str) -> str:
        """A new one-time link below `base`, such as `http://127.0.0.1:7701`. It is a secret: print it, never log it."""
        token = secrets.token_urlsafe(TOKEN_BYTES)
        with self._lock:
            self._add(self._links, token, LINK_S, MAX_LINKS)
        return f"{base.rstrip('/')}/enter?token={token}"

    def enter(self, token: str) -> str | None:
        """A new session's id for a token that still works, and the token is used up; None for any other."""
        offered = _digest(token)
        with self._lock:
            self._forget_old(self._links)
            # Every pending digest is compared, each in constant time: the answer's time tells nothing.
            matching = [held for held in self._links if hmac.compare_digest(held, offered)]
            if not matching:
                return None
            del self._links[matching[0]]
            session = secrets.token_urlsafe(TOKEN_BYTES)
            self._add(self._sessions, session, SESSION_S, MAX_SESSIONS)
            return session

    def admits(self, session: str) -> bool:
        """Whether this session was made here and still holds."""
        with self._lock:
            self._forget_old(self._sessions)
            return _digest(session) in self._sessions

    def leave(self, session: str) -> None:
        """End a session; one that is not known is no error."""
        with self._lock:
            self._sessions.pop(_digest(session), None)

    def form_token(self, session: str) -> str:
        """What each form of this session's pages holds. No other site can read it, nor make it."""
        return hmac.new(self._key, session.encode("utf-8", "surrogatepass"), "sha256").hexdigest()

    def is_form_token(self, session: str, token: str) -> bool:
        """Whether a form was made for this session."""
        return hmac.compare_digest(self.form_token(session).encode(), token.encode("utf-8", "surrogatepass"))

    @staticmethod
    def called(session: str) -> str:
        """How the log names who acts in a session: no more than that two acts came from the same one."""
        return f"console-{_digest(session).hex()[:12]}"

    def _add(self, held: dict[bytes, float], secret: str, lifetime_s: float, most: int) -> None:
        self._forget_old(held)
        while len(held) >= most:
            del held[next(iter(held))]
        held[_digest(secret)] = self._clock() + lifetime_s

    def _forget_old(self, held: dict[bytes, float]) -> None:
        now = self._clock()
        for digest in [d for d, ends in held.items() if ends <= now]:
            del held[digest]


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()
