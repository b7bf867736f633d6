"""What tasks have seen and what their workloads have said and read, bounded: it is remembered between exchanges.

A task is a token, and whose token it is can use its bare key as well, and other tasks at the same time. So what
a workload reads anywhere else while a task lives counts in that task, and so does what it says there.
"""

from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import islice
from typing import Generic, TypeVar

from interlock.knowledge.matching import sealed
from interlock.model.decision import Task
from interlock.model.event import Channel, Event, Media, Text, ToolCall
from interlock.model.record import Origin
from interlock.provenance import Conversation, ToolLabels
from interlock.provenance.secrets import Confidential

# Tasks that are remembered at once, and the bytes of what one of them has read, and of all together.
MOST_TASKS = 10_000
MOST_TASK_BYTES = 4_000_000
MOST_BYTES = 300_000_000
# Tasks whose texts are kept in the form in which they are searched as well.
MOST_WARM = 50
# What is kept of a task, and of an event, beside the texts.
TASK_BYTES, EVENT_BYTES = 4_000, 800
BEGINNING = date(1970, 1, 1)
# Workloads that are remembered at once, and the bytes of what one of them has said lately.
MOST_WORKLOADS = 10_000
MOST_SAID_BYTES = 1_000_000

K = TypeVar("K")
V = TypeVar("V")


class Recent(Generic[K, V]):
    """A mapping of at most `most` entries; the least recently used goes first."""

    def __init__(self, most: int) -> None:
        self._held: OrderedDict[K, V] = OrderedDict()
        self._most = most

    def __len__(self) -> int:
        return len(self._held)

    def get(self, key: K) -> V | None:
        """What is held; it counts as used."""
        value = self._held.get(key)
        if value is not None:
            self._held.move_to_end(key)
        return value

    def put(self, key: K, value: V) -> list[V]:
        """Hold it; what had to go."""
        self._held[key] = value
        self._held.move_to_end(key)
        return [self._held.popitem(last=False)[1] for _ in range(len(self._held) - self._most)]

    def pop(self, key: K) -> V | None:
        """Forget it; what was held."""
        return self._held.pop(key, None)

    def oldest(self) -> tuple[K, V] | None:
        """What was not used for the longest time."""
        return next(iter(self._held.items()), None)


@dataclass(frozen=True, slots=True)
class _Said:
    """A call of a workload: when it came, and in whose memory."""

    at_us: int
    by: object
    call: ToolCall


@dataclass(slots=True)
class Doings:
    """What a workload did lately, in whichever task or without one.

    `read_us`: when it last read what outsiders can write. `said` are its last calls, of which `count` were made in
    all; `lost_us` is the time of the last one that is not among them any more.
    """

    read_us: int = -1
    lost_us: int = -1
    count: int = 0
    said: deque[_Said] = field(default_factory=deque)
    _size_bytes: int = 0

    def say(self, one: _Said) -> None:
        """A call was made."""
        self.said.append(one)
        self.count += 1
        self._size_bytes += _size_bytes(one.call)
        while self._size_bytes > MOST_SAID_BYTES:
            lost = self.said.popleft()
            self._size_bytes -= _size_bytes(lost.call)
            self.lost_us = max(self.lost_us, lost.at_us)

    def since(self, number: int) -> list[_Said] | None:
        """The calls from this number on; None if some of them are lost."""
        first = self.count - len(self.said)
        return None if first > number else [*islice(self.said, number - first, None)]

    def forget(self, now_us: int) -> None:
        """Nobody knows any more what it did up to now."""
        self.read_us = self.lost_us = now_us


class Memory:
    """What a task has seen: the user's request, and what its calls have brought back, in order.

    `blind`: it may have read and said more than is remembered here, so that it counts as having read what outsiders
    write, and nothing that it reads is believed. `today` is the day of the request, `seal` puts a keyed hash in the
    place of each secret of what is kept, `doings` is what its workload does, which counts from `since_us` on.
    """

    def __init__(
        self, request: str | None, *, blind: bool, today: date | None = None, seal: Callable[[str], str] | None = None,
        doings: Doings | None = None, since_us: int = 0,
    ) -> None:  # fmt: skip
        self._conversation = Conversation(today, seal)
        self._conversation.tainted = self._conversation.in_doubt = blind
        self.confidential = Confidential(private=blind)
        self.size_bytes = TASK_BYTES
        self.counted_bytes: int | None = None
        self._doings = Doings() if doings is None else doings
        self._since_us = self.now_us = since_us
        self._seal = seal
        self._key = object()
        self._heard = 0
        if request:
            self.add(Text((), Channel.USER, request), Origin.USER)

    @property
    def conversation(self) -> Conversation:
        """All of it as the judgement at the model boundary sees a conversation, for one answer."""
        self._catch_up()
        self._conversation.renew()
        return self._conversation

    @property
    def tainted(self) -> bool:
        """Whether text that outsiders can write was read."""
        self._catch_up()
        return self._conversation.tainted

    def add(self, event: Event, output: Origin, labels: ToolLabels | None = None) -> None:
        """Take in what was said at `now_us`. What no longer fits is not remembered, and then nothing is believed.

        `labels` are those of the tool whose result it is, if that is one that is offered.
        """
        self._catch_up()
        self.confidential.add(event, labels)
        if isinstance(event, ToolCall):
            kept = event._replace(arguments=self._seal(event.arguments)) if self._seal else event
            self._doings.say(_Said(self.now_us, self._key, kept))
        if not self._fits(event):
            if not isinstance(event, ToolCall):
                self._doings.read_us = max(self._doings.read_us, self.now_us)
            return
        # What an image shows nobody reads: its bytes need not be kept.
        event = event._replace(data="") if isinstance(event, Media) else event
        if self._conversation.add(event, output, labels) is Origin.UNTRUSTED:
            self._doings.read_us = max(self._doings.read_us, self.now_us)

    def _fits(self, event: Event) -> bool:
        size = _size_bytes(event)
        if self.size_bytes + size <= MOST_TASK_BYTES:
            self.size_bytes += size
            return True
        self._conversation.tainted = True
        if isinstance(event, ToolCall):
            # What it has said would be believed when it is read back.
            self._conversation.in_doubt = True
        return False

    def _catch_up(self) -> None:
        """Take in what the workload did elsewhere while the task lived."""
        doings = self._doings
        if doings.read_us >= self._since_us:
            self._conversation.tainted = True
        said = doings.since(self._heard)
        if said is None:
            said = [*doings.said]
            self._conversation.in_doubt |= doings.lost_us >= self._since_us
        self._heard = doings.count
        for one in said:
            if one.by is not self._key and one.at_us >= self._since_us and self._fits(one.call):
                self._conversation.overhear(one.call)

    def rest(self) -> None:
        """Another task is worked on: keep no more than what was said."""
        self._conversation.rest()


def _size_bytes(event: Event) -> int:
    """What an event takes, about: Python keeps a text in 1, 2 or 4 bytes for each character."""
    text = event.text if isinstance(event, Text) else event.arguments if isinstance(event, ToolCall) else ""
    return len(text) * (1 if text.isascii() else 2 if max(text) < "\U00010000" else 4) + EVENT_BYTES


class Memories:
    """The memories of all tasks, bounded. A task that may have been forgotten, or began before us, is blind.

    Without a task nothing is known, and nothing is remembered. `digest` is a keyed hash, for secrets.
    """

    def __init__(self, since_us: int, digest: Callable[[str], str] | None = None) -> None:
        self._held: Recent[str, Memory] = Recent(MOST_TASKS)
        self._doings: Recent[str, Doings] = Recent(MOST_WORKLOADS)
        self._warm: Recent[int, Memory] = Recent(MOST_WARM)
        self._since_us = since_us
        self._size_bytes = 0
        self._seal = (lambda text: sealed(text, digest)) if digest else None

    def of(self, task: Task | None, now_us: int, workload: str = "") -> Memory:
        """What this task has seen. `workload` asks: the task's own, where there is one."""
        doings = self._doings_of(task.workload if task else workload, now_us)
        if task is None:
            return Memory(None, blind=True, doings=doings, since_us=now_us)
        memory = self._held.get(task.id)
        if memory is None:
            today = BEGINNING + timedelta(microseconds=task.issued_us)
            blind, since_us = task.issued_us < self._since_us, task.issued_us
            memory = Memory(task.request, blind=blind, today=today, seal=self._seal, doings=doings, since_us=since_us)
            memory.counted_bytes = memory.size_bytes
            self._size_bytes += memory.size_bytes
            self._forget(self._held.put(task.id, memory), now_us)
        memory.now_us = now_us
        for cold in self._warm.put(id(memory), memory):
            cold.rest()
        return memory

    def _doings_of(self, workload: str, now_us: int) -> Doings:
        doings = self._doings.get(workload)
        if doings is None:
            doings = Doings()
            for old in self._doings.put(workload, doings):
                old.forget(now_us)
                self._since_us = now_us
        return doings

    def grown(self, memory: Memory, now_us: int) -> None:
        """A memory may have grown: others may have to go. One that is not held, or no more, counts for nothing."""
        if memory.counted_bytes is None:
            return
        self._size_bytes += memory.size_bytes - memory.counted_bytes
        memory.counted_bytes = memory.size_bytes
        while self._size_bytes > MOST_BYTES and (oldest := self._held.oldest()) and oldest[1] is not memory:
            self._held.pop(oldest[0])
            self._forget([oldest[1]], now_us)

    def _forget(self, memories: list[Memory], now_us: int) -> None:
        if memories:
            self._since_us = now_us
        for memory in memories:
            self._size_bytes -= memory.counted_bytes or 0
            memory.counted_bytes = None
