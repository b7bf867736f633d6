"""Upstreams of AWS: who signs, for which region, with which credentials, and what happens while there are none."""

import asyncio
import contextlib
import sys
import threading
from pathlib import Path

import boto3
import pytest
from botocore.config import Config
from botocore.credentials import ReadOnlyCredentials
from botocore.exceptions import CredentialRetrievalError

from interlock.gateway.aws import DUE_S, GOOD_S, Signer
from interlock.gateway.pool import Pool
from interlock.gateway.settings import GatewaySettings, Upstream
from interlock.model.errors import ConfigError
from interlock.model.record import RecordKind
from interlock.testing.bedrock import ACCESS_KEY, REGION, SECRET_KEY, signer
from interlock.testing.raw import Move, Play, RawServer
from tests.gateway.proxied import proxied
from tests.gateway.wire import PROVIDER_KEY, Wire, head, run, until, wire

URL = "https://bedrock-runtime.eu-north-1.amazonaws.com"
PATH = "/openai/model/eu.anthropic.claude-v1%3A0/converse"
BODY = b'{"messages":[{"role":"user","content":[{"text":"hi"}]}]}'
SAID = b'{"output":{"message":{"role":"assistant","content":[{"text":"hello"}]}},"stopReason":"end_turn"}'
WHOLE = head(content_type="application/json", content_length=len(SAID)) + SAID


@pytest.fixture(autouse=True)
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """A machine without AWS credentials, whatever this one has."""
    for name in (
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "AWS_DEFAULT_REGION",
        "AWS_PROFILE",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    return monkeypatch


class Source:
    """Credentials as botocore gives them: each look takes the next of what it holds, or raises it."""

    def __init__(self, *held: object) -> None:
        self.held = list(held)
        self.looks = 0
        self.wait = threading.Event()
        self.wait.set()

    def get_frozen_credentials(self) -> object:
        self.wait.wait()
        self.looks += 1
        found = self.held.pop(0) if len(self.held) > 1 else self.held[0]
        if isinstance(found, Exception):
            raise found
        return found


HELD = ReadOnlyCredentials(ACCESS_KEY, SECRET_KEY, None)
FAILED = CredentialRetrievalError(provider="sso", error_msg="the words of a program")


def signing(source: Source, gate: Wire) -> Signer:
    """Give the gateway's pool a signer with these credentials."""
    pool = gate.gateway.pools["openai"]
    upstream = Upstream(f"http://127.0.0.1:{pool._port}", auth="aws", region=REGION)
    pool._signer = made = Signer("openai", upstream, asyncio.get_running_loop().time)
    made._source = source
    return made


def of(url: str, region: str = "") -> str:
    return Signer("b", Upstream(url, auth="aws", region=region), lambda: 0.0)._region


@pytest.mark.parametrize(
    ("url", "region"),
    [
        (URL, "eu-north-1"),
        ("https://bedrock-runtime-fips.us-gov-west-1.amazonaws.com", "us-gov-west-1"),
        ("https://bedrock-runtime.cn-north-1.amazonaws.com.cn:443/x", "cn-north-1"),
        ("https://vpce-0a1b-2c.bedrock-runtime.us-east-1.vpce.amazonaws.com", "us-east-1"),
    ],
)
def test_the_region_is_in_the_address(url: str, region: str) -> None:
    assert of(url) == region
    assert of(url, "ap-south-1") == "ap-south-1"


def test_elsewhere_the_region_is_the_machines(machine: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match="region"):
        of("https://bedrock.example.com")
    machine.setenv("AWS_DEFAULT_REGION", "eu-west-3")
    assert of("https://bedrock.example.com") == "eu-west-3"


def test_without_botocore_the_extra_is_named(machine: pytest.MonkeyPatch) -> None:
    machine.setitem(sys.modules, "botocore.session", None)

    async def work() -> None:
        with pytest.raises(ConfigError, match="botocore") as raised:
            Pool("b", Upstream(URL, auth="aws"), "", GatewaySettings(), asyncio.get_running_loop())
        assert "interlock[aws]" in str(raised.value)

    run(work)


@pytest.mark.parametrize("token", [None, "session-token"])
@pytest.mark.parametrize(
    "path", ["/model/a%3A0/converse", "/base/model/arn%3Aaws%3Ax%2Fy/invoke", "/model/a~b+c/invoke"]
)
def test_signatures_hold_by_the_letter(token: str | None, path: str) -> None:
    signs = Signer("b", Upstream(f"{URL}:8443", auth="aws"), lambda: 0.0)
    signs._held = ReadOnlyCredentials(ACCESS_KEY, SECRET_KEY, token)
    lines = signs.headers(path, BODY).decode().rstrip().split("\r\n")
    headers = dict(line.split(": ", 1) for line in lines) | {"host": URL.removeprefix("https://") + ":8443"}
    assert signer(path, headers, BODY) == ACCESS_KEY
    assert headers.get("x-amz-security-token") == token
    for changed in ((path + "x", headers, BODY), (path, headers, BODY + b" "), (path, {**headers, "host": "x"}, BODY)):
        assert signer(*changed) == ""


def test_a_request_waits_for_credentials_and_one_look_serves_all() -> None:
    async def work() -> None:
        play: Play = [Move.READ, WHOLE]
        async with RawServer([play] * 3) as server, wire(server.url.removesuffix("/v1")) as gate:
            source = Source(HELD)
            signing(source, gate)
            source.wait.clear()
            asked = [asyncio.ensure_future(gate.ask(gate.post(BODY, path=PATH))) for _ in range(3)]
            await until(lambda: len(gate.gateway.performing) == 3)
            assert await gate.serves(), "the loop goes on meanwhile"
            source.wait.set()
            assert [answer.status for answer in await asyncio.gather(*asked)] == [200] * 3
            assert source.looks == 1

    run(work)


def test_they_are_looked_for_again_before_they_are_too_old() -> None:
    async def work() -> None:
        play: Play = [Move.READ, WHOLE] * 4
        async with RawServer([play]) as server, wire(server.url.removesuffix("/v1")) as gate:
            source, now = Source(HELD, HELD, FAILED), [0.0]
            signs = signing(source, gate)
            signs._now = lambda: now[0]

            async def asks(at: float) -> int:
                now[0] = at
                answer = await gate.ask(gate.post(BODY, path=PATH))
                if signs._looking:
                    await signs._looking
                return answer.status

            assert (await asks(0.0), source.looks) == (200, 1)
            assert (await asks(DUE_S - 1), source.looks) == (200, 1)
            assert (await asks(DUE_S), source.looks) == (200, 2)
            assert (await asks(3 * DUE_S), source.looks) == (200, 3), "the old ones are still good"
            assert (await asks(DUE_S + GOOD_S), source.looks) == (502, 4)

    run(work)


@pytest.mark.parametrize(
    ("found", "says"),
    [(FAILED, "CredentialRetrievalError"), (RuntimeError("refreshed, but still expired"), "RuntimeError")],
)
def test_without_credentials_nothing_is_sent(found: Exception, says: str) -> None:
    async def work() -> None:
        async with RawServer([]) as server, wire(server.url.removesuffix("/v1")) as gate:
            signing(Source(found), gate)
            answer = await gate.ask(gate.post(BODY, path=PATH))
            assert answer.status == 502
            assert b"cannot be signed for: no AWS credentials" in answer.body
            assert gate.records(RecordKind.ANSWER)[0].reason.endswith(says)
            assert server.connections == 0

    run(work)


def test_a_machine_without_any_says_so() -> None:
    async def work() -> None:
        async with RawServer([]) as server, wire(server.url.removesuffix("/v1")) as gate:
            signing(Source(HELD), gate)._source = None
            answer = await gate.ask(gate.post(BODY, path=PATH))
            assert b"no AWS credentials were found" in answer.body

    run(work)


def test_a_client_that_leaves_while_they_are_looked_for_is_forgotten() -> None:
    async def work() -> None:
        async with RawServer([[Move.READ]]) as server, wire(server.url.removesuffix("/v1")) as gate:
            source = Source(HELD)
            signing(source, gate)
            source.wait.clear()
            async with gate.client() as client:
                client.send(gate.post(BODY, path=PATH))
                await until(lambda: len(gate.gateway.performing) == 1)
            await until(lambda: not gate.gateway.performing)
            source.wait.set()
            await until(lambda: gate.gateway.pools["openai"].is_idle)
            assert gate.records(RecordKind.ANSWER)[0].status == 499

    run(work)


# The client's side


def presented(gate: Wire, token: str) -> bytes:
    scope = f"20260101/{REGION}/bedrock/aws4_request"
    said = f"AWS4-HMAC-SHA256 Credential=any/{scope}, SignedHeaders=host, Signature=0\r\nX-Amz-Security-Token: {token}"
    return gate.post(BODY, path=PATH).replace(f"Bearer {gate.key}".encode(), said.encode())


def test_an_interlock_key_is_known_as_the_token_of_a_session() -> None:
    async def work() -> None:
        async with RawServer([[Move.READ, WHOLE]]) as server, wire(server.url.removesuffix("/v1")) as gate:
            assert (await gate.ask(presented(gate, gate.key))).status == 200
            for wrong in (gate.key[:-1] + "7a", "x" + gate.key, "IQoJb3JpZ2luX2VjE", ""):
                answer = await gate.ask(presented(gate, wrong))
                assert answer.status == 401
                assert b"AccessDeniedException" in answer.body
                assert b"AWS_SESSION_TOKEN" in answer.body
            assert server.connections == 1
            assert not any(word in server.asked[0] for word in (b"ilk_", b"AWS4", b"Security-Token"))

    run(work)


def test_boto3_shows_a_bearer_token_through_the_proxy(tmp_path: Path, machine: pytest.MonkeyPatch) -> None:
    machine.setenv("AWS_BEARER_TOKEN_BEDROCK", "any")  # which boto3 sends over TLS only

    async def work() -> None:
        async with proxied(tmp_path, [[Move.READ, WHOLE]]) as world:
            proxy = f"http://interlock:{world.gate.key}@127.0.0.1:{world.gate.port}"

            def ask() -> str:
                client = boto3.client(
                    "bedrock-runtime",
                    endpoint_url=f"https://{world.place}/v1",
                    region_name=REGION,
                    verify=str(tmp_path / "ours/ca.pem"),
                    config=Config(proxies={"https": proxy}, retries={"total_max_attempts": 1}),
                )
                with contextlib.closing(client):
                    messages = [{"role": "user", "content": [{"text": "hi"}]}]
                    answer = client.converse(modelId="eu.anthropic.claude-v1:0", messages=messages)
                text: str = answer["output"]["message"]["content"][0]["text"]
                return text

            assert await asyncio.to_thread(ask) == "hello"
            assert world.server.asked[0].startswith(b"POST /v1/model/eu.anthropic.claude-v1%3A0/converse ")
            assert f"Bearer {PROVIDER_KEY}".encode() in world.server.asked[0]

    run(work)
