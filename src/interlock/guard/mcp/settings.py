"""What can be set about an MCP server behind the gateway."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from interlock.model.errors import ConfigError
from interlock.model.settings import setting

# What a server may ask its client for: the names of MCP, and one for each of the two modes of elicitation.
OFFERS = ("sampling", "elicitation", "elicitation-url", "roots")
# A name stands in an address, in the log and in policies.
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_URL = re.compile(r"https?://[^/]")
_DIGEST = re.compile(r"(?:[0-9a-f]{64})?")


@dataclass(frozen=True, slots=True)
class McpServer:
    """`[mcp.servers.<name>]`: a server, reached at `/mcp/<name>`. Give `url`, or `command` for one that is started."""

    url: str = setting("", "Address of a server that speaks streamable HTTP, such as https://host/mcp.")
    command: tuple[str, ...] = setting(
        (), "Program and arguments of a server that speaks on stdin and stdout. No shell reads them."
    )
    sha256: str = setting("", "What the program's file must hash to, in hex; it is not started otherwise.")
    files: tuple[str, ...] = setting(
        (), "PATH=SHA256 of further files that it runs, such as a script; it is not started if one is another."
    )
    sandbox: bool = setting(
        False,
        "Start it in a sandbox (bubblewrap): nothing of this machine can be written but `writable`; homes, /tmp and"
        " /run are empty but for what it needs; other processes and the network are not there.",
    )
    network: bool = setting(False, "Give it the network in its sandbox.")
    readable: tuple[str, ...] = setting(
        (), "Folders and files in homes, /tmp or /run that it may read in its sandbox, beside its program and `cwd`."
    )
    writable: tuple[str, ...] = setting((), "Folders and files that it may write in its sandbox.")
    env: tuple[str, ...] = setting(
        (), "Variables of the gateway's environment that the program is given, beside PATH, HOME, LANG and TZ."
    )
    cwd: str = setting("", "Folder in which the program is started; empty takes the gateway's.")
    api_key_env: str = setting(
        "", "Environment variable that holds the credential for `url`. Clients' own are never passed on."
    )
    api_key_file: str = setting(
        "", "File that holds the credential for `url`, in place of a variable; it may be replaced at any time."
    )
    client: str = setting("", "OAuth client, under [identity.clients], whose tokens are the credential for `url`.")
    resource: str = setting("", "What those tokens are for (RFC 8707); empty takes `url`.")
    ca_file: str = setting("", "PEM file of the authorities to trust for `url`; empty takes the system's.")
    auth: str = setting(
        "bearer",
        "How to show the credential: bearer, x-api-key or api-key.",
        choices=("bearer", "x-api-key", "api-key"),
    )
    pin: str = setting(
        "first-use",
        "Tools that a server offers when it is first used are approved by that (first-use), or wait for"
        " `interlock mcp approve` (approve). Tools that are new or changed later always wait.",
        choices=("first-use", "approve"),
    )
    workloads: tuple[str, ...] | None = setting(None, "Workloads that may use it; not given: all.")
    offers: tuple[str, ...] = setting(
        (),
        "What the server may ask its client for: sampling, elicitation (a form for the user), elicitation-url (the"
        " user opens an address), roots. Its requests are inspected, and reach only clients that can answer them.",
    )
    max_result_bytes: int = setting(4_194_304, "An answer's bytes; a longer one becomes an error.", least=1)
    list_ttl_s: int = setting(60, "After so long the server's tools are listed again before a call.", least=1)


def check_server(name: str, server: McpServer) -> None:
    """Refuse a table that makes no server. Raises: ConfigError that names the setting in its `where`."""
    if not _NAME.fullmatch(name):
        raise ConfigError(f"an MCP server cannot be called {name!r}", where="", hint="letters, digits, - and _")
    if bool(server.url) == bool(server.command):
        hint = "url for one that speaks HTTP, command for one that is started here"
        raise ConfigError(f"MCP server {name!r} needs a url or a command, and not both", where="url", hint=hint)
    if server.url and not _URL.match(server.url):
        hint = 'an http or https address, such as url = "https://host/mcp"'
        raise ConfigError(f"MCP server {name!r} cannot be at {server.url!r}", where="url", hint=hint)
    if unknown := [one for one in server.offers if one not in OFFERS]:
        raise ConfigError(
            f"MCP server {name!r} cannot be offered {unknown[0]!r}", where="offers", hint=", ".join(OFFERS)
        )
    if not _DIGEST.fullmatch(server.sha256):
        hint = "64 digits and small letters, as sha256sum prints them"
        raise ConfigError(f"MCP server {name!r} has what is no SHA-256", where="sha256", hint=hint)
    check_files(f"MCP server {name!r}", server.files)
    if sum(map(bool, (server.api_key_env, server.api_key_file, server.client))) > 1:
        hint = "leave all but one of api_key_env, api_key_file and client out"
        raise ConfigError(f"MCP server {name!r} has more than one credential", where="api_key_env", hint=hint)
    for where in ("api_key_file", "client"):
        if server.command and getattr(server, where):
            hint = "give it a variable by env, or a file by its arguments"
            raise ConfigError(f"MCP server {name!r} is started, and shows no credential", where=where, hint=hint)
    if server.command and server.api_key_env:
        hint = f"put it into env: env = [{server.api_key_env!r}]"
        raise ConfigError(
            f"MCP server {name!r} is started, so its credential is a variable", where="api_key_env", hint=hint
        )


def check_names(names: Iterable[str], separator: str) -> None:
    """Refuse names with which a tool of one server could be called like another's, where all servers are one.

    Raises: ConfigError that names the server in its `where`.
    """
    known = sorted(names)
    for name in known:
        if separator and separator in name:
            hint = "give it a name without it, or set gateway.mcp_separator to something else"
            raise ConfigError(f"MCP server {name!r} has {separator!r} in its name", where=name, hint=hint)
        for other in known:
            if name != other and f"{name}{separator}".startswith(f"{other}{separator}"):
                hint = f"give one of them another name: with {separator!r} behind it the other begins like it"
                raise ConfigError(f"MCP servers {other!r} and {name!r} look alike", where=name, hint=hint)


def check_files(what: str, files: tuple[str, ...]) -> None:
    """Refuse what is not PATH=SHA256. Raises: ConfigError that names the setting in its `where`."""
    for line in files:
        path, _, digest = line.rpartition("=")
        if not path or not digest or not _DIGEST.fullmatch(digest):
            hint = 'such as files = ["/srv/notes.py=..."], with 64 digits and small letters as sha256sum prints them'
            raise ConfigError(f"{what}: {line!r} is not PATH=SHA256", where="files", hint=hint)
