"""The frame round every page: what is read for it, what failed apart from what did not, and a request's id."""

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Generic, TypeVar

from starlette.exceptions import HTTPException
from starlette.requests import Request

from interlock.console.render import Page, Templates
from interlock.console.sources import Sources
from interlock.model.errors import InterlockError

logger = logging.getLogger(__name__)

T = TypeVar("T")

# The symbols that each template uses, beside those of the frame.
ICONS: Mapping[str, Sequence[str]] = MappingProxyType({
    "overview.html": ("check", "half", "x", "q", "dash", "stop"),
    "sessions.html": ("check", "stop"),
    "outside.html": ("check", "stop", "x", "dash", "pass"),
    "session.html": "check stop x dash q user gear db mail spark tool reply pass box scis lock".split(),
    "use.html": ("stop",),
    "tools.html": ("check", "stop", "q", "dash", "x"),
    "approvals.html": ("stop",),
    "approval.html": "check stop user gear db mail spark q".split(),
    "tool.html": ("check", "stop", "q", "dash", "x"),
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Part(Generic[T]):
    """A part of a page: its value, or, when that could not be read, None and why."""

    value: T | None
    problem: str = ""
    hint: str = ""


class Frame:
    """Makes pages from templates, in the frame or alone. Its methods are called from worker threads."""

    def __init__(self, sources: Sources, templates: Templates) -> None:
        self._sources = sources
        self._templates = templates
        self._refreshing = threading.Lock()

    def part(self, request: Request, read: Callable[[], T]) -> Part[T]:
        """What `read` gives, or why it gave nothing."""
        try:
            return Part(read())
        except InterlockError as error:
            logger.warning("request %s: %r could not read: %s", request_id(request), request.scope["path"], error)
            return Part(None, error.what, error.hint)

    def refresh(self, request: Request) -> Part[object]:
        """Bring the index up to date."""
        with self._refreshing:
            return self.part(request, self._sources.refresh)

    def page(
        self,
        request: Request,
        template: str,
        context: dict[str, Any],
        fresh: Part[object],
        *crumbs: tuple[str, str],
        active: str = "sessions",
        title: str = "",
        status: int = 200,
    ) -> Page:
        """A page in the frame. `fresh` is what `refresh` gave; `crumbs` are (text, address), the last one is here."""
        frame = {
            "bare": False,
            "title": title or crumbs[-1][0],
            "crumbs": crumbs,
            "active": active,
            "icons": tuple(ICONS.get(template, ())),
            "org": self._sources.title,
            "log": self.part(request, self._sources.audit_status),
            "fresh": fresh,
            "request_id": request_id(request),
        }
        return self._templates.page(template, frame | context, status=status)

    def alone(
        self, request: Request, status: int, what: str, hint: Sequence[str], again: str = "", *, home: bool = False
    ) -> Page:
        """A page that says one thing to somebody who may not be signed in."""
        context = message(status, what, hint, again, home=home) | {
            "bare": True,
            "title": what,
            "icons": (),
            "request_id": request_id(request),
        }
        return self._templates.page("message.html", context, status=status)


def message(status: int, what: str, hint: Sequence[str], again: str = "", *, home: bool = False) -> dict[str, Any]:
    """What `message.html` shows."""
    return {"status": status, "what": what, "hint": hint, "again": again, "home": home}


def request_id(request: Request) -> str:
    """The id under which a fault is found in the log."""
    return str(request.state.request_id)


def one_of(request: Request, name: str, allowed: Sequence[str]) -> str:
    """A choice from the query; the first is meant when there is none."""
    value = request.query_params.get(name) or allowed[0]
    if value not in allowed:
        raise HTTPException(400, f"“{name}” is one of: {', '.join(choice for choice in allowed if choice)}.")
    return value


def number(request: Request, name: str, most: int) -> int | None:
    """A whole number from the query, up to `most`."""
    text = request.query_params.get(name, "")
    if not text:
        return None
    if not (text.isascii() and text.isdecimal() and len(text) <= len(str(most)) and int(text) <= most):
        raise HTTPException(400, f"“{name}” is a whole number.")
    return int(text)
