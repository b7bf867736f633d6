"""The facts, typed: services, credentials, symbols, packages, clients, models and frameworks, each loaded once.

Raises nothing of its own: a data file that does not fit its struct is a bug of this package, which
`tests/knowledge` finds, and comes out as `msgspec.ValidationError`.
"""

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Literal, TypeVar

import msgspec

FRAMEWORKS = (
    "csa_aicm_domains",
    "eu_ai_act",
    "iso_42001_annex_a",
    "mcp_attacks",
    "mitre_atlas",
    "nist_ai_rmf_1_0",
    "nist_csf_2_0",
    "owasp_agentic_threats",
    "owasp_asi_2026",
    "owasp_llm_2025",
    "owasp_mcp_2025",
    "owasp_nhi_2025",
)
T = TypeVar("T")


class Service(msgspec.Struct, frozen=True):
    """An AI service: its hosts (a suffix match, the longest wins), wire protocols and environment variables.

    `host_patterns` are RE2 expressions for hosts that no suffix can say. `audience` is api, consumer,
    enterprise or mixed.
    """

    id: str
    name: str
    vendor: str
    category: str
    audience: str
    ref: tuple[str, ...]
    api_hosts: tuple[str, ...] = ()
    domains: tuple[str, ...] = ()
    host_patterns: tuple[str, ...] = ()
    protocols: tuple[str, ...] = ()
    env: tuple[str, ...] = ()
    note: str = ""


class Credential(msgspec.Struct, frozen=True):
    """A credential's format: an RE2 expression, and lower-case keywords one of which must be near it.

    `needs_context` says that the expression alone is too common to believe without a keyword in the same
    line. `example` is made up and matches.
    """

    id: str
    service: str
    name: str
    regex: str
    keywords: tuple[str, ...]
    needs_context: bool
    severity: str
    example: str
    ref: str
    length: str = ""
    prefix: tuple[str, ...] = ()
    checksum: str | None = None
    unverified: bool = False
    note: str = ""


class Symbol(msgspec.Struct, frozen=True):
    """A name in an SDK or framework that makes an asset.

    `symbol` is `module.Name`, or `module.Class#method.path` for what is called on an instance. `form` is
    class, function, method, decorator, subclass or factory. `args` says which argument holds the model,
    name, tools, prompt, credential, endpoint and so on; a number is a place among the positional ones.
    """

    id: str
    lang: str
    package: str
    symbol: str
    form: str
    kind: str
    service: str
    ref: str
    checked: str
    args: Mapping[str, str] = msgspec.field(default_factory=dict)
    note: str = ""


class Pattern(msgspec.Struct, frozen=True):
    """A naming rule of an SDK's classes: an RE2 expression for the whole dotted name; `args` as in `Symbol`.

    Several names of an argument are parted by `|`.
    """

    id: str
    regex: str
    form: str
    kind: str
    package: str
    ref: str
    service: str = ""
    args: Mapping[str, str] = msgspec.field(default_factory=dict)


class Symbols(msgspec.Struct, frozen=True):
    """All symbols, and rules for those that follow one; a symbol comes before a rule.

    `aliases` are other names of a class, or classes with the same methods. `common_words` are top-level
    modules whose name a project may well use for its own code.
    """

    entries: tuple[Symbol, ...]
    patterns: tuple[Pattern, ...]
    aliases: Mapping[str, str]
    common_words: tuple[str, ...]


class Package(msgspec.Struct, frozen=True):
    """A PyPI package that has to do with AI; `name` is normalised, `imports` are its modules."""

    name: str
    imports: tuple[str, ...]
    role: str
    service: str = ""


class Family(msgspec.Struct, frozen=True):
    """How a provider spells the names of its models: an RE2 expression for a whole canonical name."""

    provider: str
    regex: str


class ClientVariable(msgspec.Struct, frozen=True):
    """An environment variable that SDKs read: a model server's `address` (with `path` after it) or their `key`.

    A `filler` is a credential that SDKs insist on; behind a gateway its value does not matter.
    """

    name: str
    holds: Literal["address", "key", "filler"]
    readers: str
    ref: str
    path: str = ""


class ClientProtocol(msgspec.Struct, frozen=True):
    """What leads the SDKs of one protocol to a server. `services` are those that speak it at their own hosts."""

    name: str
    services: tuple[str, ...]
    variables: tuple[ClientVariable, ...]


class GeneralCredential(msgspec.Struct, frozen=True):
    """An environment variable with a credential that opens models beside the keys of `ClientProtocol`."""

    name: str
    ref: str


class Item(msgspec.Struct, frozen=True):
    """One requirement, risk or technique of a framework, described in our own words."""

    id: str
    title: str
    description: str = ""


class Framework(msgspec.Struct, frozen=True):
    """A published framework. `confidence` says how its ids and titles were checked."""

    framework: str
    version: str
    confidence: str
    items: tuple[Item, ...]
    source: str = ""
    note: str = ""
    tactics: tuple[Item, ...] = ()
    mitigations: tuple[Item, ...] = ()

    def ids(self) -> frozenset[str]:
        """The ids that a `Meta.refs` may name after `file:`."""
        return frozenset(item.id for item in (*self.items, *self.tactics, *self.mitigations))


class _Services(msgspec.Struct, frozen=True):
    services: tuple[Service, ...]


class _Credentials(msgspec.Struct, frozen=True):
    credentials: tuple[Credential, ...]


class _Packages(msgspec.Struct, frozen=True):
    packages: tuple[Package, ...]


class _Clients(msgspec.Struct, frozen=True):
    protocols: tuple[ClientProtocol, ...]
    general: tuple[GeneralCredential, ...]


class _Models(msgspec.Struct, frozen=True):
    families: tuple[Family, ...]


@cache
def services() -> Mapping[str, Service]:
    """Every service by id."""
    return MappingProxyType({s.id: s for s in _read("data/services", _Services).services})


@cache
def credentials() -> tuple[Credential, ...]:
    """Every credential format, in the file's order: the more exact ones of a service come first."""
    return _read("data/credentials", _Credentials).credentials


@cache
def secrets() -> tuple[Credential, ...]:
    """Formats of secrets that open other things than models; each stands alone."""
    return _read("data/secrets", _Credentials).credentials


@cache
def symbols() -> Symbols:
    """Every SDK and framework symbol, Python's and JavaScript's."""
    return _read("data/symbols", Symbols)


@cache
def packages() -> Mapping[str, Package]:
    """Every known package by normalised name."""
    return MappingProxyType({p.name: p for p in _read("data/packages", _Packages).packages})


@cache
def client_protocols() -> tuple[ClientProtocol, ...]:
    """The environment variables by which SDKs find a server and prove who they are, by protocol."""
    return _read("data/client_environment", _Clients).protocols


@cache
def client_credentials() -> frozenset[str]:
    """Environment variables in which SDKs look for a credential that opens models, some of them much else as well."""
    keys = frozenset(v.name for p in client_protocols() for v in p.variables if v.holds != "address")
    return keys | frozenset(c.name for c in _read("data/client_environment", _Clients).general)


@cache
def families() -> tuple[Family, ...]:
    """How model names are spelled, the more exact expressions first."""
    return _read("data/models", _Models).families


@cache
def frameworks() -> Mapping[str, Framework]:
    """Every framework by the name that `Meta.refs` uses, such as `owasp_llm_2025`."""
    return MappingProxyType({name: _read(f"frameworks/{name}", Framework) for name in FRAMEWORKS})


def _read(name: str, kind: type[T]) -> T:
    return msgspec.json.decode(files(__package__).joinpath(f"{name}.json").read_bytes(), type=kind)
