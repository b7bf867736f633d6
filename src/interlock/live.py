"""The settings and rules that are in force while a gateway runs, and how new ones take their place.

The file of the settings, the policies that it names, and labels that were set on the console are looked at once in a
second; SIGHUP looks at once. Files are taken over when two looks in a row show them alike, so that one which is just
being written is not. New rules are made beside the traffic. An exchange ends under the rules it began with; what was
counted and remembered goes on. What is not valid changes nothing, and neither does a file that held something and is
empty; that is said: in the log, on stderr, and among the exceptions until it is mended. So are policies that are gone.
"""

import asyncio
import contextlib
import dataclasses
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Protocol

from interlock.config import Settings, load
from interlock.governance.exceptions import Loosening
from interlock.guard import Rules
from interlock.mcp.labels import SetLabels
from interlock.mcp.pins import Pin
from interlock.model.errors import AuditError, ConfigError, InterlockError, StoreError
from interlock.model.record import Record, RecordKind, Verdict
from interlock.rulebook import RELOADED, now_us, policy_paths, renewed, waits_for_restart

LOOK_S = 1.0
# Between two looks at once.
SETTLE_S = 0.1
_LONGEST = 500


class Ruled(Protocol):
    """What goes by rules: a gateway. It takes the rules anew for each exchange that begins."""

    rules: Rules


class Live:
    """What is in force. Only the event loop's thread changes it.

    `note` writes a record; `tell` says something to the operator; `pins` reads the tools that are known, and `version`
    a number that changes with them; `labels` reads those that were set on the console.
    """

    def __init__(
        self,
        settings: Settings,
        ruled: Ruled,
        note: Callable[[Record], object],
        tell: Callable[[str], None],
        pins: Callable[[], Iterable[Pin]],
        version: Callable[[], int],
        labels: Callable[[], tuple[SetLabels, ...]] = tuple,
    ) -> None:
        self.settings = settings
        self._ruled = ruled
        self._note = note
        self._tell = tell
        self._pins = pins
        self._version = version
        self._labels = labels
        self._known: tuple[tuple[Pin, ...], tuple[SetLabels, ...]] = (), ()
        self._read_at: int | None = None
        self._wake = asyncio.Event()
        self._watched = policy_paths(settings)
        self._before = self._seen = self._look()
        paths = (*self._watched, *([settings.file] if settings.file else ()))
        self._filled = frozenset(path for path in paths if not _is_empty(path))
        self._refused: InterlockError | None = None
        self._waits: tuple[str, ...] = ()

    @property
    def rules(self) -> Rules:
        """The rules in force."""
        return self._ruled.rules

    @property
    def exceptions(self) -> tuple[Loosening, ...]:
        """That the files say something else than what is in force, if they do."""
        found = []
        if self._refused:
            means = f"What the files say now is not in force, the rules before it are: {self._refused.what}"
            found.append(Loosening("reload-refused", "", self._refused.where, means))
        if self._waits:
            means = "These sections have changed and wait for a restart."
            found.append(Loosening("restart-needed", ", ".join(self._waits), str(self.settings.file or ""), means))
        return tuple(found)

    def reload(self) -> None:
        """Look at the files at once."""
        self._wake.set()

    async def run(self, every_s: float = LOOK_S) -> None:
        """Look, and take over what has changed, until cancelled."""
        while True:
            try:
                await asyncio.wait_for(self._wake.wait(), every_s)
                asked = True
            except TimeoutError:
                asked = False
            self._wake.clear()
            await self.look(asked=asked)

    async def look(self, *, asked: bool = False) -> None:
        """Look once (twice if it was `asked` for), and take over what has changed and is as it was a look ago."""
        try:
            if asked:
                self._before = await asyncio.to_thread(self._look)
                await asyncio.sleep(SETTLE_S)
            before, seen = self._before, await asyncio.to_thread(self._look)
            self._before = seen
            if before[0] == seen[0] and (asked or seen != self._seen):
                self._seen = seen
                await self._take_over(seen)
        except InterlockError as error:
            self._refuse(error)
        except Exception as error:  # noqa: BLE001 - the process's edge: nobody else would hear of it
            self._refuse(InterlockError(f"a fault in interlock itself: {type(error).__name__}"))

    async def _take_over(self, looked: tuple[object, ...]) -> None:
        said, after, seen, filled = await asyncio.to_thread(self._made, self._ruled.rules)
        if seen[0] != looked[0]:
            # They have just been written again, or others are named, which nobody has looked at yet.
            self._watched, self._before, self._seen = policy_paths(said), seen, ()
            return
        waits = waits_for_restart(self.settings, said)
        gone = sorted({one.id for one in self.rules.policies.loaded} - {one.id for one in after.policies.loaded})
        self.settings = dataclasses.replace(self.settings, **{name: getattr(said, name) for name in RELOADED})
        self._ruled.rules = after
        self._refused, self._waits, self._seen, self._filled = None, waits, seen, filled
        reason = "reloaded"
        if gone:
            reason += f"; these policies are gone: {', '.join(gone)}"
        if waits:
            reason += f"; these sections wait for a restart: {', '.join(waits)}"
        if gone or waits:
            self._tell(f"settings {reason}")
        self._record(Verdict.ALLOWED, reason)

    def _made(self, before: Rules) -> tuple[Settings, Rules, tuple[object, ...], frozenset[Path]]:
        """(what the files say, the rules of it, their state, those that hold something). Raises: InterlockError.

        The state is looked at after all is read: what was written meanwhile shows in it.
        """
        file = self.settings.file
        said = load(str(file), str(self.settings.data)) if file else self.settings
        paths = policy_paths(said)
        every = {file, *paths} if file else {*paths}
        empty = {path for path in every if _is_empty(path)}
        for path in sorted(empty & self._filled):
            hint = "write it whole; a file that is to hold nothing can hold a comment"
            raise ConfigError("it is empty, and it was not", where=str(path), hint=hint)
        filled = frozenset(every - empty)
        pins, labels = tuple(self._pins()), self._labels()
        after = renewed(before, said, pins, labels)
        files = _stamp(file) if file else (), *map(_stamp, paths)
        return said, after, (files, labels, _approved(pins, said)), filled

    def _refuse(self, error: InterlockError) -> None:
        self._refused = error
        self._tell(f"the changed settings are not valid, so that the old ones stay in force: {error}")
        self._record(Verdict.FAILED, f"reload refused, the old rules stay in force: {error.brief}")

    def _record(self, verdict: Verdict, reason: str) -> None:
        digest = self._ruled.rules.policies.hash
        kind = RecordKind.GATEWAY
        try:
            self._note(Record(kind, now_us(), verdict=verdict, reason=reason[:_LONGEST], policy_hash=digest))
        except AuditError as error:
            self._tell(f"audit log: {error}")

    def _look(self) -> tuple[object, ...]:
        """What tells one state of the files, of labels and of the tools that are approved from another."""
        file = self.settings.file
        files = _stamp(file) if file else (), *map(_stamp, self._watched)
        # The keys are read from the same store, where that is said; until then what was known counts.
        with contextlib.suppress(StoreError):
            if (version := self._version()) != self._read_at:
                self._known = tuple(self._pins()), self._labels()
                self._read_at = version
        pins, labels = self._known
        return files, labels, _approved(pins, self.settings)


def _approved(pins: Iterable[Pin], settings: Settings) -> tuple[tuple[str, str, str], ...]:
    """Which definitions are approved, if there are policies that could read their arguments."""
    if not settings.policy.files:
        return ()
    return tuple(sorted((pin.server, pin.tool, pin.digest) for pin in pins if pin.digest))


def _is_empty(path: Path) -> bool:
    try:
        return not path.read_bytes().strip()
    except OSError:
        return False  # whoever reads it next says so


def _stamp(path: Path) -> tuple[int, ...]:
    try:
        found = path.stat()
    except OSError:
        return ()
    return found.st_mtime_ns, found.st_size, found.st_ino
