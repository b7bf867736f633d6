"""What can be set about the data plane."""

from dataclasses import dataclass

from interlock.model.settings import setting


@dataclass(frozen=True, slots=True)
class GatewaySettings:
    """`[gateway]`: where it listens, and its limits."""

    host: str = setting("127.0.0.1", "Address to listen on. Loopback unless you put TLS in front of it.")
    port: int = setting(7700, "Port to listen on; 0 takes a free one.")
    name: str = setting("gw-1", "This gateway's name in the audit log; one log for each name.")
    max_header_bytes: int = setting(32_768, "Request line and headers together; more is answered with 431.", least=1)
    max_body_bytes: int = setting(
        16_777_216, "A request's or an answer's body; more is answered with 413 or 502.", least=1
    )
    header_timeout_s: int = setting(10, "From a request's first byte to its last header.", least=1)
    body_timeout_s: int = setting(60, "From a request's last header to the end of its body.", least=1)
    idle_timeout_s: int = setting(120, "A connection with no request under way is closed after this.", least=1)
    connect_timeout_s: int = setting(10, "For a connection to an upstream, TLS included.", least=1)
    answer_timeout_s: int = setting(300, "From the request sent to the upstream's first byte.", least=1)
    stream_timeout_s: int = setting(120, "Between two pieces of an upstream's answer.", least=1)
    max_connections: int = setting(10_000, "Client connections at once; more are answered with 503.", least=1)
    proxy: bool = setting(True, "Be a forward proxy as well, for programs that are given HTTPS_PROXY.")
    intercept_hosts: tuple[str, ...] = setting(
        (), "Hosts, with all below them, that the proxy reads beside known model APIs and the upstreams."
    )
    tunnel: str = setting(
        "refuse",
        "Hosts that are no AI service: refuse them, or allow them to pass the proxy unread.",
        choices=("refuse", "allow"),
    )
    tunnel_hosts: tuple[str, ...] = setting(
        (), "Hosts, with all below them, that pass the proxy unread whatever they are, also at private addresses."
    )
    mcp_origins: tuple[str, ...] = setting(
        (), "Origins of web pages that may reach the MCP servers, such as https://chat.example, beside this machine's."
    )
    mcp_separator: str = setting(
        "__", "Stands between a server's name and its tool's at /mcp, where all servers are one: tracker__close_issue."
    )
    unsafe_pass_credentials: bool = setting(
        False, "Let clients of the proxy use a provider's key of their own where interlock holds none for the host."
    )


@dataclass(frozen=True, slots=True)
class Upstream:
    """`[llm.upstreams.<name>]`: a model's server. The agent never sees its credential."""

    url: str = setting(
        "", "Base address as its SDK takes it, such as https://api.openai.com/v1; it is reached at /<name>/..."
    )
    api_key_env: str = setting("", "Environment variable that holds the credential; empty sends none.")
    ca_file: str = setting("", "PEM file of the authorities to trust for this upstream; empty takes the system's.")
    auth: str = setting(
        "",
        "How to show the credential: bearer, x-api-key, api-key (Azure) or x-goog-api-key are headers, aws signs with"
        " the AWS credentials of the machine; empty takes the protocol's header.",
        choices=("bearer", "x-api-key", "api-key", "x-goog-api-key", "aws"),
    )
    region: str = setting(
        "", "AWS region to sign for, with auth = aws; empty takes the address's, or the machine's AWS configuration."
    )
    failover: tuple[str, ...] = setting(
        (),
        "Upstreams to ask instead, in this order, when this one cannot be reached or answers 429, 503 or 529. They must"
        " speak the same protocol and know the same models.",
    )
    retry_sent: bool = setting(
        False,
        "Ask the next one of failover also when no answer came (or 502, 504), though the request may have been carried"
        " out, and be paid for, twice.",
    )
    connect_timeout_s: int = setting(0, "For a connection, TLS included; 0 takes what [gateway] says.")
    answer_timeout_s: int = setting(0, "From the request sent to the first byte; 0 takes what [gateway] says.")
    stream_timeout_s: int = setting(0, "Between two pieces of an answer; 0 takes what [gateway] says.")
