"""Calls that policy refuses until a person approves: what is asked, what is remembered, and what a yes lifts.

A request holds for one exact call: its binding is a keyed hash of workload, task or session, server, tool and
arguments, so that whatever differs is another request. A yes is for that call once; or for the task, and then it
endorses the values that were judged: each in its own argument of the same tool, in that task alone. Policy decides
again with those values as the user's own, so that nothing else that it asks for is lifted by them.
"""

import json
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, TypeAlias, TypeVar

from interlock.guard.commands import Claim, Petition
from interlock.knowledge import redact
from interlock.model.approval import Approval, Reach, Shown, Standing
from interlock.model.decision import Ask
from interlock.model.record import Argument, Origin
from interlock.policy.approvals import SECOND_US, ApprovalSettings
from interlock.policy.looks import warnings
from interlock.provenance import Conversation
from interlock.provenance.kinds import kind_of
from interlock.provenance.values import shown as masked

# What waits in one gateway, whoever asks.
MOST_WAITING = 1_000
# Of a value that is longer, its beginning and its end are shown.
LONGEST, BEGINNING, END = 2_000, 1_200, 400
MOST_SHOWN = 40
# Of the arguments that policy does not judge so many are looked for in the conversation.
MOST_LOOKED_FOR = 10
LONGEST_NAME = 128
MAX_DEPTH = 64
_BAD = frozenset({Origin.UNTRUSTED, Origin.MODEL})
R = TypeVar("R")
Asks: TypeAlias = Generator[Claim | Petition, Any, R]


class Asker(NamedTuple):
    """Whose call it is. `session` is empty where neither a task nor a conversation is known."""

    workload: str
    credential: str
    session: str
    is_task: bool = False
    server: str = ""
    beginning: str = ""
    ends_us: int = 0


@dataclass(frozen=True, slots=True)
class Asking:
    """A call that policy asks about. `judged` are its sensitive arguments with their values; `text` is all of them.

    `counted` is what caps count, if it is permitted.
    """

    asker: Asker
    tool: str
    sink: str
    text: str
    arguments: object
    judged: tuple[tuple[Argument, str], ...]
    decision: Ask
    conversation: Conversation
    counted: tuple[Any, ...] = ()

    def binding(self, digest: Callable[[str], str]) -> str:
        """The keyed hash that an approval is bound to."""
        said = self.text if self.arguments is None else self.arguments
        asker = self.asker
        return digest(
            json.dumps(
                ["approval-1", asker.workload, asker.session, asker.is_task, asker.server, self.tool, said],
                sort_keys=True,
            )
        )


class Approvals:
    """What was asked and decided, as one gateway knows it. Not for use by several threads at once.

    Rules: what waits is asked once; a call that was turned down is not asked again for a day; of one workload only so
    much waits. What is kept in the store counts, but for requests that are not kept yet. It does NOT decide whether a
    yes is still there to use: the store does, for all processes.
    """

    def __init__(self, settings: ApprovalSettings | None = None, fresh: Callable[[], str] | None = None) -> None:
        """`fresh` gives ids that nobody can guess; without it nobody can be asked."""
        self.settings = settings or ApprovalSettings()
        self._fresh = fresh
        self._held: dict[str, Approval] = {}
        self._unsaved: set[str] = set()

    def replace(self, kept: Iterable[Approval]) -> None:
        """What is kept has changed; `kept` is what is not over."""
        unsaved = {id_: self._held[id_] for id_ in self._unsaved if id_ in self._held}
        self._held = unsaved | {one.id: one for one in kept}

    def saved(self, asked: Iterable[Approval], kept: Iterable[str]) -> None:
        """These were to be kept, and `kept` of them are: the others wait already, in another process."""
        stays = set(kept)
        for one in asked:
            self._unsaved.discard(one.id)
            if one.id not in stays:
                self._held.pop(one.id, None)

    def used(self, id_: str, now_us: int) -> None:
        """One was used."""
        if (one := self._held.get(id_)) and one.reach is Reach.ONCE:
            self._held[id_] = replace(one, used_us=now_us)

    def put(self, decision: Approval, used_us: int = 0) -> None:
        """One was decided here, and used if it is one for once."""
        self._held[decision.id] = replace(decision, used_us=used_us)

    def waiting(self, binding: str, now_us: int) -> Approval | None:
        """The request that waits for this very call."""
        return next((one for one in self._bound(binding) if one.standing(now_us) is Standing.WAITING), None)

    def granted(self, binding: str, now_us: int) -> Approval | None:
        """A yes to this very call."""
        return next((one for one in self._bound(binding) if one.standing(now_us) is Standing.GRANTED), None)

    def endorsed(self, asker: Asker, tool: str, now_us: int) -> Mapping[tuple[str, str], str]:
        """(argument, digest of its value) -> id of the yes that endorses it, for this tool in this task."""
        if not asker.session:
            return {}
        return {
            pair: one.id
            for one in self._held.values()
            if one.reach is Reach.TASK
            and (one.workload, one.session, one.is_task, one.server, one.tool)
            == (asker.workload, asker.session, asker.is_task, asker.server, tool)
            and one.standing(now_us) is Standing.GRANTED
            for pair in one.endorses
        }

    def ask(
        self, asking: Asking, binding: str, digest: Callable[[str], str], now_us: int
    ) -> tuple[Approval | None, bool]:
        """(the request that waits for this call, whether it is new); None if nobody is asked.

        Nobody is asked about a call of which not every value that decides would be shown.
        """
        if self._fresh is None or len({(argument.name, value) for argument, value in asking.judged}) > MOST_SHOWN:
            return None, False
        for one in self._bound(binding):
            match one.standing(now_us):
                case Standing.WAITING:
                    return one, False
                case Standing.DENIED if one.expires_us > now_us:
                    return None, False
                case _:
                    pass
        waiting = [one for one in self._held.values() if one.standing(now_us) is Standing.WAITING]
        own = sum(one.workload == asking.asker.workload for one in waiting)
        if own >= self.settings.waiting or len(waiting) >= MOST_WAITING:
            return None, False
        expires_us = now_us + self.settings.request_s * SECOND_US
        new = _request(asking, f"a-{self._fresh()}", binding, digest, now_us, expires_us)
        self._held[new.id] = new
        self._unsaved.add(new.id)
        return new, True

    def beginnings(self) -> Iterator[tuple[str, str]]:
        """(beginning, session) of each conversation that something waits or holds for."""
        return ((one.beginning, one.session) for one in self._held.values() if one.beginning)

    def _bound(self, binding: str) -> list[Approval]:
        found = [one for one in self._held.values() if one.binding == binding]
        return sorted(found, key=lambda one: one.asked_us, reverse=True)


def settled(
    approvals: Approvals, asking: Asking, digest: Callable[[str], str], now_us: int
) -> Asks[tuple[Approval | None, bool]]:
    """(the approval of this call, whether it was granted and is used by it); without a yes somebody is asked."""
    binding = asking.binding(digest)
    held = approvals.granted(binding, now_us)
    if held is not None:
        mine = yield Claim(held.id)
        approvals.used(held.id, now_us)
        if mine:
            return held, True
    asked, new = approvals.ask(asking, binding, digest, now_us)
    if asked and new:
        yield Petition(asked)
    return asked, False


def _request(
    asking: Asking, id_: str, binding: str, digest: Callable[[str], str], now_us: int, expires_us: int
) -> Approval:  # fmt: skip
    asker = asking.asker
    shown, left_out = _all_shown(asking, digest)
    return Approval(
        id=id_,
        binding=binding,
        workload=asker.workload,
        credential=asker.credential,
        session=asker.session,
        is_task=asker.is_task,
        beginning=asker.beginning,
        server=asker.server,
        tool=_cut(asking.tool),
        sink=asking.sink,
        arguments=shown,
        left_out=left_out,
        policies=asking.decision.policies,
        reason=asking.decision.reason,
        asked_us=now_us,
        expires_us=min(expires_us, asker.ends_us) if asker.ends_us else expires_us,
        ends_us=asker.ends_us,
    )


def _all_shown(asking: Asking, digest: Callable[[str], str]) -> tuple[tuple[Shown, ...], int]:
    """Every argument, those that were judged first, and of them what nobody vouches for; and how many are left out."""
    judged = {(argument.name, value): argument for argument, value in asking.judged}
    ordered = sorted(judged.items(), key=lambda one: _BAD.isdisjoint(one[1].origins))
    out = [_shown(name, value, argument.origins, argument.seen_in, digest) for (name, value), argument in ordered]
    rest = [("arguments", asking.text)] if asking.arguments is None else _leaves(asking.arguments, "", 0)
    count = len(out)
    for name, value in rest:
        if (name, value.strip()) in judged:
            continue
        count += 1
        if len(out) < MOST_SHOWN:
            known = asking.conversation if count - len(judged) <= MOST_LOOKED_FOR else None
            out.append(_other(name, value, known, digest))
    return tuple(out[:MOST_SHOWN]), count - min(len(out), MOST_SHOWN)


def _other(name: str, value: str, conversation: Conversation | None, digest: Callable[[str], str]) -> Shown:
    """An argument that policy does not look at; who approves the call approves it too."""
    if conversation is None or len(value) > LONGEST:
        return replace(_shown(name, value, (), (), digest), judged=False)
    seen = conversation.find(value)
    return replace(_shown(name, value, seen.origins, seen.tools, digest), judged=False)


def _shown(
    name: str, value: str, origins: tuple[Origin, ...], seen_in: tuple[str, ...], digest: Callable[[str], str]
) -> Shown:
    text = masked(value) if kind_of(name.rpartition(".")[2]) == "secret" else redact(value)
    end = ""
    if len(text) > LONGEST:
        text, end = text[:BEGINNING], text[-END:]
    return Shown(_cut(name), text, len(value), digest(value), True, origins, seen_in, warnings(value), end)


def _cut(name: str) -> str:
    return name if len(name) <= LONGEST_NAME else f"{name[:LONGEST_NAME]}…"


def _leaves(value: object, name: str, depth: int) -> Iterator[tuple[str, str]]:
    """(dotted name, text) of all that an argument holds."""
    if depth > MAX_DEPTH:
        yield name, "(nested too deeply)"
    elif isinstance(value, dict) and (value or depth == 0):
        for key, inner in value.items():
            yield from _leaves(inner, f"{name}.{key[:64]}" if name else key[:64], depth + 1)
    elif isinstance(value, list) and value:
        for inner in value:
            yield from _leaves(inner, name, depth + 1)
    else:
        yield name, value if isinstance(value, str) else json.dumps(value)
