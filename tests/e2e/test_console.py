"""The console in a real browser: Debian's Chromium, a real listener on loopback, nobody else on the network."""

import asyncio
import shutil
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from queue import Queue
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from interlock.console.access import Access
from interlock.console.app import build
from interlock.console.serve import Listening, serve
from interlock.console.settings import ConsoleSettings
from interlock.model.record import Argument, Origin, Step, Verdict
from tests.console.fakes import (
    NO,
    NOW,
    SECOND,
    UNKNOWN,
    YES,
    MemoryStore,
    covered,
    exchange,
    five,
    hijacked,
    quiet,
    row,
    sources,
)
from tests.console.scenes import outside, various

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium on PATH: apt-get install chromium")

# Outside a container's reach: no sandbox to nest, and nothing that Chromium does of its own accord. The last one
# makes a stranger's name lead to this machine, as DNS rebinding does.
ARGS = [
    "--no-sandbox",
    "--headless",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP rebound.example 127.0.0.1",
]
LONG = "a-workload-whose-name-is-as-long-as-names-of-sixty-are-xxxxx"
WILD = "t" * 100_000
SESSION = "7f3a91c2d4e5"
# What Chromium says of a page that is meant to answer 4xx, and of plain HTTP under a name that is not loopback.
EXPECTED = ("the server responded with a status of 4", "Cross-Origin-Opener-Policy header has been ignored")
PAGES = (
    "/", "/sessions?view=all", f"/sessions/{SESSION}", "/sessions/va1105", "/outside", "/tools", "/use", "/exceptions",
)  # fmt: skip
WIDTHS = (1440, 1024, 768, 390, 320)


@dataclass
class Console:
    """A console that runs in a thread of its own."""

    listening: Listening
    access: Access

    def link(self) -> str:
        return self.access.mint_link(self.listening.url)


def _store() -> MemoryStore:
    store = MemoryStore()
    store.log(*hijacked(SESSION))
    store.log(*(record for n in range(60) for record in quiet(f"quiet{n:02}", NOW - (n + 1) * 60 * SECOND)))
    call = Step(
        "call",
        tool=WILD,
        sink="send",
        verdict=Verdict.BLOCKED,
        reason="pay\u202eyap " + "r" * 3000,
        policies=("p" * 80,),
        arguments=(Argument("n" * 60, "v" * 100_000, (Origin.UNTRUSTED,), ("w" * 60,)), Argument("<b>", "\u200b", ())),
    )
    steps = tuple(Step("tool_result", tool="w" * 60, size=n + 1, origin=Origin.UNTRUSTED) for n in range(498))
    wild = exchange("x" * 60, "wild", steps, (call,), at_us=NOW - SECOND, workload=LONG, model="m" * 60)
    store.log(*wild, *various(), *outside())
    return store


@pytest.fixture(scope="module")
def console() -> Iterator[Console]:
    rows = (*five().rows, row(LONG, (YES, NO, YES, UNKNOWN, NO)))
    given = replace(sources(_store(), covered(*rows)), title="Größenwahn Verwaltungsgesellschaft " + "x" * 40)
    settings = ConsoleSettings(port=0)
    access = Access()
    started: Queue[tuple[Listening, asyncio.AbstractEventLoop, asyncio.Event] | BaseException] = Queue()

    async def run() -> None:
        stop = asyncio.Event()
        async with serve(build(given, access, settings), settings) as listening:
            started.put((listening, asyncio.get_running_loop(), stop))
            await stop.wait()

    def work() -> None:
        try:
            asyncio.run(run())
        except BaseException as error:
            started.put(error)
            raise

    thread = threading.Thread(target=work)
    thread.start()
    first = started.get(timeout=20)
    if isinstance(first, BaseException):
        raise first
    listening, loop, stop = first
    yield Console(listening, access)
    loop.call_soon_threadsafe(stop.set)
    thread.join(timeout=20)
    assert not thread.is_alive()


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGS)
        yield browser
        browser.close()


@dataclass
class Watch:
    """Everything that a page must not do, as it happens."""

    faults: list[str] = field(default_factory=list)

    def attach(self, page: Page, own: str) -> None:
        page.on("console", lambda message: self._console(message.type, message.text))
        page.on("pageerror", lambda error: self.faults.append(f"error: {error}"))
        page.on("request", lambda request: self._request(request.url, own))
        page.add_init_script(
            "addEventListener('securitypolicyviolation', e => console.error('CSP', e.violatedDirective, e.blockedURI))"
        )

    def _console(self, kind: str, text: str) -> None:
        if kind in ("error", "warning") and not any(said in text for said in EXPECTED):
            self.faults.append(f"console: {text}")

    def _request(self, url: str, own: str) -> None:
        if urlsplit(url).netloc != own and urlsplit(url).hostname not in ("rebound.example", "elsewhere.example"):
            self.faults.append(f"request: {url}")


@pytest.fixture
def context(chromium: Browser) -> Iterator[BrowserContext]:
    with chromium.new_context(viewport={"width": 1440, "height": 900}, color_scheme="light") as made:
        made.set_default_timeout(15_000)
        yield made


@pytest.fixture
def page(context: BrowserContext, console: Console) -> Iterator[Page]:
    """A page that watches itself, not signed in."""
    watch = Watch()
    opened = context.new_page()
    watch.attach(opened, urlsplit(console.listening.url).netloc)
    yield opened
    assert watch.faults == []


def test_from_the_link_to_the_blocked_step(page: Page, console: Console) -> None:
    page.goto(console.link())
    assert page.url == console.listening.url + "/"
    expect(page.get_by_role("heading", level=1)).to_have_text("1 of 5 workloads is interlocked")
    page.get_by_role("link", name="1 step of invoice-agent").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("The call of send_payment was blocked")
    page.get_by_role("link", name="untrusted: read_invoice, step 5").last.click()
    assert page.url.endswith(f"/sessions/{SESSION}#s5")
    expect(page.locator("#s5")).to_be_in_viewport()
    assert page.locator("time").first.get_attribute("title") == "24 Nov 2026 12:01:07 UTC"


def test_a_link_works_once(page: Page, console: Console, context: BrowserContext) -> None:
    link = console.link()
    page.goto(link)
    page.goto(link)
    expect(page.get_by_role("heading", level=1)).to_have_text("This link does not work any more.")
    context.clear_cookies()
    page.goto(console.listening.url)
    expect(page.get_by_role("heading", level=1)).to_have_text("You are not signed in.")


def test_the_cookie_is_out_of_reach_and_the_token_goes_nowhere(
    page: Page, console: Console, context: BrowserContext
) -> None:
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.headers.get("referer", "")))
    page.goto(console.link())
    (cookie,) = context.cookies()
    assert (cookie["httpOnly"], cookie["sameSite"], cookie["path"]) == (True, "Strict", "/")
    assert page.evaluate("document.cookie") == ""
    assert not any("token" in referer for referer in sent)
    assert "token" not in page.url


def test_the_theme_is_kept(page: Page, console: Console) -> None:
    page.goto(console.link())
    background = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(background)
    page.get_by_role("button", name="Switch between light and dark").click()
    dark = page.evaluate(background)
    assert light != dark
    page.reload()
    assert page.evaluate(background) == dark


def test_filters_survive_reload_and_back(page: Page, console: Console) -> None:
    page.goto(console.link())
    page.goto(console.listening.url + "/sessions")
    page.get_by_role("link", name="All", exact=True).click()
    page.get_by_label("Workload").select_option("support-copilot")
    page.get_by_role("button", name="Show").click()
    filtered = page.url
    assert filtered.endswith("/sessions?view=all&workload=support-copilot")
    page.get_by_role("link", name="Older").click()
    expect(page.get_by_label("Workload")).to_have_value("support-copilot")
    older = page.url
    page.reload()
    assert page.url == older
    expect(page.get_by_text("10 sessions on this page")).to_be_visible()
    page.go_back()
    assert page.url == filtered
    expect(page.get_by_label("Workload")).to_have_value("support-copilot")


def test_it_works_without_script(chromium: Browser, console: Console) -> None:
    with chromium.new_context(java_script_enabled=False) as context:
        page = context.new_page()
        page.goto(console.link())
        page.get_by_role("link", name="No owner").click()
        assert page.url == console.listening.url + "/?gap=no-owner#coverage"
        page.get_by_role("link", name="Sessions").first.click()
        page.get_by_label("Workload").select_option("invoice-agent")
        page.get_by_role("button", name="Show").click()
        page.get_by_role("link", name=SESSION).click()
        page.get_by_role("link", name="Blocked only").click()
        expect(page.locator(".trace > li")).to_have_count(1)
        expect(page.locator("time").first).to_contain_text("UTC")


def test_the_keyboard_is_enough(page: Page, console: Console) -> None:
    page.goto(console.link())
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()
    page.keyboard.press("g")
    page.keyboard.press("s")
    expect(page.get_by_role("heading", level=1)).to_have_text("3 sessions need a look")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("The call of send_payment was blocked")
    page.keyboard.press("]")
    expect(page.locator("#s10")).to_be_focused()
    page.keyboard.press("k")
    expect(page.locator("#s9")).to_be_focused()
    for key, words in (("u", "in the last day"), ("e", "exceptions are in force"), ("o", "is interlocked")):
        page.keyboard.press("g")
        page.keyboard.press(key)
        expect(page.get_by_role("heading", level=1)).to_contain_text(words)


def test_what_was_refused_is_found_from_the_sessions(page: Page, console: Console) -> None:
    page.goto(console.link())
    page.goto(console.listening.url + "/sessions")
    page.get_by_role("link", name="Outside sessions").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("5 of 8 requests and connections were refused")
    page.get_by_label("Workload").select_option("build-bot")
    page.get_by_role("button", name="Show").click()
    assert page.url.endswith("/outside?workload=build-bot")
    passed = page.get_by_role("row", name="Passed unread")
    expect(passed).to_contain_text("wiki.example:443")
    expect(passed).to_contain_text("3.4 MB")
    page.get_by_role("link", name="Needs a look").click()
    assert page.url.endswith("/sessions?view=attention&workload=build-bot")


def test_from_the_overview_to_the_exceptions(page: Page, console: Console) -> None:
    page.goto(console.link())
    page.get_by_role("region", name="Let through all the same").get_by_role("link").click()
    assert page.url == console.listening.url + "/exceptions"
    expect(page.get_by_role("row", name="no-scope")).to_contain_text("[workloads.kb-search] models, tools")


def test_signing_out_is_a_form_that_the_browser_lets_through(page: Page, console: Console) -> None:
    page.goto(console.link())
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("You are signed out.")
    page.goto(console.listening.url)
    expect(page.get_by_role("heading", level=1)).to_have_text("You are not signed in.")


def test_a_rebound_name_reads_nothing(page: Page, console: Console) -> None:
    page.goto(console.link())
    answer = page.goto(f"http://rebound.example:{console.listening.port}/")
    assert answer is not None
    assert answer.status == 421
    assert page.locator("body").inner_text().strip() == "This console is not reached under that name."


def test_another_site_can_lead_here_but_not_act_here(page: Page, console: Console) -> None:
    own = console.listening.url
    link = console.link()
    body = f'<a href="{link}">enter</a><form method="post" action="{own}/leave"><button>leave</button></form>'
    page.route("http://elsewhere.example/", lambda route: route.fulfill(body=body, content_type="text/html"))
    page.goto("http://elsewhere.example/")
    page.get_by_role("link", name="enter").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("You are not signed in.")
    page.get_by_role("link", name="Continue").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("1 of 5 workloads is interlocked")
    page.goto("http://elsewhere.example/")
    page.get_by_role("button", name="leave").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("This request came from another site.")
    page.goto(own)
    expect(page.get_by_role("heading", level=1)).to_have_text("1 of 5 workloads is interlocked")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_page_scrolls_sideways(page: Page, console: Console, scheme: str) -> None:
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    page.goto(console.link())
    for target in (*PAGES, "/sessions/" + "x" * 60, "/nowhere", "/enter?token=x"):
        page.goto(console.listening.url + target)
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 800})
            excess = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
            assert excess <= 0, f"{target} at {width} px is {excess} px too wide"


def test_every_control_has_a_name_and_room(page: Page, console: Console) -> None:
    page.goto(console.link())
    page.set_viewport_size({"width": 390, "height": 800})
    for target in PAGES:
        page.goto(console.listening.url + target)
        for control in page.get_by_role("button").all() + page.locator("nav a").all():
            box = control.bounding_box()
            if box is None:
                continue
            assert control.inner_text().strip() or control.get_attribute("aria-label")
            assert box["height"] >= 18
            assert box["width"] >= 18
        assert page.locator("h1").count() == 1
        assert page.locator("main").count() == 1


def test_hostile_evidence_is_shown_and_does_nothing(page: Page, console: Console) -> None:
    page.goto(console.link())
    page.goto(console.listening.url + "/sessions/" + "x" * 60)
    expect(page.get_by_text("U+202E").first).to_be_visible()
    expect(page.locator("#s500")).to_be_attached()
    fold = page.locator("#s500 details").first
    assert "100,000 characters" in fold.inner_text()
    fold.locator("summary").click()
    assert len(fold.inner_text()) > 100_000
