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

SINKS = ("none", "read", "write", "fetch", "send", "publish", "admin", "credential", "delete", "money", "execute")
UNKNOWN = "unknown"
# Nothing leaves and nothing changes: the arguments decide only what comes back.
HARMLESS = frozenset({"none", "read"})
# All of their arguments decide what happens, whatever they are called.
WHOLLY_SENSITIVE = frozenset({"execute", "delete", "credential", "admin", UNKNOWN})

_READ = frozenset(
    "calculate check compare compute convert count describe estimate exists explain find get has info "
    "inspect is list load lookup peek preview query read retrieve search select show stat status "
    "summarize summarise tail think translate validate verify view whoami".split()
)
# In the order of the harm: the first class with a word in the name is the tool's.
_CLASSES: tuple[tuple[str, frozenset[str]], ...] = (
    (
        "execute",
        frozenset("bash cmd command cypher eval exec execute python repl run script shell sql terminal".split()),
    ),
    (
        "money",
        frozenset(
            "buy charge checkout donate invest order pay payment payout purchase refund reimburse remit "
            "sell subscribe trade transaction transfer wire withdraw".split()
        ),
    ),
    ("delete", frozenset("delete destroy drop erase purge remove trash truncate unlink wipe".split())),
    ("credential", frozenset("apikey credential credentials key login otp passphrase password secret token".split())),
    (
        "admin",
        frozenset(
            "ban block deploy disable enable grant invite kick member members permission permissions "
            "policy restart revoke role roles scale share unshare webhook".split()
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
            "new patch put rename reopen reschedule reserve resolve save schedule set store tag update "
            "upload upsert write".split()
        ),
    ),
)
_NOUNS_OF_READS = frozenset({"sql", "shell", "command", "cypher", "script"})
_RECIPIENT = frozenset(
    "account addr address attendee attendees bcc bic beneficiary cc channel chat collaborator "
    "counterparty creditor dest destination domain email emails endpoint host hostname href iban invitee "
    "invitees link location mailbox member number participant participants payee phone receiver recipient "
    "recipients remote room routing server swift target to uri url urls user username users wallet "
    "webhook".split()
)
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
        return self.sink in WHOLLY_SENSITIVE or bool(_RECIPIENT.intersection(words(argument)))


def derive(name: str, definition: ToolDefinition | None, overrides: Mapping[str, ToolOverride]) -> ToolLabels:
    """The labels of the tool called `name`; without a definition only the name can speak."""
    override = overrides.get(name, ToolOverride())
    return ToolLabels(
        output=Origin.INTERNAL if override.output == "internal" else Origin.UNTRUSTED,
        sink=override.sink or _sink(words(name), _properties(definition)),
        recipients=None if override.recipients is None else frozenset(override.recipients),
    )


def words(name: str) -> tuple[str, ...]:
    """The words of an identifier, in lower case.

    >>> words("sendEmail_to-ALLUsers2")
    ('send', 'email', 'to', 'all', 'users', '2')
    """
    return tuple(word.lower() for word in _WORD.findall(name))


def _sink(name: tuple[str, ...], properties: frozenset[str]) -> str:
    verb = next((word for word in name if word in _READ or _class(word)), "")
    if verb in _READ:
        if any(_class(word) == "credential" for word in name):
            return "credential"
        if _NOUNS_OF_READS.intersection(name) or {"sql", "code", "command"} & properties:
            return "execute"
        # A read that names its place by address contacts that place.
        return "fetch" if {"url", "uri", "href"} & properties else "read"
    found = [_class(word) for word in name if _class(word)]
    order = [sink for sink, _ in _CLASSES]
    if not found:
        return UNKNOWN
    return min(found, key=order.index)


def _class(word: str) -> str:
    for sink, members in _CLASSES:
        if word in members or word.removesuffix("s") in members:
            return sink
    return ""


def _properties(definition: ToolDefinition | None) -> frozenset[str]:
    properties = definition.schema.get("properties") if definition else None
    return frozenset(properties) if isinstance(properties, dict) else frozenset()
