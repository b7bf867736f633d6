"""What interlock shows to MCP servers: a secret from a file, or tokens that it is given as an OAuth client."""

import asyncio
import base64
import re
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Protocol
from urllib.parse import quote_plus

from interlock.identity.fetch import Fetched, fetch, tls
from interlock.identity.settings import ClientSettings
from interlock.model.errors import ConfigError, ProtocolError, UpstreamError
from interlock.protocols import decode

EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"
JWT = "urn:ietf:params:oauth:token-type:jwt"
# A token is had anew so long before its end, or a tenth of its life before, whichever is shorter.
EARLY_S = 60.0
# A token that is refused though it is younger than this: a new one would be refused as well.
YOUNG_S = 5.0
# What is taken for the life of a token that does not say it (RFC 6749, section 5.1, only recommends that it does).
UNSAID_S = 60.0
# One for each caller and server.
KEPT = 10_000
# How long what a file holds is taken for true.
READ_S = 10.0
LONGEST = 16_384
OK = 200
# RFC 6749, section 5.2: what an authorization server may call an error; its own words could quote a secret.
_ERROR = re.compile(r"[a-z_]{1,40}")
_TOKEN = re.compile(rf"[!-~]{{1,{LONGEST}}}")


class Source(Protocol):
    """Where a credential for one server comes from."""

    async def token(self, subject: str, refused: str = "") -> str:
        """The credential for a request of who has shown the token `subject`, or none.

        `refused` is one that the server did not take: not that one again, if there is another. Raises: UpstreamError.
        """
        ...


class SecretFile:
    """A secret in a file, which may be replaced at any time: what it holds now, or held seconds ago."""

    def __init__(self, path: str, where: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._path = path
        self._where = where
        self._clock = clock
        self._held, self._until = "", 0.0

    def read(self) -> str:
        """What it holds, now. Raises: ConfigError."""
        try:
            with open(self._path, encoding="ascii") as file:
                text = file.read(LONGEST + 1).strip()
        except (OSError, UnicodeDecodeError) as error:
            why = getattr(error, "strerror", None) or "it is not plain ASCII"
            raise ConfigError(f"the file cannot be read: {why}", where=self._where, hint="a text on one line") from None
        if not _TOKEN.fullmatch(text):
            raise ConfigError("the file holds no credential", where=self._where, hint="a text on one line")
        return text

    async def token(self, subject: str, refused: str = "") -> str:  # noqa: ARG002 - it is the same for all
        """What it holds. Raises: UpstreamError."""
        if not self._held or refused == self._held or self._clock() >= self._until:
            try:
                self._held = await asyncio.to_thread(self.read)
            except ConfigError as error:
                raise UpstreamError(f"has no credential: {error.what}", where=self._where) from None
            self._until = self._clock() + READ_S
        return self._held


@dataclass(slots=True)
class _Held:
    token: str = field(repr=False)
    since: float
    until: float


class OAuthClient:
    """One client of an authorization server.

    Rules: a token is kept in memory until shortly before its end, one for each server and caller; who comes meanwhile
    waits for the same question; neither a secret nor a token is in an error or a `repr`. With token exchange a caller
    without a token of its own gets none.
    """

    def __init__(
        self, name: str, settings: ClientSettings, env: Mapping[str, str], clock: Callable[[], float] = time.monotonic
    ) -> None:
        """`clock` never goes back, in seconds. Raises: ConfigError."""
        self._where = f"identity.clients.{name}"
        self._settings = settings
        self._clock = clock
        self._tls = tls(settings.ca_file, f"{self._where}.ca_file")
        self._file = SecretFile(settings.secret_file, self._where, clock) if settings.secret_file else None
        self._actor = SecretFile(settings.actor_file, self._where, clock) if settings.actor_file else None
        self._secret = env.get(settings.secret_env, "").strip()
        if not self._file and not _TOKEN.fullmatch(self._secret):
            where = f"environment variable {settings.secret_env}, for {self._where}"
            raise ConfigError("there is no secret in it", where=where, hint="set it before interlock starts")
        self._held: OrderedDict[tuple[str, bytes], _Held] = OrderedDict()
        self._asking: dict[tuple[str, bytes], asyncio.Task[str]] = {}

    async def token(self, resource: str, subject: str, refused: str = "") -> str:
        """A token for `resource`; see `Source`. Raises: UpstreamError."""
        exchanged = self._settings.grant == "token-exchange"
        if exchanged and not subject:
            what = "wants a token that is made from the caller's own, and the caller showed none"
            raise UpstreamError(what, where=self._where, status=403)
        key = (resource, sha256(subject.encode()).digest() if exchanged else b"")
        held, now = self._held.get(key), self._clock()
        if held and now < held.until and (held.token != refused or now - held.since < YOUNG_S):
            self._held.move_to_end(key)
            return held.token
        if key not in self._asking:
            task = asyncio.get_running_loop().create_task(self._ask(key, resource, subject if exchanged else ""))
            self._asking[key] = task
            task.add_done_callback(lambda done: self._asked(key, done))
        return await asyncio.shield(self._asking[key])

    def secrets(self) -> list[str]:
        """What must never go out anywhere else. Raises: ConfigError."""
        return [self._file.read() if self._file else self._secret]

    def _asked(self, key: tuple[str, bytes], done: "asyncio.Task[str]") -> None:
        del self._asking[key]
        if not done.cancelled():
            done.exception()  # whoever waited was told; if nobody waits any more, nobody needs to be

    async def _ask(self, key: tuple[str, bytes], resource: str, subject: str) -> str:
        said = self._settings
        secret = await self._file.token("") if self._file else self._secret
        form = {"grant_type": EXCHANGE if subject else "client_credentials", "resource": resource}
        if said.scopes:
            form["scope"] = " ".join(said.scopes)
        if said.audience:
            form["audience"] = said.audience
        if subject:
            form |= {"subject_token": subject, "subject_token_type": JWT, "requested_token_type": ACCESS_TOKEN}
        if subject and self._actor:
            form |= {"actor_token": await self._actor.token(""), "actor_token_type": JWT}
        shown = ""
        if said.auth == "basic":  # RFC 6749, section 2.3.1: each is encoded as in a form first
            pair = f"{quote_plus(said.client_id)}:{quote_plus(secret)}"
            shown = f"Basic {base64.b64encode(pair.encode()).decode()}"
        else:
            form |= {"client_id": said.client_id, "client_secret": secret}
        try:
            token, life_s = self._read(await fetch(said.token_url, self._tls, form=form, authorization=shown))
        except UpstreamError as error:
            what = f"interlock was given no token for it: {error.brief}"
            raise UpstreamError(what, where=self._where, status=error.status) from None
        self._held[key] = _Held(token, self._clock(), self._clock() + life_s - min(EARLY_S, life_s / 10))
        self._held.move_to_end(key)
        if len(self._held) > KEPT:
            self._held.popitem(last=False)
        return token

    @staticmethod
    def _read(answer: Fetched) -> tuple[str, float]:
        """The token of an answer, and its life in seconds. Raises: UpstreamError."""
        try:
            said = decode(bytes(answer.body))
        except ProtocolError:
            said = {}
        if answer.status != OK:
            error = said.get("error")
            named = error if isinstance(error, str) and _ERROR.fullmatch(error) else "no reason is given"
            raise UpstreamError(f"answered {answer.status}, {named}")
        token, kind, life_s = said.get("access_token"), said.get("token_type"), said.get("expires_in", UNSAID_S)
        if not isinstance(token, str) or not _TOKEN.fullmatch(token):
            raise UpstreamError("answered without an access token")
        if not isinstance(kind, str) or kind.lower() != "bearer":
            raise UpstreamError("gave a token that is no bearer token")
        if isinstance(life_s, bool) or not isinstance(life_s, int | float) or not 0 <= life_s < 1e9:
            life_s = UNSAID_S
        return token, float(life_s)


@dataclass(frozen=True, slots=True)
class ClientToken:
    """The tokens of one client for one server."""

    client: OAuthClient
    resource: str

    async def token(self, subject: str, refused: str = "") -> str:
        """See `Source`."""
        return await self.client.token(self.resource, subject, refused)
