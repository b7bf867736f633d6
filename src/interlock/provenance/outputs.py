"""What comes back from a tool: whether outsiders can write it, whether it is confidential.

Rules: in doubt outsiders can. A result is trusted only if the tool changes something and answers with no more than
that, or if all that its name is about is asserted by the service itself: times, counts, prices, the operator's own
settings. Names that outsiders choose (files, branches, channels, people's records) are theirs.
"""

import re
from collections.abc import Mapping

from interlock.knowledge import tool_words
from interlock.model.event import ToolDefinition
from interlock.provenance.names import known, properties, words
from interlock.provenance.sinks import FIRST_CHARS, SWITCHES, class_of

# What says that a result holds other people's words after all.
_FREE = re.compile(
    r"\b(?:comments?|messages?|threads?|contents?|logs?|bod(?:y|ies)|attachments?|third[- ]party|user[- ]generated"
    r"|reviews?|posts?|notes?|incidents?|issues?|samples?|stories|public|activity)\b",
    re.IGNORECASE,
)
_WORDS = re.compile(r"[a-z]+")
# Words of names that say nothing about the result.
_FILLERS = frozenset(
    "a all and available by config configuration current custom details for from get id ids in info latest list my "
    "name new of one or own recent single summary the tool to with".split()
)
_GIVES_BACK = frozenset(
    "ask attachment blpop brpop call chat click compress consume dequeue download drag export extract gzip harvest "
    "import lpop monitor open pop press prompt pull query receive resource resources rpop search snapshot "
    "submit".split()
)
# They change nothing, and what comes back is what somebody else has put there.
_SHOWS = frozenset({"ask", "echo", "elicit", "hover", "wait"})
_SEARCHES = frozenset({"browse", "find", "grep", "query", "scan", "search"})


def output_of(name: str, definition: ToolDefinition | None, sink: str) -> tuple[bool, bool]:
    """(outsiders can write it, it is confidential) of what a tool with this sink gives back."""
    named = words(name)
    said = dict(properties(definition.schema)) if definition else {}
    description = definition.description[:FIRST_CHARS] if definition else ""
    if not named or sink == "unknown":
        return True, True
    if sink == "credential":
        return bool(_outside(named)), True
    if sink == "fetch":
        return True, False
    if sink == "execute":
        return True, _runs_here(named, said)
    if sink in ("read", "none"):
        return _read(named, description, computed=sink == "none")
    if _gives_back(named, said):
        return True, True
    return False, False


def _outside(named: tuple[str, ...]) -> bool:
    return any(word in tool_words().outside_nouns for word in named)


def _runs_here(named: tuple[str, ...], said: Mapping[str, Mapping[str, object]]) -> bool:
    return "sandbox" not in named and bool(said)


def _gives_back(named: tuple[str, ...], said: Mapping[str, Mapping[str, object]]) -> bool:
    """Whether a tool that changes something also reads: by its verb, or because an argument says what it does."""
    if not _GIVES_BACK.isdisjoint(named):
        return True
    return any(key.lower() in SWITCHES or words(key)[:1] == ("include",) for key in said)


def _read(named: tuple[str, ...], description: str, *, computed: bool) -> tuple[bool, bool]:
    table = tool_words()
    nouns = [word for word in named if word not in _FILLERS and not word.isdigit()]
    private = any(known(word, table.private_nouns) for word in nouns)
    text = any(known(word, table.private_text) for word in nouns)
    first = description.split("\n")[0].split(". ")[0]
    if private and not _outside(tuple(nouns)) and "blocked" not in nouns and not _FREE.search(first):
        return "contact" in nouns or "contacts" in nouns, True
    asserted = any(known(word, table.trusted_nouns) for word in nouns) and all(
        known(word, table.trusted_nouns) or class_of(word) in ("read", "none") for word in nouns
    )
    if _SEARCHES.intersection(named) or (_outside(tuple(nouns)) and not computed):
        return True, text or private
    if asserted and not _FREE.search(first):
        return False, False
    if computed and not _FREE.search(first) and _SHOWS.isdisjoint(named):
        return False, False
    return True, text or private


def is_open(name: str, definition: ToolDefinition | None, sink: str) -> bool:
    """Whether a call reaches parties or systems outside the operator's own tenant."""
    if sink in ("send", "publish", "fetch", "money", "unknown"):
        return True
    if sink == "none":
        return False
    description = definition.description[:FIRST_CHARS].lower() if definition else ""
    said = {*words(name), *_WORDS.findall(description.split("\n")[0].split(". ")[0])}
    return not tool_words().open_nouns.isdisjoint(said)
