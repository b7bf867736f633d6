"""MCP servers in the configuration of MCP clients (Claude, Cursor, VS Code and others), comments tolerated.

Kept of a server: its command, the package it runs, its address without query, and the names of the
variables it is given. Never kept: the values of those variables, headers and other arguments.
"""

import re
from collections.abc import Iterator, Mapping

import msgspec

from interlock import knowledge
from interlock.model.asset import AssetKind, Evidence, Fact, Link, NotScanned, Observation, Site, Verb
from interlock.model.meta import Example, Meta
from interlock.sources import FileSource, Reading

ID = "mcp-config"
# Where clients keep it, from their documentation: Claude Desktop and Code, Cursor, VS Code, Windsurf, Cline,
# Roo, Gemini CLI, Amazon Q, Continue, Zed and LM Studio.
FILE = re.compile(
    r"(?:^|/)(?:\.?mcp(?:[-_.][\w-]+)?\.json|[\w-]+[-_.]mcp\.json|claude_desktop_config(?:\.[\w-]+)?\.json|mcp_config\.json|"
    r"mcp[-_]?(?:settings|servers?)\.json|cline_mcp_settings\.json|\.gemini/settings\.json|\.claude/settings(?:\.local)?\.json|"
    r"\.claude\.json|\.amazonq/mcp\.json|\.vscode/settings\.json|\.zed/settings\.json|\.roo/mcp\.json|\.devcontainer/devcontainer\.json)$"
)
# The tables that hold servers: everybody's, VS Code's, Zed's.
TABLES = ("mcpServers", "servers", "context_servers")
# A string, or what JSON with comments has besides: comments, and then commas before a closing bracket.
COMMENT = re.compile(r'"(?:[^"\\\n]|\\.)*"|//[^\n]*|/\*.*?(?:\*/|\Z)', re.DOTALL)
COMMA = re.compile(r'"(?:[^"\\\n]|\\.)*"|,(?=\s*[}\]])', re.DOTALL)


def wants(path: str) -> bool:
    """Configuration files in which MCP clients keep their servers."""
    return bool(FILE.search(path))


def read(path: str, data: bytes) -> Reading:
    """The servers that this file declares, and credentials that stand in it."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return (), (NotScanned(path, "not UTF-8"),)
    literals = tuple(_literals(path, text))
    try:
        document = msgspec.json.decode(plain_json(text))
    except (msgspec.DecodeError, RecursionError) as error:
        return literals, (NotScanned(path, f"not valid JSON: {error}"),)
    servers = [server for table in _tables(document) for server in _servers(path, text, table)]
    return (*literals, *servers), ()


def plain_json(text: str) -> str:
    """JSON without its comments and trailing commas, every character at its old place.

    >>> plain_json('{"a": "//no", // yes' + chr(10) + '}')
    '{"a": "//no"        \\n}'
    """
    for expression in (COMMENT, COMMA):
        text = expression.sub(lambda m: m[0] if m[0].startswith('"') else re.sub(r"[^\n]", " ", m[0]), text)
    return text


def _tables(document: object) -> Iterator[dict[str, object]]:
    """The server tables at the top, under `mcp` (VS Code's settings) and under each project (Claude Code)."""
    top = _table(document)
    projects = [_table(project) for project in _table(top.get("projects")).values()]
    for holder in (top, _table(top.get("mcp")), *projects):
        for name in TABLES:
            yield _table(holder.get(name))


def _table(value: object) -> dict[str, object]:
    return value if isinstance(value, dict) else {}


def _servers(path: str, text: str, table: Mapping[str, object]) -> Iterator[Observation]:
    for name, value in table.items():
        settings = _table(value)
        command, args = _command(settings)
        url = next((u for key in ("url", "serverUrl", "httpUrl") if isinstance(u := settings.get(key), str)), None)
        if command is None and url is None:
            continue
        names = sorted(_table(settings.get("env")))
        facts: dict[str, Fact] = {"command": _last(command) if command else None, "env_names": " ".join(names) or None}
        facts["transport"] = "stdio" if command else "http"
        if command and (launch := knowledge.launched(command, args)):
            facts |= {"package": launch.package, "unpinned": not launch.pinned}
        if url:
            service = knowledge.service_at(knowledge.host_of(url))
            facts |= {"endpoint": knowledge.bare_url(url), "service": service.id if service else None}
        links = tuple(Link(Verb.READS, AssetKind.CREDENTIAL, n) for n in names if knowledge.credential_service(n))
        known = {fact: known for fact, known in facts.items() if known is not None}
        site = Site(path, _line_of(text, name))
        yield Observation(AssetKind.MCP_SERVER, name, site, Evidence.DECLARED, ID, known, links)
        yield from _variables(path, text, name, _table(settings.get("env")))


def _variables(path: str, text: str, server: str, env: Mapping[str, object]) -> Iterator[Observation]:
    """The credentials that a server is given by name; `literal` if the value itself stands here."""
    for variable, value in sorted(env.items()):
        service = knowledge.credential_service(variable)
        is_secret = isinstance(value, str) and knowledge.is_unknown_secret(value)
        literal = is_secret and bool(knowledge.SECRET_NAME.search(variable))
        if service or literal:
            facts: dict[str, Fact] = {"service": service, "env": True, "literal": literal or None}
            known = {fact: known for fact, known in facts.items() if known is not None}
            site = Site(path, _line_of(text, variable, after=server))
            yield Observation(AssetKind.CREDENTIAL, variable, site, Evidence.DECLARED, ID, known)


def _command(settings: Mapping[str, object]) -> tuple[str | None, list[str]]:
    command, args = settings.get("command"), settings.get("args")
    if isinstance(command, dict):  # Zed's older form
        return _command({"command": command.get("path"), "args": command.get("args")})
    words = [word for word in args if isinstance(word, str)] if isinstance(args, list) else []
    if isinstance(command, list):
        head, *rest = [word for word in command if isinstance(word, str)] or [""]
        return head or None, rest + words
    if isinstance(command, str) and " " in command.strip() and not args:
        head, *rest = command.split()
        return head, rest
    return (command or None, words) if isinstance(command, str) else (None, words)


def _last(command: str) -> str:
    """The program's name without its folders, which say whose machine it was."""
    return re.split(r"[\\/]", command)[-1]


def _line_of(text: str, key: str, after: str = "") -> int:
    """The line where this key stands (after another one), found again since the decoder keeps no places."""
    start = _find(text, after, 0) if after else 0
    return text.count("\n", 0, _find(text, key, start)) + 1


def _find(text: str, key: str, start: int) -> int:
    spelled = re.escape(msgspec.json.encode(key).decode())
    match = re.compile(rf"{spelled}\s*:").search(text, start)
    return match.start() if match else start


def _literals(path: str, text: str) -> Iterator[Observation]:
    for hit in knowledge.find_credentials(text):
        facts: dict[str, Fact] = {"literal": True, "format": hit.credential.id, "service": hit.credential.service}
        site = Site(path, text.count("\n", 0, hit.start) + 1)
        yield Observation(AssetKind.CREDENTIAL, hit.credential.name, site, Evidence.USED, ID, facts)


CLAUDE = b"""\
{"mcpServers": {
  "github": {"command": "npx", "args": ["-y", "@acme/github-mcp"],
    "env": {"GITHUB_TOKEN": "${GITHUB_TOKEN}", "OPENAI_API_KEY": "${K}"}},
  "docs": {"type": "http", "url": "https://mcp.acme.example/v1?token=abc"}
}}
"""
SOURCE = FileSource(
    meta=Meta(
        id=ID,
        title="MCP client configuration",
        why="A server that a client knows sees its data and acts for it; most are made by others and change often.",
        since="0.1.0",
    ),
    wants=wants,
    marks=(b"ervers",),
    read=read,
    examples=(
        Example(
            "a command with variables, and a remote server",
            (
                ".mcp.json",
                CLAUDE,
            ),
            (("credential", "OPENAI_API_KEY", 3), ("mcp_server", "docs", 4), ("mcp_server", "github", 2)),
        ),
        Example(
            "VS Code: comments and trailing commas",
            (
                ".vscode/mcp.json",
                b'{\n  // ours\n  "servers": {\n    "db": {"command": "uvx", "args": ["db-mcp==1.2.0"],},\n  },\n}\n',
            ),
            (("mcp_server", "db", 4),),
        ),
        Example("settings of a client without servers", (".vscode/settings.json", b'{"editor.tabSize": 4}'), ()),
    ),
)
