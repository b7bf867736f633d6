"""What placeholders stood for in earlier exchanges of a task, sealed, bounded and soon forgotten.

A request that repeats its conversation needs no memory: its own values are hidden in it again. This is for what it no
longer repeats: a history that the model's server keeps, or one that the client has cut.
"""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import msgspec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from interlock.guard.pseudonyms import Pseudonyms, task_key
from interlock.model.settings import setting

# NIST SP 800-38D, 8.2: 96 bits; 8.3: random ones serve a key for 2^32 seals, and every task has its own key.
NONCE_BYTES = 12

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[tuple[str, bytes]]).decode


@dataclass(frozen=True, slots=True)
class PseudonymSettings:
    """`[pseudonyms]`: how long, and how much, is remembered of what placeholders stand for."""

    ttl_s: int = setting(86_400, "A task that rests for this long is forgotten.", least=1)
    max_values: int = setting(10_000, "Values that are remembered of a task, the newest ones.", least=1)
    max_tasks: int = setting(50_000, "Tasks that are remembered; the one that rested longest goes first.", least=1)
    max_bytes: int = setting(67_108_864, "What all of them may take in memory, sealed.", least=1)


class _Sealed(NamedTuple):
    data: bytes
    until_s: int


class Vault:
    """Remembers values by task. Not for use by several threads at once.

    Rules: what rests here is sealed with AES-256-GCM under a key of its task, which is not kept; a task whose time is
    over, or that rested longest when there is no room, is gone for good. It does NOT outlive the process, and a task
    that takes more than all the room alone is not kept.
    """

    def __init__(self, master: bytes, nonce: Callable[[int], bytes], settings: PseudonymSettings | None = None) -> None:
        """`nonce` gives so many random bytes, never the same again."""
        self._master = master
        self._nonce = nonce
        self._settings = settings or PseudonymSettings()
        self._tasks: OrderedDict[str, _Sealed] = OrderedDict()
        self.size_bytes = 0

    def __len__(self) -> int:
        return len(self._tasks)

    def recall(self, task: str, now_s: int) -> Pseudonyms:
        """The pseudonyms of a task, with the values of before that are remembered. `now_s` is seconds of any clock."""
        self._forget_old(now_s)
        values = self._open(task)
        if values:
            self._put(task, self._tasks[task].data, now_s)
        return Pseudonyms(self._master, task, values.items())

    def keep(self, pseudonyms: Pseudonyms, now_s: int) -> None:
        """Remember what an exchange has hidden, beside what other exchanges of its task have."""
        self._forget_old(now_s)
        if not pseudonyms.used:
            return
        values = self._open(pseudonyms.task)
        for placeholder, value in pseudonyms.used.items():
            values.pop(placeholder, None)
            values[placeholder] = value
        newest = list(values.items())[-self._settings.max_values :]
        self._put(pseudonyms.task, self._seal(pseudonyms.task, newest), now_s)
        while len(self._tasks) > self._settings.max_tasks or self.size_bytes > self._settings.max_bytes:
            self._drop(next(iter(self._tasks)))

    def _put(self, task: str, data: bytes, now_s: int) -> None:
        self._drop(task)
        self._tasks[task] = _Sealed(data, now_s + self._settings.ttl_s)
        self.size_bytes += len(data)

    def _drop(self, task: str) -> None:
        if (sealed := self._tasks.pop(task, None)) is not None:
            self.size_bytes -= len(sealed.data)

    def _forget_old(self, now_s: int) -> None:
        # INVARIANT: tasks are in the order of their last use, and each has the same time from there.
        while self._tasks and next(iter(self._tasks.values())).until_s <= now_s:
            self._drop(next(iter(self._tasks)))

    def _seal(self, task: str, values: list[tuple[str, str]]) -> bytes:
        plain = _encode([(placeholder, value.encode("utf-8", "surrogatepass")) for placeholder, value in values])
        nonce = self._nonce(NONCE_BYTES)
        return nonce + self._cipher(task).encrypt(nonce, plain, None)

    def _open(self, task: str) -> dict[str, str]:
        sealed = self._tasks.get(task)
        if sealed is None:
            return {}
        plain = self._cipher(task).decrypt(sealed.data[:NONCE_BYTES], sealed.data[NONCE_BYTES:], None)
        return {placeholder: value.decode("utf-8", "surrogatepass") for placeholder, value in _decode(plain)}

    def _cipher(self, task: str) -> AESGCM:
        return AESGCM(task_key(self._master, task, b"vault"))
