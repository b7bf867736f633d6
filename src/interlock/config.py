"""One TOML file and the environment become frozen settings. Wrong ones are refused with file, line and remedy.

Each section is a dataclass declared by the room that uses it. `INTERLOCK_<SECTION>_<NAME>` overrides a
setting of a plain section; tables with names of their own (upstreams, workloads, tools, limits, prices) come from the
file.
"""

import dataclasses
import os
import re
import tomllib
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from interlock.console.settings import ConsoleSettings
from interlock.gateway.launch import LaunchSettings, ProgramSettings, check_program
from interlock.gateway.settings import GatewaySettings, Upstream
from interlock.governance.settings import Manifest
from interlock.guard.mcp.settings import McpServer, check_names, check_server
from interlock.guard.settings import LimitSettings, PriceSettings, limit, rate
from interlock.guard.vault import PseudonymSettings
from interlock.identity.settings import (
    ClientSettings,
    IdentitySettings,
    IssuerSettings,
    check_client,
    check_issuer,
    check_resource,
)
from interlock.model.errors import ConfigError
from interlock.model.settings import setting
from interlock.policy.approvals import ApprovalSettings
from interlock.provenance.settings import ToolOverride
from interlock.store.settings import AuditSettings, StoreSettings

DEFAULT_FILE = "interlock.toml"
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class PolicySettings:
    """`[policy]`: Cedar."""

    files: tuple[str, ...] = setting((), "Cedar files to load beside the bundled ones; relative to this file.")
    bundled: bool = setting(
        True, "Load the bundled policies. False leaves only yours: what they do not permit is denied."
    )
    enforce: tuple[str, ...] = setting((), "Policies, by @id, whose refusal is final, whatever their @force says.")
    ask: tuple[str, ...] = setting((), "Policies whose refusal a person may lift by an approval.")
    observe: tuple[str, ...] = setting((), "Policies that refuse nothing for now: what they would refuse is noted.")
    caps: tuple[str, ...] = setting(
        ("delete 10", "credential 5", "money 20"),
        'The most calls of tools of a kind in one conversation or task, and the most money: "delete 10" or'
        ' "money sum 500".',
    )
    redact: tuple[str, ...] = setting(
        (),
        "What models may not see: detectors, or detector:rule. Placeholders stand in for it until the answer.",
    )
    canaries: tuple[str, ...] = setting(
        (), "Texts that no answer may hold, such as one that you put into a prompt to see it leak; 8 to 256 characters."
    )
    answer_mode: str = setting(
        "window",
        "How answers are held back: block (all of one), window (what could still be flagged) or observe (nothing).",
        choices=("block", "window", "observe"),
    )


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings. `data` is the folder of everything that interlock keeps."""

    data: Path
    file: Path | None = None
    gateway: GatewaySettings = field(default_factory=GatewaySettings)
    console: ConsoleSettings = field(default_factory=ConsoleSettings)
    store: StoreSettings = field(default_factory=StoreSettings)
    audit: AuditSettings = field(default_factory=AuditSettings)
    policy: PolicySettings = field(default_factory=PolicySettings)
    pseudonyms: PseudonymSettings = field(default_factory=PseudonymSettings)
    approvals: ApprovalSettings = field(default_factory=ApprovalSettings)
    identity: IdentitySettings = field(default_factory=IdentitySettings)
    mcp: LaunchSettings = field(default_factory=LaunchSettings)
    upstreams: Mapping[str, Upstream] = field(default_factory=dict)
    mcp_servers: Mapping[str, McpServer] = field(default_factory=dict)
    mcp_programs: Mapping[str, ProgramSettings] = field(default_factory=dict)
    issuers: Mapping[str, IssuerSettings] = field(default_factory=dict)
    clients: Mapping[str, ClientSettings] = field(default_factory=dict)
    workloads: Mapping[str, Manifest] = field(default_factory=dict)
    tools: Mapping[str, ToolOverride] = field(default_factory=dict)
    limits: Mapping[str, LimitSettings] = field(default_factory=dict)
    prices: Mapping[str, PriceSettings] = field(default_factory=dict)


SECTIONS: Mapping[str, type] = {
    "gateway": GatewaySettings,
    "console": ConsoleSettings,
    "store": StoreSettings,
    "audit": AuditSettings,
    "policy": PolicySettings,
    "pseudonyms": PseudonymSettings,
    "approvals": ApprovalSettings,
    "identity": IdentitySettings,
    "mcp": LaunchSettings,
}
TABLES: Mapping[str, tuple[str, type]] = {
    "upstreams": ("llm.upstreams", Upstream),
    "mcp_servers": ("mcp.servers", McpServer),
    "mcp_programs": ("mcp.programs", ProgramSettings),
    "issuers": ("identity.issuers", IssuerSettings),
    "clients": ("identity.clients", ClientSettings),
    "workloads": ("workloads", Manifest),
    "tools": ("tools", ToolOverride),
    "limits": ("limits", LimitSettings),
    "prices": ("prices", PriceSettings),
}
# What each room refuses of its tables.
CHECKS: Mapping[str, Callable[[str, Any], object]] = {
    "mcp_servers": check_server,
    "mcp_programs": check_program,
    "issuers": check_issuer,
    "clients": check_client,
    "limits": limit,
    "prices": rate,
}
# Used if the file names none. The addresses are those that the official SDKs have built in.
DEFAULT_UPSTREAMS = {
    "openai": Upstream(url="https://api.openai.com/v1", api_key_env="OPENAI_API_KEY"),
    "anthropic": Upstream(url="https://api.anthropic.com", api_key_env="ANTHROPIC_API_KEY"),
    "gemini": Upstream(url="https://generativelanguage.googleapis.com", api_key_env="GEMINI_API_KEY"),
    "ollama": Upstream(url="http://127.0.0.1:11434"),
}


def load(file: str | None = None, data: str | None = None, env: Mapping[str, str] = os.environ) -> Settings:
    """The settings from `file` (else $INTERLOCK_CONFIG, else ./interlock.toml if there is one) and `env`.

    `data` (else $INTERLOCK_DATA, else the user's data folder) is where things are kept.
    Raises: ConfigError for a file that is not there or not TOML, an unknown name, or a wrong type.
    """
    path = _find(file, env)
    text = _read(path) if path else ""
    document = _parse(path, text)
    # The tables first: some stand inside of a section.
    tables: dict[str, Any] = {
        name: _table(dotted, kind, document, path, text) for name, (dotted, kind) in TABLES.items()
    }
    sections: dict[str, Any] = {
        name: _section(name, kind, document, path, text, env) for name, kind in SECTIONS.items()
    }
    _refuse_rest(document, path, text)
    tables["upstreams"] = tables["upstreams"] or DEFAULT_UPSTREAMS
    for name, upstream in tables["upstreams"].items():
        if not re.match(r"https?://[^/]", upstream.url):
            where = _where(path, text, f"llm.upstreams.{name}", "url")
            hint = 'an http or https address, such as url = "https://host/v1"'
            raise ConfigError(f"upstream {name!r} needs a url, not {upstream.url!r}", where=where, hint=hint)
        if not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", name) or name in ("healthz", "mcp"):
            where = _where(path, text, "", f"llm.upstreams.{name}")
            raise ConfigError(f"an upstream cannot be called {name!r}", where=where, hint="letters, digits, - and _")
        for other in upstream.failover:
            if other == name or other not in tables["upstreams"]:
                where, hint = _where(path, text, f"llm.upstreams.{name}", "failover"), "name other upstreams"
                raise ConfigError(f"upstream {name!r} cannot fail over to {other!r}", where=where, hint=hint)
    for key, check in CHECKS.items():
        for name, table in tables[key].items():
            _checked(check, TABLES[key][0], name, table, path, text)
    try:
        check_names(tables["mcp_servers"], sections["gateway"].mcp_separator)
    except ConfigError as error:
        where = _where(path, text, "", f"mcp.servers.{error.where}")
        raise ConfigError(error.what, where=where, hint=error.hint) from None
    _checked(lambda _, table: check_resource(table), "identity", "", sections["identity"], path, text)
    for name, server in tables["mcp_servers"].items():
        if server.client and server.client not in tables["clients"]:
            where = _where(path, text, f"mcp.servers.{name}", "client")
            hint = f"write [identity.clients.{server.client}]"
            raise ConfigError(f"there is no OAuth client {server.client!r}", where=where, hint=hint)
    return Settings(data=_data(data, env), file=path, **sections, **tables)


def _checked(
    check: Callable[[str, Any], object], dotted: str, name: str, table: Any, path: Path | None, text: str
) -> None:
    """Refuse a table that its room refuses; the room says which setting is wrong, this says where it stands."""
    try:
        check(name, table)
    except ConfigError as error:
        where = _where(path, text, f"{dotted}.{name}".rstrip("."), error.where)
        raise ConfigError(error.what, where=where, hint=error.hint) from None


def _find(file: str | None, env: Mapping[str, str]) -> Path | None:
    named = file or env.get("INTERLOCK_CONFIG")
    if named:
        return Path(named)
    return Path(DEFAULT_FILE) if Path(DEFAULT_FILE).is_file() else None


def _data(data: str | None, env: Mapping[str, str]) -> Path:
    if named := data or env.get("INTERLOCK_DATA"):
        return Path(named)
    return Path(env.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "interlock"


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read it: {error}", where=str(path), hint="name a TOML file in UTF-8") from error


def _parse(path: Path | None, text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        line = re.search(r"at line (\d+)", str(error))
        where = f"{path}:{line[1]}" if line else f"{path}:{text.count(chr(10)) + 1}"
        raise ConfigError(f"not TOML: {error}", where=where, hint="mend that line") from error
    except RecursionError:
        raise ConfigError("not TOML: nested too deeply", where=str(path), hint="a list holds texts alone") from None


def _section(
    name: str, kind: type[T], document: dict[str, Any], path: Path | None, text: str, env: Mapping[str, str]
) -> T:
    table = document.pop(name, {})
    values = _fields(name, kind, table, path, text)
    hints = typing.get_type_hints(kind)
    for f in dataclasses.fields(kind):  # type: ignore[arg-type]
        variable = f"INTERLOCK_{name}_{f.name}".upper()
        if variable in env:
            where = f"environment variable {variable}"
            values[f.name] = _within(_from_env(env[variable], hints[f.name], variable), f, where)
    return kind(**values)


def _table(dotted: str, kind: type[T], document: dict[str, Any], path: Path | None, text: str) -> dict[str, T]:
    holder, _, key = dotted.rpartition(".")
    parent = document.get(holder, {}) if holder else document
    if not isinstance(parent, dict):
        raise ConfigError(
            f"[{holder}] is not a table", where=_where(path, text, "", holder), hint=f"write [{dotted}.NAME]"
        )
    named = parent.pop(key, {})
    if holder and not parent:
        document.pop(holder, None)
    if not isinstance(named, dict):
        raise ConfigError(
            f"[{dotted}] is not a table", where=_where(path, text, "", key), hint=f"write [{dotted}.NAME]"
        )
    return {name: kind(**_fields(f"{dotted}.{name}", kind, table, path, text)) for name, table in named.items()}


def _fields(section: str, kind: type, table: object, path: Path | None, text: str) -> dict[str, Any]:
    if not isinstance(table, dict):
        raise ConfigError(
            f"[{section}] is not a table", where=_where(path, text, "", section), hint=f"write [{section}]"
        )
    hints = typing.get_type_hints(kind)
    declared = {f.name: f for f in dataclasses.fields(kind)}
    values: dict[str, Any] = {}
    for name, value in table.items():
        where = _where(path, text, section, name)
        if name not in hints:
            known = ", ".join(sorted(hints))
            raise ConfigError(f"unknown setting {name!r} in [{section}]", where=where, hint=f"known ones: {known}")
        values[name] = _within(_typed(value, hints[name], where, f"[{section}] {name}"), declared[name], where)
    return values


def _typed(value: object, hint: Any, where: str, name: str) -> object:
    wanted = set(typing.get_args(hint)) if isinstance(hint, types.UnionType) else {hint}
    if bool in wanted and isinstance(value, bool):
        return value
    if int in wanted and isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    if str in wanted and isinstance(value, str):
        return value
    if tuple[str, ...] in wanted and isinstance(value, list) and all(isinstance(v, str) for v in value):
        return tuple(value)
    expected = {bool: "true or false", int: "a whole number from 0", str: "a text", tuple[str, ...]: "a list of texts"}
    say = " or ".join(said for kind, said in expected.items() if kind in wanted)
    raise ConfigError(f"{name} must be {say}, not {value!r}", where=where, hint="correct the value")


def _within(value: object, declared: dataclasses.Field[Any], where: str) -> object:
    """`value`, if it is one that the setting may have."""
    least, choices = declared.metadata["least"], declared.metadata["choices"]
    if isinstance(value, int) and not isinstance(value, bool) and value < least:
        raise ConfigError(
            f"{declared.name} must be at least {least}, not {value}", where=where, hint="correct the value"
        )
    for one in value if isinstance(value, tuple) else (value,) if isinstance(value, str) else ():
        if choices and one not in ("", *choices):
            hint = f"one of {', '.join(choices)}"
            raise ConfigError(f"{declared.name} cannot be {one!r}", where=where, hint=hint)
    return value


def _from_env(value: str, hint: Any, variable: str) -> object:
    if hint is int and value.isdecimal():
        return int(value)
    if hint is bool and value in {"true", "false"}:
        return value == "true"
    if hint == tuple[str, ...]:
        return tuple(part for part in value.split(",") if part)
    return _typed(value, hint, f"environment variable {variable}", variable)


def _refuse_rest(document: dict[str, Any], path: Path | None, text: str) -> None:
    for name in document:
        known = ", ".join([*SECTIONS, *(dotted for dotted, _ in TABLES.values())])
        raise ConfigError(f"unknown section [{name}]", where=_where(path, text, "", name), hint=f"known ones: {known}")


def _where(path: Path | None, text: str, section: str, key: str) -> str:
    """`file:line` of a key, else of its table; found in the text, since tomllib keeps no positions."""
    inside = not section
    table = ""
    for number, line in enumerate(text.splitlines(), 1):
        if header := re.match(r"\s*\[+\s*([^\]]+?)\s*\]+", line):
            name = ".".join(part.strip().strip("\"'") for part in header[1].split("."))
            if not section and (name == key or name.startswith(f"{key}.")):
                return f"{path}:{number}"
            inside = name == section
            if inside or (not section and key.startswith(f"{name}.")):
                table = f":{number}"
        elif inside and re.match(rf"\s*[\"']?{re.escape(key)}[\"']?\s*[=.]", line):
            return f"{path}:{number}"
    return f"{path}{table}"
