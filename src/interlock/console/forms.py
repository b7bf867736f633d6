"""How a page changes something: a small form of our own, sent by the session that it was shown to, put on record first.

The boundary has let the request in: it comes from our own origin, and its session holds.
"""

from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from interlock.console.access import Access
from interlock.console.boundary import MAX_BODY_BYTES, Refusal, session_ids
from interlock.model.errors import InterlockError

MEDIA_TYPE = "application/x-www-form-urlencoded"
TOKEN = "form"
MAX_FIELDS = 200


class FormError(Exception):
    """A form does not say what can be done. The text is for who sent it."""


@dataclass(frozen=True, slots=True)
class Form:
    """What was filled in, each field once, and who sent it, as the log names a session."""

    fields: Mapping[str, str]
    who: str

    def get(self, name: str) -> str:
        """What is in a field, without the white space round it; empty if there is no such field."""
        return self.fields.get(name, "").strip()


class Forms:
    """Reads forms, and lets a page act on them.

    Rules: at most `MAX_BODY_BYTES` are read, whatever a request says of its length; a form has the token of the very
    session that sends it; a field that comes twice is refused. It does NOT write the record: who acts does.
    """

    def __init__(self, access: Access, refused: Callable[[Request, Refusal], Response]) -> None:
        self._access = access
        self._refused = refused

    def token(self, request: Request) -> str:
        """What the forms of the page that answers this request hold."""
        return self._access.form_token(self._session(request))

    def act(self, act: Callable[[Request, Form], Response]) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The endpoint that has `act` answer a form, in a worker thread."""

        async def answer(request: Request) -> Response:
            body = await _body(request)
            if body is None:
                return self._refused(
                    request, Refusal(413, "This request is too large.", f"A form may have {MAX_BODY_BYTES:,} bytes.")
                )
            fields = _fields(request, body)
            if fields is None:
                return self._refused(request, Refusal(400, "This is no form of the console.", "Load the page again."))
            session = self._session(request)
            if not session or not self._access.is_form_token(session, fields.get(TOKEN, "")):
                hint = "You may have signed in anew since then: load the page again, and send it once more."
                return self._refused(request, Refusal(403, "This form was not made for your session.", hint))
            try:
                return await run_in_threadpool(act, request, Form(fields, self._access.called(session)))
            except FormError as error:
                return self._refused(request, Refusal(400, str(error), "Nothing was changed. Go back and try again."))
            except InterlockError as error:
                hint = "It may not have been done: look before you try again."
                return self._refused(request, Refusal(503, f"This failed: {error.what}.", hint))

        return answer

    def _session(self, request: Request) -> str:
        held = [session for session in session_ids(request.scope) if self._access.admits(session)]
        return held[0] if held else ""


async def _body(request: Request) -> bytes | None:
    """The whole body, or None for one that is too long; no more than that is ever held."""
    body = bytearray()
    try:
        async for piece in request.stream():
            body += piece
            if len(body) > MAX_BODY_BYTES:
                return None
    except ClientDisconnect:
        return None
    return bytes(body)


def _fields(request: Request, body: bytes) -> dict[str, str] | None:
    """The fields of a form; None for a body that is none."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != MEDIA_TYPE:
        return None
    try:
        pairs = parse_qsl(
            body.decode("ascii"), keep_blank_values=True, strict_parsing=True, errors="strict",
            max_num_fields=MAX_FIELDS,
        )  # fmt: skip
    except ValueError:
        return None
    fields = dict(pairs)
    return fields if len(fields) == len(pairs) else None
