"""What the boundary refuses, and what every answer carries."""

import asyncio
import logging
from dataclasses import replace

import pytest
from starlette.types import Message

from interlock.console import pages
from interlock.console.boundary import HEADERS, MAX_BODY_BYTES, MAX_QUERY_BYTES
from interlock.console.settings import ConsoleSettings
from tests.console.asgi import HOST, ORIGIN, OWN, Browser, request, scope
from tests.console.fakes import MemoryStore, sources, telling

PAGES = ("/", "/sessions", "/sessions/7f3a91c2d4e5", "/nowhere")


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:7701",
        "127.0.0.1.evil.example:7701",
        "localhost.evil.example",
        "evil.example@127.0.0.1:7701",
        "127.0.0.1:7701@evil.example",
        "127.0.0.1:99999",
        "127.0.0.1/evil",
        "127.0.0.1:7701, evil.example",
        "[::1",
        "::1",
        "10.0.0.7",
        "2130706433",
        "xn--127-0-0-1.example",
        "",
    ],
)
def test_a_foreign_host_is_told_nothing(host: str) -> None:
    browser = Browser(telling()).sign_in()
    answer = browser.ask("GET", "/", host=host)
    assert answer.status == 421
    assert "Halden" not in answer.text
    assert "interlocked" not in answer.text


def test_two_hosts_are_none() -> None:
    browser = Browser(telling()).sign_in()
    assert browser.get("/", ("host", HOST)).status == 421


@pytest.mark.parametrize("host", ["127.0.0.1:7701", "localhost:7701", "LOCALHOST:8080", "[::1]:7701", "localhost."])
def test_our_own_names_are_served(host: str) -> None:
    assert Browser(telling()).get("/healthz", host=host).text == "ok\n"


def test_names_of_the_settings_are_served_and_their_cookie_is_for_tls_only() -> None:
    browser = Browser(telling(), ConsoleSettings(hosts=("console.example",)))
    answer = browser.get(browser.link(), host="console.example")
    assert answer.status == 303
    cookie = answer.header("set-cookie")
    assert cookie.startswith("__Host-interlock-7701=")
    assert "; Secure" in cookie


def test_the_address_that_a_connection_came_in_on_needs_no_name() -> None:
    app = Browser(telling()).app
    met = asyncio.run(request(app, "GET", "/healthz", [("host", "192.0.2.7:7701")], server=("192.0.2.7", 7701)))
    other = asyncio.run(request(app, "GET", "/healthz", [("host", "192.0.2.8:7701")], server=("192.0.2.7", 7701)))
    assert (met.status, other.status) == (200, 421)


@pytest.mark.parametrize("target", PAGES)
def test_a_page_needs_a_session(target: str) -> None:
    answer = Browser(telling()).get(target)
    assert answer.status == 401
    assert "one-time link" in answer.text
    assert "Halden" not in answer.text


def test_healthz_and_static_files_need_none() -> None:
    browser = Browser(telling())
    page = browser.get("/").text
    sheet = page.partition('rel="stylesheet" href="')[2].partition('"')[0]
    answer = browser.get(sheet)
    assert answer.status == 200
    assert answer.header("content-type") == "text/css; charset=utf-8"
    assert answer.header("cache-control") == "public, max-age=31536000, immutable"
    assert browser.get("/healthz").status == 200


@pytest.mark.parametrize(
    "target",
    [
        "/static/../settings.py",
        "/static/%2e%2e/settings.py",
        "/static/x/..%2f..%2fapp.py",
        "/static/x/console.css",
        "/static//etc/passwd",
        "/static/",
        "/static",
        "/static%00/",
        "/healthz/../sessions",
        "/healthz/",
        "//healthz",
        "/enter/..//sessions",
    ],
)
def test_no_path_leads_anywhere_else(target: str) -> None:
    answer = Browser(telling()).get(target)
    assert answer.status in (401, 404)
    assert "7f3a91c2d4e5" not in answer.text


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT", "get", "BREW"])
def test_other_methods_are_refused(method: str) -> None:
    answer = Browser(telling()).sign_in().ask(method, "/")
    assert answer.status == 405
    assert answer.header("allow") == "GET, HEAD, POST"


def test_head_is_get_without_consequences() -> None:
    browser = Browser(telling())
    link = browser.link()
    assert browser.ask("HEAD", link).status == 403
    assert browser.get(link).status == 303


@pytest.mark.parametrize(
    "headers",
    [
        (),
        (("origin", "null"),),
        (("origin", "http://evil.example"),),
        (("origin", "http://127.0.0.1:8080"),),
        (("origin", "http://localhost:7701"),),
        (("origin", f"{ORIGIN}.evil.example"),),
        (("origin", f"file://{HOST}"),),
        (("origin", "http://[::1"),),
        (("origin", ORIGIN), ("sec-fetch-site", "cross-site")),
        (("origin", ORIGIN), ("sec-fetch-site", "same-site")),
        (("origin", ORIGIN), ("sec-fetch-site", "none")),
        (("origin", ORIGIN), ("origin", "http://evil.example")),
        (("referer", f"{ORIGIN}/"),),
    ],
)
def test_a_post_from_elsewhere_changes_nothing(headers: tuple[tuple[str, str], ...]) -> None:
    browser = Browser(telling()).sign_in()
    assert browser.post("/leave", *headers).status == 403
    assert browser.get("/").status == 200


def test_a_post_of_our_own_page_signs_out() -> None:
    browser = Browser(telling()).sign_in()
    answer = browser.post("/leave", *OWN)
    assert answer.status == 200
    assert "Max-Age=0" in answer.header("set-cookie")
    assert browser.get("/").status == 401


def test_a_get_does_not_sign_out() -> None:
    browser = Browser(telling()).sign_in()
    assert browser.get("/leave").status == 405
    assert browser.get("/").status == 200


@pytest.mark.parametrize("length", [str(MAX_BODY_BYTES + 1), "-1", "1e3", "", "0x10", "9" * 5000])
def test_a_large_or_odd_body_is_refused(length: str) -> None:
    browser = Browser(telling()).sign_in()
    assert browser.post("/leave", *OWN, ("content-length", length)).status == 413


def test_a_huge_query_is_refused() -> None:
    browser = Browser(telling()).sign_in()
    assert browser.get("/sessions?workload=" + "a" * MAX_QUERY_BYTES).status == 414
    assert browser.get("/sessions?workload=" + "a" * 7000).status == 200


@pytest.mark.parametrize("target", [*PAGES, "/enter?token=x", "/healthz"])
def test_every_answer_carries_the_headers(target: str) -> None:
    for browser in (Browser(telling()), Browser(telling()).sign_in()):
        answer = browser.get(target)
        expected = HEADERS | ({"referrer-policy": "no-referrer"} if target.startswith("/enter") else {})
        assert {name: answer.header(name) for name in expected} == expected
        assert len(answer.header("x-request-id")) == 16
        assert not answer.has("server")


def test_the_policy_allows_nothing_inline_and_nobody_else() -> None:
    policy = HEADERS["content-security-policy"]
    for directive in ("default-src 'none'", "base-uri 'none'", "form-action 'self'", "frame-ancestors 'none'"):
        assert directive in policy
    assert "unsafe" not in policy
    assert "http" not in policy
    for target in PAGES:
        page = Browser(telling()).sign_in().get(target).text
        assert " style=" not in page
        assert "<style" not in page
        assert " onclick" not in page
        assert page.count("<script") == 1


def test_the_cookie_is_ours_alone() -> None:
    browser = Browser(telling())
    cookie = browser.get(browser.link()).header("set-cookie")
    assert cookie.startswith("interlock-7701=")
    assert cookie.partition("; ")[2] == "HttpOnly; Max-Age=43200; Path=/; SameSite=strict"


def test_an_id_from_the_client_is_never_taken_up() -> None:
    browser = Browser(telling())
    browser.cookie = "interlock-7701=chosen-by-somebody-else"
    set_cookie = browser.get(browser.link()).header("set-cookie")
    assert "chosen-by-somebody-else" not in set_cookie
    assert browser.get("/").status == 401


def test_a_tossed_cookie_does_not_sign_out() -> None:
    browser = Browser(telling()).sign_in()
    browser.cookie = f"interlock-7701=tossed; a=b=c; \x80; {browser.cookie}; interlock-7701="
    assert browser.get("/").status == 200


def test_a_used_link_says_what_to_do() -> None:
    browser = Browser(telling())
    link = browser.link()
    browser.get(link)
    answer = browser.get(link)
    assert answer.status == 403
    assert "one-time link" in answer.text
    assert link.partition("=")[2] not in answer.text
    assert not answer.has("set-cookie")


def test_of_two_uses_at_once_one_wins() -> None:
    browser = Browser(telling())
    link = browser.link()

    async def both() -> list[int]:
        answers = await asyncio.gather(*(request(browser.app, "GET", link, [("host", HOST)]) for _ in range(8)))
        return sorted(answer.status for answer in answers)

    assert asyncio.run(both()) == [303] + [403] * 7


@pytest.mark.parametrize("path", ["/sessions?view=all&workload=a%22b", "//evil.example/x", "/\\evil.example"])
def test_a_link_from_another_site_needs_one_more_click(path: str) -> None:
    answer = Browser(telling()).get(path, ("sec-fetch-site", "cross-site"))
    assert answer.status == 401
    href = answer.text.partition('class="btn primary" href="')[2].partition('"')[0]
    assert href.startswith("/")
    assert not href.startswith(("//", "/\\"))


def test_a_websocket_is_closed() -> None:
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "websocket.connect"}

    async def send(message: Message) -> None:
        sent.append(message)

    async def connect() -> None:
        await Browser(telling()).app({**scope("GET", "/", [("host", HOST)]), "type": "websocket"}, receive, send)

    asyncio.run(connect())
    assert sent == [{"type": "websocket.close", "code": 1008}]


def test_a_fault_of_ours_shows_an_id_and_logs_the_rest(caplog: pytest.LogCaptureFixture) -> None:
    def fault() -> object:
        raise RuntimeError("the secret inside")

    browser = Browser(replace(telling(), refresh=fault)).sign_in()
    with caplog.at_level(logging.ERROR):
        answer = browser.get("/?token=not-for-the-log")
    assert answer.status == 500
    assert answer.header("content-security-policy") == HEADERS["content-security-policy"]
    assert "the secret inside" not in answer.text
    assert answer.header("x-request-id") in answer.text
    assert answer.header("x-request-id") in caplog.text
    assert "the secret inside" in caplog.text
    assert "not-for-the-log" not in caplog.text


def test_a_store_that_fails_is_logged_under_the_request(caplog: pytest.LogCaptureFixture) -> None:
    browser = Browser(sources(MemoryStore(broken=True))).sign_in()
    with caplog.at_level(logging.WARNING, logger=pages.__name__):
        answer = browser.get("/sessions")
    assert answer.status == 200
    assert answer.header("x-request-id") in caplog.text
