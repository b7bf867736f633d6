"""The official SDK's own types, filled in full: what a program can send through it is understood, or named here."""

import inspect
import json
import types
import typing
from collections.abc import Iterable, Iterator
from typing import Any

import pytest
from anthropic.types.beta import BetaMessage
from anthropic.types.beta.beta_message_param import BetaMessageParam
from anthropic.types.beta.message_create_params import MessageCreateParamsBase
from typing_extensions import is_typeddict

from interlock.model.event import Opaque, ToolDefinition
from interlock.protocols.anthropic_messages import ADAPTER
from tests.protocols.anthropic_wire import answer, requested

# What the API's own servers run, or do with other models, or keep: nobody here sees it.
SERVER_TOOLS = {
    "web_search_20250305", "web_search_20260209", "web_search_20260318", "web_fetch_20250910", "web_fetch_20260209",
    "web_fetch_20260309", "web_fetch_20260318", "code_execution_20250522", "code_execution_20250825",
    "code_execution_20260120", "code_execution_20260521", "advisor_20260301", "tool_search_tool_bm25_20251119",
    "tool_search_tool_bm25", "tool_search_tool_regex_20251119", "tool_search_tool_regex", "mcp_toolset",
}  # fmt: skip
SERVER_BLOCKS = {
    "server_tool_use", "web_search_tool_result", "web_fetch_tool_result", "advisor_tool_result",
    "code_execution_tool_result", "bash_code_execution_tool_result", "text_editor_code_execution_tool_result",
    "tool_search_tool_result", "mcp_tool_use", "mcp_tool_result", "mcp_tool_listing", "fallback",
}  # fmt: skip
SERVER_FIELDS = {"container", "fallbacks", "mcp_servers"}
HEADERS = {"betas", "user_profile_id", "workspace_id"}
GIVEN: dict[str, Any] = {"model": "m", "max_tokens": 1, "messages": [{"role": "user", "content": "hi"}]}


def bare(hint: Any) -> Any:
    while typing.get_origin(hint) in (typing.Required, typing.NotRequired, typing.Annotated):
        hint = typing.get_args(hint)[0]
    return hint


def fields(kind: Any) -> dict[str, Any]:
    """The fields of one of the SDK's types with their types: of a request's dictionary or an answer's model."""
    if is_typeddict(kind):
        return typing.get_type_hints(kind, include_extras=True)
    return {field.alias or name: field.annotation for name, field in kind.model_fields.items()}


def filled(hint: Any) -> Iterator[Any]:
    """Values of a type. Of an object: one with every field, then one more for each other value of a field."""
    hint = bare(hint)
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        for one in inner:
            yield from filled(one)
    elif origin is typing.Literal:
        yield from inner
    elif origin is dict:
        yield {"key": "word"}
    elif origin is not None:
        yield from ([one] for one in filled(inner[0]))
    elif is_typeddict(hint) or (inspect.isclass(hint) and hasattr(hint, "model_fields")):
        every = {name: list(filled(kind)) for name, kind in fields(hint).items()}
        whole = {name: values[0] for name, values in every.items() if values}
        yield whole
        yield from (whole | {name: value} for name, values in every.items() for value in values[1:])
    else:
        known = {str: "word", int: 1, bool: True, float: 1.5, object: {}, types.NoneType: None}
        yield from ([known[hint]] if hint in known else [])


def opaque(document: dict[str, Any]) -> list[str]:
    """The places of a request that are not understood, with the name of the type of what stands there."""
    events = requested(json.dumps(document).encode()).events
    return [str(event.path[-1]) for event in events if isinstance(event, Opaque)]


@pytest.mark.parametrize(
    "field", sorted(set(fields(MessageCreateParamsBase)) - HEADERS - {"messages", "tools", "thread"})
)
def test_every_setting_is_understood_but_those_of_the_server(field: str) -> None:
    tried = 0
    for value in filled(fields(MessageCreateParamsBase)[field]):
        found = opaque(GIVEN | {field: value})
        assert found == ([field] if field in SERVER_FIELDS and value is not None else []), value
        tried += 1
    assert tried


def test_every_tool_is_understood_but_those_of_the_server() -> None:
    not_understood: set[str] = set()
    offered: set[str] = set()
    for (tool,) in filled(fields(MessageCreateParamsBase)["tools"]):
        not_understood |= set(opaque(GIVEN | {"tools": [tool]}))
        events = requested(json.dumps(GIVEN | {"tools": [tool]}).encode()).events
        offered |= {str(tool.get("type")) for event in events if isinstance(event, ToolDefinition)}
    assert not_understood == SERVER_TOOLS
    assert not offered & SERVER_TOOLS
    assert len(offered) == 14


def contents() -> dict[str, list[Any]]:
    """Every content block that a message can hold, by role."""
    out: dict[str, list[Any]] = {}
    for message in typing.get_args(BetaMessageParam):
        (role,) = typing.get_args(bare(fields(message)["role"]))
        content = [kind for kind in typing.get_args(bare(fields(message)["content"])) if kind is not str]
        out[role] = [blocks[0] for kind in content for blocks in filled(kind)]
    return out


# By the API, only the one side says these; the SDK's types are the same for both.
ASSISTANTS = {"thinking", "redacted_thinking", "tool_use", "compaction"}
USERS = {
    "image", "document", "search_result", "tool_result", "container_upload", "tool_addition", "tool_removal",
}  # fmt: skip
# Parts of blocks that are of the server.
SERVER_PARTS = {"tool", "tool_changes", *SERVER_TOOLS}


@pytest.mark.parametrize("role", ["user", "assistant", "system"])
def test_every_block_is_understood_but_those_of_the_server(role: str) -> None:
    other_side = {"user": ASSISTANTS, "assistant": USERS, "system": set()}[role]
    seen: set[str] = set()
    for block in contents()[role]:
        found = set(opaque(GIVEN | {"messages": [{"role": role, "content": [block]}]}))
        seen |= found
        if block["type"] in SERVER_BLOCKS | other_side:
            assert found == {block["type"]}
        else:
            assert found <= SERVER_PARTS, block
    assert seen >= (SERVER_BLOCKS if role != "system" else {"tool", "mcp_toolset"})


def test_what_is_of_the_server_in_a_change_of_tools_is_only_that() -> None:
    for block in contents()["system"]:
        inner = block.get("tool", {})
        found = opaque(GIVEN | {"messages": [{"role": "system", "content": [block]}]})
        local = block["type"] == "text" or inner["type"] == "tool_reference"
        local |= inner.get("type") == "tool_definition" and inner["definition"].get("type") not in SERVER_TOOLS
        assert local is (found == [])


def blocks_of_answers() -> Iterable[dict[str, Any]]:
    (content,) = typing.get_args(bare(fields(BetaMessage)["content"]))
    return filled(content)


def test_every_block_of_an_answer_is_understood_but_those_of_the_server() -> None:
    for block in blocks_of_answers():
        events = ADAPTER.answer(answer(block)).events
        found = [str(event.path[-1]) for event in events if isinstance(event, Opaque)]
        kind = block["type"]
        server = kind in SERVER_BLOCKS | {"container_upload"}
        assert found == ([kind] if server else ["tool_changes"] if block.get("tool_changes") else []), block


@pytest.mark.parametrize("field", sorted(set(fields(BetaMessage)) - {"content", "role", "type", "container"}))
def test_every_field_around_an_answer_is_understood(field: str) -> None:
    tried = 0
    for value in filled(fields(BetaMessage)[field]):
        events = ADAPTER.answer(answer(**{field: value})).events
        assert not [event for event in events if isinstance(event, Opaque)], value
        tried += 1
    assert tried


def test_what_an_answer_says_can_be_sent_back() -> None:
    """Programs put an answer's content into their next request as it came."""
    for block in blocks_of_answers():
        if block["type"] in SERVER_BLOCKS | {"container_upload"} or block.get("tool_changes"):
            continue
        assert opaque(GIVEN | {"messages": [{"role": "assistant", "content": [block]}]}) == []
