"""Task tokens: what a user asked for, said by whoever heard the user, in a form that no agent can write.

A token is `ilt_<payload>.<seal>`, both base64url without padding. The payload is the task as JSON; the seal is
HMAC-SHA-256 over `interlock-task-1.<payload>` with a key that only this installation has (docs/adr/0010-task-token.md).
"""

import base64
import binascii
import hmac
import re
from collections import OrderedDict
from collections.abc import Callable
from hashlib import sha256

import msgspec

from interlock.model.decision import Task
from interlock.model.errors import IdentityError, UsageError

PREFIX = "ilt_"
# The file of the key, beside the installation's other ones.
TASK_KEY = "tasks.key"
_ID_BYTES = 16
# A token travels in a header, and servers take about 32 KB of them; base64 makes three bytes four.
LONGEST_REQUEST_BYTES = 16_384
LONGEST_LIFE_US = 24 * 3_600 * 1_000_000
# Tokens whose seal was examined; each request of a task shows the same one.
KEPT = 10_000
# Clocks of two machines differ.
_SKEW_US = 60 * 1_000_000
_TOKEN = re.compile(r"ilt_([A-Za-z0-9_-]{1,40000})\.([A-Za-z0-9_-]{43})")
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Task).decode


def mint(
    key: bytes,
    workload: str,
    request: str,
    now_us: int,
    lifetime_us: int,
    random_bytes: Callable[[int], bytes],
    servers: tuple[str, ...] | None = None,
    tools: tuple[str, ...] | None = None,
) -> str:
    """A new task's token. Raises: UsageError for a request that is too long, or a life that is."""
    if len(request.encode("utf-8", "surrogatepass")) > LONGEST_REQUEST_BYTES:
        hint = "pass on what the user asks for; a document that comes with it is for a tool to read"
        raise UsageError(f"the user's request has over {LONGEST_REQUEST_BYTES} bytes", hint=hint)
    if not 0 < lifetime_us <= LONGEST_LIFE_US:
        raise UsageError("a task lives at most a day")
    task = Task(random_bytes(_ID_BYTES).hex(), workload, request, now_us, now_us + lifetime_us, servers, tools)
    try:
        payload = _plain(_encode(task))
    except UnicodeEncodeError as error:
        raise UsageError("the user's request is not valid text") from error
    return f"{PREFIX}{payload}.{_plain(_seal(key, payload))}"


class Taskmaster:
    """Believes the tokens that were made with its key.

    Rules: the seal is compared in constant time, before anything of the payload is read; a token is good until it
    expires, for the workload that it names. Showing one again goes on with the same task. Not for several threads.
    """

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._known: OrderedDict[bytes, Task] = OrderedDict()

    def prove(self, presented: str, now_us: int) -> Task:
        """The task that a token is. Raises: IdentityError with the reason, for the log."""
        shown = sha256(presented.encode("utf-8", "surrogatepass")).digest()
        task = self._known.get(shown)
        if task is None:
            task = self._known[shown] = self._examined(presented)
            if len(self._known) > KEPT:
                self._known.popitem(last=False)
        if not task.issued_us <= now_us + _SKEW_US:
            raise IdentityError(f"task {task.id} of {task.workload} is from the future")
        if now_us >= task.expires_us:
            raise IdentityError(f"task {task.id} of {task.workload} has expired")
        return task

    def _examined(self, presented: str) -> Task:
        match = _TOKEN.fullmatch(presented)
        if not match:
            raise IdentityError("the task token is malformed")
        payload, seal = match.groups()
        if not hmac.compare_digest(_plain(_seal(self._key, payload)), seal):
            raise IdentityError("the task token was not made here, or was changed")
        try:
            return _decode(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        except (msgspec.DecodeError, binascii.Error) as error:
            raise IdentityError("the task token holds no task") from error


def _seal(key: bytes, payload: str) -> bytes:
    return hmac.digest(key, f"interlock-task-1.{payload}".encode(), "sha256")


def _plain(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")
