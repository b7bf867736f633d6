"""What each kind of SDK symbol makes of a call, a decorated function or a subclass."""

import ast
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from interlock.model.asset import AssetKind, Evidence, Fact, Link, Verb
from interlock.sources.python_code.meaning import entry, keyword
from interlock.sources.python_code.scopes import FunctionNode, Scope, Use
from interlock.sources.python_code.sightings import CREDENTIALS, ENDPOINTS, Sightings
from interlock.sources.python_code.table import Sdk

# Symbols that run, configure or wrap an asset that is declared elsewhere: their arguments are read, no more.
CARRIERS = frozenset({
    "agents.Runner.run", "agents.Runner.run_sync", "agents.Runner.run_streamed", "google.adk.runners.Runner",
    "claude_agent_sdk.ClaudeAgentOptions", "google.genai.types.GenerateContentConfig", "langgraph.prebuilt.ToolNode",
    "langgraph.StateGraph.compile", "bedrock_agentcore.BedrockAgentCoreApp.entrypoint",
})  # fmt: skip
# Kinds whose first positional argument is the model, where the SDK lets it be positional.
MODEL_FIRST = frozenset({"model_load", "model_download", "embedding", "llm_client", "llm_call", "agent"})
NAME_FIRST = frozenset({"mcp_server", "agent", "tool", "dataset"})


@dataclass(frozen=True, slots=True)
class Met:
    """A call of an SDK symbol in its scope, and the name that its value is given."""

    sdk: Sdk
    node: ast.Call
    scope: Scope
    owner: str

    def called(self, fallback: str) -> str:
        """What to call it where the code gives no name: its variable, the function around it, or `fallback`."""
        return self.owner or self.scope.label or fallback


def call(see: Sightings, sdk: Sdk, use: Use) -> None:
    """Note what this call makes or uses."""
    if isinstance(use.node, ast.Call) and (handler := HANDLERS.get(sdk.kind)):
        handler(see, Met(sdk, use.node, use.scope, use.owner))


def decorated(see: Sightings, sdk: Sdk, decorator: ast.expr, function: FunctionNode, scope: Scope) -> None:
    """Note what a decorator makes of a function: a tool, an agent, a guardrail, a prompt."""
    kind = DECORATED.get(sdk.kind)
    if kind is None or _is_carrier(sdk):
        return
    name = function.name
    if isinstance(decorator, ast.Call):
        given = see.argument(decorator, f"{sdk.args.get('name', 'name')}|0")
        texts = see.reader.texts(given, scope)
        name = texts[0].text if texts and sdk.kind != "agent" else name
    if kind is AssetKind.OBSERVABILITY:
        name = sdk.name
    see.add(kind, name, function.lineno, Evidence.DECLARED, {"sdk": sdk.package, "module": sdk.name})


def subclass(see: Sightings, sdk: Sdk, node: ast.ClassDef, body: Scope | None) -> None:
    """Note a class that becomes a tool, an agent, a client or a store by what it inherits."""
    kind = SUBCLASSED.get(sdk.kind)
    if kind is None or body is None:
        return
    names = [m for m in body.names.get("name", []) if isinstance(m, ast.expr)]
    texts = see.reader.texts(names[0], body) if names else []
    facts = {"sdk": sdk.package, "module": sdk.name}
    see.add(kind, texts[0].text if texts else node.name, node.lineno, Evidence.DECLARED, facts)


def _is_carrier(sdk: Sdk) -> bool:
    return sdk.name in CARRIERS


def _argument(see: Sightings, met: Met, role: str) -> ast.expr | None:
    return see.argument(met.node, met.sdk.args.get(role))


def _endpoint(see: Sightings, met: Met) -> dict[str, Fact]:
    given = _argument(see, met, "endpoint")
    return see.endpoint(see.argument(met.node, ENDPOINTS) if given is None else given, met.scope)


def _credential(see: Sightings, met: Met) -> tuple[dict[str, Fact], tuple[Link, ...]]:
    given = _argument(see, met, "credential")
    given = see.argument(met.node, CREDENTIALS) if given is None else given
    return see.credential(given, met.scope, met.sdk.name, met.sdk.service)


def _facts(met: Met, role: str = "") -> dict[str, Fact]:
    return {"service": met.sdk.service, "sdk": met.sdk.package, "module": met.sdk.name, "role": role or None}


def _models(see: Sightings, met: Met) -> tuple[Link, ...]:
    given = _argument(see, met, "model")
    if given is not None:
        return see.models(given, met.scope, sure=met.sdk.kind != "agent" or _names_model(see, given, met.scope))
    if met.sdk.kind in MODEL_FIRST and "model" in met.sdk.args and met.node.args:
        certain = met.sdk.kind in {"model_load", "model_download"} and met.sdk.last != "pipeline"
        return see.models(met.node.args[0], met.scope, sure=certain)
    return ()


def _names_model(see: Sightings, node: ast.expr, scope: Scope) -> bool:
    """Whether an agent's `model` is a name at all, not the field of some configuration."""
    return bool(see.reader.texts(node, scope))


def _clients(see: Sightings, met: Met) -> tuple[Link, ...]:
    """The client that an agent or chain is given as its model."""
    given = _argument(see, met, "model")
    origin = see.reader.dotted(given, met.scope) if given is not None else None
    if origin and origin.endswith("()") and origin.count("()") == 1:
        return (Link(Verb.CALLS, AssetKind.LLM, origin.removesuffix("()")),)
    return ()


def _instructions(see: Sightings, met: Met, owner: str) -> tuple[Link, ...]:
    links: tuple[Link, ...] = ()
    for role in ("system_prompt", "instructions"):
        links += see.prompt(_argument(see, met, role), met.scope, owner)
    messages = _argument(see, met, "prompt")
    if messages is not None:
        links += see.system_messages(messages, met.scope, owner)
    config = _argument(see, met, "config")
    for place in see.reader.follow(config, met.scope) if config is not None else ():
        if isinstance(place.node, ast.Dict):
            links += see.prompt(entry(place.node, "system_instruction"), place.scope, owner)
            links += see.tools(entry(place.node, "tools"), place.scope)
    return links


def _llm_client(see: Sightings, met: Met) -> None:
    reads, links = _credential(see, met)
    facts = _facts(met, "client") | reads
    facts |= _endpoint(see, met)
    models = _models(see, met)
    links += models + _instructions(see, met, met.called("client")) + see.tools(_argument(see, met, "tools"), met.scope)
    see.add(AssetKind.LLM, met.sdk.name, met.node.lineno, facts=facts, links=links)


def _llm_call(see: Sightings, met: Met) -> None:
    reads, links = _credential(see, met)
    links += _models(see, met) + _instructions(see, met, met.scope.label or met.owner)
    links += see.tools(_argument(see, met, "tools"), met.scope) + _mcp_servers(see, met)
    facts = _facts(met, "call") | reads | _endpoint(see, met)
    see.add(AssetKind.LLM, met.sdk.name, met.node.lineno, facts=facts, links=links)


def _embedding(see: Sightings, met: Met) -> None:
    reads, links = _credential(see, met)
    facts = _facts(met) | reads | _endpoint(see, met)
    see.add(AssetKind.EMBEDDING, met.sdk.name, met.node.lineno, facts=facts, links=links + _models(see, met))


def _agent(see: Sightings, met: Met) -> None:
    name = _name(see, met)
    links = _models(see, met) + _clients(see, met) + _instructions(see, met, name)
    links += see.tools(_argument(see, met, "tools"), met.scope) + _mcp_servers(see, met)
    if not _is_carrier(met.sdk):
        see.add(AssetKind.AGENT, name, met.node.lineno, Evidence.DECLARED, _facts(met), links)


def _tool(see: Sightings, met: Met) -> None:
    if _is_carrier(met.sdk):
        see.tools(see.argument(met.node, f"{met.sdk.args.get('tools', '')}|0"), met.scope)
        return
    name = see.first_text(_argument(see, met, "name"), met.scope)
    if name is None:
        name = _function_name(see, met) or met.sdk.last
    see.add(AssetKind.TOOL, name, met.node.lineno, Evidence.DECLARED, _facts(met))


def _function_name(see: Sightings, met: Met) -> str | None:
    """The name of the function that a tool is made from."""
    given = see.argument(met.node, f"{met.sdk.args.get('function', '')}|0") if met.sdk.form != "decorator" else None
    for place in see.reader.follow(given, met.scope) if given is not None else ():
        if isinstance(place.node, ast.FunctionDef | ast.AsyncFunctionDef):
            return place.node.name
    return given.id if isinstance(given, ast.Name) and "function" in met.sdk.args else None


def _name(see: Sightings, met: Met) -> str:
    given = _argument(see, met, "name")
    if given is None and met.sdk.kind in NAME_FIRST and met.node.args and met.sdk.args.get("name") == "name":
        texts = see.reader.texts(met.node.args[0], met.scope)
        if texts and not see.models(met.node.args[0], met.scope, sure=False):
            return texts[0].text
    is_use = met.sdk.form == "method" and "name" not in met.sdk.args  # what its value is called is the answer's name
    return see.first_text(given, met.scope) or (met.sdk.name if is_use else met.called(met.sdk.last))


def _prompt(see: Sightings, met: Met) -> None:
    if _is_carrier(met.sdk):
        _instructions(see, met, met.called(""))
        see.tools(_argument(see, met, "tools"), met.scope)
        return
    given = see.argument(met.node, f"{met.sdk.args.get('prompt', '')}|0")
    name = met.called(met.sdk.last)
    if not see.prompt(given, met.scope, name) and not see.system_messages(given, met.scope, name):
        return


def _vector_store(see: Sightings, met: Met) -> None:
    reads, links = _credential(see, met)
    facts = _facts(met) | reads | _endpoint(see, met)
    see.add(AssetKind.VECTOR_STORE, met.sdk.name, met.node.lineno, facts=facts, links=links)


def _mcp_server(see: Sightings, met: Met) -> None:
    facts = _facts(met, "implementation")
    links = _instructions(see, met, _name(see, met))
    see.add(AssetKind.MCP_SERVER, _name(see, met), met.node.lineno, Evidence.DECLARED, facts, links)


def _mcp_client(see: Sightings, met: Met) -> None:
    links = _mcp_servers(see, met)
    settings = {"command": _argument(see, met, "command"), "args": _argument(see, met, "args")}
    settings["url"] = _argument(see, met, "endpoint") if "endpoint" in met.sdk.args else None
    if settings["url"] is None and "endpoint" in met.sdk.args and met.node.args:
        settings["url"] = met.node.args[0]
    config = see.argument(met.node, f"{met.sdk.args.get('config', '')}") if "config" in met.sdk.args else None
    for place in see.reader.follow(config, met.scope) if config is not None else ():
        if isinstance(place.node, ast.Dict):
            settings = {key: entry(place.node, key) or settings.get(key) for key in ("command", "args", "url")}
    name = see.first_text(_argument(see, met, "name"), met.scope)
    if see.reader.texts(settings["command"], met.scope) or see.reader.texts(settings["url"], met.scope):
        links += (see.server(name or met.called("server"), met.node.lineno, settings, met.scope),)
    see.add(AssetKind.MCP_CLIENT, met.sdk.package, met.node.lineno, facts=_facts(met), links=links)


def _mcp_servers(see: Sightings, met: Met) -> tuple[Link, ...]:
    """The servers of a literal `{name: {command, args, url}}`, or of a list of `{name, url}`."""
    given = _argument(see, met, "mcp_servers")
    if given is None and "mcp_servers" in met.sdk.args and met.sdk.kind == "mcp_client" and met.node.args:
        given = met.node.args[0]
    links: list[Link] = []
    for place in see.reader.follow(given, met.scope) if given is not None else ():
        if isinstance(place.node, ast.Dict):
            nested = entry(place.node, "mcpServers")
            servers = nested if isinstance(nested, ast.Dict) else place.node
            for key, value in zip(servers.keys, servers.values, strict=True):
                name = see.first_text(key, place.scope)
                if name and isinstance(value, ast.Dict):
                    settings = {part: entry(value, part) for part in ("command", "args", "url")}
                    links.append(see.server(name, value.lineno, settings, place.scope))
    for place in see.elements(given, met.scope):
        if isinstance(place.node, ast.Dict) and (name := see.first_text(entry(place.node, "name"), place.scope)):
            settings = {"url": entry(place.node, "url")}
            links.append(see.server(name, place.node.lineno, settings, place.scope))
    return tuple(links)


def _model(see: Sightings, met: Met) -> None:
    for value in see.reader.texts(see.argument(met.node, f"{met.sdk.args.get('model', '')}|0"), met.scope):
        facts: dict[str, Fact] = {"service": met.sdk.service, "sdk": met.sdk.package, "module": met.sdk.name}
        trusted = keyword(met.node, "trust_remote_code")
        facts["trust_remote_code"] = (isinstance(trusted, ast.Constant) and trusted.value is True) or None
        if not any(c.isspace() for c in value.text) and met.sdk.last != "pipeline":
            see.add(AssetKind.MODEL, value.text, value.line, facts=facts)
    if met.sdk.last == "pipeline":
        _models(see, met)


def _named(kind: AssetKind) -> Callable[[Sightings, Met], None]:
    """For kinds of which only the name matters."""

    def note(see: Sightings, met: Met) -> None:
        given = _argument(see, met, "name")
        if given is None and kind is AssetKind.DATASET and met.node.args:
            given = met.node.args[0]
        name = see.first_text(given, met.scope)
        if kind is AssetKind.DATASET and name is None:
            return
        see.add(kind, name or met.sdk.name, met.node.lineno, facts=_facts(met))

    return note


def _credential_use(see: Sightings, met: Met) -> None:
    if name := see.first_text(_argument(see, met, "provider"), met.scope):
        see.add(AssetKind.CREDENTIAL, name, met.node.lineno, facts=_facts(met) | {"stored": True})


HANDLERS: Mapping[str, Callable[[Sightings, Met], None]] = {
    "llm_client": _llm_client,
    "llm_call": _llm_call,
    "embedding": _embedding,
    "agent": _agent,
    "tool": _tool,
    "prompt": _prompt,
    "vector_store": _vector_store,
    "mcp_server": _mcp_server,
    "mcp_client": _mcp_client,
    "model_load": _model,
    "model_download": _model,
    "guardrail": _named(AssetKind.GUARDRAIL),
    "observability": _named(AssetKind.OBSERVABILITY),
    "dataset": _named(AssetKind.DATASET),
    "credential_use": _credential_use,
}
SUBCLASSED: Mapping[str, AssetKind] = {
    "tool": AssetKind.TOOL,
    "agent": AssetKind.AGENT,
    "llm_client": AssetKind.LLM,
    "embedding": AssetKind.EMBEDDING,
    "vector_store": AssetKind.VECTOR_STORE,
}
DECORATED: Mapping[str, AssetKind] = {
    "tool": AssetKind.TOOL,
    "agent": AssetKind.AGENT,
    "guardrail": AssetKind.GUARDRAIL,
    "prompt": AssetKind.PROMPT,
    "observability": AssetKind.OBSERVABILITY,
}
