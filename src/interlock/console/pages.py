"""The pages: each reads what it needs, keeps what failed apart from what did not, and shows the rest."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.types import Scope

from interlock.console.access import LINK_S, SESSION_S, Access
from interlock.console.boundary import Refusal, cookie_name, is_secure, session_ids
from interlock.console.frame import Frame, Part, message, number, one_of
from interlock.console.outside import rows
from interlock.console.overview import GAP_KEYS, overview
from interlock.console.render import Page, Templates, link, session_id, session_link
from interlock.console.sources import Sources
from interlock.console.timeline import Entry, timeline
from interlock.governance.exceptions import headline
from interlock.model.approval import Standing
from interlock.store import Session, Stored, Used

# Rows of a page (design: 50), blocked sessions on the overview, and bounds that keep any page readable.
PAGE_ROWS = 50
NEWEST = 6
MAX_ATTENTION = 100
MAX_MATRIX_ROWS = 300
MAX_WORKLOADS = 500
MAX_USE_ROWS = 1000
PAGE_STEPS = 500
# SQLite and PostgreSQL hold integers of 64 bits.
MAX_US = 2**63 - 1
DAY_US = 86_400_000_000
HOUR_US = 3_600_000_000
VIEWS = {"attention": "Needs a look", "all": "All"}


class Pages:
    """Answers requests from `Sources`. Its methods are called from worker threads."""

    def __init__(self, sources: Sources, access: Access, templates: Templates, sign_in: str) -> None:
        self._sources = sources
        self._access = access
        self.frame = Frame(sources, templates)
        self._sign_in = sign_in

    def overview(self, request: Request) -> Response:
        """`/`: how many workloads hold in both layers, which gaps are open, what was blocked last."""
        chosen = one_of(request, "gap", ("", *GAP_KEYS))
        fresh = self.frame.refresh(request)
        store = self._sources.store
        coverage = self.frame.part(request, lambda: overview(self._sources.coverage()))
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
            "newest": self.frame.part(request, lambda: store.sessions(blocked=True, limit=NEWEST)[:NEWEST]),
            "refused": self.frame.part(request, store.refused),
            "waiting": self.frame.part(request, self._waiting),
            "exceptions": self.frame.part(request, lambda: headline(self._sources.exceptions())),
            "now_us": self._sources.now_us(),
        }
        return self.frame.page(request, "overview.html", context, fresh, ("Overview", ""), active="overview")

    def sessions(self, request: Request) -> Response:
        """`/sessions?view=&workload=&before=`: newest first, a page at a time; the address is all the state."""
        view = one_of(request, "view", tuple(VIEWS))
        workload = request.query_params.get("workload", "")
        before = number(request, "before", MAX_US)
        fresh = self.frame.refresh(request)
        found = self.frame.part(request, lambda: self._page_of(view, workload, before))
        older = found.value[1] if found.value else None
        context = {
            "sessions": found,
            "attention": self.frame.part(
                request, lambda: _up_to(self._found("attention", workload, None, MAX_ATTENTION + 1))
            ),
            "action": "/sessions",
            "view": view,
            "views": _views(view, workload),
            "workload": workload,
            "workloads": self._workloads(request, workload),
            "newest": link("/sessions", view=view, workload=workload) if before is not None else "",
            "older": link("/sessions", view=view, workload=workload, before=older) if older else "",
        }
        return self.frame.page(request, "sessions.html", context, fresh, ("Sessions", ""))

    def outside(self, request: Request) -> Response:
        """`/outside?workload=&before=`: refused requests and connections, which belong to no session."""
        workload = request.query_params.get("workload", "")
        before = number(request, "before", MAX_US)
        fresh = self.frame.refresh(request)
        found = self.frame.part(request, lambda: self._page_outside(workload, before))
        records, older = found.value or ((), None)
        context = {
            "found": found,
            "rows": rows(records),
            "action": "/outside",
            "view": "",
            "views": _views("outside", workload),
            "workload": workload,
            "workloads": self._workloads(request, workload),
            "newest": link("/outside", workload=workload) if before is not None else "",
            "older": link("/outside", workload=workload, before=older) if older else "",
        }
        return self.frame.page(request, "outside.html", context, fresh, ("Sessions", "/sessions"), ("Outside", ""))

    def use(self, request: Request) -> Response:
        """`/use`: requests, tokens and what was blocked, by workload and model, over the last day."""
        fresh = self.frame.refresh(request)
        # Whole hours are counted: the one of now is the last of 24.
        since_us = (self._sources.now_us() - DAY_US) // HOUR_US * HOUR_US + HOUR_US
        used = self.frame.part(request, lambda: sorted(self._sources.store.used(since_us), key=_most_first))
        lines = used.value or []
        context = {
            "used": used,
            "lines": lines[:MAX_USE_ROWS],
            "left_out": max(0, len(lines) - MAX_USE_ROWS),
            "requests": sum(line.requests for line in lines),
            "tokens": sum(line.tokens_in + line.tokens_out for line in lines),
            "blocked": sum(line.blocked for line in lines),
            "most": max((line.requests for line in lines), default=0) or 1,
            "since_us": since_us,
        }
        return self.frame.page(request, "use.html", context, fresh, ("Use", ""), active="use")

    def exceptions(self, request: Request) -> Response:
        """`/exceptions`: every loosening that is in force, by name."""
        nothing: Part[object] = Part(None)
        found = self.frame.part(request, self._sources.exceptions)
        listed = found.value or ()
        context = {
            "found": found,
            "own": [one for one in listed if not one.bundled],
            "bundled": [one for one in listed if one.bundled],
        }
        return self.frame.page(request, "exceptions.html", context, nothing, ("Exceptions", ""), active="exceptions")

    def session(self, request: Request) -> Response:
        """`/sessions/{id}?show=&from=`: the timeline of one session."""
        wanted = session_id(request.path_params["id"])
        show = one_of(request, "show", ("all", "blocked"))
        start = number(request, "from", MAX_US) or 1
        fresh = self.frame.refresh(request)
        records = self.frame.part(request, lambda: self._sources.store.session(wanted) if wanted is not None else ())
        crumbs = (("Sessions", "/sessions"), (wanted or "", ""))
        if records.value is None:
            return self.frame.page(request, "unread.html", {"part": records}, fresh, *crumbs, status=503)
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
        return self.frame.page(request, "session.html", context, fresh, *crumbs, title=f"Session {wanted}")

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
        answer = self.frame.alone(request, 200, "You are signed out.", [self._sign_in])
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
        return self.frame.alone(request, refusal.status, refusal.what, hint, again, home=home)

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
        context = message(status, what, hint, home=True)
        nothing: Part[object] = Part(None)
        answer = self.frame.page(request, "message.html", context, nothing, ("Not shown", ""), active="", status=status)
        answer.headers.update(error.headers or {})
        return answer

    def broken(self, request: Request, _error: Exception) -> Response:
        """The page for a fault of ours. What it was is in the log, under the request's id."""
        hint = ["The log of interlock itself has the fault under the request below."]
        return self.frame.alone(request, 500, "This page failed.", hint, home=True)

    def _waiting(self) -> int:
        """How many calls wait for a person."""
        now_us = self._sources.now_us()
        return sum(one.standing(now_us) is Standing.WAITING for one in self._sources.store.approvals(now_us))

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

    def _page_outside(self, workload: str, before: int | None) -> tuple[tuple[Stored, ...], int | None]:
        """The same of what belongs to no session."""
        outside, of = self._sources.store.outside, workload or None
        found = outside(workload=of, before=before, limit=PAGE_ROWS)
        if len(found) < PAGE_ROWS or not outside(workload=of, before=found[-1].record.at_us, limit=1):
            return found, None
        return found, found[-1].record.at_us

    def _workloads(self, request: Request, chosen: str) -> list[str]:
        """What the filter offers; the chosen one always, known or not."""
        usage = self.frame.part(request, self._sources.store.usage).value or ()
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


def _views(chosen: str, workload: str) -> list[tuple[str, str, bool]]:
    """The tabs over the sessions: (address, label, whether it is this one)."""
    views = [(link("/sessions", view=key, workload=workload), label, key == chosen) for key, label in VIEWS.items()]
    return [*views, (link("/outside", workload=workload), "Outside sessions", chosen == "outside")]


def _most_first(line: Used) -> tuple[int, int, str, str]:
    return -line.requests, -line.tokens_in - line.tokens_out, line.workload, line.model


def _same_address(scope: Scope) -> str:
    """The address that was asked for, such that it cannot lead to another host."""
    query = scope["query_string"].decode("latin-1")
    path = "/" + quote(scope["path"].lstrip("/\\"), errors="replace")
    return f"{path}?{query}" if query else path


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
