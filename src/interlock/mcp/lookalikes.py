"""Names of tools that can be taken for another's: spelled alike, drawn alike, or one slip away."""
# ruff: noqa: RUF001, RUF002 - letters that look like others are meant

import unicodedata
from collections import defaultdict
from collections.abc import Iterator, Mapping

# Unicode's confusables (UTS 39), the letters of them that names of programs have; folded to one of each group.
_DRAWN = str.maketrans(
    "01lI|5абсԁеһіјӏорԛѕѵԝхуαεικνορτυχ",
    "oiiiisa6cdehijiopqsvwxyaeiknoptux",
)
_PAIRS = (("rn", "m"), ("vv", "w"), ("cl", "d"))
# A slip in a shorter name makes another word more often than not.
SHORTEST = 8


def spelled(name: str) -> str:
    """A name without what people do not say of it: case and separators.

    >>> spelled("createIssue") == spelled("create_issue") == spelled("Create-Issue")
    True
    """
    return "".join(letter for letter in unicodedata.normalize("NFKC", name).casefold() if letter.isalnum())


def drawn(name: str) -> str:
    """A name as it looks at a glance: two that are drawn alike come out as one.

    >>> drawn("send_emai1") == drawn("send_email"), drawn("sеnd") == drawn("send"), drawn("read") == drawn("send")
    (True, True, False)
    """
    folded = unicodedata.normalize("NFKC", name).translate(_DRAWN).casefold().translate(_DRAWN)
    for pair, one in _PAIRS:
        folded = folded.replace(pair, one)
    return "".join(letter for letter in folded if letter.isalnum())


def slips(name: str) -> Iterator[str]:
    """What is left of a name without each of its letters, and the name: two that are one slip apart share one."""
    yield name
    for at in range(len(name)):
        yield name[:at] + name[at + 1 :]


def is_slip(one: str, other: str) -> bool:
    """Whether one letter is lost, doubled, another, or has changed places. A plural is no slip, nor a number.

    >>> is_slip("send_emial", "send_email"), is_slip("list_users", "list_user"), is_slip("get_page1", "get_page2")
    (True, False, False)
    """
    if len(one) < len(other):
        one, other = other, one
    if len(one) - len(other) > 1 or one == other:
        return False
    at = next((n for n, letter in enumerate(other) if one[n] != letter), len(other))
    if len(one) > len(other):
        return one[at + 1 :] == other[at:] and one[at] not in "s0123456789"
    swapped = one[at : at + 2] == other[at : at + 2][::-1] and one[at + 2 :] == other[at + 2 :]
    replaced = one[at + 1 :] == other[at + 1 :] and not (one[at].isdigit() or other[at].isdigit())
    return swapped or replaced


def alike(tools: Mapping[tuple[str, str], object]) -> Iterator[tuple[tuple[str, str], tuple[str, str], str]]:
    """(tool, the other that it is like, how) of each pair of (server, name). The later one of a pair comes first.

    `how` is same, spelled, drawn or slip. The same name on two servers is the commonest and the mildest.
    """
    known: dict[tuple[str, str], list[tuple[str, str]]] = defaultdict(list)
    for tool in tools:
        found: dict[tuple[str, str], str] = {}
        plain, look = spelled(tool[1]), drawn(tool[1])
        keys = [("spelled", plain), ("drawn", look)]
        if len(plain) >= SHORTEST:
            keys += [("slip", left) for left in slips(plain)]
        for kind, value in keys:
            for other in known[kind, value]:
                how = "same" if other[1] == tool[1] else kind
                if other == tool:  # two letters of it are the same
                    continue
                if how != "slip" or is_slip(plain, spelled(other[1])):
                    found.setdefault(other, how)
            known[kind, value].append(tool)
        yield from ((tool, other, how) for other, how in found.items())
