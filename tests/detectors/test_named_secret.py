"""Secrets that a name gives away, and the labelled cases: exact places, near misses let pass, streams alike."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.detection_cases import cases
from interlock.detectors import Engine, detectors
from interlock.detectors.credential_leak import is_whole
from interlock.knowledge import credentials
from interlock.model.event import Channel
from tests.detectors.windows import streamed

DETECTOR = detectors()["named-secret"]
ENGINE = Engine(detectors())


def flagged(text: str) -> list[str]:
    return [text[signal.span.start : signal.span.end] for signal in DETECTOR.detect(text)]


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("password: hK8#mw2Q.", "hK8#mw2Q"),
        ("The password is hK8#mw2Q!", "hK8#mw2Q"),
        ('"client_secret": "9f8a7b6c5d4e3f2a1b0c9d8e7f6a5b4c"', "9f8a7b6c5d4e3f2a1b0c9d8e7f6a5b4c"),
        ("DB_PASSWORD=tR7kL92qx", "tR7kL92qx"),
        (
            "aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYq8Zr4TlQvX",
            "wJalrXUtnFEMI/K7MDENG/bPxRfiCYq8Zr4TlQvX",
        ),
        ("voyage key pa-" + "aB3_" * 10 + "xYz", "pa-" + "aB3_" * 10 + "xYz"),
        ("export API_KEY='q7Zt-4Nw9-Lk2X'", "q7Zt-4Nw9-Lk2X"),
    ],
)
def test_a_secret_behind_its_name_is_found(text: str, secret: str) -> None:
    assert any(secret in found for found in flagged(text))


@pytest.mark.parametrize(
    "text",
    [
        "password: required",
        "password = os.environ['DB_PASSWORD_1']",
        "token: ${GITHUB_TOKEN_2}",
        "secret: /run/secrets/db1.key",
        "api_key = 'your-api-key-123'",
        "password: xxxxxxxx1X",
        "The secret is to use 2 eggs.",
        "token = parser.next_token2()",
        "passwords: 12 of 48",
        "token_count: 1048576",
        "secret=https://vault.example/v1/x",
        "password is case-sensitive",
        "max_tokens: 4096, token_type: bearer",
    ],
)
def test_what_is_no_secret_is_not(text: str) -> None:
    assert flagged(text) == []


def test_a_wrong_checksum_scores_less() -> None:
    github = next(credential for credential in credentials() if credential.id == "github_pat")
    # GitHub's own example of the format, whose checksum is right.
    assert is_whole(github, "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")
    assert not is_whole(github, "ghp_zQWBuTSOoRi4A9spHcVY5ncnsDkxkJ0mLq18")


PIECES = [
    "password",
    ": ",
    " = ",
    "hK8#mw2Q",
    "tR7kL92q",
    " ",
    "\n",
    "mistral",
    "_key",
    "q7Zt4Nw9" * 4,
    "is ",
    "Hi. ",
    '"',
    "voyage ",
]


@given(st.lists(st.sampled_from(PIECES), max_size=9), st.data())
def test_a_stream_finds_what_the_whole_text_has(pieces: list[str], data: st.DataObject) -> None:
    text = "".join(pieces)
    cuts = data.draw(st.lists(st.integers(0, len(text)), max_size=4))
    whole = {at for signal in DETECTOR.detect(text) for at in range(signal.span.start, signal.span.end)}
    assert whole <= streamed(text, cuts, DETECTOR.detect, DETECTOR.pending)


def test_labelled_secrets_and_numbers_are_told_from_near_misses() -> None:
    count: Counter[str] = Counter()
    looking = frozenset({"credential-leak", "named-secret", "personal-data"})
    for case in cases():
        found = [case.text[s.span.start : s.span.end] for s in ENGINE.scan(case.text, Channel.USER, looking)]
        count["all"] += 1
        count["right"] += bool(case.piece) and case.piece in found
        count["missed"] += bool(case.piece) and case.piece not in found
        count["wrong"] += any(not case.piece or (f not in case.piece and case.piece not in f) for f in found)
    assert count["all"] >= 2_000
    assert count["right"] / (count["right"] + count["missed"]) >= 0.97
    assert count["right"] / (count["right"] + count["wrong"]) >= 0.97
