"""Where requests for approval are kept and what was granted is used up: one after the other, beside the traffic."""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import NamedTuple, TypeAlias

from interlock.guard.approvals import Approvals
from interlock.model.approval import Approval
from interlock.model.errors import StoreError
from interlock.store import Store

# Until a request is tried again that could not be kept.
AGAIN_S = 1.0


class _Ask(NamedTuple):
    approval: Approval


class _Use(NamedTuple):
    id: str
    told: Callable[[bool], None]


class _Answer(NamedTuple):
    decision: Approval
    told: Callable[[bool], None]


_Job: TypeAlias = _Ask | _Use | _Answer


class Desk:
    """The store of approvals as exchanges reach it, and who is to be told of a new request.

    Rules: jobs are done in the order in which they come, so that nobody decides what is not kept yet; what cannot be
    asked of the store was not granted. It does NOT decide, and no exchange waits for a request to be kept.
    """

    def __init__(
        self, store: Store, approvals: Approvals, now_us: Callable[[], int],
        tell: Callable[[Approval], None] = lambda _: None,
    ) -> None:  # fmt: skip
        """`tell` takes each new request once it is kept; it may not take its time."""
        self._store = store
        self._approvals = approvals
        self._now_us = now_us
        self._tell = tell
        self._jobs: asyncio.Queue[_Job] = asyncio.Queue()

    def petition(self, approval: Approval) -> None:
        """Take a new request."""
        self._jobs.put_nowait(_Ask(approval))

    def claim(self, id_: str, told: Callable[[bool], None]) -> None:
        """Use an approval; `told` is called with whether it was there to use."""
        self._jobs.put_nowait(_Use(id_, told))

    def answer(self, decision: Approval, told: Callable[[bool], None]) -> None:
        """Take the decision of whoever asked for it, and use it; `told` is called with whether that is permitted."""
        self._jobs.put_nowait(_Answer(decision, told))

    async def run(self) -> None:
        """Work, until cancelled."""
        while True:
            job = await self._jobs.get()
            match job:
                case _Ask(approval=approval):
                    await self._keep(approval)
                case _Use(id=id_, told=told):
                    told(await self._asked(partial(self._used, id_)))
                case _Answer(decision=decision, told=told):
                    told(await self._asked(partial(self._answered, decision)))

    def _used(self, id_: str) -> bool:
        return self._store.use_approval(id_, self._now_us())

    def _answered(self, decision: Approval) -> bool:
        now = self._store.decide_approval(decision)
        # Somebody else may have decided first, and that counts.
        mine = now is not None and (now.decided_by, now.decided_us) == (decision.decided_by, decision.decided_us)
        return bool(mine and decision.granted) and self._used(decision.id)

    async def _asked(self, job: Callable[[], bool]) -> bool:
        try:
            return await asyncio.to_thread(job)
        except StoreError as error:
            self._complain(f"an approval cannot be used: {error}")
            return False

    async def _keep(self, approval: Approval) -> None:
        try:
            kept = await asyncio.to_thread(self._store.ask_approvals, [approval], self._now_us())
        except StoreError as error:
            self._complain(f"a request for approval cannot be kept, trying again: {error}")
            if self._now_us() < approval.expires_us:
                asyncio.get_running_loop().call_later(AGAIN_S, self._jobs.put_nowait, _Ask(approval))
            else:
                self._approvals.saved([approval], ())
            return
        self._approvals.saved([approval], kept)
        if kept:
            self._tell(approval)

    @staticmethod
    def _complain(message: str) -> None:
        asyncio.get_running_loop().call_exception_handler({"message": message})
