"""Limits in an exchange: refused before anything goes out, in the protocol's shape; settled on every way out."""

import json
from dataclasses import replace

import pytest

from interlock.guard import ClientGoneError, Reply, Rules
from interlock.guard.budgets import Budgets
from interlock.guard.settings import LimitSettings, limit, rates
from interlock.model.errors import UpstreamError
from interlock.model.record import RecordKind
from tests.guard.play import STREAMED, WHOLE, Played, make_rules, play
from tests.protocols.wire import DONE, answer, choice, chunk, request

FINE = answer(choice("hello"), usage={"prompt_tokens": 30, "completion_tokens": 40})
STREAM = (chunk({"content": "hello. "}), chunk({}, "stop"), DONE)


def limited(setting: LimitSettings, *policies: str) -> Rules:
    return replace(make_rules(*policies), budgets=Budgets([limit("small", setting)], rates({})), owners={"w": "team"})


def refused(played: Played) -> Reply:
    [record] = played.records
    assert record.kind is RecordKind.REFUSAL
    assert "small" in record.reason
    reply = played.commands[-1]
    assert isinstance(reply, Reply)
    assert not played.forwarded
    return reply


def test_too_many_requests_are_answered_with_when_to_come_again() -> None:
    rules = limited(LimitSettings(window="minute", requests=2))
    for _ in range(2):
        assert play(request(), WHOLE, FINE, rules=rules).short[-1] == "reply 200"
    reply = refused(play(request(), rules=rules))
    assert reply.status == 429
    assert 0 < reply.retry_after_s <= 61
    error = json.loads(reply.body)["error"]
    assert error["type"] == "rate_limit_error"
    assert "small" in error["message"]


def test_tokens_are_counted_as_the_server_counts_them() -> None:
    rules = limited(LimitSettings(window="minute", tokens=180))
    body = request(max_tokens=100)
    assert play(body, WHOLE, FINE, rules=rules).short[-1] == "reply 200"  # 70 of 180
    assert play(body, WHOLE, FINE, rules=rules).short[-1] == "reply 429"  # 70 + more than 110 would be reserved
    assert play(request(max_tokens=20), WHOLE, FINE, rules=rules).short[-1] == "reply 200"


def test_an_owner_and_a_model_have_their_limits_as_well() -> None:
    rules = limited(LimitSettings(owner="team", model="m*", per="owner", window="minute", requests=1))
    assert play(request(), WHOLE, FINE, rules=rules).short[-1] == "reply 200"
    assert refused(play(request(), rules=rules)).status == 429


def test_a_context_that_is_too_large_is_not_worth_asking_again() -> None:
    rules = limited(LimitSettings(request_messages=2))
    many = request([{"role": "user", "content": "hi"}] * 3)
    reply = refused(play(many, rules=rules))
    assert (reply.status, reply.retry_after_s) == (413, 0)


@pytest.mark.parametrize(
    "script",
    [
        (UpstreamError("is gone"),),
        (WHOLE, b"junk"),
        (WHOLE, FINE),
        (STREAMED, *STREAM),
        (STREAMED, STREAM[0], UpstreamError("is gone")),
        (STREAMED, STREAM[0], None),
    ],
)
def test_every_way_out_frees_the_place_of_a_request(script: tuple[object, ...]) -> None:
    rules = limited(LimitSettings(concurrent=1))
    for _ in range(3):
        played = play(request(stream=True), *script, rules=rules)  # type: ignore[arg-type]
        assert played.records[0].kind is RecordKind.REQUEST


@pytest.mark.parametrize("at", range(6))
def test_a_client_that_goes_frees_its_place(at: int) -> None:
    rules = limited(LimitSettings(concurrent=1))
    for _ in range(3):
        try:
            played = play(request(), STREAMED, *STREAM, rules=rules, throw_at=at, thrown=ClientGoneError())
        except ClientGoneError:
            continue
        assert played.records[0].kind is RecordKind.REQUEST


def test_a_request_that_policy_denies_uses_nothing_but_its_place_in_the_count() -> None:
    own = '@id("no") forbid (principal, action == Action::"callModel", resource);'
    rules = limited(LimitSettings(window="minute", tokens=5_000), own)
    for _ in range(10):
        assert play(request(), rules=rules).short[-1] == "reply 403"


def test_who_hangs_up_early_is_charged_what_was_sent() -> None:
    rules = limited(LimitSettings(window="minute", tokens_out=300))
    long = chunk({"content": "word. " * 400})
    body = request(max_tokens=100, stream=True)
    play(body, STREAMED, long, ClientGoneError(), rules=rules)
    assert refused(play(body, rules=rules)).status == 429


@pytest.mark.parametrize("stream", [False, True])
def test_an_answer_whose_server_counts_nothing_is_charged_what_it_says(stream: bool) -> None:
    rules = limited(LimitSettings(window="hour", tokens_out=10_000))
    text = "word. " * 8_000
    script = (STREAMED, chunk({"content": text}), chunk({}, "stop"), DONE) if stream else (WHOLE, answer(choice(text)))
    assert play(request(stream=stream), *script, rules=rules).records[-1].kind is RecordKind.ANSWER
    assert refused(play(request(), rules=rules)).status == 429
