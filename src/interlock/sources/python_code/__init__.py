"""Python source and notebooks: clients, calls, models, agents, tools, prompts, embeddings, vector stores, credentials.

One walk of the syntax tree gathers scopes and uses (`scopes`), names are resolved through imports, constants,
configuration classes and environment defaults (`meaning`), SDK symbols come from the knowledge (`table`), and
each kind of symbol says what it makes of a call (`kinds`, `sightings`). Nothing is imported or executed.
What a test uses is an example: tests are searched for credentials only.
"""

import ast
import re
import sys
import warnings
from collections.abc import Mapping
from dataclasses import replace
from functools import cache

from interlock import knowledge
from interlock.inventory.model_names import SERVING
from interlock.model.asset import AssetKind, Evidence, Fact, Link, NotScanned, Observation, Site, Verb
from interlock.model.meta import Meta
from interlock.sources import FileSource, Reading
from interlock.sources.python_code import kinds, table
from interlock.sources.python_code.examples import EXAMPLES
from interlock.sources.python_code.meaning import Reader, keyword
from interlock.sources.python_code.notebook import NotebookError, parse
from interlock.sources.python_code.scopes import Imported, Module, Named, Scope, Use, survey
from interlock.sources.python_code.sightings import MODEL_NAME, PROMPT_NAME, Sightings

ID = "python-code"
NOTEBOOK = ".ipynb"
VERSION = "{}.{}".format(*sys.version_info)  # the grammar that the syntax tree is built by
# Modules that are English words: only an import of them is a mark.
WORDS = frozenset({
    "agents", "agno", "azure", "boto3", "camel", "cohere", "google", "guardrails", "haystack", "instructor", "mcp",
    "replicate", "strands", "together", "transformers", "crewai", "dspy", "vllm", "ollama", "groq", "datasets", "mem0",
})  # fmt: skip
# Other signs of AI: calls on clients made elsewhere, tool schemas, AWS services, how model families begin.
SIGNS = (
    b"completions.", b"messages.create", b"responses.create", b"embeddings.create", b"generate_content",
    b"input_schema", b"inputSchema", b'"type": "function"', b"'type': 'function'", b"bedrock", b"sagemaker-runtime",
    b"genai", b"@mcp.", b"generativeai", b"vertexai", b"google.adk", b"azure.ai.", b"gpt-", b"claude-", b"gemini-",
    b"text-embedding-", b"deepseek-", b"mistral-", b"llama-", b"llama3", b"command-r", b"grok-", b"qwen",
    b"_prompt", b"_PROMPT", b"PROMPT =", b"PROMPT:", b"prompt =",
)  # fmt: skip
SERVICE_CATEGORIES = frozenset({"llm_api", "gateway", "embedding"})


# What a test uses is an example, not what runs.
TEST_PATH = re.compile(r"(?:^|/)(?:[a-z]+_)?tests?/|(?:^|/)(?:test_[^/]*|[^/]*_test|conftest)\.py$")


def wants(path: str) -> bool:
    """Python source, not stubs, and notebooks."""
    return path.endswith((".py", ".pyw", NOTEBOOK))


@cache
def _marks() -> tuple[bytes, ...]:
    marks = set(SIGNS)
    for symbol in knowledge.symbols().entries:
        if symbol.lang == "python":
            top = symbol.symbol.partition(".")[0].partition("#")[0]
            marks |= {f"from {top}".encode(), f"import {top}".encode()} if top in WORDS else {top.encode()}
    for service in knowledge.services().values():
        marks |= {name.encode() for name in service.env if knowledge.credential_service(name)}
        if service.category in SERVICE_CATEGORIES:
            marks |= {host.encode() for host in service.api_hosts}
    for credential in knowledge.credentials():
        marks |= {prefix.encode() for prefix in credential.prefix if len(prefix) >= MIN_PREFIX_CHARS}
    return tuple(sorted(marks))


MIN_PREFIX_CHARS = 4  # `sk-` is in `task-runner`; the longer prefixes of the same services are there too


def read(path: str, data: bytes) -> Reading:
    """What a Python file or a notebook shows. A test, and what is not valid, is only searched for credentials."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("latin-1")  # one character a byte, so that lines stay what they are
    literals = tuple(_literals(path, text))
    if TEST_PATH.search(path):
        return literals, ()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the scanned code's style
            tree, missed = parse(text) if path.endswith(NOTEBOOK) else (ast.parse(data), ())
    except NotebookError as error:
        return literals, (NotScanned(path, str(error)),)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        return literals, (NotScanned(path, f"not valid for Python {VERSION}: {_reason(error)}"),)
    known = {literal.site.line for literal in literals}
    seen = (o for o in observe(path, tree) if not (o.facts.get("literal") and o.site.line in known))
    return (*literals, *seen), tuple([NotScanned(path, f"not valid for Python {VERSION}: {why}") for why in missed])


def _reason(error: Exception) -> str:
    if isinstance(error, SyntaxError):
        return f"{error.msg} (line {error.lineno})" if error.lineno else str(error.msg)
    if isinstance(error, RecursionError | MemoryError):
        return "nested too deeply"
    return str(error)


def _literals(path: str, text: str) -> list[Observation]:
    found = []
    for hit in knowledge.find_credentials(text):
        line = text.count("\n", 0, hit.start) + 1
        facts: dict[str, Fact] = {"literal": True, "format": hit.credential.id, "service": hit.credential.service}
        site = Site(path, line)
        found.append(Observation(AssetKind.CREDENTIAL, hit.credential.name, site, Evidence.USED, ID, facts))
    return found


def observe(path: str, tree: ast.Module) -> tuple[Observation, ...]:
    """What a syntax tree shows, by kind, name and line."""
    module = survey(tree)
    see = Sightings(path, Reader(module), ID)
    decorators = {id(d) for use in module.uses for d in getattr(use.node, "decorator_list", ())}
    for use in module.uses:
        match use.node:
            case ast.Call() if id(use.node) not in decorators:
                _call(see, use)
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                _function(see, use)
            case ast.ClassDef():
                _class(see, module, use)
            case ast.Dict():
                _dictionary(see, use.node, use.scope)
            case ast.Subscript():
                _environment(see, use.node, use.scope)
    for named in module.named:
        _named(see, named)
    for use in module.uses:
        if isinstance(use.node, ast.Constant):
            _address(see, use.node)
    _imports(see, module.imports)
    _exposed(see)
    return tuple(see.seen[key] for key in sorted(see.seen, key=lambda k: (k[0].value, *k[1:])))


def _dictionary(see: Sightings, node: ast.Dict, scope: Scope) -> None:
    """A tool's schema, or a system message, wherever it is handed to a model."""
    if name := see.schema_name(node, scope):
        see.add(AssetKind.TOOL, name, node.lineno, Evidence.DECLARED)
    see.system_message(node, scope, scope.label)


def _exposed(see: Sightings) -> None:
    """Relate the one MCP server that a file makes to the tools that it offers; of several nobody knows whose."""
    made = [key for key, o in see.seen.items() if o.facts.get("role") == "implementation"]
    tools = [o for o in see.seen.values() if str(o.facts.get("module")).startswith(("mcp.", "fastmcp."))]
    if len(made) == 1:
        server = see.seen[made[0]]
        links = tuple(Link(Verb.EXPOSES, AssetKind.TOOL, o.name) for o in tools if o.kind is AssetKind.TOOL)
        see.seen[made[0]] = replace(server, links=server.links + links)


def _named(see: Sightings, named: Named) -> None:
    """A model or a prompt by the name that it is given; `provider:model` is a model by whatever name."""
    text = named.value.value if isinstance(named.value, ast.Constant) else None
    if MODEL_NAME.search(named.name) or (isinstance(text, str) and SERVED_MODEL.match(text)):
        see.models(named.value, named.scope, sure=False, evidence=Evidence.DECLARED)
    elif PROMPT_NAME.search(named.name) and (named.assigned or named.name != "prompt"):
        see.named_prompt(named.name, named.value)


# `openai:gpt-4o`, `anthropic/claude-...`: a form that only models have.
SERVED_MODEL = re.compile("(?:" + "|".join(map(re.escape, sorted(SERVING))) + r")[:/][\w./:@-]+$")


def _call(see: Sightings, use: Use) -> None:
    node = use.node
    assert isinstance(node, ast.Call)
    _environment(see, node, use.scope)
    _option(see, node, use.scope)
    dotted = see.reader.dotted(node.func, use.scope)
    sdk = table.find(dotted) if dotted else None
    if sdk is None and (made := see.reader.dotted(node, use.scope)) in AWS_RUNTIMES:
        sdk = table.Sdk("llm_client", "factory", f"boto3.{made[:-2]}", "boto3", "aws_bedrock", {})
    if sdk is None and (dotted is None or dotted.startswith(".") or not _sdk_module(dotted)):
        sdk = table.by_path(_steps(node.func))
        if sdk and not _fits(sdk, node):
            return
    if sdk is not None:
        kinds.call(see, sdk, use)


AWS_RUNTIMES = frozenset({"bedrock-runtime()", "bedrock-agent-runtime()", "bedrock-agentcore()"})


def _sdk_module(dotted: str) -> str | None:
    """The longest known module that `dotted` is, or is in."""
    while dotted and dotted not in _sdk_modules():
        dotted = dotted.rpartition(".")[0]
    return dotted or None


@cache
def _sdk_modules() -> Mapping[str, str]:
    """Known modules and the package that brings them; the package of the same name goes first."""
    packages = sorted(knowledge.packages().values(), key=lambda p: (p.name.replace("-", "_") != p.imports[0], p.name))
    modules: dict[str, str] = {}
    for package in packages:
        for name in package.imports:
            modules.setdefault(name, package.name)
    return modules


def _steps(node: ast.expr) -> list[str]:
    """The names of an attribute chain, from its receiver on."""
    steps: list[str] = []
    while isinstance(node, ast.Attribute):
        steps.append(node.attr)
        node = node.value
    return [node.id if isinstance(node, ast.Name) else "", *reversed(steps)]


def _fits(sdk: table.Sdk, node: ast.Call) -> bool:
    """Whether a call on something unknown has a model and an input as the SDK's own would."""
    given = {k.arg for k in node.keywords}
    wanted = {sdk.args.get(role) for role in ("prompt", "input", "system_prompt")} - {None}
    return None in given or (sdk.args.get("model") in given and bool(wanted & given))


def _function(see: Sightings, use: Use) -> None:
    node = use.node
    assert isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    for decorator in node.decorator_list:
        called = decorator.func if isinstance(decorator, ast.Call) else decorator
        dotted = see.reader.dotted(called, use.scope)
        sdk = table.find(dotted) if dotted else None
        if sdk is None and (dotted is None or dotted.startswith(".")) and _steps(called)[-2:] in MCP_DECORATORS:
            sdk = table.find(f"mcp.server.mcpserver.MCPServer().{_steps(called)[-1]}")
        if sdk is not None:
            kinds.decorated(see, sdk, decorator, node, use.scope)


# `from .server import mcp`: the server is made in another file, under the name that every guide gives it.
MCP_DECORATORS = (["mcp", "tool"], ["mcp", "prompt"])


def _class(see: Sightings, module: Module, use: Use) -> None:
    node = use.node
    assert isinstance(node, ast.ClassDef)
    body = module.inner(node)
    for base in node.bases:
        dotted = see.reader.dotted(base, use.scope)
        if dotted and dotted.rpartition(".")[2] == "BaseSettings" and body:
            _settings(see, body)
        elif dotted and (sdk := table.find(dotted)):
            kinds.subclass(see, sdk, node, body)


def _settings(see: Sightings, body: Scope) -> None:
    """Fields of a pydantic settings class are environment variables by their upper-case names."""
    assert isinstance(body.node, ast.ClassDef)
    for statement in body.node.body:
        if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
            _credential(see, statement.target.id.upper(), statement.lineno)


def _environment(see: Sightings, node: ast.Call | ast.Subscript, scope: Scope) -> None:
    """Note a read of a known credential's variable, by whatever function, and a model in a default."""
    name = node.slice if isinstance(node, ast.Subscript) else next(iter(node.args), None)
    for value in see.reader.texts(name, scope) if isinstance(name, ast.Constant | ast.Name | ast.Attribute) else ():
        _credential(see, value.text, node.lineno)
        if isinstance(node, ast.Call) and value.text.isupper() and MODEL_NAME.search(value.text):
            default = node.args[1] if len(node.args) > 1 else keyword(node, "default")
            see.models(default, scope, sure=False)


def _credential(see: Sightings, name: str, line: int) -> None:
    if service := knowledge.credential_service(name):
        see.add(AssetKind.CREDENTIAL, name, line, facts={"service": service, "env": True})


def _option(see: Sightings, node: ast.Call, scope: Scope) -> None:
    """`add_argument("--model", default="gpt-4o")`."""
    for argument in node.args:
        if isinstance(argument, ast.Constant) and isinstance(argument.value, str) and argument.value.startswith("-"):
            if MODEL_NAME.search(argument.value.lstrip("-")):
                see.models(keyword(node, "default"), scope, sure=False)
            return


ADDRESS = re.compile(r"https?://[^/\s\"'?#]+")


def _address(see: Sightings, node: ast.Constant) -> None:
    """The address of an AI service that no client above was given: a call without an SDK."""
    if not isinstance(node.value, str) or node.lineno in see.addresses:
        return
    if (match := ADDRESS.match(node.value)) is None:
        return
    host = knowledge.host_of(match[0])
    service = knowledge.service_at(host)
    if service and service.category in SERVICE_CATEGORIES and any(host.endswith(h) for h in service.api_hosts):
        facts = {"service": service.id, "role": "address", "endpoint": knowledge.bare_url(node.value)}
        see.add(AssetKind.LLM, host, node.lineno, Evidence.DECLARED, facts)


def _imports(see: Sightings, imports: list[Imported]) -> None:
    """What is imported is evidence of a dependency, but declares none."""
    for imported in imports:
        if module := _sdk_module(imported.dotted):
            see.add(AssetKind.DEPENDENCY, _sdk_modules()[module], imported.line, Evidence.IMPORTED)


SOURCE = FileSource(
    meta=Meta(
        id=ID,
        title="Python source",
        why="Most AI workloads are written in Python; the code is what really runs, whatever a diagram says.",
        since="0.1.0",
    ),
    wants=wants,
    marks=_marks(),
    read=read,
    examples=EXAMPLES,
)
