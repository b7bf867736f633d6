"""Which adapter and which upstream stand behind a path: `/<upstream>` and then the path as the SDKs write it."""

from collections.abc import Iterable
from dataclasses import dataclass

from interlock.protocols import Adapter, Pattern


@dataclass(frozen=True, slots=True)
class Route:
    """What stands behind a path. `name` is how the log calls it: the upstream and the route, names in braces."""

    upstream: str
    adapter: Adapter
    name: str


class Routes:
    """The routes of all upstreams: each upstream is reached by every protocol, and its server says which it knows."""

    def __init__(self, upstreams: Iterable[str], adapters: Iterable[Adapter]) -> None:
        routes = [(adapter, route) for adapter in adapters for route in adapter.routes]
        self._named = [(Pattern(route), adapter, route) for adapter, route in routes if "{" in route]
        self._fixed = {
            (upstream, route): Route(upstream, adapter, f"/{upstream}{route}")
            for upstream in upstreams
            for adapter, route in routes
        }
        self._upstreams = frozenset(upstream for upstream, _ in self._fixed)

    def find(self, path: str) -> Route | None:
        """The route of a path without its query; None if nothing stands behind it."""
        upstream, below = split(path)
        if (route := self._fixed.get((upstream, below))) is not None:
            return route if "{" not in below else None
        if upstream in self._upstreams:
            for pattern, _, name in self._named:
                if pattern.matches(below):
                    return self._fixed[upstream, name]
        return None

    @property
    def covered(self) -> str:
        """What is covered, for people: the upstreams, and where the rest is told."""
        upstreams = ", ".join(f"/{name}" for name in sorted(self._upstreams)) or "no upstream"
        return f"the model APIs below {upstreams}; `interlock run --print-env` prints their addresses"


def split(path: str) -> tuple[str, str]:
    """(upstream, path below it) of a path."""
    upstream, slash, below = path.removeprefix("/").partition("/")
    return upstream, slash + below


def joined(address: str, base: str, path: str) -> str:
    """The path at an upstream whose address has the path `address`; see `Adapter.base`.

    >>> joined("/v1", "/v1", "/v1/chat/completions"), joined("", "/v1", "/v1/chat/completions")
    ('/v1/chat/completions', '/v1/chat/completions')
    >>> joined("/api/v3", "/v1", "/v1/chat/completions"), joined("/v1", "", "/v1/messages")
    ('/api/v3/chat/completions', '/v1/messages')
    """
    if address and base and path.startswith(f"{base}/"):
        return address + path.removeprefix(base)
    first = f"/{path.split('/')[1]}"
    return address + (path.removeprefix(first) if address.endswith(first) else path)
