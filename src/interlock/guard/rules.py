"""What every exchange goes by. One value for a loaded configuration; a reload makes a new one."""

from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from interlock.detectors import Engine
from interlock.guard.budgets import Budgets
from interlock.guard.own_prompt import OwnPrompt
from interlock.guard.sessions import Sessions
from interlock.guard.settings import rates
from interlock.guard.vault import Vault
from interlock.model.decision import Principal
from interlock.model.event import Channel, Signal
from interlock.policy import Policies
from interlock.provenance.settings import ToolOverride

NO_RATES = rates({})
# An entry is about 300 bytes; more only for texts with many signals.
KEPT_VERDICTS = 20_000
# Each takes about ten times its system texts: 2 MB for 200 KB, which few have.
KEPT_PROMPTS = 64


class Verdicts:
    """What the detectors found in texts that were seen before, by hash and channel; the least recently used goes first.

    Not for use by several threads at once.
    """

    def __init__(self, kept: int = KEPT_VERDICTS) -> None:
        self._found: OrderedDict[tuple[str, Channel], tuple[Signal, ...]] = OrderedDict()
        self._kept = kept

    def __len__(self) -> int:
        return len(self._found)

    def scan(self, engine: Engine, text: str, channel: Channel, digest: str) -> tuple[Signal, ...]:
        """The signals of `text`; `digest` is its hash, by a key that no caller knows."""
        key = (digest, channel)
        found = self._found.get(key)
        if found is None:
            found = self._found[key] = engine.scan(text, channel)
            if len(self._found) > self._kept:
                self._found.popitem(last=False)
        else:
            self._found.move_to_end(key)
        return found


class Prompts:
    """The system texts of requests, read for what answers may not repeat of them; the least recently used goes first.

    `canaries` are texts that no answer may hold. Not for use by several threads at once.
    """

    def __init__(self, canaries: Iterable[str] = (), kept: int = KEPT_PROMPTS) -> None:
        self._canaries = tuple(canaries)
        self._read: OrderedDict[tuple[str, ...], OwnPrompt] = OrderedDict()
        self._kept = kept

    def of(self, texts: Mapping[str, str]) -> OwnPrompt | None:
        """What an answer to a request with these system texts, by digest, may not repeat; None if there is nothing."""
        if not texts and not self._canaries:
            return None
        key = tuple(texts)
        own = self._read.get(key)
        if own is None:
            own = self._read[key] = OwnPrompt(texts.values(), self._canaries)
            if len(self._read) > self._kept:
                self._read.popitem(last=False)
        else:
            self._read.move_to_end(key)
        return own


@dataclass(frozen=True, slots=True)
class Rules:
    """`digest` is a keyed hash of a text, for the log; `now_us` the clock, in microseconds since 1970 UTC;
    `ticks_us` one that never goes back. `owners` are those of workloads. Who hides values needs a `vault`.

    `limit` bounds the bytes of an answer that are held back, and those of a whole one. `verdicts` remembers what was
    found in the texts of requests: a chat's history comes again with each turn. It lives and dies with these rules,
    so that nothing outlives the detectors that found it.
    """

    policies: Policies
    engine: Engine
    digest: Callable[[str], str]
    now_us: Callable[[], int]
    ticks_us: Callable[[], int]
    limit: int
    tools: Mapping[str, ToolOverride] = field(default_factory=dict)
    sessions: Sessions = field(default_factory=Sessions)
    prompts: Prompts = field(default_factory=Prompts)
    budgets: Budgets = field(default_factory=lambda: Budgets((), NO_RATES))
    owners: Mapping[str, str] = field(default_factory=dict)
    vault: Vault | None = None
    verdicts: Verdicts = field(default_factory=Verdicts)


@dataclass(frozen=True, slots=True)
class Call:
    """Who asks for what: the facts of one exchange that stand before its body was read."""

    principal: Principal
    request: str
    protocol: str
    route: str
    upstream: str
    began_us: int
