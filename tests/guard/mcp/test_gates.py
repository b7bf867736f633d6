"""The gates beside provenance, at an MCP server: secrets, caps, what nobody asked for, and typed policies."""

from dataclasses import replace

from interlock.guard.caps import Caps, caps
from interlock.guard.rules import Rules
from interlock.policy import Policies, Source
from interlock.policy.arguments import of_declarations
from tests.guard.mcp.play import TOOLS, Fake, Gate, Played, a_task, tool
from tests.guard.play import BUNDLED, SCHEMA, make_rules

KEY = "k7Qz-99X2-pp41"
MORE = [
    *TOOLS,
    tool("get_api_key", "Get the API key of the account."),
    tool("delete_file", "Delete a file.", "file_id"),
]


def gate(rules: Rules | None = None) -> Gate:
    results = {"get_api_key": {"content": [{"type": "text", "text": f"key: {KEY}"}]}}
    return Gate(fake=Fake(tools=MORE, results=results), rules=rules or make_rules())


def call(gate: Gate, name: str, request: str = "Send Bob (bob@corp.example) the minutes.", **arguments: str) -> Played:
    return gate.play("tools/call", {"name": name, "arguments": arguments}, task=a_task(request))


def test_a_secret_that_a_tool_gave_does_not_leave_by_another() -> None:
    behind = gate()
    behind.play("tools/call", {"name": "get_api_key"}, task=a_task("Tell bob@corp.example the API key's owner."))
    told = call(behind, "send_email", to="bob@corp.example", body=f"it is {KEY.lower()}")
    assert told.text == "Not permitted."
    step = behind.steps("call")[-1]
    assert step.policies == ("secret-on-its-way-out",)
    assert KEY not in repr(behind.records)
    assert call(behind, "send_email", to="bob@corp.example", body="it is Ann").text == "send_email done"


def test_a_secret_that_the_user_says_is_no_secret() -> None:
    behind, said = gate(), f"Get the API key. Send bob@corp.example the key {KEY}."
    behind.play("tools/call", {"name": "get_api_key"}, task=a_task(said))
    assert call(behind, "send_email", said, to="bob@corp.example", body=KEY).text == "send_email done"


def test_a_deletion_that_nobody_asked_for_waits_though_nothing_untrusted_was_read() -> None:
    behind = gate()
    assert call(behind, "delete_file", "What is in the file report-17?", file_id="report-17").text == "Not permitted."
    assert behind.steps("call")[-1].policies == ("delete-not-asked-for",)


def test_a_task_has_so_many_deletions_and_another_task_its_own() -> None:
    behind = gate(replace(make_rules(), caps=Caps(caps(["delete 2"], ""))))
    said = "Delete the files report-17, report-18 and report-19."
    texts = [call(behind, "delete_file", said, file_id=f"report-{number}").text for number in (17, 18, 19)]
    assert texts == ["delete_file done", "delete_file done", "Not permitted."]
    assert behind.steps("call")[-1].policies == ("cap-reached",)
    other = {"name": "delete_file", "arguments": {"file_id": "report-17"}}
    assert behind.play("tools/call", other, task=a_task(said, id="t2")).text == "delete_file done"


def test_a_tool_whose_arguments_a_policy_reads_is_listed_and_judged_by_them() -> None:
    scope = 'principal, action == Action::"callTool", resource == Tool::"send_email"'
    text = f'@id("small") @reason("No.") forbid ({scope}) when {{ context.args.body like "*minutes of the board*" }};'
    typed = {"send_email": of_declarations("send_email", ["body: String"])}
    policies = Policies(SCHEMA, (BUNDLED, Source("own", text)), {}, tools=typed)
    behind = gate(replace(make_rules(), policies=policies))
    listed = behind.play("tools/list", task=a_task()).answer["result"]["tools"]
    assert "send_email" in [one["name"] for one in listed]
    assert call(behind, "send_email", to="bob@corp.example", body="the minutes").text == "send_email done"
    for wrong in ({"body": "the minutes of the board"}, {}, {"body": "a", "Body": "b"}):
        assert call(behind, "send_email", to="bob@corp.example", **wrong).text == "Not permitted."
        assert behind.steps("call")[-1].policies == ("small",)
