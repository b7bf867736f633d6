"""A tool's labels, derived from its name, description and schema by general knowledge; conservative in doubt.

No list of particular servers' tools: only the words that people name tools and arguments with. A tool whose
name says nothing is `unknown`, which counts as a sink; its output is untrusted. An operator's override wins.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from interlock.model.event import ToolDefinition
from interlock.model.record import Origin
from interlock.provenance.settings import ToolOverride

UNKNOWN = "unknown"
# Nothing leaves and nothing changes: the arguments decide only what comes back.
HARMLESS = frozenset({"none", "read"})
# All of their arguments decide what happens, whatever they are called.
WHOLLY_SENSITIVE = frozenset({"execute", "delete", "credential", "admin", UNKNOWN})
# They do harm to whatever they are told to; a call of one that tells nothing is not harmless.
DECIDED_BY_ARGUMENTS = WHOLLY_SENSITIVE | {"money"}

# They reach people, so that their recipients are lists of addresses, with names.
TO_PEOPLE = frozenset({"send", "publish", "write"})

_READ = frozenset(
    "analyse analyze calculate check compare compute convert count describe details estimate exists explain find get "
    "has history info inspect is list load logs lookup peek preview query read recommend research retrieve search "
    "select show stat status summarize summarise tail think translate tree validate verify view whoami".split()
)
# In the order of the harm: the first class with a word in the name is the tool's.
_CLASSES: tuple[tuple[str, frozenset[str]], ...] = (
    (
        "execute",
        frozenset(
            "bash cmd command cypher eval exec execute invoke python repl rerun run script shell sql terminal trigger "
            "workflow".split()
        ),
    ),
    (
        "money",
        frozenset(
            "buy charge checkout deposit donate invest invoice order pay payment payout payroll purchase refund "
            "reimburse remit sell subscribe subscription tip trade transaction transfer wire withdraw".split()
        ),
    ),
    (
        "delete",
        frozenset(
            "clean cleanup clear delete destroy drop empty erase flush pop purge remove terminate trash truncate "
            "uninstall unlink wipe".split()
        ),
    ),
    ("credential", frozenset("apikey credential credentials key login otp passphrase password secret token".split())),
    (
        "admin",
        frozenset(
            "activate ban block configure deactivate deploy disable enable grant install invite kick kill member "
            "pause permission policy power promote provision reboot reset restart restore resume revoke rollback role "
            "scale share shutdown stop suspend unban unshare webhook".split()
        ),
    ),
    ("publish", frozenset("announce blog broadcast post publish release toot tweet".split())),
    (
        "send",
        frozenset("call chat comment dm email forward mail message notify ping reply send sms submit text".split()),
    ),
    ("fetch", frozenset("browse crawl curl download fetch goto navigate open request scrape url visit".split())),
    (
        "write",
        frozenset(
            "append archive assign book cancel close copy create edit insert label mark merge modify move "
            "new patch put rename reopen replace reschedule reserve resolve save schedule set store tag update "
            "upload upsert write".split()
        ),
    ),
)
_NOUNS_OF_READS = frozenset({"sql", "shell", "command", "cypher", "script"})
_CODE = frozenset({"sql", "code", "command", "cypher", "script", "statement"})
# A query of one of these is a program in its language.
_STORES = frozenset("database db mysql postgres sqlite warehouse".split())
_PLACES = frozenset({"url", "urls", "uri", "href", "link"})
_WEB = frozenset("content html http page resource site web webpage website".split())
# To write one of these is to change who may do what.
_NOUNS_OF_POWER = frozenset("admin domain filter firewall group permission right role rule team user".split())
_RECIPIENT = frozenset(
    "account addr address assignee attendee audience bcc beneficiary bic bucket callback cc channel chat client "
    "collaborator contact counterparty creditor customer dest destination domain email endpoint group guest host "
    "hostname href iban invitee ip jid link location login mailbox mailto member merchant msisdn namespace number "
    "org organisation organization origin owner participant payee payer people person phone project receiver "
    "recip recipient remote repo repository requester reviewer room routing sendto server subscriber supplier "
    "swift target team tenant to upi uri url user username vendor wallet webhook who whom workspace".split()
)
# What stands behind the name of a recipient where both are written together: `userid`, `emailaddress`.
_BEHIND = _RECIPIENT | {"id", "ids", "list", "name", "names"}
LONGEST_WORD = 40
_WORD = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|\d+")


@dataclass(frozen=True, slots=True)
class ToolLabels:
    """What policy may know of a tool. `recipients` are the names of the arguments that were asked for by an
    operator, or None: then an argument's own name and value decide."""

    output: Origin = Origin.UNTRUSTED
    sink: str = UNKNOWN
    recipients: frozenset[str] | None = None

    def is_sensitive(self, argument: str) -> bool:
        """Whether the argument (its last name, for a nested one) decides who receives or what is done."""
        if self.sink in HARMLESS:
            return False
        if self.recipients is not None:
            return argument in self.recipients
        # A name in another script says nothing here, so it counts as one that decides.
        return self.sink in WHOLLY_SENSITIVE or not argument.isascii() or any(map(_names_recipient, words(argument)))


def derive(name: str, definition: ToolDefinition | None, overrides: Mapping[str, ToolOverride]) -> ToolLabels:
    """The labels of the tool called `name`; without a definition only the name can speak."""
    override = overrides.get(name, ToolOverride())
    return ToolLabels(
        output=Origin.INTERNAL if override.output == "internal" else Origin.UNTRUSTED,
        sink=override.sink or _sink(words(name), _properties(definition)),
        recipients=None if override.recipients is None else frozenset(override.recipients),
    )


def words(name: str) -> tuple[str, ...]:
    """The words of an identifier, in lower case; none if it has letters of other scripts, which may look like ours.

    >>> words("sendEmail_to-ALLUsers2")
    ('send', 'email', 'to', 'all', 'users', '2')
    """
    return tuple(word.lower() for word in _WORD.findall(name)) if name.isascii() else ()


def _names_recipient(word: str) -> bool:
    """Whether a word names one, alone, of several, or written together with another word."""
    if not _RECIPIENT.isdisjoint((word, word.removesuffix("s"), word.removesuffix("es"))):
        return True
    cuts = range(2, len(word) - 1) if len(word) <= LONGEST_WORD else ()
    return any(word[:cut] in _RECIPIENT and word[cut:] in _BEHIND for cut in cuts)


def _sink(name: tuple[str, ...], properties: frozenset[str]) -> str:
    """What the worst part of a name says: `get_and_delete` deletes."""
    parts: list[list[str]] = [[]]
    for word in name:
        if word in ("and", "or", "then"):
            parts.append([])
        else:
            parts[-1].append(word)
    return min((_part_sink(part, properties) for part in parts), key=_WORST_FIRST.index)


def _fetches_a_record(name: list[str], properties: frozenset[str]) -> bool:
    """Whether a `fetch_order(order_id)` is a read: it says what it gets, and nothing of it can be a place."""
    said = {word for argument in properties for word in words(argument)}
    somewhere = not _WEB.isdisjoint((*name, *said)) or any(map(_names_recipient, said))
    return len(name) > 1 and bool(properties) and all(map(str.isascii, properties)) and not somewhere


def _part_sink(name: list[str], properties: frozenset[str]) -> str:
    verb = next((word for word in name if word in _READ or _class(word)), "")
    if verb in _READ or (verb == "fetch" and _fetches_a_record(name, properties)):
        if any(_class(word) == "credential" for word in name):
            return "credential"
        said = {word for argument in properties for word in words(argument)}
        if _NOUNS_OF_READS.intersection(name) or _CODE & said or ("query" in said | {*name} and _STORES & {*name}):
            return "execute"
        # A read that names its place by address contacts that place.
        return "fetch" if _PLACES & said else "read"
    found = [_class(word) for word in name if _class(word)]
    if not found:
        return UNKNOWN
    worst = min(found, key=_WORST_FIRST.index)
    if worst == "write" and "query" in name:
        return "execute"
    powerful = any(word.removesuffix("s") in _NOUNS_OF_POWER for word in name)
    return "admin" if worst == "write" and powerful else worst


_WORST_FIRST = (
    "execute", "money", "delete", "credential", "admin", UNKNOWN, "publish", "send", "fetch", "write", "read", "none",
)  # fmt: skip


def _class(word: str) -> str:
    for sink, members in _CLASSES:
        if word in members or word.removesuffix("s") in members:
            return sink
    return ""


def _properties(definition: ToolDefinition | None) -> frozenset[str]:
    """The names of a tool's arguments, nested ones too."""
    return property_names(definition.schema) if definition else frozenset()


def property_names(schema: Mapping[str, object]) -> frozenset[str]:
    """Every name that a JSON schema gives to a property, however deep."""
    names: set[str] = set()
    left: list[object] = [schema]
    while left:
        value = left.pop()
        if isinstance(value, dict):
            properties = value.get("properties")
            names.update(properties if isinstance(properties, dict) else ())
            left.extend(value.values())
        elif isinstance(value, list):
            left.extend(value)
    return frozenset(names)
