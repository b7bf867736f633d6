"""What is remembered of servers between exchanges: what each is and offers, and who is connected with it."""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from interlock.guard.mcp.commands import Bell, Headers
from interlock.guard.mcp.memories import Memories as Memories
from interlock.guard.mcp.memories import Memory as Memory
from interlock.guard.mcp.memories import Recent as Recent
from interlock.guard.mcp.settings import McpServer
from interlock.mcp.eras import Era, sent_headers
from interlock.mcp.inspection import INSTRUCTIONS as INSTRUCTIONS
from interlock.mcp.inspection import Finding, definition_of
from interlock.mcp.messages import Id, Response
from interlock.mcp.pins import FIRST_USE, Pin, Standing, offered
from interlock.model.decision import Principal
from interlock.model.errors import InterlockError
from interlock.model.event import ToolDefinition

# Clients of one server that are connected at once, and how long a silent one is remembered.
MOST_SESSIONS = 10_000
SESSION_US = 3_600 * 1_000_000
# Addresses that a server has listed as its own.
MOST_LISTED = 10_000
# States of requests that wait for more of their client, by their digests.
MOST_STATES = 10_000
# Requests of one server whose clients were asked for more by their results.
MOST_QUESTIONS = 10_000
# Calls of one server that wait for their clients to ask again.
MOST_PARKED = 1_000


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
    questions: Recent[bytes, frozenset[str]] = field(default_factory=lambda: Recent(MOST_QUESTIONS))
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
