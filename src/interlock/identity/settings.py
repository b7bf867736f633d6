"""What can be set about identity: the issuers whose tokens are believed, and the OAuth clients that interlock is."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from interlock.identity.keys import is_workload
from interlock.model.errors import ConfigError
from interlock.model.settings import setting

# Signatures with a key pair alone. Nobody who can verify one can make one; `none` and the HS family are not among them.
ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
# RFC 6749, appendix A.4.
_SCOPE = re.compile(r"[!#-\[\]-~]+")
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True, slots=True)
class IdentitySettings:
    """`[identity]`: who callers are."""

    resource: str = setting(
        "",
        "Address by which clients know this gateway, such as https://gateway.example. Issuers' tokens have to be made"
        " for it, or for an MCP server's address below it. Empty takes http:// with [gateway] host and port.",
    )


@dataclass(frozen=True, slots=True)
class IssuerSettings:
    """`[identity.issuers.<name>]`: who gives out tokens (JWT) by which workloads prove who they are."""

    issuer: str = setting("", "What its tokens say in `iss`, exactly; its keys are found from there.")
    audience: tuple[str, ...] = setting(
        (), "What its tokens may say in `aud` beside this gateway's address, exactly, such as api://interlock."
    )
    jwks_url: str = setting("", "Address of its keys; empty asks the issuer's discovery document.")
    jwks_file: str = setting("", "File with its keys (a JWK set) in place of an address; it is read again and again.")
    ca_file: str = setting("", "PEM file of the authorities to trust for the issuer; empty takes the system's.")
    algorithms: tuple[str, ...] = setting(
        ("RS256", "PS256", "ES256", "ES384", "EdDSA"), "How its tokens may be signed.", choices=ALGORITHMS
    )
    max_lifetime_s: int = setting(7_200, "Tokens that are good for longer are refused.", least=1)
    skew_s: int = setting(60, "How far its clock may go wrong.")
    stale_s: int = setting(
        21_600, "While its keys cannot be had anew, the last ones are good for so long; then its tokens are refused."
    )
    workload_claim: str = setting("sub", "The claim that says which workload it is.")
    workloads: tuple[str, ...] = setting(
        (),
        "VALUE=WORKLOAD: what the claim may say, and which workload that is. Empty takes every value, as <name>/VALUE,"
        " so that no issuer can speak of the workloads of another.",
    )
    scopes: tuple[str, ...] = setting((), "Scopes that a token must have, all of them.")
    authorize: bool = setting(True, "Name it to MCP clients as the server that gives them tokens.")

    @property
    def names(self) -> Mapping[str, str]:
        """The workload of each value that the claim may have; empty if it may have any."""
        return {value: workload for value, _, workload in (line.rpartition("=") for line in self.workloads)}


@dataclass(frozen=True, slots=True)
class ClientSettings:
    """`[identity.clients.<name>]`: an OAuth client that interlock is, for tokens to show to MCP servers.

    A server's table names it in `client`. What a caller shows is never sent to a server; with `token-exchange` it goes
    to the token endpoint, which gives out another one for it.
    """

    grant: str = setting(
        "client-credentials",
        "How tokens are had: client-credentials (interlock's own), or token-exchange (for the caller's, RFC 8693).",
        choices=("client-credentials", "token-exchange"),
    )
    token_url: str = setting("", "The authorization server's token endpoint.")
    client_id: str = setting("", "What interlock is called there.")
    secret_env: str = setting("", "Environment variable that holds the client's secret.")
    secret_file: str = setting("", "File that holds it; read again for each token, so that it can be replaced.")
    auth: str = setting(
        "basic", "How the secret is shown: basic (a header) or post (in the form).", choices=("basic", "post")
    )
    scopes: tuple[str, ...] = setting((), "Scopes to ask for.")
    audience: str = setting("", "What to send as `audience` beside `resource`, for servers that want it.")
    actor_file: str = setting(
        "", "File with the token of who acts for the caller (RFC 8693, actor_token), such as the gateway's own."
    )
    ca_file: str = setting("", "PEM file of the authorities to trust there; empty takes the system's.")


def check_client(name: str, client: ClientSettings) -> None:
    """Refuse a table that makes no client. Raises: ConfigError that names the setting in its `where`."""
    if not _NAME.fullmatch(name):
        raise ConfigError(f"a client cannot be called {name!r}", where="", hint="letters, digits, - and _")
    check_address(client.token_url, "token_url", f"the tokens of client {name!r}")
    if not re.fullmatch(r"[ -~]+", client.client_id):
        raise ConfigError(f"client {name!r} does not say who it is", where="client_id", hint="name it as it is there")
    if bool(client.secret_env) == bool(client.secret_file):
        hint = "secret_env names a variable, secret_file a file"
        raise ConfigError(f"client {name!r} needs one secret", where="secret_env", hint=hint)
    if client.actor_file and client.grant != "token-exchange":
        raise ConfigError(f"client {name!r} acts for nobody", where="actor_file", hint='grant = "token-exchange"')
    check_scopes(client.scopes, "scopes", f"client {name!r}")


def check_issuer(name: str, issuer: IssuerSettings) -> None:
    """Refuse a table that makes no issuer. Raises: ConfigError that names the setting in its `where`."""
    if not _NAME.fullmatch(name):
        raise ConfigError(f"an issuer cannot be called {name!r}", where="", hint="letters, digits, - and _")
    if not issuer.issuer:
        hint = 'what the tokens say in iss, such as issuer = "https://login.example"'
        raise ConfigError(f"issuer {name!r} does not say who it is", where="issuer", hint=hint)
    if issuer.jwks_file and issuer.jwks_url:
        raise ConfigError(f"issuer {name!r} has its keys in two places", where="jwks_url", hint="leave one of them out")
    if not issuer.jwks_file:
        where = "jwks_url" if issuer.jwks_url else "issuer"
        check_address(issuer.jwks_url or issuer.issuer, where, f"the keys of issuer {name!r}")
    if not issuer.algorithms:
        raise ConfigError(f"issuer {name!r} may sign in no way", where="algorithms", hint="leave it out")
    for line in issuer.workloads:
        value, equals, workload = line.rpartition("=")
        if not equals or not value or not is_workload(workload):
            hint = 'such as workloads = ["system:serviceaccount:prod:billing=billing-agent"]'
            raise ConfigError(f"issuer {name!r}: {line!r} is not VALUE=WORKLOAD", where="workloads", hint=hint)
    if len(issuer.names) != len(issuer.workloads):
        raise ConfigError(f"issuer {name!r} names one value twice", where="workloads", hint="say it once")
    check_scopes(issuer.scopes, "scopes", f"issuer {name!r}")


def check_resource(settings: IdentitySettings) -> None:
    """Refuse an address that cannot be a token's audience. Raises: ConfigError that names the setting."""
    if settings.resource and not re.fullmatch(r"https?://[A-Za-z0-9._:\[\]-]+", settings.resource):
        hint = "scheme, host and port, without a path, such as https://gateway.example"
        raise ConfigError(f"resource cannot be {settings.resource!r}", where="resource", hint=hint)


def check_address(url: str, where: str, what: str) -> None:
    """Refuse an address at which nobody could be sure who answers. Raises: ConfigError."""
    if not is_safe(url):
        hint = "an https address without user, query and fragment; http only for this machine itself"
        raise ConfigError(f"{what} cannot be had from {url!r}", where=where, hint=hint)


def check_scopes(scopes: tuple[str, ...], where: str, what: str) -> None:
    """Refuse what cannot be a scope. Raises: ConfigError."""
    for scope in scopes:
        if not _SCOPE.fullmatch(scope):
            raise ConfigError(f"{what}: {scope!r} is no scope", where=where, hint="one word in each text")


def is_safe(url: str) -> bool:
    """Whether `url` is https, or http to this machine itself, and holds nothing that is a secret or ignored.

    >>> is_safe("https://login.example/tenant"), is_safe("http://login.example"), is_safe("http://127.0.0.1:9/a")
    (True, False, True)
    """
    try:
        parts: SplitResult = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return False
    if not host or parts.username is not None or parts.fragment or not re.fullmatch(r"[!-~]+", url):
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and host in _LOOPBACK)
