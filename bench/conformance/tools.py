"""The tools that the conformance suite calls, as its scenarios ask for them."""

import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeAlias

import anyio
from mcp.server.context import ServerRequestContext
from mcp.server.subscriptions import InMemorySubscriptionBus, PromptsListChanged, ToolsListChanged
from mcp.shared.exceptions import MCPError
from mcp.shared.message import ServerMessageMetadata
from mcp_types import (
    INVALID_PARAMS,
    MISSING_REQUIRED_CLIENT_CAPABILITY,
    CallToolRequestParams,
    CreateMessageRequest,
    CreateMessageRequestParams,
    CreateMessageResult,
    ElicitRequest,
    ElicitRequestFormParams,
    ElicitResult,
    GetPromptRequestParams,
)

from bench.conformance.forms import DEFAULTS, ENUMS, SCHEMA_2020_12, SCHEMA_HEADER, USER

Ctx: TypeAlias = ServerRequestContext[Any, Any]
Json: TypeAlias = dict[str, Any]
Tool: TypeAlias = Callable[[Ctx, CallToolRequestParams], Awaitable[Json]]

PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGP4z8AAAAMBAQDJ/pLvAAAAAElFTkSuQmCC"
WAV = "UklGRiYAAABXQVZFZm10IBAAAAABAAEAQB8AAAB9AAACABAAZGF0YQIAAAAAAA=="
STEP_S = 0.05
IMAGE = {"type": "image", "data": PNG, "mimeType": "image/png"}
ASK_NAME: Json = {
    "method": "elicitation/create",
    "params": {
        "mode": "form",
        "message": "What is your name?",
        "requestedSchema": {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]},
    },
}
KEPT: Json = {"resultType": "complete", "ttlMs": 1_000, "cacheScope": "public"}
bus = InMemorySubscriptionBus()


def text(said: str) -> Json:
    return {"type": "text", "text": said}


def told(*content: Json) -> Json:
    return {"resultType": "complete", "content": list(content)}


def embedded(uri: str, mime: str, said: str) -> Json:
    return {"type": "resource", "resource": {"uri": uri, "mimeType": mime, "text": said}}


def ask(message: str, name: str, kind: str = "string") -> Json:
    schema = {"type": "object", "properties": {name: {"type": kind}}, "required": [name]}
    return {"method": "elicitation/create", "params": {"mode": "form", "message": message, "requestedSchema": schema}}


def sample(message: str, most: int) -> Json:
    said = [{"role": "user", "content": text(message)}]
    return {"method": "sampling/createMessage", "params": {"messages": said, "maxTokens": most}}


def required(requests: Json, state: str | None = None) -> Json:
    more = {} if state is None else {"requestState": state}
    return {"resultType": "input_required", "inputRequests": requests} | more


def given(params: CallToolRequestParams | GetPromptRequestParams, key: str) -> Json | None:
    """What the client answered to the request `key`; None if it did not."""
    answer = (params.input_responses or {}).get(key)
    return answer.model_dump(by_alias=True, exclude_none=True) if answer is not None else None


# --- tools that only answer ------------------------------------------------------------------------------------


async def simple_text(_ctx: Ctx, _params: CallToolRequestParams) -> Json:
    return told(text("This is a simple text response for testing."))


async def image(_ctx: Ctx, _params: CallToolRequestParams) -> Json:
    return told(IMAGE)


async def audio(_ctx: Ctx, _params: CallToolRequestParams) -> Json:
    return told({"type": "audio", "data": WAV, "mimeType": "audio/wav"})


async def embedded_resource(_ctx: Ctx, _params: CallToolRequestParams) -> Json:
    return told(embedded("test://embedded-resource", "text/plain", "This is an embedded resource content."))


async def mixed(_ctx: Ctx, _params: CallToolRequestParams) -> Json:
    held = embedded("test://mixed-content-resource", "application/json", '{"test":"data","value":123}')
    return told(text("Multiple content types test:"), IMAGE, held)


async def error(_ctx: Ctx, _params: CallToolRequestParams) -> Json:
    return told(text("This tool intentionally returns an error for testing")) | {"isError": True}


async def plain(_ctx: Ctx, params: CallToolRequestParams) -> Json:
    return told(text(json.dumps(params.arguments or {}, sort_keys=True)))


async def logging(ctx: Ctx, _params: CallToolRequestParams) -> Json:
    for said in ("Tool execution started", "Tool processing data", "Tool execution completed"):
        await ctx.session.send_log_message("info", said, related_request_id=ctx.request_id)
        await anyio.sleep(STEP_S)
    return told(text("logged"))


async def progress(ctx: Ctx, _params: CallToolRequestParams) -> Json:
    for done in (0, 50, 100):
        await ctx.session.report_progress(done, 100, f"{done} of 100")
        await anyio.sleep(STEP_S)
    return told(text("done"))


async def streaming(ctx: Ctx, params: CallToolRequestParams) -> Json:
    return await input_elicitation(ctx, params)


async def change_tools(_ctx: Ctx, _params: CallToolRequestParams) -> Json:
    await bus.publish(ToolsListChanged())
    return told(text("changed"))


async def change_prompts(_ctx: Ctx, _params: CallToolRequestParams) -> Json:
    await bus.publish(PromptsListChanged())
    return told(text("changed"))


# --- tools that ask the client, until 2025-11-25 ---------------------------------------------------------------


async def sampling(ctx: Ctx, params: CallToolRequestParams) -> Json:
    asked = CreateMessageRequestParams.model_validate(sample((params.arguments or {})["prompt"], 100)["params"])
    request = CreateMessageRequest(params=asked)
    answer = await ctx.session.send_request(request, CreateMessageResult, metadata=related(ctx))
    said = answer.model_dump(by_alias=True)["content"]["text"]
    return told(text(f"LLM response: {said}"))


def related(ctx: Ctx) -> ServerMessageMetadata:
    return ServerMessageMetadata(related_request_id=ctx.request_id)


async def elicited(ctx: Ctx, message: str, schema: Json, lead: str) -> Json:
    request = ElicitRequest(params=ElicitRequestFormParams(message=message, requested_schema=schema))
    answer = await ctx.session.send_request(request, ElicitResult, metadata=related(ctx))
    return told(text(f"{lead}: action={answer.action}, content={json.dumps(answer.content)}"))


async def elicitation(ctx: Ctx, params: CallToolRequestParams) -> Json:
    return await elicited(ctx, (params.arguments or {})["message"], USER, "User response")


async def elicitation_defaults(ctx: Ctx, _params: CallToolRequestParams) -> Json:
    return await elicited(ctx, "Please check these", DEFAULTS, "Elicitation completed")


async def elicitation_enums(ctx: Ctx, _params: CallToolRequestParams) -> Json:
    return await elicited(ctx, "Please choose", ENUMS, "Elicitation completed")


# --- tools that need more, from 2026-07-28 on ------------------------------------------------------------------


async def input_elicitation(_ctx: Ctx, params: CallToolRequestParams) -> Json:
    answer = given(params, "user_name")
    if answer is None:
        return required({"user_name": ASK_NAME})
    return told(text(f"Hello, {answer['content']['name']}!"))


async def input_sampling(_ctx: Ctx, params: CallToolRequestParams) -> Json:
    answer = given(params, "capital_question")
    if answer is None:
        return required({"capital_question": sample("What is the capital of France?", 100)})
    return told(text(answer["content"]["text"]))


async def input_roots(_ctx: Ctx, params: CallToolRequestParams) -> Json:
    answer = given(params, "client_roots")
    if answer is None:
        return required({"client_roots": {"method": "roots/list", "params": {}}})
    return told(text(" ".join(str(root["uri"]) for root in answer["roots"])))


async def input_state(_ctx: Ctx, params: CallToolRequestParams) -> Json:
    if given(params, "confirm") is None or params.request_state != "confirming":
        return required({"confirm": ask("Please confirm", "ok", "boolean")}, "confirming")
    return told(text("state-ok"))


async def input_many(_ctx: Ctx, params: CallToolRequestParams) -> Json:
    asked = {
        "user_name": ASK_NAME,
        "greeting": sample("Generate a greeting", 50),
        "client_roots": {"method": "roots/list", "params": {}},
    }
    if any(given(params, key) is None for key in asked):
        return required(asked, "many")
    return told(text("all there"))


async def input_rounds(_ctx: Ctx, params: CallToolRequestParams) -> Json:
    if params.request_state == "step2" and given(params, "step2"):
        return told(text("both steps done"))
    if params.request_state == "step1" and given(params, "step1"):
        return required({"step2": ask("Step 2: What is your favorite color?", "color")}, "step2")
    return required({"step1": ask("Step 1: What is your name?", "name")}, "step1")


async def input_capabilities(ctx: Ctx, params: CallToolRequestParams) -> Json:
    can = ctx.session.client_capabilities
    asked: Json = {}
    if can and can.sampling is not None:
        asked["greeting"] = sample("Generate a greeting", 50)
    if can and can.elicitation is not None:
        asked["user_name"] = ASK_NAME
    if params.input_responses or not asked:
        return told(text("no more is needed"))
    return required(asked)


async def missing_capability(ctx: Ctx, _params: CallToolRequestParams) -> Json:
    can = ctx.session.client_capabilities
    if not can or can.sampling is None:
        data: Json = {"requiredCapabilities": {"sampling": {}}}
        raise MCPError(MISSING_REQUIRED_CLIENT_CAPABILITY, "sampling is needed", data)
    return told(text("it is there"))


NOTHING: Json = {"type": "object"}


def takes(**properties: str) -> Json:
    return {
        "type": "object",
        "properties": {name: {"type": kind} for name, kind in properties.items()},
        "required": list(properties),
    }


TOOLS: Mapping[str, tuple[Tool, Json]] = {
    "test_simple_text": (simple_text, NOTHING),
    "test_image_content": (image, NOTHING),
    "test_audio_content": (audio, NOTHING),
    "test_embedded_resource": (embedded_resource, NOTHING),
    "test_multiple_content_types": (mixed, NOTHING),
    "test_error_handling": (error, NOTHING),
    "test_tool_with_logging": (logging, NOTHING),
    "test_logging_tool": (logging, NOTHING),
    "test_tool_with_progress": (progress, NOTHING),
    "test_streaming_elicitation": (streaming, NOTHING),
    "test_trigger_tool_change": (change_tools, NOTHING),
    "test_trigger_prompt_change": (change_prompts, NOTHING),
    "test_sampling": (sampling, takes(prompt="string")),
    "test_elicitation": (elicitation, takes(message="string")),
    "test_elicitation_sep1034_defaults": (elicitation_defaults, NOTHING),
    "test_elicitation_sep1330_enums": (elicitation_enums, NOTHING),
    "test_input_required_result_elicitation": (input_elicitation, NOTHING),
    "test_input_required_result_sampling": (input_sampling, NOTHING),
    "test_input_required_result_list_roots": (input_roots, NOTHING),
    "test_input_required_result_request_state": (input_state, NOTHING),
    "test_input_required_result_tampered_state": (input_state, NOTHING),
    "test_input_required_result_multiple_inputs": (input_many, NOTHING),
    "test_input_required_result_multi_round": (input_rounds, NOTHING),
    "test_input_required_result_capabilities": (input_capabilities, NOTHING),
    "test_missing_capability": (missing_capability, NOTHING),
    "test_header": (plain, SCHEMA_HEADER),
    "json_schema_2020_12_tool": (plain, SCHEMA_2020_12),
}


async def list_tools(_ctx: Ctx, _params: object) -> Json:
    said = [{"name": name, "description": f"{name}.", "inputSchema": TOOLS[name][1]} for name in sorted(TOOLS)]
    return {"tools": said} | KEPT


async def call_tool(ctx: Ctx, params: CallToolRequestParams) -> Json:
    found = TOOLS.get(params.name)
    if found is None:
        raise MCPError(INVALID_PARAMS, "there is no such tool")
    return await found[0](ctx, params)
