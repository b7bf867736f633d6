"""The pages: each reads what it needs, keeps what failed apart from what did not, and shows the rest."""

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar
from urllib.parse import quote

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.types import Scope

from interlock.console.access import LINK_S, SESSION_S, Access
from interlock.console.boundary import Refusal, cookie_name, is_secure, session_ids
from interlock.console.overview import GAP_KEYS, overview
from interlock.console.render import Page, Templates, link, session_id, session_link
from interlock.console.sources import Sources
from interlock.console.timeline import Entry, timeline
from interlock.model.errors import InterlockError
from interlock.store import Session, Stored

logger = logging.getLogger(__name__)

T = TypeVar("T")

# Rows of a page (design: 50), blocked sessions on the overview, and bounds that keep any page readable.
PAGE_ROWS = 50
NEWEST = 6
MAX_ATTENTION = 100
MAX_MATRIX_ROWS = 300
MAX_WORKLOADS = 500
PAGE_STEPS = 500
# SQLite and PostgreSQL hold integers of 64 bits.
MAX_US = 2**63 - 1
VIEWS = {"attention": "Needs a look", "all": "All"}


@dataclass(frozen=True, slots=True)
class Part(Generic[T]):
    """A part of a page: its value, or, when that could not be read, None and why."""

    value: T | None
    problem: str = ""
    hint: str = ""


class Pages:
    """Answers requests from `Sources`. Its methods are called from worker threads."""

    def __init__(self, sources: Sources, access: Access, templates: Templates, sign_in: str) -> None:
        self._sources = sources
        self._access = access
        self._templates = templates
        self._sign_in = sign_in
        self._refreshing = threading.Lock()

    def overview(self, request: Request) -> Response:
        """`/`: how many workloads hold in both layers, which gaps are open, what was blocked last."""
        chosen = _one_of(request, "gap", ("", *GAP_KEYS))
        fresh = self._refresh(request)
        store = self._sources.store
        coverage = self._part(request, lambda: overview(self._sources.coverage()))
        gaps = coverage.value.gaps if coverage.value else ()
        gap = next((gap for gap in gaps if gap.key == chosen), None)
        lines = coverage.value.lines if coverage.value else ()
        if gap:
            lines = tuple(line for line in lines if line.row.workload in (gap.workloads or ()))
        context = {
            "coverage": coverage,
            "gap": gap,
            "tiles": [(each, link("/", gap=each.key) + "#coverage") for each in gaps],
            "lines": lines[:MAX_MATRIX_ROWS],
            "left_out": max(0, len(lines) - MAX_MATRIX_ROWS),
            "newest": self._part(request, lambda: store.sessions(blocked=True, limit=NEWEST)[:NEWEST]),
            "refused": self._part(request, store.refused),
            "now_us": self._sources.now_us(),
        }
        return self._framed(request, "overview.html", context, fresh, ("Overview", ""), active="overview")

    def sessions(self, request: Request) -> Response:
        """`/sessions?view=&workload=&before=`: newest first, a page at a time; the address is all the state."""
        view = _one_of(request, "view", tuple(VIEWS))
        workload = request.query_params.get("workload", "")
        before = _number(request, "before", MAX_US)
        fresh = self._refresh(request)
        found = self._part(request, lambda: self._page_of(view, workload, before))
        older = found.value[1] if found.value else None
        context = {
            "sessions": found,
            "attention": self._part(
                request, lambda: _up_to(self._found("attention", workload, None, MAX_ATTENTION + 1))
            ),
            "view": view,
            "views": [(link("/sessions", view=key, workload=workload), VIEWS[key], key == view) for key in VIEWS],
            "workload": workload,
            "workloads": self._workloads(request, workload),
            "newest": link("/sessions", view=view, workload=workload) if before is not None else "",
            "older": link("/sessions", view=view, workload=workload, before=older) if older else "",
        }
        return self._framed(request, "sessions.html", context, fresh, ("Sessions", ""))

    def session(self, request: Request) -> Response:
        """`/sessions/{id}?show=&from=`: the timeline of one session."""
        wanted = session_id(request.path_params["id"])
        show = _one_of(request, "show", ("all", "blocked"))
        start = _number(request, "from", MAX_US) or 1
        fresh = self._refresh(request)
        records = self._part(request, lambda: self._sources.store.session(wanted) if wanted is not None else ())
        crumbs = (("Sessions", "/sessions"), (wanted or "", ""))
        if records.value is None:
            return self._framed(request, "unread.html", {"part": records}, fresh, *crumbs, status=503)
        if not records.value:
            raise HTTPException(404)
        told = timeline(wanted or "", records.value)
        entries = told.blocked if show == "blocked" else told.entries
        shown = [entry for entry in entries if entry.n >= start][:PAGE_STEPS]
        if not shown and start > 1:
            raise HTTPException(404)
        context = {
            "t": told,
            "show": show,
            "shown": shown,
            "records": _records(shown, told.blocked[:1]),
            **_addresses(session_link(told.id), show, told.entries, entries, shown, told.records),
        }
        return self._framed(request, "session.html", context, fresh, *crumbs, title=f"Session {wanted}")

    def enter(self, request: Request) -> Response:
        """`/enter?token=`: a link that still works becomes a session, once. HEAD uses nothing up."""
        token = request.query_params.get("token", "")
        session = self._access.enter(token) if request.method == "GET" else None
        if session is None:
            hint = f"A link signs in once, within {LINK_S // 60} minutes. {self._sign_in}"
            said = Refusal(403, "This link does not work any more.", hint)
            answer: Response = self.refused(request, said)
        else:
            answer = RedirectResponse("/", status_code=303)
            self._set_cookie(request, answer, session, SESSION_S)
        # The address holds the token: it goes nowhere, not even to a page of ours.
        answer.headers["referrer-policy"] = "no-referrer"
        return answer

    def leave(self, request: Request) -> Response:
        """POST `/leave`: end this browser's session."""
        for held in session_ids(request.scope):
            self._access.leave(held)
        answer = self._alone(request, 200, "You are signed out.", [self._sign_in])
        self._set_cookie(request, answer, "", 0)
        return answer

    def refused(self, request: Request, refusal: Refusal) -> Page:
        """The page for a request that goes no further. It shows nothing of what the console knows."""
        hint = [self._sign_in if refusal.status == 401 else refusal.hint]
        # A session's cookie is SameSite=Strict: a link on another site arrives without it, and one more click has it.
        elsewhere = refusal.status == 401 and request.headers.get("sec-fetch-site") in ("cross-site", "same-site")
        again = _same_address(request.scope) if elsewhere else ""
        if again:
            hint.insert(
                0, "If you have just followed a link from another page, continue: you may be signed in already."
            )
        home = any(self._access.admits(held) for held in session_ids(request.scope))
        return self._alone(request, refusal.status, refusal.what, hint, again, home=home)

    def missing(self, request: Request, error: Exception) -> Response:
        """The page for an address that there is not (404), or that cannot be so (400, 405)."""
        assert isinstance(error, HTTPException)
        status = error.status_code
        what = {
            400: "This address does not say what to show.",
            404: "There is no such page.",
            405: "This page cannot be asked in that way.",
        }.get(status, "This page cannot be shown.")
        hint = {400: [error.detail], 404: ["A session has a page once its first call is recorded."]}.get(status, [])
        context = _message(status, what, hint, home=True)
        nothing: Part[object] = Part(None)
        answer = self._framed(request, "message.html", context, nothing, ("Not shown", ""), active="", status=status)
        answer.headers.update(error.headers or {})
        return answer

    def broken(self, request: Request, _error: Exception) -> Response:
        """The page for a fault of ours. What it was is in the log, under the request's id."""
        hint = ["The log of interlock itself has the fault under the request below."]
        return self._alone(request, 500, "This page failed.", hint, home=True)

    def _alone(
        self, request: Request, status: int, what: str, hint: Sequence[str], again: str = "", *, home: bool = False
    ) -> Page:
        context = _message(status, what, hint, again, home=home) | {
            "bare": True,
            "title": what,
            "icons": (),
            "request_id": _request_id(request),
        }
        return self._templates.page("message.html", context, status=status)

    def _framed(
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
        frame = {
            "bare": False,
            "title": title or crumbs[-1][0],
            "crumbs": crumbs,
            "active": active,
            "icons": ICONS.get(template, ()),
            "org": self._sources.title,
            "log": self._part(request, self._sources.audit_status),
            "fresh": fresh,
            "request_id": _request_id(request),
        }
        return self._templates.page(template, frame | context, status=status)

    def _part(self, request: Request, read: Callable[[], T]) -> Part[T]:
        try:
            return Part(read())
        except InterlockError as error:
            logger.warning("request %s: %r could not read: %s", _request_id(request), request.scope["path"], error)
            return Part(None, error.what, error.hint)

    def _refresh(self, request: Request) -> Part[object]:
        with self._refreshing:
            return self._part(request, self._sources.refresh)

    def _found(self, view: str, workload: str, before: int | None, limit: int) -> tuple[Session, ...]:
        blocked = True if view == "attention" else None
        return self._sources.store.sessions(workload=workload or None, blocked=blocked, before=before, limit=limit)

    def _page_of(self, view: str, workload: str, before: int | None) -> tuple[tuple[Session, ...], int | None]:
        """A page of sessions, and where the next one begins; None if there is none.

        The store may give more than asked for: those that ended together are never parted.
        """
        found = self._found(view, workload, before, PAGE_ROWS)
        if len(found) < PAGE_ROWS or not self._found(view, workload, found[-1].last_us, 1):
            return found, None
        return found, found[-1].last_us

    def _workloads(self, request: Request, chosen: str) -> list[str]:
        """What the filter offers; the chosen one always, known or not."""
        usage = self._part(request, self._sources.store.usage).value or ()
        names = sorted(each.workload for each in usage if each.workload)[:MAX_WORKLOADS]
        return sorted({*names, chosen}) if chosen else names

    def _set_cookie(self, request: Request, answer: Response, value: str, age_s: int) -> None:
        answer.set_cookie(
            cookie_name(request.scope),
            value,
            max_age=age_s,
            path="/",
            secure=is_secure(request.scope),
            httponly=True,
            samesite="strict",
        )


ICONS = {
    "overview.html": ("check", "half", "x", "q", "dash", "stop"),
    "sessions.html": ("check", "stop"),
    "session.html": tuple("check stop dash q user gear db mail spark tool reply".split()),
    "unread.html": (),
}


def _message(status: int, what: str, hint: Sequence[str], again: str = "", *, home: bool = False) -> dict[str, Any]:
    return {"status": status, "what": what, "hint": hint, "again": again, "home": home}


def _same_address(scope: Scope) -> str:
    """The address that was asked for, such that it cannot lead to another host."""
    query = scope["query_string"].decode("latin-1")
    path = "/" + quote(scope["path"].lstrip("/\\"), errors="replace")
    return f"{path}?{query}" if query else path


def _request_id(request: Request) -> str:
    return str(request.state.request_id)


def _one_of(request: Request, name: str, allowed: Sequence[str]) -> str:
    """A choice from the query; the first is meant when there is none."""
    value = request.query_params.get(name) or allowed[0]
    if value not in allowed:
        raise HTTPException(400, f"“{name}” is one of: {', '.join(choice for choice in allowed if choice)}.")
    return value


def _number(request: Request, name: str, most: int) -> int | None:
    """A whole number from the query, up to `most`."""
    text = request.query_params.get(name, "")
    if not text:
        return None
    if not (text.isascii() and text.isdecimal() and len(text) <= len(str(most)) and int(text) <= most):
        raise HTTPException(400, f"“{name}” is a whole number.")
    return int(text)


def _up_to(found: tuple[Session, ...]) -> tuple[int, bool]:
    """How many there are, and whether there are more than that."""
    return min(len(found), MAX_ATTENTION), len(found) > MAX_ATTENTION


def _records(*entries: Sequence[Entry]) -> tuple[Stored, ...]:
    """The records behind these steps, once each, in order."""
    found = {(entry.record.log, entry.record.n): entry.record for some in entries for entry in some}
    return tuple(found[place] for place in sorted(found))


def _addresses(
    path: str,
    show: str,
    every: Sequence[Entry],
    listed: Sequence[Entry],
    shown: Sequence[Entry],
    records: Sequence[Stored],
) -> dict[str, Any]:
    """Where a session's steps, records and other pages are, seen from the page that shows `shown`."""
    here = {entry.n for entry in shown}
    logs = sorted({stored.log for stored in records})
    first = listed.index(shown[0]) if shown else 0
    last = first + len(shown) - 1
    pages = []
    if first > 0:
        pages.append((link(path, show=show, **{"from": listed[max(0, first - PAGE_STEPS)].n}), "Earlier"))
    if last + 1 < len(listed):
        pages.append((link(path, show=show, **{"from": listed[last + 1].n}), "Later"))

    def step(n: int) -> str:
        start = (n - 1) // PAGE_STEPS * PAGE_STEPS + 1
        elsewhere = link(path, **{"from": start if len(every) > PAGE_STEPS else ""})
        return f"#s{n}" if n in here else f"{elsewhere}#s{n}"

    return {
        "back": path,
        "step_link": step,
        "anchor": lambda stored: f"r{logs.index(stored.log)}-{stored.n}",
        "pages": pages,
        "part": (first + 1, last + 1, len(listed)),
    }
