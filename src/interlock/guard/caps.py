"""How often a conversation may delete, pay or touch credentials, and how much it may pay: counted, and bounded.

Settings write a cap as `delete 10` (calls) or `money sum 500` (what the amounts of all calls come to, in whatever
currency they are in). Each conversation, or task at an MCP server, is counted by itself.
"""

import re
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation

from interlock.model.errors import ConfigError
from interlock.provenance import ToolLabels
from interlock.provenance.kinds import kind_of
from interlock.provenance.settings import SINKS

# The least recently used conversation is forgotten first; an entry is about 300 bytes.
KEPT = 20_000
_CAP = re.compile(r"(?P<sink>[a-z]+) +(?:(?P<calls>\d{1,9})|sum +(?P<sum>\d{1,12}(?:\.\d{1,4})?))")


@dataclass(frozen=True, slots=True)
class Cap:
    """The most calls of tools with a sink, and the most that their amounts may come to; None does not limit."""

    calls: int | None = None
    amount: Decimal | None = None


def caps(texts: Iterable[str], where: str) -> dict[str, Cap]:
    """The caps by sink, as settings write them. Raises: ConfigError.

    >>> caps(["money 3", "money sum 500"], "")
    {'money': Cap(calls=3, amount=Decimal('500'))}
    """
    found: dict[str, Cap] = {}
    for text in texts:
        match = _CAP.fullmatch(text.strip())
        if not match or match["sink"] not in SINKS:
            hint = f'such as "delete 10" or "money sum 500"; one of {", ".join(SINKS)}'
            raise ConfigError(f"{text!r} is no cap", where=where, hint=hint)
        known = found.get(match["sink"], Cap())
        calls = known.calls if match["calls"] is None else int(match["calls"])
        amount = known.amount if match["sum"] is None else Decimal(match["sum"])
        found[match["sink"]] = Cap(calls, amount)
    return found


@dataclass(slots=True)
class _Count:
    calls: int = 0
    amount: Decimal = Decimal(0)


class Counters:
    """What was permitted, by workload, conversation and sink. It outlives a change of the caps.

    Bounded: the least recently used goes first. Not for use by several threads at once.
    """

    def __init__(self, kept: int = KEPT) -> None:
        self._counts: OrderedDict[tuple[str, str, str], _Count] = OrderedDict()
        self._kept = kept

    def __len__(self) -> int:
        return len(self._counts)

    def of(self, workload: str, session: str, sink: str) -> tuple[int, Decimal]:
        """(calls, sum of their amounts) up to now."""
        count = self._counts.get((workload, session, sink))
        return (count.calls, count.amount) if count else (0, Decimal(0))

    def add(self, workload: str, session: str, sink: str, amount: Decimal) -> None:
        """One more was permitted."""
        count = self._counts.setdefault((workload, session, sink), _Count())
        count.calls += 1
        count.amount += amount
        self._counts.move_to_end((workload, session, sink))
        while len(self._counts) > self._kept:
            self._counts.popitem(last=False)


@dataclass(frozen=True, slots=True)
class Caps:
    """The caps that hold for everybody, and those of workloads that have their own."""

    everybody: Mapping[str, Cap] = field(default_factory=dict)
    own: Mapping[str, Mapping[str, Cap]] = field(default_factory=dict)
    counters: Counters = field(default_factory=Counters)

    def exceeds(self, workload: str, session: str, labels: ToolLabels, sink: str, arguments: object) -> bool:
        """Whether one more call of this tool would be too many, or its amount too much."""
        cap = self._of(workload).get(sink)
        if cap is None:
            return False
        calls, spent = self.counters.of(workload, session, sink)
        if cap.calls is not None and calls >= cap.calls:
            return True
        if cap.amount is None:
            return False
        amount = amount_of(labels, arguments)
        return amount is None or spent + amount > cap.amount

    def count(self, workload: str, session: str, labels: ToolLabels, sink: str, arguments: object) -> None:
        """A call was permitted."""
        if sink in self._of(workload):
            self.counters.add(workload, session, sink, amount_of(labels, arguments) or Decimal(0))

    def _of(self, workload: str) -> Mapping[str, Cap]:
        return self.own.get(workload, self.everybody)


def amount_of(labels: ToolLabels, arguments: object) -> Decimal | None:
    """What the amounts among a call's arguments come to; None if one is no number, or there is none."""
    if not isinstance(arguments, dict):
        return None
    kinds = {name: labels.kinds.get(name) or kind_of(name) for name in arguments}
    said = [value for name, value in arguments.items() if kinds[name] == "amount"]
    try:
        found = [abs(Decimal(str(value))) for value in said if not isinstance(value, bool)]
    except InvalidOperation:
        return None
    if not said or len(found) < len(said) or not all(one.is_finite() for one in found):
        return None
    return sum(found, Decimal(0))
