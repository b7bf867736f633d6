"""The pages of MCP servers' tools: what stands behind each, what is suspicious, and a person's approval and labels."""

import json
from collections.abc import Sequence

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from interlock.console.forms import Form, FormError, Forms
from interlock.console.frame import Frame, Part, one_of
from interlock.console.render import link, tool_link, tool_named
from interlock.console.sources import Sources
from interlock.mcp.inspection import KINDS
from interlock.mcp.labels import SetLabels
from interlock.mcp.pins import Pin, Standing, differences
from interlock.mcp.review import Reviewed, approval_record, operator_record
from interlock.model.meta import Severity
from interlock.model.record import Step
from interlock.provenance.settings import SINKS, ToolOverride

MAX_ROWS = 500
# Of an argument's name, and so many of them.
LONGEST_NAME, MOST_RECIPIENTS = 128, 100
LONGEST_REASON = 200
SHOW = {"waiting": "Wait for a person", "suspicious": "Suspicious", "all": "All"}
STATES = {Standing.APPROVED: "approved", Standing.NEW: "new", Standing.CHANGED: "changed"}
OUTPUTS = ("internal", "untrusted")
# How the page tells what became of a form, by the word in the address.
DONE = {
    "": "",
    "approved": "Approved as it is shown here. Gateways let it through within a second.",
    "changed": "Not approved: the server has offered something else since. This page shows what it offers now.",
    "set": "The labels are set. Gateways go by them within about a second.",
    "cleared": "What was set here is taken back. Gateways go by that within about a second.",
}


class ToolPages:
    """Answers requests about MCP tools from `Sources`. Its methods are called from worker threads.

    Rules: what a person does is on record before it is done; an approval is of the very definition that the page
    showed.
    """

    def __init__(self, sources: Sources, frame: Frame, forms: Forms) -> None:
        self._sources = sources
        self._frame = frame
        self._forms = forms

    def tools(self, request: Request) -> Response:
        """`/tools?show=&server=`: every tool of every server, those first that a person has to look at."""
        show = one_of(request, "show", ("", *SHOW))
        server = request.query_params.get("server", "")
        nothing: Part[object] = Part(None)
        found = self._frame.part(request, self._sources.tools)
        every = found.value or ()
        show = show or ("waiting" if any(tool.waits for tool in every) else "all")
        rows = sorted((tool for tool in every if _shown(tool, show, server)), key=_first)
        context = {
            "found": found,
            "every": every,
            "rows": rows[:MAX_ROWS],
            "left_out": max(0, len(rows) - MAX_ROWS),
            "waiting": sum(tool.waits for tool in every),
            "show": show,
            "views": [
                (link("/tools", show=key, server=server), f"{label} {_count(every, key, server):,}", key == show)
                for key, label in SHOW.items()
            ],
            "server": server,
            "servers": sorted({tool.pin.server for tool in every}),
            "state": _state,
            "date_us": lambda pin: pin.seen_us if pin.approved_us is None else pin.approved_us,
        }
        return self._frame.page(request, "tools.html", context, nothing, ("Tools", ""), active="tools")

    def tool(self, request: Request) -> Response:
        """`/tools/{server}/{tool}`: one of them, with what a person can do about it."""
        server, name = request.path_params["server"], tool_named(request.path_params["tool"])
        done = one_of(request, "done", tuple(DONE))
        nothing: Part[object] = Part(None)
        crumbs = (("Tools", "/tools"), (server, link("/tools", show="all", server=server)), (name or "", ""))
        found = self._frame.part(request, self._sources.tools)
        if found.value is None:
            return self._frame.page(
                request, "unread.html", {"part": found}, nothing, *crumbs, active="tools", status=503
            )
        tool = next((one for one in found.value if (one.pin.server, one.pin.tool) == (server, name)), None)
        if tool is None:
            raise HTTPException(404)
        context = {
            "t": tool,
            "pin": tool.pin,
            "state": _state(tool.pin),
            "kinds": KINDS,
            "done": DONE[done],
            "failed": done == "changed",
            "differences": _sides(tool.pin),
            "document": json.dumps(json.loads(tool.pin.seen_document), ensure_ascii=False, indent=2),
            "form": self._forms.token(request),
            "here": tool_link(server, tool.pin.tool),
            "sinks": SINKS,
            "outputs": OUTPUTS,
            "sets": tool.console.labels if tool.console else ToolOverride(),
        }
        return self._frame.page(request, "tool.html", context, nothing, *crumbs, active="tools")

    def approve(self, _request: Request, form: Form) -> Response:
        """POST `/tools/approve`: let the definition be used that the page has shown."""
        pin = self._pin(form)
        if pin.seen_digest != form.get("digest"):
            return _back(pin, "changed")
        now_us = self._sources.now_us()
        self._sources.record(approval_record(pin, form.who, now_us, form.get("reason")))
        missed = self._sources.store.approve_pins([pin.approved(form.who, now_us)])
        return _back(pin, "changed" if missed else "approved")

    def label(self, _request: Request, form: Form) -> Response:
        """POST `/tools/labels`: set labels for a tool, or take back what was set."""
        pin = self._pin(form)
        if form.get("do") == "clear":
            self._note(form, pin, "took back the labels that were set")
            self._sources.store.clear_labels(pin.server, pin.tool)
            return _back(pin, "cleared")
        labels = _labels(form)
        recipients = "as derived" if labels.recipients is None else ", ".join(labels.recipients) or "none"
        said = f"output {labels.output or 'as derived'}, recipients {recipients}"
        self._note(form, pin, f"set labels: {said}", labels.sink)
        self._sources.store.set_labels(SetLabels(pin.server, pin.tool, labels, form.who, self._sources.now_us()))
        return _back(pin, "set")

    def _note(self, form: Form, pin: Pin, what: str, sink: str = "") -> None:
        """Put on record which labels are about to be set. Raises: AuditError; then they are not."""
        step = Step("labels", sink=sink, reason=form.get("reason"))
        self._sources.record(operator_record(pin, form.who, self._sources.now_us(), what, step))

    def _pin(self, form: Form) -> Pin:
        """The tool that a form is about. Raises: HTTPException, FormError."""
        pins = self._sources.store.pins(form.get("server"))
        pin = next((one for one in pins if one.tool == form.get("tool")), None)
        if pin is None:
            raise HTTPException(404)
        if not form.get("reason") or len(form.get("reason")) > LONGEST_REASON:
            raise FormError(f"A reason is needed, of at most {LONGEST_REASON} characters: it goes into the log.")
        return pin


def _shown(tool: Reviewed, show: str, server: str) -> bool:
    if server and tool.pin.server != server:
        return False
    return {"waiting": tool.waits, "suspicious": _is_suspicious(tool)}.get(show, True)


def _is_suspicious(tool: Reviewed) -> bool:
    return tool.worst is not None and tool.worst is not Severity.LOW


def _count(every: Sequence[Reviewed], show: str, server: str) -> int:
    return sum(_shown(tool, show, server) for tool in every)


def _first(tool: Reviewed) -> tuple[bool, int, str, str]:
    return not tool.waits, -(tool.worst.rank if tool.worst else -1), tool.pin.server, tool.pin.tool


def _state(pin: Pin) -> str:
    """What stands behind a tool, in a word."""
    if pin.standing is Standing.APPROVED and pin.approved_by == "first-use":
        return "first use"
    return STATES[pin.standing]


def _sides(pin: Pin) -> list[tuple[str, str, str]]:
    """(place, approved, offered now) of what a person has to compare; of a tool that is new there is nothing."""
    return list(differences(pin)) if pin.standing is Standing.CHANGED else []


def _labels(form: Form) -> ToolOverride:
    """What a form sets. Raises: FormError for what no form of ours sends."""
    output, sink = form.get("output"), form.get("sink")
    if output not in ("", *OUTPUTS) or sink not in ("", *SINKS):
        raise FormError("There is no such label.")
    recipients: tuple[str, ...] | None = None
    if form.get("decide") == "these":
        names = [name.strip() for name in form.get("recipients").split(",")]
        recipients = tuple(dict.fromkeys(name for name in names if name))
        if len(recipients) > MOST_RECIPIENTS or any(len(name) > LONGEST_NAME for name in recipients):
            raise FormError("These are no names of arguments.")
    if not output and not sink and recipients is None:
        raise FormError("Nothing is set: choose a label, or take back what was set.")
    return ToolOverride(output=output, sink=sink, recipients=recipients)


def _back(pin: Pin, done: str) -> Response:
    return RedirectResponse(link(tool_link(pin.server, pin.tool), done=done), status_code=303)
