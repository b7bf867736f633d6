"""What was seen in one file, and how its parts are read: models, credentials, addresses, prompts, tools, servers."""

import ast
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from interlock import knowledge
from interlock.inventory.model_names import canonical
from interlock.model.asset import AssetKind, Evidence, Fact, Link, Observation, Site, Verb
from interlock.sources.python_code.meaning import Place, Reader, entry, keyword
from interlock.sources.python_code.scopes import Scope

MAX_NAME_CHARS = 80
# A variable, argument, field or key that holds the name of a model.
MODEL_NAME = re.compile(
    r"(?i)(?:^|[_-])(?:models?|llms?|engine|deployment|embeddings?|embedder)(?:$|[_-])|model(?:id|name)$"
)
# A variable, argument, field or key that holds instructions for a model.
PROMPT_NAME = re.compile(r"(?i)(?:^|_)prompts?(?:$|_(?:template|text|str|v\d+)$)|^system_(?:message|msg)$")
# Shorter ones ask a person at a terminal for something.
MIN_PROMPT_CHARS, MIN_PROMPT_WORDS = 60, 9
ENDPOINTS = "base_url|api_base|openai_api_base|azure_endpoint|endpoint|endpoint_url|server_url"
CREDENTIALS = "api_key|openai_api_key|anthropic_api_key|google_api_key|token"
# What a model's name can be: no blank, no placeholder, no list.
MODEL_TEXT = re.compile(rf"[\w.:/@+-]{{1,{MAX_NAME_CHARS}}}", re.ASCII)
TEXT_BUILDERS = (ast.Constant, ast.JoinedStr, ast.BinOp)


@dataclass(slots=True)
class Sightings:
    """The observations of one file, each thing once a line, in the order they were made."""

    path: str
    reader: Reader
    source: str
    seen: dict[tuple[AssetKind, str, int], Observation] = field(default_factory=dict)
    addresses: set[int] = field(default_factory=set)
    prompts: dict[int, str] = field(default_factory=dict)

    def add(
        self,
        kind: AssetKind,
        name: str,
        line: int,
        evidence: Evidence = Evidence.USED,
        facts: Mapping[str, Fact] | None = None,
        links: tuple[Link, ...] = (),
    ) -> Link:
        """Note it (the first sighting on a line stays) and give the link by which others point to it."""
        name = tidy(name)
        known = {fact: value for fact, value in (facts or {}).items() if value is not None}
        if name:
            sighting = Observation(kind, name, Site(self.path, line), evidence, self.source, known, links)
            self.seen.setdefault((kind, name, line), sighting)
            if kind is AssetKind.PROMPT:
                self.prompts.setdefault(line, name)
        return Link(Verb.USES, kind, name)

    def models(
        self, node: ast.expr | None, scope: Scope, *, sure: bool, evidence: Evidence = Evidence.USED
    ) -> tuple[Link, ...]:
        """The models that this expression names. Unless `sure`, only names that a known provider gives."""
        links = []
        for value in self.reader.texts(node, scope):
            name = value.text.strip()
            if not MODEL_TEXT.fullmatch(name):
                continue
            provider = provider_of(name)
            if sure or provider:
                links.append(self.add(AssetKind.MODEL, name, value.line, evidence, {"provider": provider}))
        return tuple(links)

    def credential(
        self, node: ast.expr | None, scope: Scope, client: str, service: str | None
    ) -> tuple[dict[str, Fact], tuple[Link, ...]]:
        """How a client gets its credential; the value of a literal is not kept.

        A literal of no known format is noted here: those of known ones are found in the text, wherever they stand.
        """
        values = self.reader.values(node, scope)
        names = [value for value in values if value.is_env]
        for value in names:
            service = knowledge.credential_service(value.text)
            self.add(AssetKind.CREDENTIAL, value.text, value.line, facts={"service": service, "env": True})
        for value in values:
            if not value.is_env and knowledge.is_unknown_secret(value.text):
                facts: dict[str, Fact] = {"literal": True, "service": service}
                self.add(AssetKind.CREDENTIAL, f"{client} credential", value.line, facts=facts)
        links = tuple(Link(Verb.READS, AssetKind.CREDENTIAL, value.text) for value in names)
        if names:
            return {"credential": "environment"}, links
        return ({"credential": "literal"} if values else {}), ()

    def endpoint(self, node: ast.expr | None, scope: Scope) -> dict[str, Fact]:
        """The address that a client is given: `endpoint`, and the service that answers there if it is known."""
        facts: dict[str, Fact] = {}
        for value in self.reader.values(node, scope):
            if value.is_env:
                facts["endpoint_env"] = value.text
            elif "endpoint" not in facts and knowledge.host_of(value.text):
                self.addresses.add(value.line)
                facts["endpoint"] = knowledge.bare_url(value.text)
                service = knowledge.service_at(knowledge.host_of(value.text))
                facts["service"] = service.id if service else None
        if node is not None and not facts and not is_none(node):
            facts["endpoint_unknown"] = True
        return facts

    def prompt(self, node: ast.expr | None, scope: Scope, owner: str) -> tuple[Link, ...]:
        """The instruction text that this expression is, at the line where it is written; nothing if it is not text."""
        links = []
        for place in self.reader.follow(node, scope) if node is not None else ():
            text = written_text(place.node)
            if text is None:
                continue
            if seen := self.prompts.get(text.lineno):
                links.append(Link(Verb.USES, AssetKind.PROMPT, seen))
                continue
            shown = node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""
            name = shown if shown and place.node is not node else f"{owner} instructions".strip()
            parts = {"constant": not isinstance(text, ast.JoinedStr)}
            links.append(self.add(AssetKind.PROMPT, name, text.lineno, Evidence.DECLARED, parts))
        return tuple(links)

    def named_prompt(self, name: str, node: ast.expr) -> None:
        """A text of some length that is given a prompt's name, unless it was already seen as what it is used for."""
        text = written_text(node)
        if text is None or text.lineno in self.prompts:
            return
        words = " ".join(c.value for c in ast.walk(text) if isinstance(c, ast.Constant) and isinstance(c.value, str))
        if len(words) >= MIN_PROMPT_CHARS and len(words.split()) >= MIN_PROMPT_WORDS:
            facts = {"constant": not isinstance(text, ast.JoinedStr)}
            self.add(AssetKind.PROMPT, name, text.lineno, Evidence.DECLARED, facts)

    def system_messages(self, node: ast.expr | None, scope: Scope, owner: str) -> tuple[Link, ...]:
        """The system and developer messages of a literal list of messages, as dictionaries or as pairs."""
        links: list[Link] = []
        for place in self.elements(node, scope):
            match place.node:
                case ast.Dict() as message:
                    links += self.system_message(message, place.scope, owner)
                case ast.Tuple(elts=[role_node, content]):
                    role = self.reader.texts(role_node, place.scope)
                    if role and role[0].text in {"system", "developer"}:
                        links += self.prompt(content, place.scope, owner)
        return tuple(links)

    def system_message(self, node: ast.Dict, scope: Scope, owner: str) -> tuple[Link, ...]:
        """The text of a message, if this literal dictionary is a system or developer message."""
        role, content = entry(node, "role"), entry(node, "content")
        if role is None or content is None or self.first_text(role, scope) not in {"system", "developer"}:
            return ()
        return self.prompt(content, scope, owner)

    def elements(self, node: ast.expr | None, scope: Scope) -> list[Place]:
        """What the elements of a literal list stand for."""
        found: list[Place] = []
        for place in self.reader.follow(node, scope) if node is not None else ():
            match place.node:
                case ast.List() | ast.Tuple() | ast.Set():
                    for part in place.node.elts:
                        element = part.value if isinstance(part, ast.Starred) else part
                        places = self.reader.follow(element, place.scope)
                        found += places or [Place(element, place.scope)]
                case ast.BinOp(op=ast.Add()):
                    found += self.elements(place.node.left, place.scope) + self.elements(place.node.right, place.scope)
        return found

    def tools(self, node: ast.expr | None, scope: Scope) -> tuple[Link, ...]:
        """The tools in a list that is handed to a model or an agent."""
        links: list[Link] = []
        for place in self.elements(node, scope):
            match place.node:
                case ast.FunctionDef() | ast.AsyncFunctionDef() as function:
                    links.append(self.add(AssetKind.TOOL, function.name, function.lineno, Evidence.DECLARED))
                case ast.Dict() as schema:
                    if name := self.schema_name(schema, place.scope):
                        links.append(Link(Verb.USES, AssetKind.TOOL, name))
                    elif label := self.reader.texts(entry(schema, "server_label"), place.scope):
                        facts = self.endpoint(entry(schema, "server_url"), place.scope)
                        links.append(self.add(AssetKind.MCP_SERVER, label[0].text, schema.lineno, facts=facts))
                case ast.Name(id=name) | ast.Attribute(attr=name) | ast.Constant(value=str() as name):
                    links.append(Link(Verb.USES, AssetKind.TOOL, name))
        return tuple(links)

    def schema_name(self, node: ast.Dict, scope: Scope) -> str | None:
        """The name of the tool whose schema this dictionary is: OpenAI's, Anthropic's, Bedrock's or MCP's shape."""
        if isinstance(inner := entry(node, "function"), ast.Dict) and entry(node, "type") is not None:
            return self.first_text(entry(inner, "name"), scope)
        name = entry(node, "name")
        if name is None or entry(node, "description") is None:
            return None
        if entry(node, "input_schema") is not None or entry(node, "inputSchema") is not None:
            return self.first_text(name, scope)
        kind = self.first_text(entry(node, "type"), scope)
        parameters = entry(node, "parameters")
        is_schema = isinstance(parameters, ast.Dict) and entry(parameters, "properties") is not None
        return self.first_text(name, scope) if is_schema and kind in {None, "function"} else None

    def server(self, name: str, line: int, settings: Mapping[str, ast.expr | None], scope: Scope) -> Link:
        """An MCP server that a client starts (`command`, `args`) or calls (`url`)."""
        facts: dict[str, Fact] = {}
        if command := self.first_text(settings.get("command"), scope):
            words = [self.first_text(p.node, p.scope) or "" for p in self.elements(settings.get("args"), scope)]
            facts["command"] = command
            if launch := knowledge.launched(command, words):
                facts |= {"package": launch.package, "unpinned": not launch.pinned}
        facts |= self.endpoint(settings.get("url"), scope) if settings.get("url") is not None else {}
        return self.add(AssetKind.MCP_SERVER, name, line, Evidence.DECLARED, facts)

    def argument(self, node: ast.Call, names: str | None) -> ast.expr | None:
        """The argument of one of these names (parted by `|`); a number is a place among the positional ones."""
        for name in (names or "").split("|"):
            if name.isdecimal():
                if int(name) < len(node.args) and not isinstance(node.args[int(name)], ast.Starred):
                    return node.args[int(name)]
            elif name and (value := keyword(node, name)) is not None:
                return value
        return None

    def first_text(self, node: ast.AST | None, scope: Scope) -> str | None:
        """The first constant text that this expression may be."""
        values = [value for value in self.reader.values(node, scope) if not value.is_env]
        return values[0].text if values else None


def tidy(name: str) -> str:
    """A name on one line, at most `MAX_NAME_CHARS` long; a credential is taken out while it is still whole."""
    name = " ".join(knowledge.redact(name).split())
    return name if len(name) <= MAX_NAME_CHARS else name[: MAX_NAME_CHARS - 1] + "…"


def provider_of(name: str) -> str | None:
    """Who makes the model of this name, in whatever form it is written."""
    return knowledge.model_provider(canonical(name))


def is_none(node: ast.expr) -> bool:
    """Whether this is the constant None."""
    return isinstance(node, ast.Constant) and node.value is None


def written_text(node: ast.AST) -> ast.expr | None:
    """The text literal that this node is, or formats, strips or joins; None if it is none."""
    for _ in range(4):
        match node:
            case ast.Constant(value=str()) | ast.JoinedStr():
                return node
            case ast.BinOp(left=left):
                node = left
            case ast.Call(func=ast.Attribute(value=receiver), args=args):
                node = receiver if isinstance(receiver, TEXT_BUILDERS) else args[0] if args else receiver
            case ast.Call(args=[first, *_]):
                node = first
            case _:
                return None
    return None
