"""What a request's verbs are about."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock.provenance.clauses import clauses
from interlock.provenance.requests import Request

ASKED = [
    ("Delete the mail 'Offer'.", "delete_email", "delete"),
    ("Find the mail 'Offer' and delete it.", "delete_email", "delete"),
    ("Find the mail 'Offer'. Then delete it.", "delete_email", "delete"),
    ("The file plan.md should be deleted.", "delete_file", "delete"),
    ("I won't attend the meeting, please decline and delete it.", "cancel_calendar_event", "delete"),
    ("Throw away the email about vouchers.", "delete_email", "delete"),
    ("Sum it up in a new file.", "create_file", "write"),
    ("Save the summary as summary.txt.", "create_file", "write"),
    ("Start a document called Ideas.", "create_file", "write"),
    ("Open an issue about it.", "create_issue", "publish"),
    ("Request vacation for me.", "create_leave_request", "write"),
    ("Mark it in my calendar.", "create_calendar_event", "send"),
    ("Lösche bitte die Datei.", "delete_file", "delete"),
    ("Elimina el archivo.", "delete_file", "delete"),
    ("Return the 20 that Anna lent me.", "send_money", "money"),
]
NOT_ASKED = [
    ("Read the file and create an event.", "create_file", "write"),
    ("Read the mail and delete the file.", "delete_email", "delete"),
    ("Open the document plan.md.", "create_file", "write"),
    ("What is in the file?", "delete_file", "delete"),
    ("Help me understand the file.", "create_file", "write"),
    ("Find the mail. Then delete the file.", "delete_email", "delete"),
    ("Send the file to Anna.", "create_file", "write"),
    ("Give me the list.", "send_money", "money"),
]


@pytest.mark.parametrize(("said", "tool", "sink"), ASKED)
def test_what_is_asked_for(said: str, tool: str, sink: str) -> None:
    assert Request([said]).asks_for(tool, sink)


@pytest.mark.parametrize(("said", "tool", "sink"), NOT_ASKED)
def test_what_is_not(said: str, tool: str, sink: str) -> None:
    assert not Request([said]).asks_for(tool, sink)


def test_an_act_is_in_the_words_of_its_clause() -> None:
    said = Request(["Read the mail about payroll and delete the lottery mail."]).act_words("delete_email", "delete")
    assert "lottery" in said
    assert "payroll" not in said


@pytest.mark.parametrize(
    ("said", "noun", "which"),
    [
        ("Book Hotel Meridian.", "hotel", True),
        ("Book the hotel 'meridian'.", "hotel", True),
        ("Book the Meridian hotel.", "hotel", True),
        ("Book a hotel.", "hotel", False),
        ("Book the best hotel in town.", "hotel", False),
    ],
)
def test_which_one_is_meant(said: str, noun: str, which: bool) -> None:
    assert Request([said]).says_which(noun) is which


@given(st.text(max_size=300))
def test_any_text_has_clauses(text: str) -> None:
    assert clauses(text.lower())[0].verb == frozenset()
    assert Request([text]).asks_for("delete_file", "delete") in (True, False)
