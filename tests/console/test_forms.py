"""Who may change something from a page, and what a form may be."""

import asyncio
from collections.abc import Mapping

import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import Message

from interlock.console.access import Access
from interlock.console.boundary import MAX_BODY_BYTES, Refusal
from interlock.console.forms import MAX_FIELDS, Form, Forms
from tests.console.asgi import scope

TYPE = "application/x-www-form-urlencoded"


class Page:
    """One form, and what came of it."""

    def __init__(self) -> None:
        self.access = Access()
        self.session = self.access.enter(self.access.mint_link("http://x").partition("token=")[2]) or ""
        self.forms = Forms(self.access, self._refused)
        self.acted: list[Form] = []
        self.refusals: list[int] = []

    def _refused(self, _request: Request, refusal: Refusal) -> Response:
        self.refusals.append(refusal.status)
        return PlainTextResponse(refusal.what, refusal.status)

    def _act(self, _request: Request, form: Form) -> Response:
        self.acted.append(form)
        return PlainTextResponse("done")

    def send(self, *pieces: bytes, media_type: str = TYPE, session: str | None = None, gone: bool = False) -> None:
        cookie = f"interlock-7701={self.session if session is None else session}"
        headers = [("host", "127.0.0.1:7701"), ("content-type", media_type), ("cookie", cookie)]
        told: list[Message] = [{"type": "http.request", "body": piece, "more_body": True} for piece in pieces]
        told.append({"type": "http.disconnect"} if gone else {"type": "http.request", "body": b""})

        async def receive() -> Message:
            return told.pop(0)

        asyncio.run(self.forms.act(self._act)(Request(scope("POST", "/x", headers), receive)))

    @property
    def token(self) -> bytes:
        return self.access.form_token(self.session).encode()


def test_a_form_of_this_session_is_acted_on() -> None:
    page = Page()
    page.send(b"form=" + page.token, b"&tool=a%2Fb&no", b"te=+caf%C3%A9+&empty=")
    (form,) = page.acted
    assert [form.get(name) for name in ("tool", "note", "empty", "none")] == ["a/b", "café", "", ""]
    assert form.who == Access.called(page.session)
    assert page.session not in form.who


@pytest.mark.parametrize("token", [b"", b"form=", b"form=0", b"form=%C3%A9", b"form=" + b"0" * 64])
def test_a_form_without_this_sessions_token_is_refused(token: bytes) -> None:
    page = Page()
    page.send(token + b"&tool=x")
    assert (page.acted, page.refusals) == ([], [403 if token else 400])


def test_another_sessions_token_is_none_of_this_one() -> None:
    page, other = Page(), Page()
    page.send(b"form=" + other.access.form_token(page.session).encode())
    stranger = page.access.enter(page.access.mint_link("http://x").partition("token=")[2])
    page.send(b"form=" + page.token, session=stranger)
    page.send(b"form=" + page.access.form_token("").encode(), session="made-up")
    assert page.acted == []
    assert page.refusals == [403, 403, 403]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"form=x&tool=a&tool=b", 400),
        (b"nothing at all", 400),
        (b"tool=%FF", 400),
        ("tool=é".encode(), 400),
        (b"&".join(b"a%d=1" % n for n in range(MAX_FIELDS + 1)), 400),
        (b"a=" + b"x" * MAX_BODY_BYTES, 413),
    ],
    ids=["twice", "no form", "no text", "not ASCII", "fields", "long"],
)
def test_what_is_no_form_is_refused(body: bytes, status: int) -> None:
    page = Page()
    page.send(body)
    assert (page.acted, page.refusals) == ([], [status])


def test_no_more_is_read_than_a_form_may_have() -> None:
    page = Page()
    page.send(*[b"a" * 4096] * 100)
    assert (page.acted, page.refusals) == ([], [413])


@pytest.mark.parametrize("media_type", ["", "text/plain", "multipart/form-data; boundary=x", "application/json"])
def test_only_what_a_page_of_ours_sends_is_a_form(media_type: str) -> None:
    page = Page()
    page.send(b"form=" + page.token, media_type=media_type)
    assert (page.acted, page.refusals) == ([], [400])


def test_who_leaves_in_the_middle_has_sent_nothing() -> None:
    page = Page()
    page.send(b"form=" + page.token, gone=True)
    assert page.acted == []


def test_a_token_says_nothing_of_the_session_and_differs_by_console() -> None:
    one, other = Access(), Access()
    fields: Mapping[str, str] = {"a": one.form_token("s"), "b": other.form_token("s"), "c": one.form_token("t")}
    assert len(set(fields.values())) == 3
    assert one.is_form_token("s", fields["a"])
    assert not one.is_form_token("s", fields["b"])
