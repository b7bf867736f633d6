"""The settings and rules that are in force while a gateway runs, and how new ones take their place.

The file of the settings, the policies that it names, and labels that were set on the console are looked at once in a
second; SIGHUP looks at once. New rules are made beside the traffic. An exchange ends under the rules it began with;
what was counted and remembered goes on. What is not valid changes nothing, and that is said: in the log, on stderr, and
among the exceptions until it is mended.
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
from interlock.model.errors import AuditError, InterlockError, StoreError
from interlock.model.record import Record, RecordKind, Verdict
from interlock.rulebook import RELOADED, now_us, policy_paths, renewed, waits_for_restart

LOOK_S = 1.0
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
        self._seen = self._look()
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
            try:
                seen = await asyncio.to_thread(self._look)
                if asked or seen != self._seen:
                    self._seen = seen
                    await self._take_over()
            except InterlockError as error:
                self._refuse(error)
            except Exception as error:  # noqa: BLE001 - the process's edge: nobody else would hear of it
                self._refuse(InterlockError(f"a fault in interlock itself: {type(error).__name__}"))

    async def _take_over(self) -> None:
        said, after, seen = await asyncio.to_thread(self._made, self._ruled.rules)
        waits = waits_for_restart(self.settings, said)
        self.settings = dataclasses.replace(self.settings, **{name: getattr(said, name) for name in RELOADED})
        self._ruled.rules = after
        self._refused, self._waits, self._seen = None, waits, seen
        reason = "reloaded"
        if waits:
            reason += f"; these sections wait for a restart: {', '.join(waits)}"
            self._tell(f"settings {reason}")
        self._record(Verdict.ALLOWED, reason)

    def _made(self, before: Rules) -> tuple[Settings, Rules, tuple[object, ...]]:
        """(what the files say, the rules of it, the state of the files). Raises: InterlockError.

        The state is looked at before each file is read: what is written meanwhile is seen the next time.
        """
        file = self.settings.file
        stamp = _stamp(file) if file else ()
        said = load(str(file), str(self.settings.data)) if file else self.settings
        files = stamp, *map(_stamp, policy_paths(said))
        pins, labels = tuple(self._pins()), self._labels()
        after = renewed(before, said, pins, labels)
        return said, after, (files, labels, _approved(pins, said))

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
        files = _stamp(file) if file else (), *map(_stamp, policy_paths(self.settings))
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


def _stamp(path: Path) -> tuple[int, ...]:
    try:
        found = path.stat()
    except OSError:
        return ()
    return found.st_mtime_ns, found.st_size, found.st_ino
