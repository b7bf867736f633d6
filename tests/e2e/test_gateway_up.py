"""`interlock up` as a process: it refuses what is broken, survives being killed, and stops when it is asked to."""

import asyncio
import http.client
import json
import signal
import socket
import threading
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from interlock.model.record import RecordKind
from interlock.store.segments import read
from interlock.testing.model import ModelServer, Say
from interlock.testing.raw import Move, Play, RawServer
from tests.gateway.process import Up, configure, interlock, make_key, up
from tests.gateway.wire import (
    DONE,
    END,
    NOWHERE,
    PATH,
    PROVIDER_KEY,
    STREAM_HEAD,
    STREAMED,
    Client,
    chunk,
    event,
    run,
)

CLIENTS = 4
ROUNDS = 3
ANSWERS = 40


def ask(port: int, key: str, model: str = "m") -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        body = json.dumps({"model": model, "messages": [{"role": "user", "content": "hi"}]})
        connection.request("POST", PATH, body, {"authorization": f"Bearer {key}"})
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


@pytest.fixture
def model() -> Iterator[ModelServer]:
    with ModelServer(lambda _: Say("hello")) as server:
        yield server


# --- starting ------------------------------------------------------------------------------------------------

BROKEN = {
    "no TOML": ("[gateway\nport = 0", "interlock.toml:1:", "not TOML"),
    "an unknown section": ("[gateway]\nport = 0\n[gatway]\nport = 1", "interlock.toml:3:", "gatway"),
    "an unknown setting": ("[gateway]\nport = 0\nprot = 1", "interlock.toml:3:", "prot"),
    "a wrong type": ('[gateway]\nport = "a"', "interlock.toml:2:", "port"),
    "a port out of range": ("[gateway]\nport = 70000", "70000", "port"),
    "a console's port out of range": ("[gateway]\nport = 0\n[console]\nport = 70000", "70000", "port"),
    "a name that is none": ('[gateway]\nport = 0\nname = "../x"', "../x", "name"),
    "an address that is none": ('[gateway]\nport = 0\nhost = "256.256.256.256"', "256.256.256.256", "listen"),
    "no url": ("[gateway]\nport = 0\n[llm.upstreams.x]\n", "x", "url"),
    "a url with a bad port": ('[gateway]\nport = 0\n[llm.upstreams.x]\nurl = "http://h:99999/"', "x", "url"),
    "no authorities": (
        '[gateway]\nport = 0\n[llm.upstreams.x]\nurl = "https://h/"\nca_file = "absent.pem"', "ca_file", "PEM",
    ),
    "no policy": ('[gateway]\nport = 0\n[policy]\nfiles = ["absent.cedar"]', "absent.cedar", "cannot read"),
    "a policy that does not parse": ('[gateway]\nport = 0\n[policy]\nfiles = ["bad.cedar"]', "bad.cedar:1", ""),
    "a policy that does not validate": ('[gateway]\nport = 0\n[policy]\nfiles = ["odd.cedar"]', "odd.cedar:1", ""),
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_configuration_does_not_start(name: str, tmp_path: Path) -> None:
    text, where, says = BROKEN[name]
    (tmp_path / "interlock.toml").write_text(text + "\n")
    (tmp_path / "bad.cedar").write_text('@id("a")\npermit (principal, action, resource\n')
    (tmp_path / "odd.cedar").write_text('@id("a")\npermit (principal, action == Action::"fly", resource);\n')
    result = interlock(tmp_path, "up")
    assert result.returncode == 3
    assert result.stdout == ""
    assert result.stderr.startswith("interlock: ")
    assert "Traceback" not in result.stderr
    assert where in result.stderr
    assert says in result.stderr
    assert "\n  " in result.stderr  # what to do about it


def test_a_port_in_use(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        for section in ("gateway", "console"):
            other = "console" if section == "gateway" else "gateway"
            (tmp_path / "interlock.toml").write_text(f"[{section}]\nport = {port}\n[{other}]\nport = 0\n")
            result = interlock(tmp_path, "up")
            assert result.returncode == 3
            assert "Traceback" not in result.stderr
            assert str(port) in result.stderr
            assert section in result.stderr


def test_a_data_folder_that_cannot_be_written(tmp_path: Path) -> None:
    configure(tmp_path, NOWHERE)
    (tmp_path / "data").write_text("a file where the folder should be")
    result = interlock(tmp_path, "up")
    assert result.returncode == 3
    assert "Traceback" not in result.stderr
    assert "data" in result.stderr


def test_two_gateways_do_not_share_a_log(tmp_path: Path) -> None:
    configure(tmp_path, NOWHERE)
    with up(tmp_path):
        result = interlock(tmp_path, "up")
    assert result.returncode == 3
    assert "another process" in result.stderr


# --- running -------------------------------------------------------------------------------------------------


def test_keys_come_and_go_while_it_runs(tmp_path: Path, model: ModelServer) -> None:
    configure(tmp_path, model.url)
    with up(tmp_path) as gateway:
        key = make_key(tmp_path)
        for _ in range(10_000):
            if ask(gateway.port, key)[0] == 200:
                break
        assert ask(gateway.port, key)[0] == 200
        assert interlock(tmp_path, "identity", "revoke", key.split("_")[1]).returncode == 0
        for _ in range(10_000):
            if ask(gateway.port, key)[0] == 401:
                break
        assert ask(gateway.port, key)[0] == 401


def test_no_secret_is_written_anywhere(tmp_path: Path, model: ModelServer) -> None:
    configure(tmp_path, model.url)
    key = make_key(tmp_path)
    with up(tmp_path) as gateway:
        assert ask(gateway.port, key)[0] == 200
        assert ask(gateway.port, key[:-1])[0] == 401
        assert ask(gateway.port, PROVIDER_KEY)[0] == 401
        gateway.process.terminate()
        assert gateway.process.wait(20) == 0
        assert gateway.process.stdout
        said = gateway.process.stdout.read() + gateway.errors.read_text()
    files = [path for path in (tmp_path / "data").rglob("*") if path.is_file()]
    assert files
    for word in (PROVIDER_KEY, key, key.split("_")[2][:52]):
        assert word not in said
        assert not [path for path in files if word.encode() in path.read_bytes()]


def test_sigterm_lets_a_stream_end(tmp_path: Path) -> None:
    async def work() -> None:
        last = chunk(event("two", "stop")) + chunk(DONE) + END
        play: Play = [Move.READ, STREAM_HEAD + chunk(event("one ")), go, last]
        async with RawServer([play]) as server:
            configure(tmp_path, server.url)
            key = await asyncio.to_thread(make_key, tmp_path)
            with up(tmp_path) as gateway:
                reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
                client = Client(reader, writer)
                head = f"POST {PATH} HTTP/1.1\r\nHost: g\r\nAuthorization: Bearer {key}\r\n"
                client.send(f"{head}Content-Length: {len(STREAMED)}\r\n\r\n".encode() + STREAMED)
                await client.head()
                gateway.process.send_signal(signal.SIGTERM)
                while "stopping" not in await asyncio.to_thread(gateway.line):
                    pass
                go.set()
                said = b"".join([piece async for piece in client.chunks()])
                assert said.endswith(DONE)
                assert b"two" in said
                writer.close()
                assert await asyncio.to_thread(gateway.process.wait, 20) == 0
                assert gateway.errors.read_text() == ""

    go = asyncio.Event()
    run(work)
    verified = interlock(tmp_path, "audit", "verify")
    assert verified.returncode == 0, verified.stdout
    assert "stopped" in [stored.record.reason for stored in read(tmp_path / "data" / "audit" / "gw-1")][-1]


class Crowd:
    """Clients that ask as fast as they can until the gateway is gone. `answered` names the models that answered."""

    def __init__(self, gateway: Up, key: str, numbers: Iterator[int]) -> None:
        self.answered: list[str] = []
        self.faults: list[str] = []
        self.enough = threading.Event()
        self._gateway = gateway
        self._key = key
        self._numbers = numbers
        self._threads = [threading.Thread(target=self._ask) for _ in range(CLIENTS)]
        for thread in self._threads:
            thread.start()

    def join(self) -> None:
        for thread in self._threads:
            thread.join(30)
            assert not thread.is_alive()

    def _ask(self) -> None:
        try:
            while True:
                name = f"m{next(self._numbers)}"
                status, body = ask(self._gateway.port, self._key, name)
                if status != 200 or b"hello" not in body:
                    self.faults.append(f"{status} {body!r}")
                    return
                self.answered.append(name)
                if len(self.answered) >= ANSWERS:
                    self.enough.set()
        except (OSError, http.client.HTTPException):
            return  # the gateway was killed, as it should be
        finally:
            self.enough.set()


def test_kill_9_loses_no_record_of_an_answer(tmp_path: Path, model: ModelServer) -> None:
    configure(tmp_path, model.url)
    key = make_key(tmp_path)
    numbers = count()
    answered: list[str] = []
    for _ in range(ROUNDS):
        with up(tmp_path) as gateway:
            crowd = Crowd(gateway, key, numbers)
            assert crowd.enough.wait(30)
            gateway.process.kill()
            crowd.join()
            assert crowd.faults == []
            assert len(crowd.answered) >= ANSWERS
            answered += crowd.answered
    with up(tmp_path) as gateway:
        assert ask(gateway.port, key)[0] == 200
        gateway.process.terminate()
        assert gateway.process.wait(20) == 0
    verified = interlock(tmp_path, "audit", "verify")
    assert verified.returncode == 0, verified.stdout + verified.stderr
    records = [stored.record for stored in read(tmp_path / "data" / "audit" / "gw-1")]
    for kind in (RecordKind.REQUEST, RecordKind.ANSWER):
        assert not set(answered) - {record.model for record in records if record.kind is kind}
