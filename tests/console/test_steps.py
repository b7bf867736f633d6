"""How a session's page words what the data plane does beside texts and tool calls."""

import pytest

from interlock.model.record import Record, Step
from tests.console.fakes import of
from tests.console.reader import read
from tests.console.scenes import EXTRA, hidden, image, observed, outside, replaced, told, various


def session(asked: tuple[Step, ...] = (), answered: tuple[Step, ...] = ()) -> tuple[Record, ...]:
    return told("s", asked, answered)


@pytest.mark.parametrize(
    ("records", "heading"),
    [
        (session((EXTRA,)), "logprobs was taken out of the answer"),
        (session((), (replaced(),)), "A piece of an answer was replaced"),
        (session((), (replaced(), replaced())), "Pieces of 2 texts were replaced"),
        (session((), (observed(),)), "Nothing was blocked in 2 steps, 1 text would have been"),
        (session((EXTRA,), (replaced(),)), "2 steps of 3 were blocked"),
    ],
)
def test_the_heading_says_what_was_done(records: tuple[Record, ...], heading: str) -> None:
    assert read(of(records), "/sessions/s").headings[0] == heading


def bare(text: str) -> str:
    """Without blanks: where words stand in boxes of their own, there are none between them."""
    return "".join(text.split())


def test_every_step_is_worded() -> None:
    page = read(of(various()), "/sessions/va1105")
    for words in (
        "Image untrusted text 182,044 characters as sent",
        "Nobody has looked for text in it",
        "Asked for beside the answer logprobs",
        "Taken out",
        "Hidden from the model EMAILIBAN 3 values",
        "Model call claude-sonnet-5 at anthropic anthropic-messages",
        "Upstream passed over anthropic-eu",
        "Data exfiltration: image-with-data score 0.96",
        "Personal data: iban score 0.99",
        "System prompt leak: words score 0.90",
        "Canary: canary score 1.00",
        "Invisible text: tags score 0.98",
        "Replaced in part",
        "Let through",
        "only observed",
        "nobody knows what it does",
        "Not released",
    ):
        assert bare(words) in bare(page.text), words


def test_the_story_tells_what_was_taken_replaced_observed_and_hidden() -> None:
    page = read(of(various()), "/sessions/va1105")
    story = (
        "Image content that nobody has looked into came into the conversation at step 2. interlock took logprobs out",
        "of the answer (step 5). interlock replaced a piece of a text at step 9: canary, invisible text. 1 text of its",
        "answers, the first one at step 10, held what would have been replaced: this workload is only observed. 3",
        "values were hidden from the model, first at step 6.",
    )
    assert " ".join(story) in page.text


def test_media_that_a_tool_brought_names_it() -> None:
    assert "Filebrowse" in bare(read(of(session((image("file", "browse"),))), "/sessions/s").text)
    assert "1 value was hidden" in read(of(session((hidden(1),))), "/sessions/s").text


def test_the_list_of_sessions_names_protocol_and_upstream() -> None:
    page = read(of(various(), outside()), "/sessions?view=all")
    assert "claude-sonnet-5 at anthropic, anthropic-messages" in page.text
    assert "/outside" in page.hrefs
