"""What every exchange goes by. One value for a loaded configuration; a reload makes a new one."""

from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from interlock.detectors import Engine
from interlock.guard.approvals import Approvals
from interlock.guard.asked import Asked
from interlock.guard.budgets import Budgets
from interlock.guard.caps import Caps
from interlock.guard.own_prompt import OwnPrompt
from interlock.guard.sessions import Sessions
from interlock.guard.settings import rates
from interlock.guard.vault import Vault
from interlock.model.decision import Principal
from interlock.model.event import Channel, Signal
from interlock.policy import Policies
from interlock.provenance.settings import ToolOverride

NO_RATES = rates({})
# An entry is about 300 bytes, and 200 more for each signal: at most 10 MB.
KEPT_VERDICTS = 20_000
# Whoever writes a text can put thousands into it; such a text is looked at again each time.
MOST_SIGNALS, KEPT_SIGNALS = 100, 20_000
# What answers were compared with takes about 31 times its system texts, measured with different words throughout:
# at most 62 MB. Longer texts are read again for each answer.
KEPT_PROMPTS, LONGEST_PROMPT, KEPT_PROMPT_CHARS = 64, 200_000, 2_000_000
# A text's hash is kept with it.
DIGEST_CHARS = 100


class Verdicts:
    """What the detectors found in texts that were seen before, by hash and channel; the least recently used goes first.

    So many texts and so many signals are kept, and none that has over a hundred. Not for use by several threads at
    once.
    """

    def __init__(self, kept: int = KEPT_VERDICTS, signals: int = KEPT_SIGNALS) -> None:
        self._found: OrderedDict[tuple[str, Channel], tuple[Signal, ...]] = OrderedDict()
        self._kept = kept
        self._most_signals = signals
        self._signals = 0

    def __len__(self) -> int:
        return len(self._found)

    def scan(self, engine: Engine, text: str, channel: Channel, digest: str) -> tuple[Signal, ...]:
        """The signals of `text`; `digest` is its hash, by a key that no caller knows."""
        key = (digest, channel)
        found = self._found.get(key)
        if found is not None:
            self._found.move_to_end(key)
            return found
        found = engine.scan(text, channel)
        if len(found) <= MOST_SIGNALS:
            self._found[key] = found
            self._signals += len(found)
            while len(self._found) > self._kept or self._signals > self._most_signals:
                _, oldest = self._found.popitem(last=False)
                self._signals -= len(oldest)
        return found


class Prompts:
    """The system texts of requests, read for what answers may not repeat of them; the least recently used goes first.

    `canaries` are texts that no answer may hold. So many texts and so many characters of them are kept, and none that
    is long. Not for use by several threads at once.
    """

    def __init__(
        self, canaries: Iterable[str] = (), kept: int = KEPT_PROMPTS, characters: int = KEPT_PROMPT_CHARS
    ) -> None:
        self._canaries = tuple(canaries)
        self._read: OrderedDict[tuple[str, ...], tuple[OwnPrompt, int]] = OrderedDict()
        self._kept = kept
        self._most = characters
        self._characters = 0

    def __len__(self) -> int:
        return len(self._read)

    def of(self, texts: Mapping[str, str]) -> OwnPrompt | None:
        """What an answer to a request with these system texts, by digest, may not repeat; None if there is nothing."""
        if not texts and not self._canaries:
            return None
        key = tuple(texts)
        known = self._read.get(key)
        if known is not None:
            self._read.move_to_end(key)
            return known[0]
        own = OwnPrompt(texts.values(), self._canaries)
        size = sum(len(text) + DIGEST_CHARS for text in texts.values())
        if size <= LONGEST_PROMPT:
            self._read[key] = own, size
            self._characters += size
            while len(self._read) > self._kept or self._characters > self._most:
                _, (_, oldest) = self._read.popitem(last=False)
                self._characters -= oldest
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
    caps: Caps = field(default_factory=Caps)
    approvals: Approvals = field(default_factory=Approvals)
    asked: Asked = field(default_factory=Asked)
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
