"""What an argument decides, by the words of its name: who receives, where, which object, how much, what is run."""

from collections.abc import Mapping

from interlock.provenance.names import choices, known, words

LONGEST_WORD = 40
# Where something goes, and who is affected: names of people, places, accounts and addresses.
RECIPIENT = frozenset(
    "account addr address assignee attendee audience bcc beneficiary bic bucket callback cc channel chat client "
    "collaborator contact counterparty creditor customer dest destination domain email endpoint group guest host "
    "hostname href iban invitee ip jid link login mailbox mailto member merchant msisdn namespace number "
    "org organisation organization origin owner participant payee payer people person phone project receiver "
    "recip recipient remote repo repository requester reviewer room routing sendto server subscriber supplier "
    "swift target team tenant to upi uri url user username vendor wallet webhook who whom workspace".split()
)
# What stands behind the name of a recipient where both are written together: `userid`, `emailaddress`.
_BEHIND = RECIPIENT | {"id", "ids", "list", "name", "names"}
# In this order: the first kind with a word in the name is the argument's.
_KINDS: tuple[tuple[str, frozenset[str]], ...] = (
    ("secret", frozenset("apikey credential otp passphrase password secret token".split())),
    ("code", frozenset("cmd code command cypher expression manifest script shell sql statement".split())),
    ("url", frozenset("callback endpoint href link origin uri url webhook".split())),
    ("path", frozenset("dir directory file filename filepath folder path workdir".split())),
    (
        "recipient",
        frozenset(
            "addr address attendee audience bcc beneficiary cc channel collaborator contact email guest iban invitee "
            "mailto msisdn participant payee people phone receiver recip recipient reviewer to wallet whom".split()
        ),
    ),
    (
        "permission",
        frozenset("access action grant method mode operation permission policy role scope visibility".split()),
    ),
    ("amount", frozenset("amount balance cost notional price qty quantity sum total value".split())),
    (
        "account",
        frozenset(
            "account bucket client customer environment group member namespace org organisation organization owner "
            "project region repo repository schema space team tenant user username workspace zone".split()
        ),
    ),
    ("query", frozenset("filter keyword pattern prompt q query question search term".split())),
    (
        "content",
        frozenset("body comment content data description html message note subject summary text title".split()),
    ),
    ("id", frozenset("guid hash id identifier ids key name number ref slug uid uuid".split())),
)  # fmt: skip


def kind_of(argument: str, schema: Mapping[str, object] | None = None) -> str:
    """The kind of an argument, empty if its name says none. Switches and numbers without a kind have none."""
    said = words(argument)
    if schema and schema.get("type") == "boolean":
        return ""
    if said[-1:] in (("id",), ("ids",), ("key",), ("uid",)) and not {"account", "client", "project", "user"} & {*said}:
        return "recipient" if {"channel", "chat", "recipient"} & {*said} else "id"
    kind = next((kind for kind, among in _KINDS if any(known(word, among) for word in said)), "")
    if kind == "permission" and schema is not None and said[-1] in ("action", "method", "mode") and not choices(schema):
        return ""
    return kind


def names_recipient(argument: str) -> bool:
    """Whether an argument's name says who receives or where it goes; one in another script might."""
    return not argument.isascii() or any(map(_is_recipient, words(argument)))


def _is_recipient(word: str) -> bool:
    """Whether a word names one, alone, of several, or written together with another word."""
    if known(word, RECIPIENT):
        return True
    cuts = range(2, len(word) - 1) if len(word) <= LONGEST_WORD else ()
    return any(word[:cut] in RECIPIENT and word[cut:] in _BEHIND for cut in cuts)
