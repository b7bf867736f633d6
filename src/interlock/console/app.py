"""The console put together: routes, static files, and the boundary round all of it."""

import hashlib
from collections.abc import Callable, Mapping
from importlib.resources import files
from types import MappingProxyType

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from interlock.console.access import Access
from interlock.console.approvals import ApprovalPages
from interlock.console.boundary import LOOPBACK_NAMES, Boundary
from interlock.console.forms import Forms
from interlock.console.pages import Pages
from interlock.console.render import Templates
from interlock.console.settings import ConsoleSettings
from interlock.console.sources import Sources
from interlock.console.tools import ToolPages

SIGN_IN = "interlock up prints a one-time link to this console each time it starts."
MEDIA_TYPES = MappingProxyType(
    {"console.css": "text/css", "console.js": "text/javascript", "favicon.svg": "image/svg+xml"}
)
# Addresses hold a hash of the files, so what is there never changes.
FOREVER = "public, max-age=31536000, immutable"


def build(sources: Sources, access: Access, settings: ConsoleSettings, sign_in: str = SIGN_IN) -> ASGIApp:
    """The console as an ASGI application. `sign_in` is what it tells somebody who needs a link.

    Reads its own templates and static files here, once, and nothing from disk later.
    """
    static = {name: files("interlock.console").joinpath("static", name).read_bytes() for name in MEDIA_TYPES}
    version = hashlib.sha256(b"\0".join(static[name] for name in sorted(static))).hexdigest()[:16]
    pages = Pages(sources, access, Templates(f"/static/{version}/"), sign_in)
    forms = Forms(access, pages.refused)
    tools = ToolPages(sources, pages.frame, forms)
    approvals = ApprovalPages(sources, pages.frame, forms)
    app = Starlette(
        routes=[
            Route("/", pages.overview, methods=["GET"]),
            Route("/sessions", pages.sessions, methods=["GET"]),
            Route("/outside", pages.outside, methods=["GET"]),
            Route("/use", pages.use, methods=["GET"]),
            Route("/exceptions", pages.exceptions, methods=["GET"]),
            Route("/sessions/{id}", pages.session, methods=["GET"]),
            Route("/tools", tools.tools, methods=["GET"]),
            Route("/tools/approve", forms.act(tools.approve), methods=["POST"]),
            Route("/tools/labels", forms.act(tools.label), methods=["POST"]),
            Route("/tools/{server}/{tool}", tools.tool, methods=["GET"]),
            Route("/approvals", approvals.approvals, methods=["GET"]),
            Route("/approvals/decide", forms.act(approvals.decide), methods=["POST"]),
            Route("/approvals/{id}", approvals.approval, methods=["GET"]),
            Route("/enter", pages.enter, methods=["GET"]),
            Route("/leave", pages.leave, methods=["POST"]),
            Route("/healthz", _healthy, methods=["GET"]),
            Route("/static/{version}/{name}", _static(static, version), methods=["GET"]),
        ],
        exception_handlers={HTTPException: pages.missing, Exception: pages.broken},
    )
    app.router.redirect_slashes = False
    return Boundary(
        app,
        access=access,
        names=names(settings),
        open_paths=("/enter", "/healthz", "/static/"),
        refused=lambda scope, refusal: pages.refused(Request(scope), refusal),
    )


def names(settings: ConsoleSettings) -> frozenset[str]:
    """The names under which a browser may reach a console with these settings."""
    return LOOPBACK_NAMES | {settings.host, *settings.hosts}


def _healthy(_request: Request) -> Response:
    return PlainTextResponse("ok\n")


def _static(held: Mapping[str, bytes], version: str) -> Callable[[Request], Response]:
    """Answers with one of the files that were read at the start; no path is ever looked up."""

    def answer(request: Request) -> Response:
        name = request.path_params["name"]
        if request.path_params["version"] != version or name not in held:
            return PlainTextResponse("There is no such file.\n", 404)
        return Response(held[name], media_type=MEDIA_TYPES[name], headers={"cache-control": FOREVER})

    return answer
