"""Tells an address of each request for approval: one POST, signed, without a value that could be misused."""

import asyncio
import hmac
import http.client
import ssl
from collections.abc import Callable
from urllib.parse import SplitResult, urlsplit

from interlock.model.approval import Approval
from interlock.model.errors import ConfigError
from interlock.policy.approvals import ApprovalSettings, came_from
from interlock.policy.looks import visible
from interlock.protocols import encode
from interlock.provenance.values import shown

TIMEOUT_S = 10.0
# Between one try and the next.
PAUSES_S = (1.0, 5.0, 25.0)
# Requests that wait to be told; beyond that the oldest is dropped, which is said.
MOST_WAITING = 200
SIGNATURE = "Interlock-Signature"
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_GOOD = range(200, 300)


class Webhook:
    """Posts requests for approval to one address, in order, beside the traffic.

    Rules: it blocks nobody; each is tried four times; a redirect is not followed, and counts as a failure. `problem`
    says what failed last, empty once something has gone through again; `console` is the address for links.
    """

    def __init__(
        self, settings: ApprovalSettings, secret: str, now_s: Callable[[], int], failed: Callable[[str], None],
        pauses_s: tuple[float, ...] = PAUSES_S,
    ) -> None:  # fmt: skip
        """`failed` takes what was given up. Raises: ConfigError."""
        self._url = _checked(settings, secret)
        self._secret = secret.encode()
        self.console = settings.console_url
        self._now_s = now_s
        self._failed = failed
        self._pauses_s = pauses_s
        self._waiting: asyncio.Queue[Approval] = asyncio.Queue(MOST_WAITING)
        self.problem = ""

    def tell(self, approval: Approval) -> None:
        """Take a request that is to be told."""
        if self._waiting.full():
            self._give_up(self._waiting.get_nowait(), "too many wait to be told")
        self._waiting.put_nowait(approval)

    async def run(self) -> None:
        """Post, until cancelled."""
        while True:
            approval = await self._waiting.get()
            for pause_s in (*self._pauses_s, None):
                problem = await asyncio.to_thread(self._post, approval)
                if not problem:
                    self.problem = ""
                    break
                if pause_s is None:
                    self._give_up(approval, problem)
                else:
                    await asyncio.sleep(pause_s)

    def _give_up(self, approval: Approval, problem: str) -> None:
        self.problem = f"{self._url.hostname} was not told of {approval.id}: {problem}"
        self._failed(self.problem)

    def _post(self, approval: Approval) -> str:
        """What went wrong, empty if nothing did."""
        url, body = self._url, encode(document(approval, self.console))
        try:
            connection = self._connection()
            try:
                target = (url.path or "/") + (f"?{url.query}" if url.query else "")
                headers = {"Content-Type": "application/json", SIGNATURE: signature(self._secret, self._now_s(), body)}
                connection.request("POST", target, body, headers)
                status = connection.getresponse().status
            finally:
                connection.close()
        except (OSError, http.client.HTTPException) as error:
            return str(error) or type(error).__name__
        return "" if status in _GOOD else f"it answered {status}"

    def _connection(self) -> http.client.HTTPConnection:
        host = self._url.hostname or ""
        if self._url.scheme == "http":
            return http.client.HTTPConnection(host, self._url.port, timeout=TIMEOUT_S)
        context = ssl.create_default_context()
        return http.client.HTTPSConnection(host, self._url.port, timeout=TIMEOUT_S, context=context)


def signature(secret: bytes, at_s: int, body: bytes) -> str:
    """What proves a body: `t` is when it was sent (seconds since 1970), `v1` HMAC-SHA-256 of `t`, a dot and the body.

    >>> signature(b"k", 7, b"{}")[:12]
    't=7,v1=676b2'
    """
    return f"t={at_s},v1={hmac.new(secret, b'%d.%b' % (at_s, body), 'sha256').hexdigest()}"


def document(approval: Approval, console: str) -> dict[str, object]:
    """What is posted. Values are masked as in the log: whoever decides sees them whole on the console."""
    return {
        "event": "approval.requested",
        "id": approval.id,
        "workload": approval.workload,
        "session": approval.session,
        "is_task": approval.is_task,
        "server": approval.server,
        "tool": visible(approval.tool),
        "sink": approval.sink,
        "policies": list(approval.policies),
        "reason": approval.reason,
        "asked_us": approval.asked_us,
        "expires_us": approval.expires_us,
        "arguments": [
            {
                "name": visible(one.name),
                "shown": visible(shown(one.text)),
                "size": one.size,
                "judged": one.judged,
                "origins": [origin.value for origin in one.origins],
                "came_from": came_from(one),
                "warnings": list(one.warnings),
            }
            for one in approval.arguments
        ],
        "url": f"{console.rstrip('/')}/approvals/{approval.id}",
    }


def _checked(settings: ApprovalSettings, secret: str) -> SplitResult:
    where, hint = "[approvals] webhook_url", "such as https://chat.example/hook; http only on this machine"
    try:
        url = urlsplit(settings.webhook_url)
        host, _ = url.hostname, url.port
    except ValueError as error:
        raise ConfigError(f"this is no address: {error}", where=where, hint=hint) from None
    is_local = host in _LOOPBACK
    if not host or not (url.scheme == "https" or (url.scheme == "http" and is_local)):
        raise ConfigError("this is no address that may be told", where=where, hint=hint)
    if url.username is not None:
        raise ConfigError("the address holds a user", where=where, hint="the body is signed: see webhook_secret_env")
    if len(secret) < 16:
        hint = "name an environment variable in webhook_secret_env that holds at least 16 characters"
        raise ConfigError("there is no secret to sign with", where="[approvals] webhook_secret_env", hint=hint)
    return url
