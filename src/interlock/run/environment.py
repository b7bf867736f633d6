"""The environment of a program whose AI traffic goes through the gateway. Pure: settings and names in, names out."""

from collections.abc import Collection, Iterable, Mapping
from urllib.parse import urlsplit

from interlock.gateway.settings import Upstream
from interlock.knowledge import client_protocols, host_of, model_credential, service_at

# Base addresses are on this machine: a proxy that the organisation uses for the world must not be asked for them.
DIRECT = ("127.0.0.1", "localhost", "::1")
# In place of a credential that SDKs insist on and the gateway does not look at.
FILLER = "interlock"
# What the HTTP clients of Python, Go, curl and the AWS SDKs read, some in one spelling only.
PROXIES = ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy")
NO_PROXIES = ("NO_PROXY", "no_proxy")
# Node from 22.21 and 24 on uses those proxies if this says so (nodejs.org/api/cli.html#node_use_env_proxy1).
NODE = {"NODE_USE_ENV_PROXY": "1"}
# OpenSSL, Go and Rust; requests of Python; Node; curl; the AWS SDKs.
AUTHORITIES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS", "CURL_CA_BUNDLE", "AWS_CA_BUNDLE")


def served(upstreams: Mapping[str, Upstream]) -> dict[str, str | None]:
    """Which upstream each protocol's SDKs are led to: the one of the protocol's name, else the first at a host of a
    service that speaks it. OpenAI's is what other servers speak, so that the first that is nobody else's takes it.

    >>> served({"claude": Upstream("https://api.anthropic.com"), "lab": Upstream("http://lab:8000/v1")})["openai"]
    'lab'
    """
    hosts = {name: service_at(host_of(upstream.url)) for name, upstream in upstreams.items()}
    chosen: dict[str, str | None] = {}
    for protocol in client_protocols():
        at_home = (name for name, service in hosts.items() if service and service.id in protocol.services)
        chosen[protocol.name] = protocol.name if protocol.name in upstreams else next(at_home, None)
    if chosen["openai"] is None:
        chosen["openai"] = next((name for name in upstreams if name not in chosen.values()), None)
    return chosen


def addresses(upstreams: Mapping[str, Upstream], gateway: str, key: str) -> dict[str, str]:
    """The variables that lead every SDK to its upstream behind the gateway at `gateway`, and prove who asks."""
    found = {}
    chosen = served(upstreams)
    for protocol in client_protocols():
        if upstream := chosen[protocol.name]:
            for variable in protocol.variables:
                match variable.holds:
                    case "address":
                        found[variable.name] = f"{gateway}/{upstream}{variable.path}"
                    case "key":
                        found[variable.name] = key
                    case "filler":
                        found[variable.name] = FILLER
    return found


def proxied(env: Mapping[str, str], gateway: str, key: str, bundle: str) -> dict[str, str]:
    """The variables that lead hard-coded addresses through the gateway's proxy; `bundle` is the file of authorities."""
    proxy = f"http://interlock:{key}@{urlsplit(gateway).netloc}"
    return dict.fromkeys(PROXIES, proxy) | NODE | dict.fromkeys(AUTHORITIES, bundle) | direct(env)


def direct(env: Mapping[str, str]) -> dict[str, str]:
    """The variables that keep this machine's own addresses out of any proxy, beside what `env` keeps out already."""
    known = [part for name in NO_PROXIES for part in env.get(name, "").split(",") if part]
    return dict.fromkeys(NO_PROXIES, ",".join(dict.fromkeys((*known, *DIRECT))))


def withheld(env: Mapping[str, str], upstreams: Iterable[Upstream], keep: Collection[str] = ()) -> list[str]:
    """The names in `env` of providers' own credentials, which a program behind the gateway is not to hold.

    An interlock key is none. `keep` names exceptions.
    """
    held = {upstream.api_key_env for upstream in upstreams}
    return sorted(
        name
        for name, value in env.items()
        if name not in keep
        and value.strip()
        and not value.startswith("ilk_")
        and (name in held or model_credential(name, value))
    )
