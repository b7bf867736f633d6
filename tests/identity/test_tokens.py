"""Tokens of a real issuer: what is believed, and each way to be refused, with its reason."""

import asyncio
import json
import time
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from hypothesis import given
from hypothesis import strategies as st

from interlock.identity.issuers import Issuers, build
from interlock.identity.jwks import read_keys
from interlock.identity.settings import IssuerSettings
from interlock.identity.tokens import LONGEST, ScopeError, bare, examine, judge
from interlock.model.errors import ConfigError, IdentityError
from tests.gateway.wire import run
from tests.identity.provider import RSA_KEY, Provider, jwk, plain, provider, sign

RESOURCE = "http://127.0.0.1:7700"


def issuers(at: Provider, **settings: Any) -> Issuers:
    found = build({"corp": IssuerSettings(**{"issuer": at.url, "audience": ("api",)} | settings)}, RESOURCE, print)
    assert found
    return found


async def proven(found: Issuers, token: str, path: str = "", at: float | None = None) -> str:
    """The workload, as the gateway finds it out."""
    if wait := found.missing(f"Bearer {token}"):
        await wait
    return found.prove(f"Bearer {token}", int((time.time() if at is None else at) * 1e6), path).workload


async def refused(found: Issuers, token: str, **more: Any) -> str:
    with pytest.raises(IdentityError) as error:
        await proven(found, token, **more)
    assert token not in str(error.value)
    return error.value.brief


@pytest.mark.parametrize("algorithm", ["RS256", "PS256", "ES256", "EdDSA"])
def test_a_good_token_proves_its_workload_with_each_kind_of_key(algorithm: str) -> None:
    async def work() -> None:
        async with provider(algorithm) as at:
            found = issuers(at)
            assert await proven(found, at.token()) == "corp/agent"
            # The second time no key is asked for, and the signature is not looked at again.
            assert await proven(found, at.token()) == "corp/agent"
            assert at.asked == ["/.well-known/openid-configuration", "/keys"]

    run(work)


NOW = int(time.time())


@pytest.mark.parametrize(
    ("claims", "reason"),
    [
        ({"iss": "https://other.example"}, "none that is believed"),
        ({"iss": 5}, "iss"),
        ({"aud": "another-api"}, "aud"),
        ({"aud": []}, "aud"),
        ({"aud": None}, "aud"),
        ({"aud": ["other", 5]}, "aud"),
        ({"aud": "API"}, "aud"),
        ({"exp": NOW - 300, "iat": NOW - 900}, "expired"),
        ({"exp": None}, "exp"),
        ({"exp": "9999999999"}, "exp"),
        ({"exp": True}, "exp"),
        ({"exp": 1e300}, "exp"),
        ({"exp": -1}, "exp"),
        ({"exp": NOW + 8_000}, "max_lifetime_s"),
        ({"iat": None}, "iat"),
        ({"iat": NOW + 3_000, "exp": NOW + 3_600}, "only in"),
        ({"nbf": NOW + 500}, "only in"),
        ({"nbf": 0, "exp": NOW + 600}, "max_lifetime_s"),
        ({"sub": None}, "sub"),
        ({"sub": ""}, "sub"),
        ({"sub": {"a": 1}}, "sub"),
        ({"sub": "with space"}, "workload"),
        ({"sub": "line\nbreak"}, "workload"),
        ({"cnf": {"jkt": "x"}}, "cnf"),
    ],
)
def test_claims_that_do_not_hold(claims: dict[str, Any], reason: str) -> None:
    async def work() -> None:
        async with provider() as at:
            assert reason in await refused(issuers(at), at.token(**claims))

    run(work)


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        ({"alg": "none"}, "alg"),
        ({"alg": "None"}, "alg"),
        ({"alg": "RS256"}, "kid"),
        ({"alg": "ES384"}, "kid"),
        ({"alg": 5}, "header"),
        ({"kid": 5}, "header"),
        ({"kid": "../../etc/passwd"}, "kid"),
        ({"kid": "k1' OR '1'='1"}, "kid"),
        ({"crit": ["exp"]}, "crit"),
        ({"b64": False}, "crit"),
        ({"typ": "logout+jwt"}, "typ"),
        ({"typ": "dpop+jwt"}, "typ"),
        ({"typ": None}, ""),
        ({"typ": "JWT"}, ""),
        ({"kid": None}, ""),
    ],
)
def test_headers(header: dict[str, Any], reason: str) -> None:
    async def work() -> None:
        async with provider() as at:
            found, token = issuers(at), at.token(header)
            if reason:
                assert reason in await refused(found, token)
            else:
                assert await proven(found, token) == "corp/agent"

    run(work)


def test_a_signature_that_is_another_ones() -> None:
    async def work() -> None:
        async with provider("RS256") as at:
            found, token = issuers(at), at.token()
            head, claims, signature = token.split(".")
            mine = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)
            changed = plain(json.dumps({**examine(token).claims, "sub": "admin"}).encode())
            pem = RSA_KEY.public_key().public_bytes(
                serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
            )
            hs = plain(json.dumps({"alg": "HS256", "kid": "k1"}).encode())
            keyed = f"{hs}.{claims}.{plain(_hmac(pem, f'{hs}.{claims}'.encode()))}"
            own = {
                "alg": "RS256",
                "kid": "k1",
                "jwk": jwk(mine, "k1"),
                "jku": f"{at.url}/mine",
                "x5u": f"{at.url}/mine",
            }
            claimed = dict(examine(token).claims)
            for forged, reason in (
                (f"{head}.{changed}.{signature}", "signature"),
                (f"{head}.{claims}.", "signature"),
                (f"{head}.{claims}.{plain(b'x' * 256)}", "signature"),
                (at.signed({"alg": "RS256", "kid": "k1"}, claimed, "RS256", mine), "signature"),
                (at.signed(own, claimed, "RS256", mine), "signature"),
                (keyed, "alg"),
                (f"{plain(json.dumps({'alg': 'none'}).encode())}.{claims}.", "alg"),
            ):
                assert reason in await refused(found, forged)
            assert "/mine" not in at.asked

    run(work)


def _hmac(key: bytes, data: bytes) -> bytes:
    import hmac

    return hmac.digest(key, data, "sha256")


def test_a_claim_that_stands_twice_and_what_is_no_json() -> None:
    async def work() -> None:
        async with provider() as at:
            found, (algorithm, key) = issuers(at), at.keys["k1"]
            head = {"alg": algorithm, "kid": "k1"}
            good = json.dumps(dict(examine(at.token()).claims))
            deep = '{"iss":' + "[" * 5_000 + "]" * 5_000 + "}"
            for claims in (good[:-1] + ',"sub":"admin"}', good[:-1] + ',"x":NaN}', "{", deep, '{"iss":"\ud800"}'):
                token = at.signed(head, claims.encode("utf-8", "surrogatepass"), algorithm, key)
                assert "malformed" in await refused(found, token)
            twice = at.signed(b'{"alg":"none","alg":"ES256","kid":"k1"}', json.loads(good), algorithm, key)
            assert "malformed" in await refused(found, twice)

    run(work)


def test_a_huge_token_is_refused_before_it_is_read() -> None:
    async def work() -> None:
        async with provider() as at:
            found = issuers(at)
            assert str(LONGEST) in await refused(found, at.token(groups="x" * LONGEST))
            assert at.asked == []

    run(work)


def test_the_audience_is_the_gateway_or_the_server_that_is_asked() -> None:
    async def work() -> None:
        async with provider() as at:
            found = issuers(at, audience=())
            gateway, server = at.token(aud=[RESOURCE, "x"]), at.token(aud=f"{RESOURCE}/mcp/tracker")
            assert await proven(found, gateway, "/mcp/tracker") == await proven(found, gateway, "/openai/v1/x")
            assert await proven(found, server, "/mcp/tracker") == "corp/agent"
            assert "aud" in await refused(found, server, path="/mcp/bank")
            assert "aud" in await refused(found, server, path="/mcp")
            every = at.token(aud=f"{RESOURCE}/mcp")
            assert await proven(found, every, "/mcp") == await proven(found, every, "/mcp/") == "corp/agent"
            assert "aud" in await refused(found, every, path="/mcp/tracker")
            assert "aud" in await refused(found, server, path="/openai/v1/chat/completions")
            assert "aud" in await refused(found, at.token(aud=f"{RESOURCE}/mcp/"), path="/mcp/tracker")
            assert "aud" in await refused(found, at.token(), path="/mcp/tracker")

    run(work)


def test_a_token_ends_with_its_time_though_it_was_seen_before() -> None:
    async def work() -> None:
        async with provider() as at:
            found, now = issuers(at), time.time()
            token = at.token(exp=int(now) + 100)
            assert await proven(found, token) == "corp/agent"
            assert await proven(found, token, at=now + 150) == "corp/agent"  # within the skew
            assert "expired" in await refused(found, token, at=now + 161)
            assert "only in" in await refused(found, token, at=now - 4_000)

    run(work)


def test_scopes_and_names_of_workloads() -> None:
    async def work() -> None:
        async with provider() as at:
            found = issuers(at, scopes=("mcp", "read"), workload_claim="azp", workloads=("client|1=billing/agent",))
            good: dict[str, Any] = {"azp": "client|1", "scope": "read mcp x"}
            assert await proven(found, at.token(**good)) == "billing/agent"
            assert await proven(found, at.token(**good | {"scope": None, "scp": ["mcp", "read"]})) == "billing/agent"
            with pytest.raises(ScopeError, match="mcp") as lacking:
                await proven(found, at.token(**good | {"scope": "read mcps"}))
            assert lacking.value.scopes == ("mcp", "read")
            assert "none of the workloads" in await refused(found, at.token(**good | {"azp": "client|2"}))

    run(work)


@pytest.mark.parametrize(
    "published",
    [
        {"kty": "oct", "k": "AAAA", "alg": "HS256"},
        jwk(RSA_KEY, "k", use="enc"),
        jwk(RSA_KEY, "k", key_ops=["encrypt"]),
        jwk(RSA_KEY, "k", alg="RSA-OAEP"),
        jwk(RSA_KEY, "k", d="AQAB"),
        jwk(RSA_KEY, "k") | {"n": "!!"},
        jwk(RSA_KEY, "k") | {"n": "AQAB"},
        jwk(rsa.generate_private_key(public_exponent=65_537, key_size=1_024), "k"),
        jwk(ec.generate_private_key(ec.SECP256R1()), "k") | {"crv": "secp256k1"},
        jwk(ec.generate_private_key(ec.SECP256R1()), "k") | {"y": plain(b"\1" * 32)},
        {"kty": "RSA"},
        {},
        5,
    ],
)
def test_keys_that_cannot_be_used_are_none(published: object) -> None:
    assert read_keys(json.dumps({"keys": [published]}).encode(), ("RS256", "ES256")).by_id == {}


def test_two_keys_under_one_id_are_none_and_a_token_without_one_means_the_only_key() -> None:
    one, two = (ec.generate_private_key(ec.SECP256R1()) for _ in "12")
    both = [jwk(one, "a"), jwk(two, "b")]
    keys = read_keys(json.dumps({"keys": both}).encode(), ("ES256",))
    assert keys.find("a", "ES256") is not None
    assert keys.find(None, "ES256") is None
    assert read_keys(json.dumps({"keys": [jwk(one, "a"), jwk(two, "a")]}).encode(), ("ES256",)).by_id == {}


def test_one_issuer_has_one_table() -> None:
    with pytest.raises(ConfigError, match="two issuers"):
        build({name: IssuerSettings(issuer="https://i.example") for name in "ab"}, RESOURCE, print)


@given(st.text() | st.from_regex(r"ey[\w-]*\.ey[\w-]*\.[\w-]*", fullmatch=True))
def test_anything_else_is_refused_and_nothing_breaks(text: str) -> None:
    with pytest.raises(IdentityError):
        examine(bare(text) or text)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)
CLAIMS = st.sampled_from(["iss", "sub", "aud", "exp", "nbf", "iat", "scope", "scp", "cnf"])


@given(st.dictionaries(CLAIMS, JSON), st.sampled_from([(), ("a",)]))
def test_whatever_the_claims_say_they_prove_something_or_are_refused(
    claims: dict[str, Any], scopes: tuple[str]
) -> None:
    good = {"sub": "w", "aud": "api", "iat": NOW, "exp": NOW + 60}
    try:
        found = judge(good | claims, "corp", IssuerSettings(issuer="i", scopes=scopes))
    except IdentityError:
        return
    assert found.workload.startswith("corp/")
    assert found.audience
    assert found.expires_s <= found.begins_s + 7_200


def test_what_is_signed_here_is_what_the_library_signs() -> None:
    import jwt

    token = Provider.signed({"alg": "RS256"}, {"sub": "a"}, "RS256", RSA_KEY)
    assert jwt.decode(token, RSA_KEY.public_key(), algorithms=["RS256"]) == {"sub": "a"}
    assert sign("RS256", RSA_KEY, b"x")
    assert asyncio.iscoroutinefunction(proven)
