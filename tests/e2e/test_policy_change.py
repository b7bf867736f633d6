"""A policy is written, taken over by a running gateway, tried on what it recorded, and softened by a command."""

import http.client
import json
import signal
from collections.abc import Callable
from pathlib import Path

from interlock.testing.model import ModelServer, Say
from tests.gateway.process import Up, configure, interlock, make_key, up
from tests.gateway.wire import PATH

CLOSED = '@id("closed") @reason("Closed.") forbid (principal, action == Action::"callModel", resource);\n'
BODY = json.dumps({"model": "m", "messages": [{"role": "user", "content": "hi"}]})


def ask(running: Up, key: str) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", running.port, timeout=20)
    try:
        connection.request("POST", PATH, BODY, {"authorization": f"Bearer {key}"})
        return connection.getresponse().status
    finally:
        connection.close()


def until(running: Up, holds: Callable[[], bool]) -> None:
    """Ask until it holds; the process is killed if that takes too long, and then nobody can ask."""
    while not holds():
        assert running.process.poll() is None


def test_a_policy_from_the_file_to_the_gateway_and_back(tmp_path: Path) -> None:
    own = tmp_path / "own.cedar"
    own.write_text("")
    with ModelServer(lambda _: Say("hello")) as model:
        configure(tmp_path, f"{model.url}/v1", '[policy]\nfiles = ["own.cedar"]\n')
        key = make_key(tmp_path)
        with up(tmp_path) as running:
            assert ask(running, key) == 200
            own.write_text(CLOSED)
            running.process.send_signal(signal.SIGHUP)
            until(running, lambda: ask(running, key) == 403)

            own.write_text("forbid")
            running.process.send_signal(signal.SIGHUP)
            until(running, lambda: "the old ones stay in force" in running.errors.read_text())
            assert ask(running, key) == 403

            own.write_text(CLOSED)
            assert interlock(tmp_path, "policy", "mode", "closed", "observe").returncode == 0
            until(running, lambda: ask(running, key) == 200)  # nobody has said that it changed

            told = interlock(tmp_path, "audit", "query", "--limit", "2").stdout
            assert "Only observed, would be refused by: closed." in " ".join(told.split())
            tried = interlock(tmp_path, "policy", "replay", "--policy", str(own), "--fail-on-change")
            assert tried.returncode == 1
            assert "refused, would be allowed" in tried.stdout
            assert "allowed, stays allowed, and noted" in tried.stdout
            suggested = interlock(tmp_path, "policy", "suggest").stdout
            assert '"m", #' in suggested
