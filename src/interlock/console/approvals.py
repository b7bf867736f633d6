"""The pages of refused calls that a person may permit: what waits, what exactly is asked, and the decision."""

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from interlock.console.forms import Form, Forms
from interlock.console.frame import Frame, Part, one_of
from interlock.console.render import link
from interlock.console.sources import Sources
from interlock.model.approval import Approval, Reach, Standing
from interlock.policy.approvals import came_from, decided, record_of

MAX_ROWS = 200
LONGEST_REASON = 200
# What a form can do, by the value of its button.
DO = {"once": (True, Reach.ONCE), "task": (True, Reach.TASK), "deny": (False, Reach.ONCE)}
# How the page tells what became of a form, by the word in the address.
DONE = {
    "": "",
    "granted": "Approved. Gateways let the call through, within a second, when it is made again.",
    "denied": "Denied. The same call is not asked about again for a day.",
    "late": "Nothing was changed: somebody else decided first, or it was too late. What stands is below.",
}


class ApprovalPages:
    """Answers requests about approvals from `Sources`. Its methods are called from worker threads.

    Rules: a decision is on record before it is made; the first one counts; a reason is needed.
    """

    def __init__(self, sources: Sources, frame: Frame, forms: Forms) -> None:
        self._sources = sources
        self._frame = frame
        self._forms = forms

    def approvals(self, request: Request) -> Response:
        """`/approvals`: what waits for a person, and what was decided last."""
        nothing: Part[object] = Part(None)
        now_us = self._sources.now_us()
        found = self._frame.part(request, self._sources.store.approvals)
        every = found.value or ()
        waiting = sorted((one for one in every if one.standing(now_us) is Standing.WAITING), key=_soonest)
        context = {
            "found": found,
            "waiting": waiting[:MAX_ROWS],
            "over": [one for one in every if one.standing(now_us) is not Standing.WAITING][:MAX_ROWS],
            "standing": lambda one: one.standing(now_us).value,
            "now_us": now_us,
            "untold": self._sources.untold(),
        }
        return self._frame.page(request, "approvals.html", context, nothing, ("Approvals", ""), active="approvals")

    def approval(self, request: Request) -> Response:
        """`/approvals/{id}`: the exact call, where each value came from, and what a person can do about it."""
        wanted = request.path_params["id"]
        done = one_of(request, "done", tuple(DONE))
        nothing: Part[object] = Part(None)
        crumbs = (("Approvals", "/approvals"), (wanted, ""))
        found = self._frame.part(request, lambda: (self._sources.store.approval(wanted),))
        if found.value is None:
            return self._frame.page(
                request, "unread.html", {"part": found}, nothing, *crumbs, active="approvals", status=503
            )
        (one,) = found.value
        if one is None:
            raise HTTPException(404)
        now_us = self._sources.now_us()
        context = {
            "a": one,
            "standing": one.standing(now_us).value,
            "came_from": came_from,
            "now_us": now_us,
            "done": DONE[done],
            "late": done == "late",
            "form": self._forms.token(request),
        }
        return self._frame.page(request, "approval.html", context, nothing, *crumbs, active="approvals")

    def decide(self, request: Request, form: Form) -> Response:
        """POST `/approvals/decide`: approve once or for the task, or deny, with a reason."""
        del request
        granted, reach = DO.get(form.get("do"), (None, Reach.ONCE))
        why = form.get("reason")
        if granted is None:
            raise HTTPException(400, "A request is approved once or for the task, or denied.")
        if not why or len(why) > LONGEST_REASON:
            raise HTTPException(
                400, f"A reason is needed, of at most {LONGEST_REASON} characters: it goes into the log."
            )
        store, now_us = self._sources.store, self._sources.now_us()
        asked = store.approval(form.get("id"))
        if asked is None:
            raise HTTPException(404)
        if not _is_open(asked, now_us, granted=granted):
            return _back(asked, "late")
        decision = decided(asked, self._sources.approvals, now_us, form.who, granted=granted, reach=reach, why=why)
        self._sources.record(record_of(decision))
        now = store.decide_approval(decision)
        mine = now is not None and (now.decided_by, now.decided_us) == (form.who, now_us)
        return _back(asked, ("granted" if granted else "denied") if mine else "late")


def _soonest(one: Approval) -> tuple[int, str]:
    return one.expires_us, one.id


def _is_open(one: Approval, now_us: int, *, granted: bool) -> bool:
    """Whether this can still be decided: a yes that was not used can be taken back."""
    standing = one.standing(now_us)
    return standing is Standing.WAITING or (not granted and standing is Standing.GRANTED)


def _back(one: Approval, done: str) -> Response:
    return RedirectResponse(link(f"/approvals/{one.id}", done=done), status_code=303)
