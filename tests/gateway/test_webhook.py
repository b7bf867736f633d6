"""The webhook of requests for approval, with a real receiver on loopback."""

import asyncio
import hmac
import http.server
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest

from interlock.gateway.webhook import MOST_WAITING, SIGNATURE, Webhook
from interlock.model.approval import Approval, Shown
from interlock.model.errors import ConfigError
from interlock.model.record import Origin
from interlock.policy.approvals import ApprovalSettings

SECRET = "a secret of enough length"


def approval(id_: str = "a-1") -> Approval:
    to = Shown("to", "eve@evil.example", 16, "d1", True, (Origin.UNTRUSTED,), ("read_mail",), ("looks odd",))
    return Approval(
        id_, "b", "w", "k1", "t1", True, "", "mail", "send\u202e", "send", (to,), 0, ("p",), "Why.", 1, 2,
    )  # fmt: skip


@dataclass
class Receiver:
    """What was posted: (headers, body). `answers` are the statuses that it gives, then 204."""

    url: str = ""
    answers: list[int] = field(default_factory=list)
    got: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    held = Receiver()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            held.got.append((dict(self.headers), self.rfile.read(int(self.headers["content-length"]))))
            held.paths.append(self.path)
            status = held.answers.pop(0) if held.answers else 204
            self.send_response(status)
            if status == 302:
                self.send_header("location", "/elsewhere")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    held.url = f"http://127.0.0.1:{server.server_port}/hook?room=1"
    yield held
    server.shutdown()
    thread.join()
    server.server_close()


def hook(url: str, failed: Callable[[str], None] = lambda _: None, pauses: tuple[float, ...] = (0, 0, 0)) -> Webhook:
    settings = ApprovalSettings(webhook_url=url, console_url="https://console.example/")
    return Webhook(settings, SECRET, lambda: 1_700_000_000, failed, pauses)


def run(webhook: Webhook, until: Callable[[], bool], *approvals: Approval) -> None:
    """Tell of these, and go on until something has happened."""

    async def all_of_it() -> None:
        task = asyncio.create_task(webhook.run())
        for one in approvals:
            webhook.tell(one)
        await asyncio.wait_for(_until(until), 20)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(all_of_it())


async def _until(happened: Callable[[], bool]) -> None:
    while not happened():  # noqa: ASYNC110 - the receiver is a thread of its own
        await asyncio.sleep(0.005)


def test_a_request_is_told_signed_and_without_a_value(receiver: Receiver) -> None:
    run(hook(receiver.url), lambda: bool(receiver.got), approval())
    ((headers, body),) = receiver.got
    at, _, seal = headers[SIGNATURE].partition(",v1=")
    assert at == "t=1700000000"
    assert hmac.compare_digest(seal, hmac.new(SECRET.encode(), b"1700000000." + body, "sha256").hexdigest())
    told = json.loads(body)
    assert (told["event"], told["id"], told["workload"]) == ("approval.requested", "a-1", "w")
    assert told["url"] == "https://console.example/approvals/a-1"
    assert told["tool"] == "send[U+202E]"
    assert told["arguments"][0]["came_from"] == "the result of read_mail, which outsiders can write"
    assert "eve@evil.example" not in body.decode()
    assert receiver.paths == ["/hook?room=1"]


@pytest.mark.parametrize("first", [500, 429, 302, 404])
def test_what_fails_is_tried_again(receiver: Receiver, first: int) -> None:
    receiver.answers = [first, first]
    webhook = hook(receiver.url)
    run(webhook, lambda: len(receiver.got) == 3, approval())
    assert (webhook.problem, set(receiver.paths)) == ("", {"/hook?room=1"})


def test_what_fails_four_times_is_given_up_and_said(receiver: Receiver) -> None:
    receiver.answers = [500] * 4
    said: list[str] = []
    webhook = hook(receiver.url, said.append)
    run(webhook, lambda: bool(said), approval())
    assert said == ["127.0.0.1 was not told of a-1: it answered 500"]
    assert webhook.problem == said[0]
    run(webhook, lambda: len(receiver.got) == 5 and not webhook.problem, approval("a-2"))
    assert webhook.problem == ""


def test_nobody_listens() -> None:
    said: list[str] = []
    run(hook("http://127.0.0.1:9/", said.append), lambda: bool(said), approval())
    assert said[0].startswith("127.0.0.1 was not told of a-1: ")


def test_telling_waits_for_nobody_and_is_bounded() -> None:
    said: list[str] = []
    webhook = hook("http://127.0.0.1:9/", said.append)
    for number in range(MOST_WAITING + 3):
        webhook.tell(approval(f"a-{number}"))
    assert said == [f"127.0.0.1 was not told of a-{n}: too many wait to be told" for n in range(3)]


@pytest.mark.parametrize(
    ("url", "secret"),
    [
        ("http://chat.example/hook", SECRET), ("ftp://127.0.0.1/", SECRET), ("https://", SECRET), ("chat", SECRET),
        ("https://user@chat.example/", SECRET), ("https://chat.example/", ""), ("https://chat.example/", "short"),
        ("http://[::1", SECRET),
    ],
)  # fmt: skip
def test_an_address_or_a_secret_that_is_none_is_refused(url: str, secret: str) -> None:
    with pytest.raises(ConfigError):
        Webhook(ApprovalSettings(webhook_url=url), secret, lambda: 0, lambda _: None)
