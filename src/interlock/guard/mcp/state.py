"""What is remembered between exchanges: what each server is and offers, who is connected, what each task has read."""

import json
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any, Generic, TypeVar

from interlock.guard.mcp.commands import Bell, Headers
from interlock.guard.mcp.settings import McpServer
from interlock.knowledge.matching import sealed
from interlock.mcp.eras import Era, sent_headers
from interlock.mcp.inspection import INSTRUCTIONS as INSTRUCTIONS
from interlock.mcp.inspection import Finding, definition_of
from interlock.mcp.messages import Id, Response
from interlock.mcp.pins import FIRST_USE, Pin, Standing, offered
from interlock.model.decision import Principal, Task
from interlock.model.errors import InterlockError
from interlock.model.event import Channel, Event, Media, Text, ToolCall, ToolDefinition
from interlock.model.record import Origin
from interlock.provenance import Conversation, ToolLabels
from interlock.provenance.secrets import Confidential

# Clients of one server that are connected at once, and how long a silent one is remembered.
MOST_SESSIONS = 10_000
SESSION_US = 3_600 * 1_000_000
# Tasks that are remembered at once, and the bytes of what one of them has read, and of all together.
MOST_TASKS = 10_000
MOST_TASK_BYTES = 4_000_000
MOST_BYTES = 300_000_000
# Tasks whose texts are kept in the form in which they are searched as well.
MOST_WARM = 50
# What is kept of a task, and of an event, beside the texts.
TASK_BYTES, EVENT_BYTES = 4_000, 800
BEGINNING = date(1970, 1, 1)
# Addresses that a server has listed as its own.
MOST_LISTED = 10_000
# States of requests that wait for more of their client, by their digests.
MOST_STATES = 10_000
# Calls of one server that wait for their clients to ask again.
MOST_PARKED = 1_000

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
class Link:
    """How a server is spoken with: its era, and in the older one the session that it gave us."""

    era: Era
    version: str
    session: str
    capabilities: Mapping[str, Any]
    about: Mapping[str, Any]
    instructions: str

    @property
    def headers(self) -> Headers:
        """The header lines of a message that is no request."""
        return tuple(sent_headers(self.era, "", {}, self.version, self.session))


@dataclass(slots=True)
class Asked:
    """What a server has asked a client, which answers in an exchange of its own.

    `link` and `id` say to whom the answer goes; without a link it stays here, and `bell` says that it has come.
    """

    method: str
    link: Link | None = None
    id: Id = 0
    bell: Bell = field(default_factory=Bell)
    answer: Response | None = None


@dataclass(slots=True)
class Parked:
    """A call that waits for its client to ask again. `call` says which one it is, by its digest; `asked` for what.

    `answer` and `bell` go to it, `outcome` and `done` come from it; `gone` ends it.
    """

    principal: Principal
    call: bytes
    asked: str
    bell: Bell
    done: Bell = field(default_factory=Bell)
    gone: Bell = field(default_factory=Bell)
    answer: Response | None = None
    outcome: dict[str, Any] | InterlockError | None = None


@dataclass(slots=True)
class Session:
    """A client of the older era. Its id authenticates nobody: it goes on only for the caller that began it.

    `link` is None before the server was spoken with. `capabilities` is what the client says that it can do, `asked`
    what it was asked and has not answered yet, and `level` from which on it wants to see what the server logs.
    """

    id: str
    principal: Principal
    version: str
    link: Link | None
    used_us: int
    capabilities: Mapping[str, Any] = field(default_factory=dict)
    asked: dict[str, Asked] = field(default_factory=dict)
    level: str = ""


class Catalogue:
    """What one server offers, and what of it is approved. Not for use by several threads at once.

    Rules: a name that nobody approved, or whose definition is not the approved one, is not offered; only a server of
    which nothing is known is trusted on first use, and of it only what is not suspicious. One that offers nothing at
    all is known by that: that it has no instructions is kept. `findings` are about what it offers now.
    """

    def __init__(self, server: str, mode: str, pins: Iterable[Pin] = ()) -> None:
        self._server = server
        self._mode = mode
        self._pins = {pin.tool: pin for pin in pins}
        self._unsaved: set[str] = set()
        self.tools: dict[str, Mapping[str, Any]] = {}
        self.listed_us: int | None = None
        self.findings: tuple[Finding, ...] = ()

    @property
    def known(self) -> Mapping[str, Mapping[str, Any]]:
        """What it offers, as far as anybody knows: now, or when it was last asked."""
        return self.tools or {name: json.loads(pin.seen_document) for name, pin in self._pins.items()}

    def observe(
        self, tools: Mapping[str, Mapping[str, Any]], suspicious: frozenset[str], now_us: int
    ) -> tuple[Pin, ...]:
        """Take in what the server offers now; the pins that are new or changed.

        Raises: ValueError for a definition that has no canonical form.
        """
        first = not self._pins and self._mode == FIRST_USE
        changed = []
        for name, tool in tools.items():
            before = self._pins.get(name)
            pin = offered(self._server, tool, before, trusted=first and name not in suspicious, now_us=now_us)
            if pin is not before:
                changed.append(pin)
        if not self._pins and not changed:
            nothing = {"name": INSTRUCTIONS, "description": ""}
            changed.append(offered(self._server, nothing, None, trusted=True, now_us=now_us))
        self._pins |= {pin.tool: pin for pin in changed}
        self._unsaved |= {pin.tool for pin in changed}
        self.tools = dict(tools)
        self.listed_us = now_us
        return tuple(changed)

    def saved(self, pins: Iterable[Pin]) -> None:
        """These are kept now: from here on what is kept counts."""
        self._unsaved -= {pin.tool for pin in pins if self._pins.get(pin.tool) == pin}

    def replace(self, pins: Iterable[Pin]) -> None:
        """What is kept has changed: somebody approved something."""
        kept = {pin.tool: pin for pin in pins}
        self._pins = kept | {name: self._pins[name] for name in self._unsaved}

    def standing(self, name: str) -> Standing:
        """What stands behind a name; one that was never seen is new."""
        pin = self._pins.get(name)
        return pin.standing if pin else Standing.NEW

    def definition(self, name: str) -> ToolDefinition | None:
        """The definition of a tool that is offered and approved."""
        tool = self.tools.get(name)
        if tool is None or self.standing(name) is not Standing.APPROVED:
            return None
        return definition_of(name, tool, self._server)

    def expire(self) -> None:
        """The server says that its tools have changed: ask again before the next call."""
        self.listed_us = None

    def is_stale(self, now_us: int, ttl_us: int) -> bool:
        """Whether the server has to be asked again what it offers."""
        return self.listed_us is None or now_us - self.listed_us >= ttl_us


@dataclass(slots=True)
class Server:
    """One server behind the gateway. `fresh` gives ids that nobody can guess; `others` are all servers, by name."""

    name: str
    settings: McpServer
    catalogue: Catalogue
    fresh: Callable[[], str]
    era: Era | None = None
    shared: Link | None = None
    sessions: Recent[str, Session] = field(default_factory=lambda: Recent(MOST_SESSIONS))
    links: Recent[tuple[str, str], Link] = field(default_factory=lambda: Recent(MOST_SESSIONS))
    under_way: dict[tuple[str, str, Id], Bell] = field(default_factory=dict)
    parked: Recent[str, Parked] = field(default_factory=lambda: Recent(MOST_PARKED))
    states: Recent[bytes, bool] = field(default_factory=lambda: Recent(MOST_STATES))
    listed: Recent[str, bool] = field(default_factory=lambda: Recent(MOST_LISTED))
    asked: int = 0
    others: Mapping[str, "Server"] = field(default_factory=dict)

    def next_id(self) -> int:
        """The id of our next request to it."""
        self.asked += 1
        return self.asked


@dataclass(slots=True)
class Joined:
    """A client of the older era that is connected with all servers at once: `parts` are its sessions with each."""

    id: str
    principal: Principal
    version: str
    used_us: int
    capabilities: Mapping[str, Any]
    level: str = ""
    parts: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Union:
    """All servers behind one address. A tool is called by its server's name, `separator`, and its own."""

    servers: Mapping[str, Server]
    separator: str
    fresh: Callable[[], str]
    sessions: Recent[str, Joined] = field(default_factory=lambda: Recent(MOST_SESSIONS))


class Memory:
    """What a task has seen: the user's request, and what its calls have brought back, in order.

    `blind`: it may have read more than is remembered here, so that it counts as having read what outsiders write.
    `today` is the day of the request, `seal` puts a keyed hash in the place of each secret of what is kept.
    """

    def __init__(
        self, request: str | None, *, blind: bool, today: date | None = None, seal: Callable[[str], str] | None = None
    ) -> None:
        self._conversation = Conversation(today, seal)
        self._conversation.tainted = blind
        self.confidential = Confidential(private=blind)
        self.size_bytes = TASK_BYTES
        self.counted_bytes: int | None = None
        if request:
            self.add(Text((), Channel.USER, request), Origin.USER)

    @property
    def conversation(self) -> Conversation:
        """All of it as the judgement at the model boundary sees a conversation, for one answer."""
        self._conversation.renew()
        return self._conversation

    @property
    def tainted(self) -> bool:
        """Whether text that outsiders can write was read."""
        return self._conversation.tainted

    def add(self, event: Event, output: Origin, labels: ToolLabels | None = None) -> None:
        """Take in what was said. What no longer fits is not remembered, and was seen nowhere if it comes again.

        `labels` are those of the tool whose result it is, if that is one that is offered.
        """
        self.confidential.add(event, labels)
        size = _size_bytes(event)
        if self.size_bytes + size > MOST_TASK_BYTES:
            self._conversation.tainted = True
            return
        self.size_bytes += size
        # What an image shows nobody reads: its bytes need not be kept.
        self._conversation.add(event._replace(data="") if isinstance(event, Media) else event, output, labels)

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
        self._warm: Recent[int, Memory] = Recent(MOST_WARM)
        self._since_us = since_us
        self._size_bytes = 0
        self._seal = (lambda text: sealed(text, digest)) if digest else None

    def of(self, task: Task | None, now_us: int) -> Memory:
        """What this task has seen."""
        if task is None:
            return Memory(None, blind=True)
        memory = self._held.get(task.id)
        if memory is None:
            today = BEGINNING + timedelta(microseconds=task.issued_us)
            blind = task.issued_us < self._since_us
            memory = Memory(task.request, blind=blind, today=today, seal=self._seal)
            memory.counted_bytes = memory.size_bytes
            self._size_bytes += memory.size_bytes
            self._forget(self._held.put(task.id, memory), now_us)
        for cold in self._warm.put(id(memory), memory):
            cold.rest()
        return memory

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
