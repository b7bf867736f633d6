"""Which variables lead a program to the gateway, and which it is not given."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock.gateway.settings import Upstream
from interlock.knowledge import client_protocols, credentials
from interlock.run.environment import FILLER, addresses, direct, proxied, served, withheld

GATEWAY, KEY = "http://127.0.0.1:7700", "ilk_aaaaaaaaaa_b"
OPENAI = Upstream("https://api.openai.com/v1", "OPENAI_API_KEY")
NAMES = [protocol.name for protocol in client_protocols()]


def test_an_upstream_of_a_protocols_name_serves_it() -> None:
    upstreams = {name: Upstream("http://10.0.0.1:8000") for name in reversed(NAMES)}
    assert served(upstreams) == {name: name for name in NAMES}


@pytest.mark.parametrize(
    ("url", "protocol"),
    [
        ("https://api.openai.com/v1", "openai"),
        ("https://api.anthropic.com", "anthropic"),
        ("https://generativelanguage.googleapis.com", "gemini"),
        ("https://bedrock-runtime.eu-west-1.amazonaws.com", "bedrock"),
        ("https://ollama.com", "ollama"),
        ("https://our-resource.openai.azure.com", "azure"),
        ("http://vllm.internal:8000/v1", "openai"),
    ],
)
def test_another_upstream_serves_what_its_host_speaks(url: str, protocol: str) -> None:
    assert served({"ours": Upstream(url)}) == {name: "ours" if name == protocol else None for name in NAMES}


def test_a_server_that_nobody_knows_takes_openais_place_only_if_it_is_free() -> None:
    assert served({"lab": Upstream("http://lab:8000/v1"), "main": OPENAI})["openai"] == "main"
    assert served({"claude": Upstream("https://api.anthropic.com")})["openai"] is None
    assert served({}) == dict.fromkeys(NAMES)


def test_the_variables_of_every_protocol() -> None:
    found = addresses({name: Upstream("http://10.0.0.1:8000") for name in NAMES}, GATEWAY, KEY)
    assert {name: value.removeprefix(GATEWAY) for name, value in found.items() if value.startswith("http")} == {
        "OPENAI_BASE_URL": "/openai/v1",
        "OPENAI_API_BASE": "/openai/v1",
        "ANTHROPIC_BASE_URL": "/anthropic",
        "ANTHROPIC_API_URL": "/anthropic",
        "ANTHROPIC_API_BASE": "/anthropic",
        "GOOGLE_GEMINI_BASE_URL": "/gemini",
        "GEMINI_API_BASE": "/gemini/v1beta",
        "AWS_ENDPOINT_URL_BEDROCK_RUNTIME": "/bedrock",
        "AWS_BEDROCK_RUNTIME_ENDPOINT": "/bedrock",
        "ANTHROPIC_BEDROCK_BASE_URL": "/bedrock",
        "OLLAMA_HOST": "/ollama",
        "OLLAMA_API_BASE": "/ollama",
        "AZURE_OPENAI_ENDPOINT": "/azure",
        "AZURE_API_BASE": "/azure",
    }
    assert {name for name, value in found.items() if value == KEY} == {
        "OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GEMINI_API_KEY", "GOOGLE_API_KEY", "AWS_SESSION_TOKEN",
        "OLLAMA_API_KEY", "AZURE_OPENAI_API_KEY", "AZURE_API_KEY",
    }  # fmt: skip
    # boto3 sends no bearer token over plain HTTP: it signs, and the key goes with it as the session's token.
    assert {name for name, value in found.items() if value == FILLER} == {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"}


def test_only_what_is_configured_is_led_anywhere() -> None:
    assert set(addresses({"openai": OPENAI}, GATEWAY, KEY)) == {"OPENAI_BASE_URL", "OPENAI_API_BASE", "OPENAI_API_KEY"}


@given(st.dictionaries(st.sampled_from([*NAMES, "lab", "b"]), st.sampled_from(["http://h/v1", "https://ollama.com"])))
def test_every_address_leads_to_a_configured_upstream(urls: dict[str, str]) -> None:
    upstreams = {name: Upstream(url) for name, url in urls.items()}
    chosen = [name for name in served(upstreams).values() if name]
    assert set(chosen) <= set(upstreams)
    assert not upstreams or chosen
    for value in addresses(upstreams, GATEWAY, KEY).values():
        assert value in {KEY, FILLER} or value.removeprefix(f"{GATEWAY}/").split("/")[0] in upstreams


def test_a_providers_own_credentials_are_withheld_by_name_by_value_and_by_configuration() -> None:
    secret = next(c.example for c in credentials() if c.id == "groq").replace("EXAMPLE", "Wq7Zt4N")
    env = {
        "OPENAI_API_KEY": "x", "AWS_SECRET_ACCESS_KEY": "x", "ANTHROPIC_AUTH_TOKEN": "x", "UNHEARD_OF": secret,
        "OUR_OWN_NAME": "x", "HOME": "/root", "GITHUB_TOKEN": "x", "GEMINI_API_KEY": " ", "OPENAI_BASE_URL": "http://h",
        "ANTHROPIC_API_KEY": KEY,
    }  # fmt: skip
    held = [Upstream("http://h", "OUR_OWN_NAME"), Upstream("http://h")]
    all_of_them = ["ANTHROPIC_AUTH_TOKEN", "AWS_SECRET_ACCESS_KEY", "OPENAI_API_KEY", "OUR_OWN_NAME", "UNHEARD_OF"]
    assert withheld(env, held) == all_of_them
    assert withheld(env, held, ["UNHEARD_OF"]) == all_of_them[:-1]


def test_this_machines_addresses_are_asked_of_no_proxy() -> None:
    assert direct({"NO_PROXY": "corp.example,localhost"}) == dict.fromkeys(
        ("NO_PROXY", "no_proxy"), "corp.example,localhost,127.0.0.1,::1"
    )


def test_a_hard_coded_address_goes_by_the_proxy() -> None:
    found = proxied({}, GATEWAY, KEY, "/tmp/x/ca.pem")
    assert found["HTTPS_PROXY"] == found["http_proxy"] == f"http://interlock:{KEY}@127.0.0.1:7700"
    assert found["SSL_CERT_FILE"] == found["NODE_EXTRA_CA_CERTS"] == "/tmp/x/ca.pem"
    assert "127.0.0.1" in found["no_proxy"]
