"""Programs whose endpoints are fixed, unchanged, through the forward proxy of a real gateway."""

import datetime
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from interlock.identity.authority import open_authority
from interlock.model.record import RecordKind
from interlock.store.segments import read
from interlock.testing.model import Document, ModelServer, Say
from tests.gateway.process import LIMIT_S, configure, make_key, up

PROGRAM = """
import sys
import openai
client = openai.OpenAI(base_url=sys.argv[1], api_key="sk-fixed", max_retries=0)
ask = dict(model="m", messages=[{"role": "user", "content": "hi"}])
print(client.chat.completions.create(**ask).choices[0].message.content)
with client.chat.completions.create(**ask, stream=True) as stream:
    print("".join(part.choices[0].delta.content or "" for part in stream if part.choices))
try:
    client.files.list()
except openai.APIStatusError as error:
    print(error.status_code)
"""
REQUEST = json.dumps({"model": "m", "messages": [{"role": "user", "content": "hi"}]})


def script(_: Document) -> Say:
    return Say("hello there")


@dataclass
class Served:
    """A gateway, the model behind it, and what a program has to be given."""

    model: ModelServer
    folder: Path
    env: dict[str, str]

    def run(self, *command: str, **env: str) -> subprocess.CompletedProcess[str]:
        outside = {n: v for n, v in os.environ.items() if "proxy" not in n.lower() and "CERT" not in n}
        given = {**outside, **self.env, **env}
        return subprocess.run(command, env=given, capture_output=True, text=True, timeout=LIMIT_S, check=False)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("fixed")
    theirs = open_authority(folder / "theirs", ["localhost"], lambda: datetime.datetime.now(datetime.UTC))
    with ModelServer(script, tls=theirs.context("localhost")) as model:
        configure(folder, model.url, f'ca_file = "{theirs.certificate_pem}"\n')
        key = make_key(folder)
        with up(folder) as gateway:
            proxy = gateway.url.replace("//", f"//interlock:{key}@")
            trust = str(folder / "data/keys/ca.pem")
            yield Served(model, folder, {"HTTPS_PROXY": proxy, "SSL_CERT_FILE": trust, "CURL_CA_BUNDLE": trust})
            assert gateway.errors.read_text() == ""


def test_the_openai_sdk_with_its_address_and_key_in_the_code(served: Served) -> None:
    done = served.run(sys.executable, "-c", PROGRAM, served.model.url)
    assert done.stdout.split("\n")[:3] == ["hello there", "hello there ", "404"], done.stderr
    assert len(served.model.asked) == 2
    kinds = [stored.record.kind for stored in read(served.folder / "data/audit/gw-1")]
    assert kinds.count(RecordKind.CONNECT) >= 1
    assert kinds.count(RecordKind.REQUEST) == kinds.count(RecordKind.ANSWER) == 2


def test_without_the_authority_the_program_does_not_speak(served: Served) -> None:
    done = served.run(
        sys.executable, "-c", PROGRAM, served.model.url, SSL_CERT_FILE=str(served.folder / "theirs/ca.pem")
    )
    assert "APIConnectionError" in done.stderr
    assert not done.stdout


def test_a_key_that_is_none_gets_nowhere(served: Served) -> None:
    wrong = served.env["HTTPS_PROXY"].replace("ilk_", "ilk_x")
    done = served.run(sys.executable, "-c", PROGRAM, served.model.url, HTTPS_PROXY=wrong)
    assert "407" in done.stderr


curl = pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl on this machine")


def curls(served: Served, url: str, *more: str, **env: str) -> subprocess.CompletedProcess[str]:
    body = ("-H", "content-type: application/json", "-d", REQUEST)
    return served.run("curl", "-sS", "-i", "--http1.1", *body, *more, url, **env)


@curl
def test_curl(served: Served) -> None:
    done = curls(served, f"{served.model.url}/chat/completions")
    assert done.stdout.startswith("HTTP/1.1 200 Connection established\n\nHTTP/1.1 200 OK\n"), done.stderr
    assert "hello there" in done.stdout


@curl
def test_curl_is_told_why_a_host_is_refused(served: Served) -> None:
    done = curls(served, "https://bank.example/")
    assert done.stdout.startswith("HTTP/1.1 403 interlock: bank.example is no AI service")
    assert done.returncode


@curl
def test_curl_does_not_speak_without_the_authority(served: Served) -> None:
    done = curls(served, f"{served.model.url}/chat/completions", CURL_CA_BUNDLE=str(served.folder / "theirs/ca.pem"))
    assert done.returncode == 60
    assert "hello" not in done.stdout


@curl
def test_curl_over_http_2_is_served_over_http_1(served: Served) -> None:
    done = curls(served, f"{served.model.url}/chat/completions", "--http2")
    assert "hello there" in done.stdout


NODE = """
const tls = require("tls"), http = require("http");
const [proxy, place, ca] = process.argv.slice(1);
const url = new URL(proxy);
const auth = "Basic " + Buffer.from(url.username + ":" + url.password).toString("base64");
http.request({host: url.hostname, port: url.port, method: "CONNECT", path: place,
              headers: {"Proxy-Authorization": auth}})
  .on("connect", (answer, socket) => {
    const secure = tls.connect({socket, servername: place.split(":")[0], ca: require("fs").readFileSync(ca)}, () => {
      console.log(secure.authorized, secure.getPeerCertificate().subjectaltname);
      secure.end();
    });
  }).end();
"""


@pytest.mark.skipif(shutil.which("node") is None, reason="there is no node on this machine")
def test_node_believes_it(served: Served) -> None:
    place = served.model.url.split("/")[2]
    done = served.run("node", "-e", NODE, served.env["HTTPS_PROXY"], place, served.env["SSL_CERT_FILE"])
    assert done.stdout == "true DNS:localhost\n", done.stderr
