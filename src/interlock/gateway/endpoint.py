"""An upstream's settings, checked: its address, its credential, and who vouches for it."""

import re
import ssl
from urllib.parse import urlsplit

from interlock.gateway.settings import Upstream
from interlock.model.errors import ConfigError

_HOST = re.compile(r"[A-Za-z0-9._~:\[\]%-]+")
_PATH = re.compile(r"[!-~]*")


def address_parts(name: str, upstream: Upstream) -> tuple[str, int, str, str]:
    """(host, port, what goes into the Host header, path before the route). Raises: ConfigError."""
    where, hint = f"llm.upstreams.{name}.url", "such as https://api.openai.com/v1"
    try:
        url = urlsplit(upstream.url)
        host, port = url.hostname, url.port
    except ValueError as error:
        raise ConfigError(f"not an address: {error}", where=where, hint=hint) from None
    if url.username is not None or url.query or url.fragment:
        hint = "put the credential into the environment variable that api_key_env names"
        raise ConfigError("has a user, a query or a fragment, which would not be sent", where=where, hint=hint)
    if not host or not _HOST.fullmatch(url.netloc) or not _PATH.fullmatch(url.path):
        raise ConfigError("not an address in plain ASCII", where=where, hint=hint)
    return host, port or (443 if url.scheme == "https" else 80), url.netloc, url.path.rstrip("/")


def key_bytes(name: str, upstream: Upstream, credential: str) -> bytes:
    """The credential as it stands in a header; empty if there is none. Raises: ConfigError."""
    credential = credential.strip()
    if not _PATH.fullmatch(credential):
        where = f"environment variable {upstream.api_key_env}, for llm.upstreams.{name}"
        raise ConfigError("is not a credential: it holds spaces or signs that no header can", where=where)
    return credential.encode()


def tls_context(name: str, upstream: Upstream) -> ssl.SSLContext:
    """What verifies its server. Raises: ConfigError."""
    try:
        return ssl.create_default_context(cafile=upstream.ca_file or None)
    except OSError as error:
        raise ConfigError(
            f"cannot read the authorities: {error}", where=f"llm.upstreams.{name}.ca_file", hint="name a PEM file"
        ) from error
