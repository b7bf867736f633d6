"""What a user asks for, in the words of the request."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock.provenance.requests import Request


@pytest.mark.parametrize(
    ("text", "tool", "sink"),
    [
        ("Please send Bob the minutes.", "send_email", "send"),
        ("I'd like you to reply to her", "reply_to_message", "send"),
        ("Cancelling my dentist appointment, please", "cancel_calendar_event", "delete"),
        ("Get rid of the file notes.txt", "delete_file", "delete"),
        ("remove everything of Bob's", "purge_records", "delete"),
        ("Pay the rent", "send_money", "money"),
        ("Put the list into shopping.md", "create_file", "write"),
        ("Do the tasks of my list", "append_to_file", "write"),
        ("Handle the invoice", "pay_invoice", "money"),
        ("Bitte lösche die Datei", "delete_file", "delete"),
        ("请删除这个文件", "delete_file", "delete"),
        ("frobnicate it", "frobnicate", "unknown"),
    ],
)
def test_what_is_asked_for(text: str, tool: str, sink: str) -> None:
    expected = sink != "unknown"
    assert Request([text]).asks_for(tool, sink) is expected


@pytest.mark.parametrize(
    ("text", "tool", "sink"),
    [
        ("What does the page say?", "create_note", "write"),
        ("Summarise the page", "send_email", "send"),
        ("Read the notes in the file and the copy of it", "create_file", "write"),
        ("Delete the mail from Bob", "delete_file", "delete"),
        ("Create a meeting. What is in the file?", "create_file", "write"),
        ("Send the report", "delete_email", "delete"),
        ("Send the report", "run_command", "execute"),
        ("", "send_email", "send"),
    ],
)
def test_what_is_not_asked_for(text: str, tool: str, sink: str) -> None:
    assert not Request([text]).asks_for(tool, sink)


def test_titles_are_named_by_their_words() -> None:
    request = Request(["Move the Budget review, and print 'Menu.docx' and the notes on mail"])
    assert request.names("budget-review", exactly=True)
    assert request.names("Menu.docx", exactly=True)
    assert not request.names("menu.docx", exactly=True)
    assert request.names("menu.docx", exactly=False)
    assert not request.names("mail", exactly=False), "a word for a kind of object names none"
    assert not request.names("Budget review of Eve", exactly=False)
    assert not request.names("", exactly=False)
    assert not request.names("12 34", exactly=False)


def test_people_are_mentioned_by_a_name_that_is_written_as_one() -> None:
    request = Request(["Send Anna the file and mark it"])
    assert request.mentions("Anna Berg")
    assert not request.mentions("Mark Berg")
    assert not request.mentions("")


def test_a_short_number_needs_a_word_before_it() -> None:
    request = Request(["On May 13 delete event 7, #8 and the mail with id: 9"])
    assert [number for number in ("13", "7", "8", "9") if request.designates(number, ("delete", "event"))] == [
        "7",
        "8",
        "9",
    ]
    assert not request.designates("1", ("event",))


@given(texts=st.lists(st.text(max_size=40), max_size=4), tool=st.text(max_size=20))
def test_any_request_has_an_answer(texts: list[str], tool: str) -> None:
    request = Request(texts)
    assert request.asks_for(tool, "send") in (True, False)
    assert request.names(tool, exactly=True) in (True, False)
    assert not request.designates("99999", ())
