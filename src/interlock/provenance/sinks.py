"""What a tool can cause, by the words of its name, its arguments and its description.

Rules: the name's verb decides, and what it is done to can make that worse; the worst part of a compound name counts
(`get_and_delete` deletes). The arguments, and what the description's first sentences say of others who are told, can
only make it worse. Only where the name has no verb does the description's first word speak in its place.
"""

import re
from collections.abc import Callable, Mapping
from functools import lru_cache

from interlock.knowledge import tool_words
from interlock.model.event import ToolDefinition
from interlock.provenance.names import choices, known, properties, words

UNKNOWN = "unknown"
# By the harm; what is first counts.
WORST_FIRST = (
    "execute", "money", "delete", "credential", "admin", UNKNOWN, "publish", "send", "fetch", "write", "read", "none",
)  # fmt: skip
_VERBS = ("read", "none", "write", "delete", "execute", "money", "credential", "admin", "publish", "send", "fetch")
_CODE = frozenset({"sql", "code", "command", "cypher", "script", "statement", "shell"})
# Code of a program, where it has a word before it: `country_code` is none.
_LANGUAGES = frozenset("bash javascript js py python shell source sql typescript".split())
_PROGRAMS = frozenset({"sql", "shell", "command", "cypher", "script", "terminal"})
# A query of one of these is a program in its language.
_STORES = frozenset("bigquery clickhouse cypher database db mysql neo4j postgres snowflake sqlite warehouse".split())
_PLACES = frozenset({"url", "urls", "uri", "uris", "href", "link", "links"})
# The address of one of these is a name for an object of the service's own.
_OWN = frozenset("account git issue organization pr project pull remote repo repository workflow".split())
_WEB = frozenset("content html http page resource site web webpage website".split())
_PEOPLE = frozenset("attendee bcc cc guest invitee participant recipient reviewer".split())
_AMOUNTS = frozenset({"amount", "quantity"})
# Languages that can only ask.
_QUESTIONS = frozenset("dql gaql insights jql jmespath kql logql loki nrql prometheus promql soql xpath".split())
# Keys that open something; `key` alone is the name of an entry.
_KEYS = frozenset("access api auth encryption private secret signing ssh".split())
_HEADS = frozenset("access api auth bearer connection id oauth refresh session".split())
_MAIL = frozenset({"email", "mail", "draft", "gmail"})
_SAVES = re.compile(r"\bsaves?\b|\bimports?\b|\bto disk\b|\blocal (?:file )?path\b", re.IGNORECASE)
_REVEALS = re.compile(r"kubeconfig|connection string|private key|secret value|\bplaintext\b", re.IGNORECASE)
_PAYEES = frozenset("address asset beneficiary iban payee recipient symbol to token wallet".split())
# A program is run to do one of these to it.
_TRIED = frozenset({"analyze", "analyse", "explain", "profile", "validate", "benchmark"})
_TRIED_ON = frozenset({"query", "queries", "sql", "statement"})
_NAMES = frozenset({"id", "name", "username", "handle", "dns"})
_CALLED = frozenset({"api", "endpoint", "function", "method", "procedure", "tool"})
_TRAVEL = frozenset("car flight hotel ride room seat ticket train trip".split())
_MEETINGS = frozenset({"appointment", "event", "meeting"})
# What one argument of a tool that does several things is called.
SWITCHES = frozenset({"action", "command", "method", "op", "operation", "subcommand"})
_TELLS = re.compile(
    r"\bsen(?:ds?|t|ding) (?:an? |the |out )?(?:e-?mails?|invitations?|invites?|notifications?|messages?)\b"
    r"|\b(?:will|to)(?: also)? (?:e-?mail|notify|invite) |\bnotif(?:ies|ying) ",
    re.IGNORECASE,
)
FIRST_CHARS = 400
# Longer than any verb that is known, in any form.
LONGEST_VERB = 40
# Words whose class is remembered.
KEPT = 8_192
_FIRST_WORDS = re.compile(
    r"\W*(?:\[[^\]]{0,120}\]\W*)?(?:(?:this|tool|to|use|used|that|it|will|can|a|allows?|you)\W+){0,6}"
    r"([A-Za-z]+)(?:,? (?:and|or|and/or|then) ([A-Za-z]+))?",
    re.IGNORECASE,
)


def sink_of(name: str, definition: ToolDefinition | None) -> str:
    """What the worst part of a name, and what is worst in its arguments, say."""
    said = dict(properties(definition.schema)) if definition else {}
    description = definition.description[:FIRST_CHARS] if definition else ""
    parts: list[list[str]] = [[]]
    for word in words(name):
        if word in ("and", "or", "then"):
            parts.append([])
        else:
            parts[-1].append(word)
    parts = [part for part in parts if part] or [[]]
    found = [_part(part, said, description, alone=len(parts) == 1) for part in parts]
    return min(found + _switched(said, found), key=WORST_FIRST.index)


def _part(name: list[str], said: Mapping[str, Mapping[str, object]], description: str, *, alone: bool) -> str:
    at = verb_at(name)
    if at is None:
        verbs = _first_verbs(description) if alone and name else []
        verb = min(verbs, key=lambda one: WORST_FIRST.index(class_of(one)), default="")
        verb = verb or next(filter(class_of, name), "")
        if not verb:
            return UNKNOWN
        nouns = name
    else:
        # What stands before a verb in the middle is the product's name, or the kind of object.
        verb, nouns = name[at], name[at + 1 :] or name[:at]
    arguments = _arguments(said)
    strange = not all(argument.isascii() for argument in said)
    kind = class_of(verb)
    if at is None and kind == "none":
        kind = "read"
    if kind in ("read", "none"):
        return _reading(kind, verb, nouns, arguments, description)
    if kind == "execute" and _QUESTIONS & {*nouns}:
        return "read"
    if at and verb in ("log", "logs") and not name[at + 1 :]:
        return _reading("read", verb, nouns, arguments, description)
    if kind == "fetch":
        somewhere = strange or not said or any(map(_is_place, arguments)) or not _WEB.isdisjoint((*nouns, *arguments))
        return "fetch" if somewhere or not nouns else _reading("read", verb, nouns, arguments, description)
    return _doing(kind, verb, nouns, arguments, description)


def _arguments(said: Mapping[str, Mapping[str, object]]) -> set[str]:
    """The words of the arguments' names, without those that only seem to say something."""
    found: set[str] = set()
    for argument, schema in said.items():
        named = words(argument)
        if schema.get("type") in ("boolean", "integer", "number") and not _AMOUNTS.intersection(named):
            continue
        if choices(schema):
            named = tuple(word for word in named if word not in _CODE)
        elif len(named) > 1 and named[0] not in _LANGUAGES:
            named = tuple(word for word in named if word != "code")
        if _PLACES.intersection(named[-1:]) and _OWN.intersection(named[:-1]):
            named = named[:-1]
        found.update(word for at, word in enumerate(named) if word not in _PLACES or at == len(named) - 1)
    return found


def _is_place(word: str) -> bool:
    return word in _PLACES or word.removesuffix("s") in ("host", "hostname", "endpoint", "domain", "site")


def verb_at(name: list[str]) -> int | None:
    """Where the word stands that says what is done: first, last, or the first one that is seldom a noun."""
    if not name:
        return None
    strong = tool_words().strong
    if name[0] in strong or (class_of(name[0]) and len(name) == 1):
        return 0
    firm = next((at for at, word in enumerate(name) if word in strong), None)
    if class_of(name[0]) and firm is None:
        return 0
    if firm is not None:
        return firm
    return len(name) - 1 if class_of(name[-1]) else None


def class_of(verb: str) -> str:
    """The worst that a verb does, empty if it is none that is known."""
    return _class_of(verb) if len(verb) <= LONGEST_VERB else ""


@lru_cache(KEPT)
def _class_of(verb: str) -> str:
    known_words = tool_words()
    classes = [kind for kind in _VERBS if verb in getattr(known_words, kind)]
    return min(classes, key=WORST_FIRST.index, default="")


def _first_verbs(description: str) -> list[str]:
    """The verbs that a description begins with, `Validates and tests ...`; none if it does not."""
    found = _FIRST_WORDS.match(description)
    said = [word.lower() for word in found.groups() if word] if found else []
    return [verb for word in said if (verb := plain_verb(word))]


def plain_verb(word: str) -> str:
    """A verb in its plain form, `Retrieves` or `retrieving`, empty if it is none."""
    return _plain_verb(word) if len(word) <= LONGEST_VERB else ""


@lru_cache(KEPT)
def _plain_verb(word: str) -> str:
    stem = word.removesuffix("ing")
    forms = (word, word.removesuffix("s"), word.removesuffix("es"), word.removesuffix("ies") + "y", stem, stem + "e")
    return next((form for form in forms if class_of(form)), "")


def _names_key(nouns: list[str]) -> bool:
    """Whether the nouns are those of something that opens something: `access key`, `password`, `session token`."""
    if known("key", frozenset(nouns)) or "keys" in nouns:
        return not _KEYS.isdisjoint(nouns)
    if "token" in nouns or "tokens" in nouns:
        return not _HEADS.isdisjoint(nouns) or nouns[-1:] in (["token"], ["tokens"])
    return {"connection", "string"} <= {*nouns} or any(word in tool_words().credential_nouns for word in nouns)


def _reading(kind: str, verb: str, nouns: list[str], arguments: set[str], description: str) -> str:
    if _names_key(nouns) or _REVEALS.search(description.split("\n")[0].split(". ")[0]):
        return "credential"
    if verb == "aggregate" and "pipeline" in arguments:
        return "execute"
    if verb in _TRIED and _TRIED_ON & {*nouns}:
        return "execute"
    if (
        _PROGRAMS & {*nouns}
        or nouns == ["query"]
        or _CODE & arguments
        or ("query" in arguments | {verb, *nouns} and _STORES & {*nouns})
    ):
        return "execute"
    # A read that names its place by address contacts that place.
    if _PLACES & arguments:
        return "fetch"
    if verb in ("download", "export") and ({"path", "dir", "directory"} & arguments or _SAVES.search(description)):
        return "write"
    local = bool(nouns) and not {"id", "ids", "path", "query"} & arguments
    return "none" if local and tool_words().local_nouns.issuperset(nouns) else kind


def _doing(kind: str, verb: str, nouns: list[str], arguments: set[str], description: str) -> str:
    """The worst of what a verb that changes something does to these nouns, with these arguments."""
    table, said = tool_words(), frozenset(nouns)

    def about(among: frozenset[str]) -> bool:
        return any(known(word, among) for word in nouns)

    def given(among: frozenset[str]) -> bool:
        return any(known(word, among) for word in arguments)

    if verb == "resolve" and _NAMES.intersection(nouns[-1:]):
        return "read"
    kind = _told_by_object(kind, verb, about)
    quiet = verb in table.quiet or (verb in ("update", "modify", "edit") and about(_MAIL))
    hosted = "issue" in said and {"repo", "repository"} & arguments and not {"reaction", "label", "state"} & said
    in_the_open = hosted or ("request" in said and {"pull", "merge"} & said)
    key = _names_key(nouns)
    worse = (
        ("execute", kind in ("write", "admin") and about(table.execute_nouns)),
        ("execute", kind in ("write", "send", "admin") and _CODE & arguments),
        ("execute", verb == "query" or (verb == "call" and _CALLED & said)),
        ("money", kind in ("write", "send", "publish", "admin") and about(table.money_nouns)),
        ("money", given(_AMOUNTS) and given(_PAYEES)),
        ("money", verb == "book" and about(_TRAVEL)),
        ("credential", kind in ("write", "send", "admin") and key),
        ("admin", kind == "write" and verb not in ("generate", *table.quiet) and about(table.power_nouns) and not key),
        ("admin", (verb, *nouns[:1]) in (("forward", "port"), ("call", "service"))),
        ("publish", (kind == "write" or verb == "submit") and about(table.publish_nouns)),
        ("publish", kind in ("write", "send") and in_the_open),
        ("send", kind == "write" and not quiet and (about(table.send_nouns) or about(_MEETINGS))),
        ("send", kind == "write" and not quiet and (given(_PEOPLE) or _TELLS.search(description))),
    )
    return min([kind, *(sink for sink, holds in worse if holds)], key=WORST_FIRST.index)


def _told_by_object(kind: str, verb: str, about: Callable[[frozenset[str]], bool]) -> str:
    """The class of a verb where what it is done to says that it means something milder, or something else."""
    table = tool_words()
    if kind == "delete" and verb in ("clear", "remove", "unlink") and about(table.detached):
        return "write"
    if kind == "execute" and about(table.money_nouns):
        return "money"
    if verb == "checkout" and about(frozenset({"git"})):
        return "write"
    if kind == "publish" and about(table.send_nouns) and not about(frozenset({"issue", "pull"})):
        return "send"
    return kind


def _switched(said: Mapping[str, Mapping[str, object]], found: list[str]) -> list[str]:
    """What the values of an argument that says what to do would do; `found` is what is known of it already."""
    worse = []
    for name, schema in said.items():
        if name.lower() in SWITCHES:
            verbs = [words(choice)[:1] for choice in choices(schema)]
            worse += [kind for verb in verbs if verb and (kind := class_of(verb[0]))]
    return worse if found != ["none"] else []
