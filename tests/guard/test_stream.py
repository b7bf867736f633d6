"""However a stream is cut, the client gets what a scan of the whole text would have left, and nothing before that."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock.guard import Emit
from interlock.guard.answer import OBSERVED
from interlock.guard.edits import marker, replaced
from interlock.model.event import Channel
from interlock.model.record import Verdict
from interlock.policy import Mode, Scope
from tests.detectors.keys import EXAMPLES, PEM
from tests.guard.play import ENGINE, STREAMED, Played, make_rules, play
from tests.protocols.wire import DONE, chunk, piece, request

KEY = EXAMPLES["huggingface_user"]
MARK = "[removed by interlock: credential-leak]"
ASK = request(tools=[{"type": "function", "function": {"name": name}} for name in ("read_x", "get_y", "delete_z")])


def redacted(text: str) -> str:
    found = [signal for signal in ENGINE.scan(text, Channel.OUTPUT) if signal.detector == "credential-leak"]
    return replaced(text, 0, [(signal.span, marker(signal)) for signal in found])


def said(data: bytes, choice: int = 0, key: str = "content") -> str:
    """The text that a client puts together from stream bytes."""
    out = ""
    for event in data.split(b"\n\n"):
        if event.startswith(b"data: {"):
            for one in json.loads(event[6:])["choices"]:
                out += (one["delta"].get(key) or "") if one["index"] == choice else ""
    return out


def calls(data: bytes) -> dict[int, tuple[str, str]]:
    """(name, arguments) of the calls that a client puts together, by index."""
    out: dict[int, tuple[str, str]] = {}
    for event in data.split(b"\n\n"):
        if event.startswith(b"data: {"):
            for choice in json.loads(event[6:])["choices"]:
                for call in choice["delta"].get("tool_calls", []):
                    name, arguments = out.get(call["index"], ("", ""))
                    function = call["function"]
                    out[call["index"]] = (name + function.get("name", ""), arguments + function["arguments"])
    return out


def stream(*chunks: bytes, end: bytes = DONE, limit: int = 100_000) -> Played:
    return play(ASK, STREAMED, *chunks, end, rules=make_rules(limit=limit))


def texts(*pieces: str) -> Played:
    return stream(*(chunk({"content": text}) for text in pieces), chunk({}, "stop"))


SOME = [
    EXAMPLES[id_] for id_ in ("openai_project", "aws_access_key", "google_oauth_access", "postgres_url", "slack_bot")
]
PIECES = st.sampled_from([*SOME, PEM, PEM[:40], "-----BEGIN", "-----END", " ", "\n", "\u00a0", "word", "é", "🔑"])


@given(pieces=st.lists(PIECES | st.text(max_size=5), max_size=8), data=st.data())
def test_any_cut_gives_the_redacted_text_and_releases_nothing_else(pieces: list[str], data: st.DataObject) -> None:
    whole = "".join(pieces)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=12)))
    played = texts(*(whole[a:b] for a, b in zip([0, *cuts], [*cuts, len(whole)], strict=True)))
    assert said(played.sent) == redacted(whole)
    released = ""
    for command in played.commands:
        if isinstance(command, Emit):
            released += said(command.data)
            assert redacted(whole).startswith(released)


@pytest.mark.parametrize("id_", EXAMPLES)
def test_a_key_in_single_characters_never_leaves(id_: str) -> None:
    text = f"The key: {EXAMPLES[id_]} and so on."
    played = texts(*text)
    assert said(played.sent) == redacted(text)
    assert EXAMPLES[id_] not in said(played.sent)


def test_a_long_run_without_a_space_is_not_held_for_ever() -> None:
    played = texts(*["x" * 400] * 10)
    emitted = [said(command.data) for command in played.commands if isinstance(command, Emit)]
    assert len(emitted) > 5
    assert "".join(emitted) == "x" * 4_000


def test_text_leaves_as_soon_as_it_is_decided_and_unchanged_frames_keep_their_bytes() -> None:
    first, second = chunk({"content": "ok? "}), chunk({"content": "is it? "})
    played = stream(first, second, chunk({}, "stop"))
    assert [c.data for c in played.commands if isinstance(c, Emit)][:2] == [first, second]
    assert played.sent == first + second + chunk({}, "stop") + DONE


def test_texts_that_grow_side_by_side_do_not_mix() -> None:
    half = len(KEY) // 2
    played = stream(
        chunk({"content": KEY[:half]}), chunk({"content": "a"}, index=1), chunk({"reasoning_content": "b"}),
        chunk({"content": KEY[half:]}), chunk({"content": KEY}, index=1), chunk({}, "stop"), chunk({}, "stop", 1),
    )  # fmt: skip
    assert said(played.sent) == MARK
    assert said(played.sent, key="reasoning_content") == "b"
    assert said(played.sent, 1) == f"a{KEY}", "with a letter before it, it is no key of this format"


def test_a_key_in_the_tokens_alone_is_taken_out() -> None:
    tokens = [{"content": [{"token": part, "logprob": -1, "top_logprobs": []}]} for part in (KEY[:9], KEY[9:])]
    played = stream(*(chunk({"content": "."}, logprobs=part) for part in tokens), chunk({}, "stop"))
    assert KEY[9:] not in played.sent.decode()
    assert said(played.sent) == ".."


# Calls


def test_no_piece_of_a_call_leaves_before_the_end() -> None:
    played = stream(
        chunk({"content": "so "}), chunk(piece(0, name="read_x")), chunk(piece(0, "{}")), chunk({}, "tool_calls")
    )
    *early, last = [command.data for command in played.commands if isinstance(command, Emit)]
    assert "read_x" not in b"".join(early).decode()
    assert calls(last) == {0: ("read_x", "{}")}


def test_a_refused_call_goes_and_the_others_stay() -> None:
    played = stream(
        chunk(piece(0, "{}", name="read_x")), chunk(piece(1, "{}", name="nobody_offered")),
        chunk(piece(2, '{"a":', name="get_y")), chunk(piece(2, "1}")), chunk({}, "tool_calls"),
    )  # fmt: skip
    assert calls(played.sent) == {0: ("read_x", "{}"), 1: ("get_y", '{"a":1}')}
    assert said(played.sent) == "[interlock] Not permitted: a tool that was not offered."
    assert b'"tool_calls"' in played.sent.rsplit(b"finish_reason", 1)[1], "calls are left, so it ends as a call"


def test_each_choice_has_its_own_notice() -> None:
    played = stream(
        chunk({"content": "fine "}), chunk(piece(0, "{}", name="bad"), index=1), chunk({}, "stop"),
        chunk({}, "tool_calls", 1),
    )  # fmt: skip
    assert calls(played.sent) == {}
    assert (said(played.sent), said(played.sent, 1)) == (
        "fine ",
        "[interlock] Not permitted: a tool that was not offered.",
    )


def test_a_refused_legacy_call_goes() -> None:
    played = stream(chunk({"function_call": {"name": "bad", "arguments": "{}"}}), chunk({}, "function_call"))
    assert b"function_call" not in played.sent
    assert said(played.sent) == "[interlock] Not permitted: a tool that was not offered."


def test_arguments_that_hold_a_key_are_not_let_through() -> None:
    escaped = json.dumps({"q": KEY}).replace("h", "\\u0068", 1)
    played = stream(chunk(piece(0, escaped[:9], name="read_x")), chunk(piece(0, escaped[9:])), chunk({}, "tool_calls"))
    assert calls(played.sent) == {}
    assert played.records[-1].steps[-1].reason == "An argument holds what may not go out: credential-leak."


FAULTS: dict[str, list[bytes | None]] = {
    "text after the finish": [chunk({"content": "a"}), chunk({}, "stop"), chunk({"content": KEY})],
    "a call after the finish": [chunk({}, "stop"), chunk(piece(0, "{}", name="read_x"))],
    "a call that changes its name": [chunk(piece(0, name="read_x")), chunk(piece(0, "{}", name="get_y"))],
    "a call that changes its id": [chunk(piece(0, name="read_x")), chunk(piece(0, name="read_x", call_id="other"))],
    "no end mark": [chunk({"content": "a"}), None],
    "cut inside an event": [chunk({"content": "a"})[:-1], None],
    "not JSON": [b"data: {\n\n"],
    "too much text": [chunk({"content": "word " * 30_000})],
    "too much held": [chunk(piece(0, "x" * 60_000, name="read_x")), chunk(piece(0, "x" * 60_000))],
    "an opaque part with a key": [chunk({"x_new": KEY})],
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_ends_the_stream_with_an_error_and_lets_nothing_more_out(fault: str) -> None:
    played = play(ASK, STREAMED, *FAULTS[fault])
    last = json.loads(played.sent.split(b"data: ")[-1])
    assert last["error"]["code"] == "upstream_error"
    assert b"[DONE]" not in played.sent
    assert KEY.encode() not in played.sent
    assert calls(played.sent.rsplit(b"data: ", 1)[0]) == {}
    assert played.records[-1].status == 502
    assert played.records[-1].reason


def test_names_that_come_again_as_they_were_are_no_fault() -> None:
    again = chunk(
        {"tool_calls": [{"index": 0, "id": "c0", "type": "function", "function": {"name": "read_x", "arguments": "}"}}]}
    )
    played = stream(chunk(piece(0, "{", name="read_x")), again, chunk({}, "tool_calls"))
    assert b"Not permitted" not in played.sent


def test_an_error_event_passes_after_its_record_and_is_the_end() -> None:
    error = b'data: {"error":{"message":"overloaded"}}\n\n'
    played = play(ASK, STREAMED, chunk({"content": "a "}) + error)
    assert played.short == ["note request allowed", "forward", "begin", "read", "emit", "note answer failed", "emit"]
    assert played.sent.endswith(error)
    assert "reported an error" in played.records[-1].reason


def test_words_beside_the_data_pass_unless_they_hold_a_key() -> None:
    assert b": ping\n\n" in stream(b": ping\n\n", chunk({}, "stop")).sent
    assert KEY.encode() not in stream(f": {KEY}\n\n".encode(), chunk({}, "stop")).sent


def modes(mode: Mode, *chunks: bytes) -> Played:
    rules = make_rules(scopes={"w": Scope(mode=mode)})
    return play(ASK, STREAMED, *chunks, DONE, rules=rules)


LEAKING = (
    chunk({"content": "the key is "}),
    chunk({"content": KEY}),
    chunk({"content": " and more"}),
    chunk({}, "stop"),
)


def test_in_mode_block_nothing_leaves_before_the_end() -> None:
    played = modes(Mode.BLOCK, *LEAKING)
    assert [len(c.data) > 0 for c in played.commands if isinstance(c, Emit)] == [True]
    assert said(played.sent) == f"the key is {MARK} and more"


def test_in_mode_window_only_what_is_undecided_waits() -> None:
    played = modes(Mode.WINDOW, *LEAKING)
    assert len([c for c in played.commands if isinstance(c, Emit)]) > 1
    assert said(played.sent) == f"the key is {MARK} and more"


def test_in_mode_observe_a_text_leaves_at_once_as_it_is_and_the_log_says_so() -> None:
    played = modes(Mode.OBSERVE, *LEAKING)
    emitted = [c.data for c in played.commands if isinstance(c, Emit)]
    assert emitted[: len(LEAKING) - 1] == list(LEAKING[:-1]), "each piece as it came"
    [step] = played.records[-1].steps
    assert (step.verdict, step.reason, step.signals[0].detector) == (Verdict.ALLOWED, OBSERVED, "credential-leak")


@pytest.mark.parametrize("mode", list(Mode))
def test_a_refused_call_leaves_in_no_mode(mode: Mode) -> None:
    played = modes(mode, chunk(piece(0, "{}", "never_offered")), chunk({}, "tool_calls"))
    assert calls(played.sent) == {}
