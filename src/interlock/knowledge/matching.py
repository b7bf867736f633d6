"""The facts put to use: which credential stands in a text, which service a host is, who makes a model."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import re2

from interlock.knowledge.facts import Credential, Service, client_credentials, credentials, families, services

# Names that AI SDKs read but that stand for much else as well: a program that reads GITHUB_TOKEN is not AI.
GENERAL_ENV = frozenset({
    "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "CLOUDFLARE_API_KEY", "CLOUDFLARE_API_TOKEN",
    "DATABRICKS_TOKEN", "DIGITALOCEAN_ACCESS_TOKEN", "GITHUB_API_KEY", "GITHUB_TOKEN",
    "GOOGLE_APPLICATION_CREDENTIALS", "KAGGLE_KEY", "LIVEKIT_API_KEY", "LIVEKIT_API_SECRET", "LOGFIRE_TOKEN",
    "N8N_API_KEY", "SCALEWAY_API_KEY", "SCW_SECRET_KEY", "SRC_ACCESS_TOKEN", "VULTR_API_KEY", "YC_API_KEY",
})  # fmt: skip
SECRET_NAME = re.compile(r"(?:KEY|TOKEN|SECRET|PASSWORD|CREDENTIALS|PAT)$")
# A made-up value: what documentation puts where a key would be.
PLACEHOLDER = re.compile(r"(?i)example|placeholder|your|xxxx|12345678|changeme|redacted|dummy|\.\.\.")
# What a template has where a value belongs: nothing, a reference to a variable, a word that asks for the value.
FILLER = re.compile(
    r"(?i)(?:your|my|add|insert|put|enter|change|replace|todo|none|null|dummy|fake|test|example|sample|some)(?:[\W_].*)?"
    r"|[<$%{\[#].*|.*(?:x{4,}|\*{3,}|\.{3,}|[-_ ]here).*"
    r"|.*(?:no[-_ ]?(?:api[-_ ]?)?key|not[-_ ](?:needed|required|used|set|real)|unused|ignored).*"
)
MAX_VALUE_CHARS = 500  # as much of a value as is judged
# A random key of 20 characters or more has about as many different ones; a filler has few (measured on
# the formats' own examples, which have at most 8).
MIN_DISTINCT = 10
# A value of no known format: shorter ones are user names, flags and passwords of test databases; one of fewer
# different characters is `0000000000000000`.
MIN_SECRET_CHARS, MIN_SECRET_DISTINCT = 16, 5
# Where a secret is, not the secret.
LOCATION = re.compile(r"[\w+.-]+://[^@]*|(?:~|\.{0,2})/[\w. -]+/.*|.*\.(?:json|pem|txt|ya?ml|toml)")
# Not secrets themselves: a label in a key file, the public half of a pair; or formats of much that is none.
NO_SECRET = frozenset({"gcp_service_account", "jwt", "langfuse_public"})
# A database on this machine or by a container's short name, or an address with its password left out.
NO_DATABASE = re.compile(r"[{}$<>]|@(?:localhost|127\.0\.0\.1|\[?::1\]?|0\.0\.0\.0|[\w-]+)(?::\d+)?$")
PEM_BODY = re.compile(r"(?:\s|\\n|[\"'+])*[A-Za-z0-9+/]{40}")
# How far before a match its keyword may stand, where the expression alone is too common to believe.
CONTEXT_CHARS = 60


@dataclass(frozen=True, slots=True)
class Hit:
    """A credential in a text: characters [start, end). The value itself is not kept."""

    credential: Credential
    start: int
    end: int


def find_credentials(text: str) -> tuple[Hit, ...]:
    """Every credential in `text`, in order, without overlaps.

    Passed over: fillers such as `sk-EXAMPLE...`, a private key's header without its body, databases on this
    machine. Linear in the length of the text (RE2).
    """
    return tuple(hit for hit in _hits(text) if _is_secret(hit, text))


def is_filler(value: str) -> bool:
    """Whether a configured value only holds the place of a secret: empty, a reference, `your-key-here`.

    >>> is_filler('"your-api-key"'), is_filler("${OPENAI_API_KEY}"), is_filler("q9w8e7r6t5")
    (True, True, False)
    """
    bare = value.strip()[:MAX_VALUE_CHARS].strip("\"'").strip()
    return not bare or bool(FILLER.fullmatch(bare) or PLACEHOLDER.search(bare))


def is_unknown_secret(value: str) -> bool:
    """Whether a value that is given as a secret is one, though of no format that `find_credentials` knows.

    >>> is_unknown_secret("k7Qz93jfPq02mXc81LsW"), is_unknown_secret("sk-no-key-required"), is_unknown_secret("EMPTY")
    (True, False, False)
    """
    bare = value.strip()
    if len(bare) < MIN_SECRET_CHARS or len(set(bare)) < MIN_SECRET_DISTINCT or LOCATION.fullmatch(bare):
        return False
    return not is_filler(bare) and not find_credentials(bare)


def redact(text: str) -> str:
    """`text` with `<id of the credential format>` where a credential stood, fillers included."""
    for hit in reversed(_hits(text)):
        text = f"{text[: hit.start]}<{hit.credential.id}>{text[hit.end :]}"
    return text


def sealed(text: str, digest: Callable[[str], str]) -> str:
    """`text` with `<id of the credential format:keyed hash>` where a credential stood: equal ones stay equal."""
    for hit in reversed(_hits(text)):
        text = f"{text[: hit.start]}<{hit.credential.id}:{digest(text[hit.start : hit.end])}>{text[hit.end :]}"
    return text


def _hits(text: str) -> tuple[Hit, ...]:
    if not _any_format().search(text):
        return ()
    lower = text.lower()
    found: list[Hit] = []
    for credential, expression in _expressions():
        for match in expression.finditer(text):
            near = lower[max(0, match.start() - CONTEXT_CHARS) : match.end()]
            if not credential.needs_context or any(word in near for word in credential.keywords):
                found.append(Hit(credential, match.start(), match.end()))
    found.sort(key=lambda hit: (hit.start, -hit.end))
    kept: list[Hit] = []
    for hit in found:
        if not kept or hit.start >= kept[-1].end:
            kept.append(hit)
    return tuple(kept)


def _is_secret(hit: Hit, text: str) -> bool:
    value = text[hit.start : hit.end]
    if hit.credential.id in NO_SECRET or PLACEHOLDER.search(value) or len(set(value)) < MIN_DISTINCT:
        return False
    if hit.credential.id == "private_key":
        return PEM_BODY.match(text, hit.end) is not None
    return hit.credential.id != "postgres_url" or not NO_DATABASE.search(value)


@cache
def _any_format() -> Any:
    """All formats in one automaton: most texts hold none, and one pass says so."""
    options = re2.Options()
    options.max_mem = 64 << 20  # the default is too small for all of them: it would fall back to a slower engine
    return re2.compile("|".join(f"(?:{credential.regex})" for credential in credentials()), options)


@cache
def _expressions() -> tuple[tuple[Credential, Any], ...]:
    return tuple((credential, re2.compile(credential.regex)) for credential in credentials())


@cache
def _credential_env() -> Mapping[str, str]:
    found: dict[str, str] = {}
    for service in services().values():
        for name in service.env:
            if SECRET_NAME.search(name) and name not in GENERAL_ENV:
                found.setdefault(name, service.id)  # of several services that share a name the first is its maker
    return found


def credential_service(name: str) -> str | None:
    """The service whose credential the environment variable `name` holds; None if that is not known."""
    return _credential_env().get(name)


# Services whose credential opens a model. Vector stores, search and tracing are for the agent's other work.
MODEL_CATEGORIES = frozenset({"llm_api", "gateway", "embedding"})


def model_credential(name: str, value: str) -> bool:
    """Whether the environment variable `name` with this value opens a provider's models, by its name or its value.

    >>> model_credential("OPENAI_API_KEY", "x"), model_credential("TAVILY_API_KEY", "x"), model_credential("HOME", "/")
    (True, False, False)
    """
    if name in client_credentials():
        return True
    opened = {hit.credential.service for hit in find_credentials(value)}
    if service := credential_service(name):
        opened.add(service)
    return any(s in services() and services()[s].category in MODEL_CATEGORIES for s in opened)


@cache
def _hosts() -> Mapping[str, Service]:
    return {host: service for service in services().values() for host in (*service.domains, *service.api_hosts)}


def service_at(host: str) -> Service | None:
    """The service that answers at `host`: the longest suffix wins, then the patterns; None if not known."""
    labels = host.lower().rstrip(".").split(".")
    for start in range(len(labels) - 1):
        if service := _hosts().get(".".join(labels[start:])):
            return service
    for service in services().values():
        if any(re2.search(pattern, host.lower()) for pattern in service.host_patterns):
            return service
    return None


@cache
def _families() -> tuple[tuple[str, Any], ...]:
    return tuple((family.provider, re2.compile(f"(?i){family.regex}")) for family in families())


def model_provider(name: str) -> str | None:
    """Who makes the model of this canonical name (an `org/` before it is allowed); None if it is no known name."""
    last = name.rpartition("/")[2]
    return next((provider for provider, expression in _families() if expression.fullmatch(last)), None)
