"""An MCP server of the SDK with everything that the conformance suite asks of one; it prints its port.

What each tool, prompt and resource has to do is said by the suite's scenarios (`conformance list --server`).
"""

import json
import socket
from collections.abc import Mapping

import uvicorn
from mcp.server.lowlevel import Server
from mcp.server.request_state import RequestStateBoundary, RequestStateSecurity
from mcp.server.subscriptions import ListenHandler
from mcp.shared.exceptions import MCPError
from mcp_types import (
    INVALID_PARAMS,
    CallToolRequestParams,
    CompleteRequestParams,
    GetPromptRequestParams,
    PaginatedRequestParams,
    ReadResourceRequestParams,
    RequestParams,
    SetLevelRequestParams,
    SubscribeRequestParams,
    SubscriptionsListenRequestParams,
    UnsubscribeRequestParams,
)

from bench.conformance.tools import (
    IMAGE,
    KEPT,
    PNG,
    Ctx,
    Json,
    ask,
    bus,
    call_tool,
    embedded,
    given,
    list_tools,
    required,
    text,
)

STATIC = {
    "test://static-text": ("text/plain", "text", "This is the content of the static text resource."),
    "test://static-binary": ("image/png", "blob", PNG),
    "test://watched-resource": ("text/plain", "text", "It does not change."),
}
TEMPLATE, LEAD, TAIL = "test://template/{id}/data", "test://template/", "/data"


async def list_resources(_ctx: Ctx, _params: object) -> Json:
    held = [
        {"uri": uri, "name": uri.rpartition("/")[2], "description": "For tests.", "mimeType": STATIC[uri][0]}
        for uri in STATIC
    ]
    return {"resources": held} | KEPT


async def list_templates(_ctx: Ctx, _params: object) -> Json:
    held = {"uriTemplate": TEMPLATE, "name": "data", "description": "For tests.", "mimeType": "application/json"}
    return {"resourceTemplates": [held]} | KEPT


async def read_resource(_ctx: Ctx, params: ReadResourceRequestParams) -> Json:
    uri = str(params.uri)
    if uri in STATIC:
        mime, kind, said = STATIC[uri]
    elif uri.startswith(LEAD) and uri.endswith(TAIL):
        name = uri.removeprefix(LEAD).removesuffix(TAIL)
        mime, kind = "application/json", "text"
        said = json.dumps({"id": name, "templateTest": True, "data": f"Data for ID: {name}"})
    else:
        raise MCPError(INVALID_PARAMS, "Resource not found", {"uri": uri})
    return {"contents": [{"uri": uri, "mimeType": mime, kind: said}]} | KEPT


async def nothing(_ctx: Ctx, _params: RequestParams) -> Json:
    return {}


def spoken(*content: Json) -> Json:
    return {"resultType": "complete", "messages": [{"role": "user", "content": one} for one in content]}


PROMPTS: Mapping[str, tuple[str, ...]] = {
    "test_simple_prompt": (),
    "test_prompt_with_arguments": ("arg1", "arg2"),
    "test_prompt_with_embedded_resource": ("resourceUri",),
    "test_prompt_with_image": (),
    "test_input_required_result_prompt": (),
}


async def list_prompts(_ctx: Ctx, _params: object) -> Json:
    held = [
        {
            "name": name,
            "description": "For tests.",
            "arguments": [{"name": one, "description": "For tests.", "required": True} for one in arguments],
        }
        for name, arguments in PROMPTS.items()
    ]
    return {"prompts": held} | KEPT


async def get_prompt(_ctx: Ctx, params: GetPromptRequestParams) -> Json:
    arguments = params.arguments or {}
    match params.name:
        case "test_simple_prompt":
            return spoken(text("This is a simple prompt for testing."))
        case "test_prompt_with_arguments":
            said = f"Prompt with arguments: arg1='{arguments.get('arg1')}', arg2='{arguments.get('arg2')}'"
            return spoken(text(said))
        case "test_prompt_with_embedded_resource":
            held = embedded(arguments["resourceUri"], "text/plain", "Embedded resource content for testing.")
            return spoken(held, text("Please process the embedded resource above."))
        case "test_prompt_with_image":
            return spoken(IMAGE, text("Please analyze the image above."))
        case "test_input_required_result_prompt":
            answer = given(params, "user_context")
            if answer is None:
                return required({"user_context": ask("What context should the prompt use?", "context")})
            return spoken(text(f"In the context of {answer['content']['context']}"))
    raise MCPError(INVALID_PARAMS, "there is no such prompt")


async def complete(_ctx: Ctx, _params: CompleteRequestParams) -> Json:
    return {
        "resultType": "complete",
        "completion": {"values": ["paris", "park", "party"], "total": 3, "hasMore": False},
    }


def everything() -> Server:
    """The server."""
    server = Server("everything", version="1")
    server.add_request_handler("tools/list", PaginatedRequestParams, list_tools)
    server.add_request_handler("tools/call", CallToolRequestParams, call_tool)
    server.add_request_handler("resources/list", PaginatedRequestParams, list_resources)
    server.add_request_handler("resources/templates/list", PaginatedRequestParams, list_templates)
    server.add_request_handler("resources/read", ReadResourceRequestParams, read_resource)
    server.add_request_handler("resources/subscribe", SubscribeRequestParams, nothing)
    server.add_request_handler("resources/unsubscribe", UnsubscribeRequestParams, nothing)
    server.add_request_handler("subscriptions/listen", SubscriptionsListenRequestParams, ListenHandler(bus))
    server.add_request_handler("prompts/list", PaginatedRequestParams, list_prompts)
    server.add_request_handler("prompts/get", GetPromptRequestParams, get_prompt)
    server.add_request_handler("completion/complete", CompleteRequestParams, complete)
    server.add_request_handler("logging/setLevel", SetLevelRequestParams, nothing)
    server.middleware.append(RequestStateBoundary(RequestStateSecurity.ephemeral(), default_audience="everything"))
    return server


def main() -> None:
    """Serve on a free port of loopback, and print it."""
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    print(listening.getsockname()[1], flush=True)
    config = uvicorn.Config(everything().streamable_http_app(), log_level="warning")
    uvicorn.Server(config).run(sockets=[listening])


if __name__ == "__main__":
    main()
