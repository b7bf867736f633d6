"""Signs requests to Amazon Web Services (Signature Version 4), with credentials from where AWS programs find theirs.

Environment variables, profiles, single sign-on, web identity, containers and instance metadata: all of it is
botocore's own chain. botocore comes with the extra `aws` and is loaded only where an upstream asks for it.
"""

import asyncio
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from interlock.gateway.settings import Upstream
from interlock.model.errors import ConfigError, UpstreamError

SERVICE = "bedrock"
# After so long botocore is asked again whether it has newer ones; it replaces them 15 minutes before they expire.
DUE_S = 60.0
# So long they are used if botocore does not answer: well before any of them expires.
GOOD_S = 300.0
# `bedrock-runtime.us-east-1.amazonaws.com`, the same with `-fips`, in China, and inside a VPC.
_HOST = re.compile(r"(?:[a-z0-9-]+\.)?bedrock[a-z-]*\.([a-z0-9-]+)\.(?:vpce\.)?(?:amazonaws\.com(?:\.cn)?|api\.aws)")


class Signer:
    """Signs for one upstream.

    Rules: credentials are looked for in a thread, by one at a time, and never at start; between two looks signing is
    computing only. It never keeps a credential longer than GOOD_S after a look that found it in force.
    """

    def __init__(self, name: str, upstream: Upstream, now: Callable[[], float]) -> None:
        """Raises: ConfigError if botocore is not installed, or nobody says which region it is."""
        try:
            import botocore.session
        except ImportError:
            where = f"llm.upstreams.{name}.auth"
            hint = "in interlock's folder: pip install --require-hashes -r requirements/aws.txt"
            raise ConfigError(
                "signing for AWS needs botocore, which is not installed", where=where, hint=hint
            ) from None
        self._name = name
        self._session = botocore.session.Session()
        self._region = _region(name, upstream, self._session)
        self._origin = "{0.scheme}://{0.netloc}".format(urlsplit(upstream.url))
        self._host = urlsplit(upstream.url).netloc
        self._now = now
        self._source: Any = None
        self._held: Any = None
        self._looked = 0.0
        self._failure = ""
        self._looking: asyncio.Task[None] | None = None

    @property
    def is_ready(self) -> bool:
        """Whether there are credentials to sign with now."""
        return self._held is not None and self._now() - self._looked < GOOD_S

    @property
    def is_due(self) -> bool:
        """Whether it is time to look for newer ones."""
        return self._held is None or self._now() - self._looked >= DUE_S

    def look(self) -> "asyncio.Task[None]":
        """Look for credentials; whoever asks meanwhile gets the same look. It raises nothing: see `is_ready`."""
        if self._looking is None or self._looking.done():
            self._looking = asyncio.get_running_loop().create_task(self._look())
        return self._looking

    async def when_ready(self, go: Callable[[], None], fail: Callable[[UpstreamError], None]) -> None:
        """Go on once there are credentials, or say why there are none."""
        await asyncio.shield(self.look())
        if self.is_ready:
            go()
        else:
            fail(UpstreamError(f"cannot be signed for: {self._failure}", where=self._name))

    def headers(self, path: str, body: bytes) -> bytes:
        """The header lines that prove who sends `body` to `path`, which is as it goes on the wire.

        Only the host, the time and the session are signed beside them: what else is in the head can be changed by
        nobody between here and the server, because there is TLS.
        """
        from botocore.auth import SigV4Auth
        from botocore.awsrequest import AWSRequest

        request = AWSRequest("POST", self._origin + path, {"host": self._host}, body)
        SigV4Auth(self._held, SERVICE, self._region).add_auth(request)
        signed = ((name, value) for name, value in request.headers.items() if name != "host")
        return b"".join(b"%b: %b\r\n" % (name.lower().encode(), value.encode()) for name, value in signed)

    async def _look(self) -> None:
        began = self._now()
        held, self._failure = await asyncio.to_thread(self._find)
        if held is not None:
            self._held, self._looked = held, began

    def _find(self) -> tuple[Any, str]:
        """The credentials in force, or why there are none. It may ask the network, and wait."""
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            self._source = self._source or self._session.get_credentials()
            return (
                (self._source.get_frozen_credentials(), "") if self._source else (None, "no AWS credentials were found")
            )
        # Not its text: that can hold what a program printed. RuntimeError: newer ones are expired as well.
        except (BotoCoreError, ClientError, RuntimeError, OSError) as error:
            return None, f"no AWS credentials, {type(error).__name__}"


def _region(name: str, upstream: Upstream, session: Any) -> str:
    found = _HOST.fullmatch(urlsplit(upstream.url).hostname or "")
    region = upstream.region or (found[1] if found else session.get_config_variable("region"))
    if not region:
        where, hint = f"llm.upstreams.{name}.region", "such as us-east-1"
        raise ConfigError("the AWS region is in neither the address nor the settings", where=where, hint=hint)
    return str(region)
