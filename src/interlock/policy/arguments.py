"""What policies can read of a call's arguments: the types that a tool's schema gives them, and values that fit.

What has no type that Cedar has (several types at once, none, a name that Cedar cannot hold) cannot be read; a policy
that tries does not validate. What does not fit its type is told, so that a policy that reads it can refuse.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any

from interlock.model.errors import ConfigError

# Objects inside objects; deeper ones cannot be read.
MAX_DEPTH = 4
MOST_NAMES, MOST_ITEMS, MOST_CHARS = 200, 1_000, 100_000
# Cedar's Long has 64 bits, its decimal 64 bits and four digits behind the point.
_LONG = range(-(2**63), 2**63)
_MOST_DECIMAL = Decimal(2**63 - 1).scaleb(-4)
_SCALARS = {"string": "String", "integer": "Long", "number": "decimal", "boolean": "Bool"}
_DECLARED = re.compile(
    r"(?P<name>[^:?]{1,128})(?P<optional>\?)?\s*:\s*(?P<set>Set<)?(?P<kind>String|Long|Bool|decimal)(?(set)>)"
)


@dataclass(frozen=True, slots=True)
class Type:
    """A Cedar type: String, Long, Bool, decimal, Set of `item`, or Record of `fields`."""

    name: str
    item: "Type | None" = None
    fields: Mapping[str, "Field"] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """As Cedar writes it."""
        if self.item:
            return f"Set<{self.item.text}>"
        return record_text(self.fields) if self.name == "Record" else self.name


@dataclass(frozen=True, slots=True)
class Field:
    """An argument: its type, and whether every call has it."""

    type: Type
    required: bool


Fields = Mapping[str, Field]


class MisfitError(ValueError):
    """An argument is not what its type says."""


def of_schema(schema: Mapping[str, Any]) -> Fields:
    """The arguments that can be read of a tool with this JSON Schema.

    >>> of_schema({"properties": {"n": {"type": "integer"}}, "required": ["n"]})["n"].type.text
    'Long'
    """
    return _fields(schema, schema, 0)


def of_declarations(tool: str, declared: Iterable[str]) -> Fields:
    """The arguments as `[tools.<name>] arguments` declares them: `amount: Long`, `note?: String`, `to: Set<String>`.

    Raises: ConfigError.
    """
    fields: dict[str, Field] = {}
    for text in declared:
        match = _DECLARED.fullmatch(text.strip())
        name = match["name"].strip() if match else ""
        if not match or not _speakable(name):
            hint = 'such as "amount: Long", "note?: String", "to: Set<String>"; also Bool and decimal'
            raise ConfigError(f"{text!r} declares no argument", where=f"[tools.{tool}] arguments", hint=hint)
        kind = Type(match["kind"])
        fields[name] = Field(Type("Set", kind) if match["set"] else kind, not match["optional"])
    return fields


def common(several: Iterable[Fields]) -> Fields:
    """What can be read of tools of one name that several servers offer: what all of them type alike."""
    first, *rest = several
    return {
        name: Field(one.type, one.required and all(other[name].required for other in rest))
        for name, one in first.items()
        if all(name in other and other[name].type == one.type for other in rest)
    }


def record_text(fields: Fields) -> str:
    """The Cedar type of a record of these."""
    inner = ", ".join(f"{_quoted(n)}{'' if f.required else '?'}: {f.type.text}" for n, f in fields.items())
    return "{" + inner + "}"


def fitted(arguments: object, fields: Fields) -> dict[str, object]:
    """`fields` of a call's decoded arguments, as Cedar reads JSON. Raises: MisfitError."""
    return _record(arguments, fields)


def _fields(schema: Mapping[str, Any], root: Mapping[str, Any], depth: int) -> Fields:
    properties, required = schema.get("properties"), schema.get("required")
    if not isinstance(properties, dict) or depth > MAX_DEPTH:
        return {}
    always = set(map(str, required)) if isinstance(required, list) else set()
    found: dict[str, Field] = {}
    for name, said in list(properties.items())[:MOST_NAMES]:
        typed = _type(said, root, depth)
        if typed and _speakable(name):
            kind, nullable = typed
            found[name] = Field(kind, name in always and not nullable)
    return found


def _type(said: object, root: Mapping[str, Any], depth: int) -> tuple[Type, bool] | None:
    """(type, whether it may be null) of what a schema says of one value; None if Cedar has no such type."""
    said = _resolved(said, root)
    if said is None or depth > MAX_DEPTH:
        return None
    choices = said.get("anyOf") or said.get("oneOf")
    if isinstance(choices, list) and "type" not in said:
        others = [choice for choice in choices if not (isinstance(choice, dict) and choice.get("type") == "null")]
        inner = _type(others[0], root, depth) if len(others) == 1 else None
        return (inner[0], inner[1] or len(choices) > 1) if inner else None
    name = said.get("type")
    nullable = isinstance(name, list) and "null" in name
    if isinstance(name, list):
        name = next(iter([one for one in name if one != "null"]), None) if len(name) == 1 + nullable else None
    if name == "array":
        item = _type(said.get("items"), root, depth + 1)
        return (Type("Set", item[0]), nullable) if item and not item[1] else None
    if name == "object":
        fields = _fields(said, root, depth + 1)
        return (Type("Record", fields=fields), nullable) if fields else None
    scalar = _SCALARS.get(name) if isinstance(name, str) else None
    return (Type(scalar), nullable) if scalar else None


def _resolved(said: object, root: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """What a schema says, with a reference into the same document followed a few times."""
    for _ in range(MAX_DEPTH):
        if not isinstance(said, dict):
            return None
        if not isinstance(reference := said.get("$ref"), str):
            return said
        steps = reference.removeprefix("#/").split("/") if reference.startswith("#/") else [""]
        said = root
        for step in steps:
            said = said.get(step.replace("~1", "/").replace("~0", "~")) if isinstance(said, dict) else None
    return None


def _speakable(name: str) -> bool:
    """Whether Cedar can hold the name; `__entity` and its like mean something else in its JSON."""
    return 0 < len(name) <= 128 and not name.startswith("__") and not any(0xD800 <= ord(c) < 0xE000 for c in name)


def _quoted(name: str) -> str:
    """A name as Cedar quotes it; whatever is no plain character as its number."""
    return '"' + "".join(c if c.isascii() and (c.isalnum() or c in "_- ") else f"\\u{{{ord(c):x}}}" for c in name) + '"'


def _record(value: object, fields: Fields) -> dict[str, object]:
    if not isinstance(value, dict):
        raise MisfitError
    names = {name.casefold() for name in fields}
    if any(key.casefold() in names and key not in fields for key in value):
        # Some servers, such as those in Go, take a name in other letters for the same.
        raise MisfitError
    out: dict[str, object] = {}
    for name, one in fields.items():
        if (inner := value.get(name)) is not None:
            out[name] = _fit(inner, one.type)
        elif one.required:
            raise MisfitError
    return out


def _fit(value: object, kind: Type) -> object:
    match kind.name, value:
        case ("Bool", bool()):
            return value
        case ("String", str()) if len(value) <= MOST_CHARS:
            return value
        case ("Long", int()) if not isinstance(value, bool) and value in _LONG:
            return value
        case ("Long", float()) if value.is_integer() and int(value) in _LONG:
            # JSON knows one kind of number: 3.0 is a whole one.
            return int(value)
        case ("decimal", int() | float()) if not isinstance(value, bool):
            return {"__extn": {"fn": "decimal", "arg": _decimal(value)}}
        case ("Set", list()) if kind.item and len(value) <= MOST_ITEMS:
            return [_fit(inner, kind.item) for inner in value]
        case ("Record", _):
            return _record(value, kind.fields)
    raise MisfitError


def _decimal(value: float) -> str:
    """As Cedar writes a decimal: one to four digits behind the point."""
    try:
        number = Decimal(repr(value))
        if not number.is_finite() or abs(number) > _MOST_DECIMAL or number != number.quantize(Decimal("1.0000")):
            raise MisfitError
    except InvalidOperation as error:
        raise MisfitError from error
    return f"{number:.4f}"
