"""The console's listener, inside somebody else's event loop: started and stopped at will, no signals touched."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass

import uvicorn
from starlette.types import ASGIApp

from interlock.console.settings import ConsoleSettings
from interlock.model.errors import ConfigError

# A request's head, cookies and all; h11 answers 400 to more.
MAX_HEAD_BYTES = 32_768
MAX_PORT = 65_535
MAX_CONNECTIONS = 128
IDLE_S = 15
# How long pages under way may take when the console is stopped.
STOP_S = 2
# How often to look whether uvicorn, which has no event for it, is up.
POLL_S = 0.005


@dataclass(frozen=True, slots=True)
class Listening:
    """Where the console can be reached. `url` has no slash at its end."""

    host: str
    port: int

    @property
    def url(self) -> str:
        """Its address for a browser on this machine, or by name if it listens on one."""
        host = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(self.host, self.host)  # noqa: S104
        return f"http://[{host}]:{self.port}" if ":" in host else f"http://{host}:{self.port}"


class _Server(uvicorn.Server):
    """uvicorn without its signal handlers: who started us decides when to stop."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Touch none."""
        yield


@contextlib.asynccontextmanager
async def serve(app: ASGIApp, settings: ConsoleSettings) -> AsyncIterator[Listening]:
    """Listens while the block runs; inside it the port is bound and answered. No access log.

    Raises: ConfigError if the address cannot be had.
    """
    bound = _bind(settings)
    config = uvicorn.Config(
        app,
        http="h11",
        ws="none",
        lifespan="off",
        log_config=None,
        log_level="error",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        h11_max_incomplete_event_size=MAX_HEAD_BYTES,
        limit_concurrency=MAX_CONNECTIONS,
        timeout_keep_alive=IDLE_S,
        timeout_graceful_shutdown=STOP_S,
    )
    server = _Server(config)
    running = asyncio.create_task(server.serve(sockets=[bound]))
    try:
        while not server.started:
            if running.done():
                await running
                raise ConfigError("the console stopped as it started", where=f"[console] port {settings.port}")
            await asyncio.sleep(POLL_S)
        yield Listening(settings.host, bound.getsockname()[1])
    finally:
        server.should_exit = True
        await running
        bound.close()


def _bind(settings: ConsoleSettings) -> socket.socket:
    where = f"[console] host = {settings.host!r}, port = {settings.port}"
    if settings.port > MAX_PORT:  # getaddrinfo would take it for another port, without a word
        raise ConfigError("no such port", where=where, hint=f"name one up to {MAX_PORT}, or 0 for a free one")
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            settings.host or None, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        bound = socket.socket(family, kind, protocol)
    except OSError as error:
        raise ConfigError(f"no such address: {error}", where=where, hint="name an address of this machine") from error
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(address)
    except OSError as error:
        bound.close()
        hint = "another program has this port, or the address is not of this machine; set another, or port = 0"
        raise ConfigError(f"cannot listen: {error}", where=where, hint=hint) from error
    return bound
