"""Which conversation a request goes on with: told by what was said, never across workloads."""

from hashlib import sha256

from hypothesis import given
from hypothesis import strategies as st

from interlock.guard.sessions import Place, Sessions, mark, text_of
from interlock.model.event import Channel, Event, Text, ToolCall, ToolDefinition


def place(sessions: Sessions, workload: str, events: list[Event], request: str) -> Place:
    digests = [None if (text := text_of(event)) is None else sha256(text.encode()).hexdigest() for event in events]
    marks = ["" if digest is None else mark(event, digest) for event, digest in zip(events, digests, strict=True)]
    return sessions.place(workload, marks, request)


def user(text: str) -> Text:
    return Text(("m",), Channel.USER, text)


def test_a_request_that_repeats_another_and_adds_to_it_goes_on_with_it() -> None:
    sessions = Sessions()
    first = place(sessions, "w", [user("a")], "r1")
    second = place(sessions, "w", [user("a"), ToolCall((), "c", "f", "{}"), user("b")], "r2")
    third = place(sessions, "w", [user("a"), ToolCall((), "c", "f", "{}"), user("b"), user("c")], "r3")
    assert {first.session, second.session, third.session} == {first.session}
    assert (first.known, second.known, third.known) == (0, 1, 3)


def test_branches_of_a_conversation_share_their_session() -> None:
    sessions = Sessions()
    root = place(sessions, "w", [user("a")], "r1").session
    assert place(sessions, "w", [user("a"), user("b")], "r2").session == root
    assert place(sessions, "w", [user("a"), user("c")], "r3").session == root


def test_a_conversation_that_was_rewritten_is_a_new_one() -> None:
    sessions = Sessions()
    first = place(sessions, "w", [user("a"), user("b")], "r1")
    assert place(sessions, "w", [user("b")], "r2").session != first.session
    assert place(sessions, "w", [user("A"), user("b"), user("c")], "r3").session != first.session


def test_settings_and_tools_are_no_part_of_a_conversation() -> None:
    sessions = Sessions()
    first = place(sessions, "w", [user("a"), Text((), Channel.PARAMETER, "x")], "r1")
    second = place(sessions, "w", [user("a"), Text((), Channel.PARAMETER, "y"), ToolDefinition((), "f", "", {})], "r2")
    assert second.session == first.session


NAMES = st.text(alphabet="a1 ué", max_size=4)


@given(one=NAMES, other=NAMES, texts=st.lists(st.text(max_size=4), min_size=1, max_size=3))
def test_two_workloads_never_share_a_session(one: str, other: str, texts: list[str]) -> None:
    sessions = Sessions()
    first = place(sessions, one, [user(text) for text in texts], "r1")
    second = place(sessions, other, [user(text) for text in texts], "r2")
    assert (first.session == second.session) == (one == other)


SHORT = st.text("0 1ab", max_size=3)
SAID = st.sampled_from([Channel.USER, Channel.SYSTEM, Channel.TOOL_RESULT])
EVENT: st.SearchStrategy[Event] = st.builds(
    Text, st.just(()), SAID, st.text("0 1ab", max_size=6), st.just(""), SHORT
) | st.builds(ToolCall, st.just(()), SHORT, SHORT, SHORT)


def key(events: list[Event]) -> list[object]:
    """What counts of events: all but their places and the tool's name of a result."""
    return [(event.channel, event.text, event.call_id) if isinstance(event, Text) else event for event in events]


@given(one=st.lists(EVENT, min_size=1, max_size=4), other=st.lists(EVENT, min_size=1, max_size=4))
def test_events_cannot_be_read_as_other_events(one: list[Event], other: list[Event]) -> None:
    sessions = Sessions()
    first = place(sessions, "w", one, "r1")
    second = place(sessions, "w", other, "r2")
    assert (second.session == first.session) == (key(other)[: len(one)] == key(one))


def test_the_least_recently_used_is_forgotten_first() -> None:
    sessions = Sessions(kept=2)
    first = place(sessions, "w", [user("a")], "r1").session
    place(sessions, "w", [user("b")], "r2")
    assert place(sessions, "w", [user("a")], "r3").session == first
    place(sessions, "w", [user("c")], "r4")
    assert place(sessions, "w", [user("a")], "r5").session == first
    assert place(sessions, "w", [user("b")], "r6").session not in ("", first)
    assert len(sessions._seen) == 2
