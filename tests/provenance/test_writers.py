"""Who can write into a source that is declared trusted."""

from typing import Any

from interlock.model.event import ToolDefinition
from interlock.provenance.settings import ToolOverride
from interlock.provenance.writers import OpenWriter, open_writers

TEXT = {"type": "string"}


def tool(server: str, name: str, **properties: Any) -> tuple[str, tuple[str, ToolDefinition]]:
    return name, (server, ToolDefinition((), name, "", {"type": "object", "properties": properties}))


TRUSTED = {"list_notes": ToolOverride(output="internal")}
NOTES = dict(
    [
        tool("notes", "list_notes"),
        tool("notes", "create_note", title=TEXT, done={"type": "boolean"}),
        tool("notes", "delete_note", note_id=TEXT),
        tool("mail", "read_mails"),
        tool("mail", "send_mail", to=TEXT, body=TEXT),
    ]
)


def found(overrides: dict[str, ToolOverride], *unsafe: str) -> list[tuple[str, tuple[str, ...], bool]]:
    return [(one.writer, one.arguments, one.excused) for one in open_writers(NOTES, overrides, unsafe)]


def test_a_writer_of_the_same_server_whose_text_nobody_judges_is_told() -> None:
    assert found(TRUSTED) == [("create_note", ("title",), False)]


def test_the_fix_that_is_told_is_one() -> None:
    (one,) = open_writers(NOTES, TRUSTED, ())
    assert one.fix == 'set [tools.create_note] recipients = ["title"], or [tools.list_notes] output = "untrusted"'
    assert found(TRUSTED | {"create_note": ToolOverride(recipients=("title",))}) == []
    assert found({}) == []


def test_a_tool_that_a_manifest_excuses_is_told_as_well() -> None:
    judged = TRUSTED | {"create_note": ToolOverride(recipients=("title",))}
    assert found(judged, "create_note") == [("create_note", (), True)]
    assert "unsafe_tools" in OpenWriter("list_notes", "create_note", (), excused=True).fix


def test_a_writer_of_another_server_counts_if_it_is_about_the_same_kind_of_object() -> None:
    tools = {**NOTES, **dict([tool("other", "update_notes", text=TEXT)])}
    assert [one.writer for one in open_writers(tools, TRUSTED, ())] == ["create_note", "update_notes"]
