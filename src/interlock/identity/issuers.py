"""The issuers whose tokens are believed here, and their keys: had from them beside the traffic, and kept current."""

import asyncio
import re
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from urllib.parse import urlsplit

from interlock.identity import tokens
from interlock.identity.fetch import LONGEST_BYTES, fetch, tls
from interlock.identity.jwks import Keys, read_keys
from interlock.identity.settings import IssuerSettings, is_safe
from interlock.identity.tokens import Proven, Unverified
from interlock.model.decision import Principal
from interlock.model.errors import ConfigError, IdentityError, InterlockError, ProtocolError
from interlock.protocols import decode

# Keys are had anew after this; an issuer publishes the next one hours before it signs with it.
FRESH_S = 600.0
# While they could not be had.
RETRY_S = 30.0
# Between two times that an unknown key makes the issuer be asked: whoever invents key ids can cause no more than that.
ASKED_S = 30.0
# Tokens whose signature was verified; a workload shows the same one until it expires.
KEPT = 20_000
OK = 200
# One server, or all of them. It stands in a header and in a document.
_MCP_PATH = re.compile(r"(/mcp(?:/[A-Za-z0-9_-]{1,64})?)/?")
METADATA = "/.well-known/oauth-protected-resource"


class Issuer:
    """One issuer. Its keys are the last ones that could be had; the tokens that they proved are forgotten with them."""

    def __init__(
        self, name: str, settings: IssuerSettings, clock: Callable[[], float], note: Callable[[str], None]
    ) -> None:
        """`clock` never goes back, in seconds; `note` tells the operator. Raises: ConfigError."""
        self.name = name
        self.settings = settings
        self._clock = clock
        self._note = note
        self._tls = tls(settings.ca_file, f"identity.issuers.{name}.ca_file")
        self._keys, self._known = Keys(), dict[bytes, Proven]()
        self._had: float | None = None
        self._asked: float | None = None
        self._fetching: asyncio.Task[None] | None = None
        self._trouble = "they have not been asked for"

    def lacks(self, said: Unverified) -> asyncio.Task[None] | None:
        """What to wait for before a token can be judged: its key is not known, and the issuer may be asked now."""
        if said.algorithm not in self.settings.algorithms or self._keys.find(said.kid, said.algorithm):
            return None
        if self._fetching:
            return self._fetching
        if self._asked is not None and self._clock() - self._asked < ASKED_S:
            return None
        self._asked = self._clock()
        return self.refresh()

    def prove(self, said: Unverified, now_s: float, audiences: Sequence[str]) -> Proven:
        """What a token proves, here and now. Raises: IdentityError."""
        if said.algorithm not in self.settings.algorithms:
            raise IdentityError(f"issuer {self.name} may not sign in the way of this token (alg)")
        if self._had is None or self._clock() - self._had > FRESH_S + self.settings.stale_s:
            raise IdentityError(f"the keys of issuer {self.name} cannot be had: {self._trouble}")
        shown = sha256(said.token.encode()).digest()
        proven = self._known.get(shown)
        if proven is None:
            proven = self._verified(said)
            if len(self._known) < KEPT:
                self._known[shown] = proven
        tokens.check(proven, self.settings, audiences, now_s)
        return proven

    def _verified(self, said: Unverified) -> Proven:
        key = self._keys.find(said.kid, said.algorithm)
        if key is None:
            raise IdentityError(f"the token's key is none of issuer {self.name} (kid); last asked: {self._trouble}")
        tokens.verify(said, key)
        return tokens.judge(said.claims, self.name, self.settings)

    def refresh(self) -> asyncio.Task[None]:
        """Ask for the keys, now, and once for all who wait."""
        if self._fetching is None:
            self._fetching = asyncio.get_running_loop().create_task(self._refresh())
            self._fetching.add_done_callback(self._fetched)
        return self._fetching

    async def run(self) -> None:
        """Keep the keys current, until cancelled."""
        try:
            while True:
                await asyncio.shield(self.refresh())
                await asyncio.sleep(FRESH_S if self._trouble == "well" else RETRY_S)
        finally:
            if self._fetching:
                self._fetching.cancel()

    def _fetched(self, _: asyncio.Task[None]) -> None:
        self._fetching = None

    async def _refresh(self) -> None:
        try:
            keys = read_keys(await self._published(), self.settings.algorithms)
        except Exception as error:  # noqa: BLE001 - the process's edge: without it no key would be current any more
            why = error.brief if isinstance(error, InterlockError) else f"a fault in interlock, {type(error).__name__}"
            self._say(why)
        else:
            # INVARIANT: what was had takes the place of what was, also if nothing in it can be used.
            self._keys, self._known, self._had = keys, {}, self._clock()
            if keys.by_id:
                self._trouble = "well"
            else:
                self._say("the set holds no key that can be used")

    def _say(self, why: str) -> None:
        if self._trouble != why:
            self._trouble = why
            self._note(f"the keys of issuer {self.name} cannot be had, trying again: {why}")

    async def _published(self) -> bytes:
        """The set of keys. Raises: IdentityError, UpstreamError."""
        if self.settings.jwks_file:
            return await asyncio.to_thread(_file, self.settings.jwks_file)
        url = self.settings.jwks_url or await self._discovered()
        answer = await fetch(url, self._tls)
        if answer.status != OK:
            raise IdentityError(f"answered {answer.status} for its keys", where=urlsplit(url).hostname or "")
        return bytes(answer.body)

    async def _discovered(self) -> str:
        """Where the keys are, from OpenID Connect Discovery or RFC 8414. Raises: IdentityError, UpstreamError."""
        issuer, status = self.settings.issuer, 0
        for url in _documents(issuer):
            answer = await fetch(url, self._tls)
            status = answer.status
            if status != OK:
                continue
            try:
                document = decode(bytes(answer.body))
            except ProtocolError as error:
                raise IdentityError(f"its discovery document cannot be read: {error.what}") from None
            # RFC 8414, section 3.3: else one issuer could stand in for another.
            if document.get("issuer") != issuer:
                raise IdentityError("its discovery document is another issuer's")
            where = document.get("jwks_uri")
            if not isinstance(where, str) or not is_safe(where) or _downgrades(issuer, where):
                raise IdentityError("its discovery document names no safe place for its keys (jwks_uri)")
            return where
        raise IdentityError(f"answered {status} for its discovery document", where=urlsplit(issuer).hostname or "")


@dataclass(slots=True)
class Issuers:
    """Believes the tokens of configured issuers.

    Rules: the issuer is found by `iss`, exactly, and only its keys count; the signature is verified before a claim is
    believed; the audience is this gateway or the MCP server that is asked; that a key could not be had refuses. It does
    NOT remember `jti`: an access token is shown with each request (docs/adr/0011-issuers.md).
    """

    issuers: Mapping[str, Issuer]
    resource: str
    _by_iss: dict[str, Issuer] = field(init=False)

    def __post_init__(self) -> None:
        self._by_iss = {issuer.settings.issuer: issuer for issuer in self.issuers.values()}

    def missing(self, presented: str) -> Awaitable[None] | None:
        """What to wait for before `prove` can say more than that a key is not known; None if nothing would help."""
        token = tokens.bare(presented)
        if not token:
            return None
        try:
            said = tokens.examine(token)
        except IdentityError:
            return None
        issuer = self._by_iss.get(said.issuer)
        fetching = issuer.lacks(said) if issuer else None
        return asyncio.shield(fetching) if fetching else None

    def prove(self, presented: str, now_us: int, path: str = "") -> Principal:
        """The workload whose token this is, which asks for `path`. Raises: IdentityError."""
        said = tokens.examine(tokens.bare(presented))
        issuer = self._by_iss.get(said.issuer)
        if issuer is None:
            raise IdentityError("the token's issuer is none that is believed here (iss)")
        proven = issuer.prove(said, now_us / 1e6, self.audiences(path))
        # The subject, and not the token: a session goes on when its token is renewed.
        return Principal(proven.workload, f"token:{issuer.name}:{proven.subject}")

    def audiences(self, path: str) -> tuple[str, ...]:
        """What tokens may be made for that are shown at `path`: the gateway, or the MCP server that is there."""
        below = mcp_path(path)
        return (self.resource, f"{self.resource}/", *((self.resource + below,) if below else ()))

    def challenge(self, path: str, lacking: tuple[str, ...] = ()) -> bytes:
        """The header lines of a refusal (RFC 9728, section 5.1; RFC 6750, section 3)."""
        scope = f'error="insufficient_scope", scope="{" ".join(lacking)}", ' if lacking else ""
        where = f"{self.resource}{METADATA}{mcp_path(path)}"
        return f'www-authenticate: Bearer {scope}resource_metadata="{where}"\r\n'.encode()

    def metadata(self, path: str) -> dict[str, object] | None:
        """The protected resource metadata (RFC 9728) that stands at `path`; None if none does.

        It is the same for a server that there is and one that there is not.
        """
        below = path.removeprefix(METADATA)
        if not path.startswith(METADATA) or below != mcp_path(below):
            return None
        named = [one.settings for one in self.issuers.values() if one.settings.authorize]
        scopes = sorted({scope for one in named for scope in one.scopes})
        return {
            "resource": self.resource + below,
            "authorization_servers": [one.issuer for one in named],
            "bearer_methods_supported": ["header"],
            "resource_name": "interlock",
            **({"scopes_supported": scopes} if scopes else {}),
        }

    async def run(self) -> None:
        """Keep all keys current, until cancelled."""
        await asyncio.gather(*(issuer.run() for issuer in self.issuers.values()))


def build(settings: Mapping[str, IssuerSettings], resource: str, note: Callable[[str], None]) -> Issuers | None:
    """The issuers of these settings; None if there are none. Raises: ConfigError."""
    if not settings:
        return None
    said = [one.issuer for one in settings.values()]
    for name, one in settings.items():
        if said.count(one.issuer) > 1:
            hint = "one table for each issuer; audience, workloads and algorithms can each have several"
            raise ConfigError("two issuers say the same", where=f"identity.issuers.{name}.issuer", hint=hint)
    found = {name: Issuer(name, one, time.monotonic, note) for name, one in settings.items()}
    return Issuers(found, resource)


def mcp_path(path: str) -> str:
    """A path by which MCP servers are reached, in the form in which tokens name it; empty if it is none.

    >>> mcp_path("/mcp/tracker"), mcp_path("/mcp/"), mcp_path("/mcp/a/b"), mcp_path("/openai/v1")
    ('/mcp/tracker', '/mcp', '', '')
    """
    match = _MCP_PATH.fullmatch(path)
    return match[1] if match else ""


def _documents(issuer: str) -> tuple[str, str]:
    parts = urlsplit(issuer)
    path = parts.path.rstrip("/")
    origin = f"{parts.scheme}://{parts.netloc}"
    return (
        f"{origin}{path}/.well-known/openid-configuration",
        f"{origin}/.well-known/oauth-authorization-server{path}",
    )


def _downgrades(issuer: str, url: str) -> bool:
    """Whether keys of an issuer that is elsewhere would come from this machine, or without TLS."""
    return issuer.startswith("https:") and not url.startswith("https:")


def _file(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            data = file.read(LONGEST_BYTES + 1)
    except OSError as error:
        raise IdentityError(f"its file cannot be read: {error.strerror}") from None
    if len(data) > LONGEST_BYTES:
        raise IdentityError(f"its file has over {LONGEST_BYTES} bytes")
    return data
