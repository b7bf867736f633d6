"""What was used in the last window of time, as sums over slots: constant cost, and no border to double it at.

Time is cut into slots, a sixtieth of the window each. The sums hold the slot of now and the sixty before it. So
whatever stretch of one window's length one looks at, what was added in it was in the sums when the last of it was
added. The price: an amount becomes free up to a sixtieth of the window late.
"""

from collections import OrderedDict, deque
from typing import TypeAlias

# A minute gives slots of a second, a day of 24 minutes. Each costs about 150 bytes for each key in use.
SLOTS = 60
# [its number since the clock's zero, what was added in it ...]
Slot: TypeAlias = list[int]
_FORGOTTEN = -1


class Window:
    """The account of one key of one limit: `sums` of the last window, different `prompts`, requests `under_way`.

    `forget` has to come first at each look. Not for use by several threads at once.
    """

    __slots__ = ("_slots", "answered", "prompts", "sums", "under_way")

    def __init__(self, width: int) -> None:
        self.sums = [0] * width
        self.under_way = 0
        # Whether the model ever answered a request that was charged here.
        self.answered = False
        # Each with the slot in which it was last seen, the longest ago first.
        self.prompts: OrderedDict[bytes, int] = OrderedDict()
        self._slots: deque[Slot] = deque()

    def forget(self, now: int) -> None:
        """Drop what is older than a window at slot `now`. Each slot and prompt is dropped once."""
        slots = self._slots
        while slots and slots[0][0] < now - SLOTS:
            slot = slots.popleft()
            slot[0] = _FORGOTTEN
            for place, amount in enumerate(slot[1:]):
                self.sums[place] -= amount
        prompts = self.prompts
        while prompts and next(iter(prompts.values())) < now - SLOTS:
            prompts.popitem(last=False)

    def slot(self, now: int) -> Slot:
        """The slot of now, to which `add` adds."""
        if not self._slots or self._slots[-1][0] != now:
            self._slots.append([now] + [0] * len(self.sums))
        return self._slots[-1]

    def add(self, slot: Slot, place: int, amount: int) -> None:
        """Add to a slot, or take back (negative) of what was added to it; nothing if it is forgotten."""
        if slot[0] != _FORGOTTEN:
            slot[place + 1] += amount
            self.sums[place] += amount

    def saw(self, prompt: bytes, now: int) -> None:
        """A prompt was sent, for the first time or again."""
        self.prompts[prompt] = now
        self.prompts.move_to_end(prompt)

    def frees(self, place: int, amount: int) -> int:
        """The first slot in which `amount` of the sum at `place` is no longer counted, if nothing is added."""
        for slot in self._slots:
            amount -= slot[place + 1]
            if amount <= 0:
                return slot[0] + SLOTS + 1
        raise AssertionError("more is asked back than was added")

    def idle(self) -> bool:
        """Whether a new account would be the same."""
        return not (self._slots or self.prompts or self.under_way)
