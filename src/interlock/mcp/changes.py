"""What is different between the definition that was approved and the one that is offered, and what of it matters."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from interlock.knowledge import tool_words
from interlock.mcp.definitions import arguments
from interlock.mcp.inspection import Scan, definition_of, inspect
from interlock.model.meta import Severity
from interlock.provenance.descriptions import is_place
from interlock.provenance.kinds import kind_of, names_recipient
from interlock.provenance.labels import HARMLESS, label
from interlock.provenance.names import choices, words
from interlock.provenance.sinks import WORST_FIRST, class_of, plain_verb

HIGH, MEDIUM, LOW = Severity.HIGH, Severity.MEDIUM, Severity.LOW
_SENTENCE = re.compile(r"[^.;\n]+")
_WORD = re.compile(r"[A-Za-z]+")
# What an argument can be that gives a tool more power than its name says.
_POWERFUL = frozenset({"code", "path", "recipient", "secret", "url"})
_WHAT = {
    "code": "what is run", "path": "a file or folder", "recipient": "who receives", "secret": "a secret",
    "url": "an address", "permission": "a permission", "amount": "an amount", "account": "an account",
    "query": "what is searched", "content": "a text", "id": "an object",
}  # fmt: skip
# Words for more than was said before, that are no verbs of a tool's name.
_MORE = re.compile(
    r"(?i)\b(?:any|all|every|hidden|local|unrestricted)\b[^.\n]{0,30}\b(?:files?|paths?|hosts?|urls?|folders?|accounts?)\b"
    r"|\b(?:partners?|third[- ]part(?:y|ies)|advertis\w+)\b|\b(?:now|also|as well)\b"
)
# Of these, what others lose or see is worth a look wherever it is said.
_GRAVE = frozenset({"delete", "execute", "money", "credential", "publish", "send"})
_PERSONAL = frozenset(
    "salary password passwd hash ssn secret token iban birthday address contacts medical health".split()
)
_CLAIMS = {"readOnlyHint": True, "destructiveHint": False, "openWorldHint": False, "idempotentHint": True}
_BOUNDS = ("maxLength", "maximum", "maxItems", "pattern", "format", "const")


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that became different, in words. LOW is for what only an attentive reader needs to know."""

    place: str
    words: str
    severity: Severity


def changes(was: Mapping[str, Any], now: Mapping[str, Any], scan: Scan) -> tuple[Change, ...]:
    """What became more dangerous, worst first. `scan` gives what the detectors say of a tool's description."""
    found = {change.words: change for change in _changes(was, now, scan)}
    return tuple(sorted(found.values(), key=lambda change: -change.severity.rank))


def _changes(was: Mapping[str, Any], now: Mapping[str, Any], scan: Scan) -> Iterator[Change]:
    yield from _suspicious(was, now, scan)
    yield from _labels(was, now)
    yield from _arguments(was, now)
    yield from _claims(was, now)
    yield from _said(was, now)


def _suspicious(was: Mapping[str, Any], now: Mapping[str, Any], scan: Scan) -> Iterator[Change]:
    """What an inspection finds now and did not before."""
    name = str(now.get("name", ""))
    before = {(one.place, one.why) for one in inspect({"": {name: was}}, scan)}
    for finding in inspect({"": {name: now}}, scan):
        if (finding.place, finding.why) not in before:
            yield Change(finding.place, f"suspicious: {finding.why}", finding.severity)


def _labels(was: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[Change]:
    before, after = (
        label(str(tool.get("name", "")), definition_of(str(tool.get("name", "")), tool)) for tool in (was, now)
    )
    if WORST_FIRST.index(after.sink) < WORST_FIRST.index(before.sink):
        severity = HIGH if before.sink in HARMLESS else MEDIUM
        yield Change("", f"by its words it could {before.sink} and can {after.sink} now", severity)
    if after.open_world and not before.open_world:
        yield Change("", "it reaches somebody outside now", MEDIUM)
    if "untrusted" in after.output_label and "untrusted" not in before.output_label:
        yield Change("", "what it gives back may be written by outsiders now", LOW)


def _arguments(was: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[Change]:
    before = {place: schema for place, _, schema in arguments(was)}
    for place, name, schema in arguments(now):
        if place not in before:
            yield _added(place, name, schema)
            continue
        old = before[place]
        for choice in (one for one in choices(schema) if one not in choices(old)):
            yield Change(place, *_choice(name, choice))
        if choices(old) and not choices(schema):
            yield Change(place, f"{name} can be anything now, and was a choice", MEDIUM)
        if schema.get("default") not in (None, old.get("default")):
            default = schema["default"]
            known = names_recipient(name) or (isinstance(default, str) and is_place(default))
            words_ = f"if nothing is said, {name} is {default!r} now"
            yield Change(place, words_, MEDIUM if known else LOW)
        for bound in _BOUNDS:
            if bound in old and bound not in schema:
                yield Change(place, f"{name} is not limited by {bound} any more", LOW)
    required = [set(_required(tool)) for tool in (was, now)]
    for name in sorted(required[1] - required[0]):
        yield Change("inputSchema.required", f"{name} has to be given now", LOW)


def _added(place: str, name: str, schema: Mapping[str, Any]) -> Change:
    kind = kind_of(name, schema)
    described = schema.get("description")
    text = described if isinstance(described, str) else ""
    private = _PERSONAL.intersection(words(name)) or {"contacts", "history", "conversation"} & {*words(name)}
    harmful = sorted(_harm(text))
    if kind in _POWERFUL or names_recipient(name) or private or harmful:
        what = f", which decides {_WHAT[kind]}" if kind in _WHAT else ""
        severity = MEDIUM if not choices(schema) else LOW
        return Change(place, f"it takes one more argument: {name}{what}", severity)
    return Change(place, f"it takes one more argument: {name}", LOW)


def _choice(name: str, choice: str) -> tuple[str, Severity]:
    said = words(choice)
    worst = next((word for word in said if _class(word) not in ("", *HARMLESS, "write", "fetch")), "")
    if worst or _PERSONAL.intersection(said):
        return f"{name} can be {choice!r} now", MEDIUM
    return f"{name} can be {choice!r} now", LOW


def _required(tool: Mapping[str, Any]) -> list[str]:
    schema = tool.get("inputSchema")
    required = schema.get("required") if isinstance(schema, dict) else None
    return [name for name in required if isinstance(name, str)] if isinstance(required, list) else []


def _claims(was: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[Change]:
    """Where the server itself says that its tool does more than before."""
    before, after = (tool.get("annotations") for tool in (was, now))
    old, new = (one if isinstance(one, dict) else {} for one in (before, after))
    for claim, mild in _CLAIMS.items():
        if old.get(claim) is mild and new.get(claim) is not mild:
            yield Change(
                f"annotations.{claim}", f"the server does not claim {claim}={str(mild).lower()} any more", MEDIUM
            )
        elif new.get(claim) is mild and old.get(claim) is not mild:
            yield Change(f"annotations.{claim}", f"the server claims {claim}={str(mild).lower()} now", LOW)


def _said(was: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[Change]:
    """What the description says of harm that it did not say before."""
    before, after = (definition_of("", tool).description for tool in (was, now))
    old = {word.lower() for word in _WORD.findall(before)}
    known = _harm(before) | {_class(word) for word in words(str(now.get("name", "")))}
    for match in _SENTENCE.finditer(after):
        sentence = match.group().strip()
        if sentence in before:
            continue
        new = [word for word in _WORD.findall(sentence.lower()) if word not in old]
        worse = sorted({kind for word in new if (kind := _class(word)) in _GRAVE} - known)
        if worse:
            yield Change("description", f"it says now that it can {' and '.join(worse)}: {sentence}", MEDIUM)
        elif (more := _MORE.search(sentence)) and more.group().lower() not in before.lower():
            yield Change("description", f"it says now: {sentence}", MEDIUM)


def _harm(text: str) -> set[str]:
    return {kind for word in _WORD.findall(text.lower()) if (kind := _class(word)) in _GRAVE}


def _class(word: str) -> str:
    """What a word can cause, in whatever form it stands."""
    stem = word.removesuffix("ed")
    forms = (word, plain_verb(word), stem, stem + "e", stem.removesuffix(stem[-1:]), word.removesuffix("led"))
    found = next((kind for form in forms if (kind := class_of(form))), "")
    return found if found or word not in tool_words().credential_nouns else "credential"
