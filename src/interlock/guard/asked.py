"""Which tool calls the models' answers have asked for, so that a call at an MCP server can be matched with one.

An agent that calls a tool which no model asked for does it by itself: it is old code, or somebody else's.
"""

import re
from collections import OrderedDict
from hashlib import blake2b
from typing import Literal

from interlock.mcp.canonical import canonical

ByModel = Literal["yes", "no", "unknown"]
# An answer's calls are made within minutes; a person may have been asked in between.
LONGEST_US = 15 * 60 * 1_000_000
# An entry is about 300 bytes.
KEPT, KEPT_WORKLOADS = 20_000, 10_000
# A client asks again after a fault, and after a person was asked.
MOST_USES = 3
_OTHER = re.compile(r"[^a-z0-9]+")


class Asked:
    """The calls of answers that went to their workloads, bounded; the oldest are forgotten first.

    Rules: a call is matched by the workload, the arguments as a JSON value, and the tool's name, before which a client
    may have put the server's; within a quarter of an hour, and at most three times. `no` is only said of a workload
    whose models were heard in that time: of one that asks its models somewhere else nothing is known. It does NOT
    prove that the answer was the reason. Not for use by several threads at once.
    """

    def __init__(self, kept: int = KEPT) -> None:
        self._held: OrderedDict[bytes, list[tuple[str, str, int, int]]] = OrderedDict()
        self._heard: OrderedDict[str, int] = OrderedDict()
        self._kept = kept

    def hear(self, workload: str, now_us: int) -> None:
        """A model's answer goes to this workload."""
        self._heard[workload] = now_us
        self._heard.move_to_end(workload)
        if len(self._heard) > KEPT_WORKLOADS:
            self._heard.popitem(last=False)

    def note(self, workload: str, tool: str, arguments: object, session: str, now_us: int) -> None:
        """An answer of this session asks for a call, and may."""
        key = _key(workload, arguments)
        if key is None:
            return
        self._held.setdefault(key, []).append((_plain(tool), session, now_us, 0))
        self._held.move_to_end(key)
        del self._held[key][:-MOST_USES]
        if len(self._held) > self._kept:
            self._held.popitem(last=False)

    def match(self, workload: str, tool: str, arguments: object, now_us: int) -> tuple[ByModel, str]:
        """Whether a model asked for this call, and the session in which it did."""
        key, plain = _key(workload, arguments), _plain(tool)
        entries = self._held.get(key, []) if key else []
        for at, (name, session, noted_us, uses) in enumerate(entries):
            if now_us - noted_us <= LONGEST_US and uses < MOST_USES and (name == plain or name.endswith(f"_{plain}")):
                entries[at] = (name, session, noted_us, uses + 1)
                return "yes", session
        heard = self._heard.get(workload)
        return ("unknown" if heard is None or now_us - heard > LONGEST_US else "no"), ""


def _plain(tool: str) -> str:
    """A name in the characters that every API allows: `mcp__mail__send.it` as `mcp_mail_send_it`."""
    return _OTHER.sub("_", tool.lower()).strip("_")


def _key(workload: str, arguments: object) -> bytes | None:
    try:
        said = canonical(arguments)
    except (ValueError, RecursionError):
        return None
    name = workload.encode("utf-8", "surrogatepass")
    return blake2b(b"%d %s %s" % (len(name), name, said), digest_size=16).digest()
