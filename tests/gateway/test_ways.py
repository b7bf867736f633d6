"""Which way a place goes, and what stands behind a path there: decided from names alone."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock.gateway.settings import GatewaySettings, Upstream
from interlock.gateway.ways import Place, Read, Refused, Unread, Way, Ways, address_of, intercepted, place_of, presented
from interlock.identity.authority import is_domain
from interlock.model.errors import ConfigError
from interlock.protocols import adapters

UPSTREAMS = {
    "openai": Upstream("https://api.openai.com/v1"),
    "eu": Upstream("https://api.openai.com/eu/v1"),
    "lab": Upstream("https://Lab.Corp.example:8443/llm/v1"),
    "local": Upstream("http://localhost:8000/v1"),
    "bare": Upstream("http://[::1]:8001"),
}
CHAT = "/v1/chat/completions"


def ways(**settings: object) -> Ways:
    return Ways(GatewaySettings(**settings), UPSTREAMS, adapters())  # type: ignore[arg-type]


def way(text: str, **settings: object) -> Way:
    place = place_of(text)
    assert place
    return ways(**settings).way(place)


READ, PLAIN, ANYWHERE, PUBLIC = Read(tls=True), Read(tls=False), Unread(private=True), Unread(private=False)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("api.openai.com:443", READ),
        ("API.OPENAI.COM.:443", READ),
        ("eu.api.openai.com:443", READ),
        ("api.groq.com:443", READ),
        ("lab.corp.example:8443", READ),
        ("localhost:8000", PLAIN),
        ("[::1]:8001", PLAIN),
    ],
)
def test_what_is_read(text: str, expected: Way) -> None:
    assert way(text) == expected
    assert way(text, tunnel="allow") == expected


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("api.openai.com:80", "AI service"),
        ("chatgpt.com:443", "AI service"),
        ("huggingface.co:443", "AI service"),
        ("bedrock-runtime.eu-central-1.amazonaws.com:443", "AI service"),
        ("lab.corp.example:443", "no AI service"),
        ("wiki.example:443", "no AI service"),
        ("notapi.openai.com.evil.example:443", "no AI service"),
        ("1.1.1.1:443", "no AI service"),
        ("0x7f.1:443", "no AI service"),
        ("localhost:443", "no AI service"),
    ],
)
def test_what_is_refused(text: str, says: str) -> None:
    refused = way(text)
    assert isinstance(refused, Refused)
    assert says in refused.told


def test_what_passes_unread_if_the_settings_say_so() -> None:
    assert way("wiki.example:443", tunnel="allow") == PUBLIC
    assert isinstance(way("1.1.1.1:443", tunnel="allow"), Refused)
    assert isinstance(way("chatgpt.com:443", tunnel="allow"), Refused)
    named = {"tunnel_hosts": ("Wiki.example.", "10.0.0.1", "huggingface.co", "[::1]")}
    for text in ("wiki.example:443", "files.wiki.example:80", "10.0.0.1:5432", "huggingface.co:443", "[::1]:8001"):
        assert way(text, **named) == ANYWHERE
    assert isinstance(way("notwiki.example:443", **named), Refused)


def test_a_host_that_is_named_is_read() -> None:
    host = "bedrock-runtime.eu-central-1.amazonaws.com"
    settings = GatewaySettings(intercept_hosts=(host,))
    assert way(f"{host}:443", intercept_hosts=(host,)) == READ
    assert host in intercepted(settings, (), adapters())


def test_the_authority_speaks_for_models_and_for_nobody_else() -> None:
    domains = intercepted(GatewaySettings(), UPSTREAMS.values(), adapters())
    assert {"api.openai.com", "lab.corp.example", "api.groq.com"} <= domains
    assert not domains & {"localhost", "::1", "openai.com", "chatgpt.com", "huggingface.co", "amazonaws.com", "com"}
    assert all(is_domain(domain) for domain in domains)
    assert all("." in domain for domain in domains)


@pytest.mark.parametrize(
    ("text", "path", "upstream", "below"),
    [
        ("api.openai.com:443", CHAT, "openai", CHAT),
        ("api.openai.com:443", "/eu/v1/chat/completions", "eu", CHAT),
        ("lab.corp.example:8443", "/llm/v1/chat/completions", "lab", CHAT),
        ("localhost:8000", CHAT, "local", CHAT),
        ("[::1]:8001", CHAT, "bare", CHAT),
        ("api.groq.com:443", "/openai/v1/chat/completions", "api.groq.com", CHAT),
        ("api.z.ai:443", "/api/paas/v4/chat/completions", "api.z.ai", CHAT),
        ("api.perplexity.ai:443", "/chat/completions", "api.perplexity.ai", CHAT),
        ("api.openai.com:443", "/v2/chat/completions", None, ""),
        ("api.openai.com:443", "/chat/completions", None, ""),
        ("lab.corp.example:8443", CHAT, None, ""),
        ("api.groq.com:443", "/v1/files", None, ""),
        ("api.groq.com:443", "/", None, ""),
        ("api.groq.com:443", "", None, ""),
        ("api.groq.com:443", "/é/chat/completions", None, ""),
        ("api.groq.com:443", "/v1/chat/completions/", None, ""),
    ],
)
def test_what_stands_behind_a_path(text: str, path: str, upstream: str | None, below: str) -> None:
    place = place_of(text)
    assert place
    found = ways().find(place, path)
    assert (found and found.route.upstream) == upstream
    if found:
        assert found.below == below
        assert found.direct is (found.route.upstream == place.host)
        assert found.route.adapter.target(below)
        assert found.route.name == f"/{upstream}{CHAT}"


def test_an_upstream_without_an_address_leads_nowhere() -> None:
    for url in ("https://[bad/v1", "https://a:b/v1", "https://u:p@api.corp.example/v1"):
        made = Ways(GatewaySettings(), {"wrong": Upstream(url)}, adapters())
        assert not made._upstreams
        assert intercepted(GatewaySettings(), [Upstream(url)], adapters())


def test_a_path_of_many_parts_costs_little() -> None:
    place = Place("api.groq.com", 443)
    assert ways().find(place, "/a" * 16_000 + CHAT) is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a",
        ":443",
        "a:",
        "a:0",
        "a:65536",
        "a:b",
        "a b:1",
        "a:1:2",
        "::1:443",
        "a/b:1",
        "a@b:1",
        ".:1",
        "é:1",
        "a:\uff11",
    ],
)
def test_what_is_no_place(text: str) -> None:
    assert place_of(text) is None


@pytest.mark.parametrize(
    "target", ["*", "/a", "https://a/", "http://", "http://a", "http:///x", "http://u:p@a/", "ftp://a/", "http://a:0/"]
)
def test_what_is_no_address(target: str) -> None:
    assert address_of(target) is None


@given(st.text(max_size=80))
def test_any_text_is_a_place_or_none(text: str) -> None:
    place = place_of(text)
    assert place is None or place_of(str(place)) == place
    address_of(text)
    presented({b"proxy-authorization": text.encode()})


@given(st.text(st.characters(codec="utf-8", exclude_characters=":")), st.text(st.characters(codec="utf-8")))
def test_what_basic_presents(user: str, password: str) -> None:
    value = b"Basic " + base64.b64encode(f"{user}:{password}".encode())
    assert presented({b"proxy-authorization": value}) == (password or user)


@pytest.mark.parametrize("host", ["*.wiki.example", "https://wiki.example", "", "wiki.example:443", "a b"])
def test_a_host_that_could_never_match_is_refused_at_the_start(host: str) -> None:
    with pytest.raises(ConfigError, match="there is no host"):
        ways(tunnel_hosts=(host,))


def test_a_tls_upstream_that_is_named_by_an_address_is_refused_as_a_place() -> None:
    made = Ways(GatewaySettings(), {"own": Upstream("https://127.0.0.1:9006/v1")}, adapters())
    place = place_of("127.0.0.1:9006")
    assert place
    refused = made.way(place)
    assert isinstance(refused, Refused)
    assert "by its name only" in refused.told
