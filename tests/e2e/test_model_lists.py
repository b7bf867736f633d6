"""Every SDK asks its own provider for the models, through the gateway, with the key where that provider wants it."""

import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ollama
import openai
import pytest
from anthropic import Anthropic
from google import genai
from google.genai import types
from openai import AzureOpenAI, OpenAI

from interlock.testing.answering import Answered, AnsweringServer, Asked
from tests.gateway.process import configure, interlock, make_key, up
from tests.gateway.wire import PROVIDER_KEY

MODEL = {"id": "m", "object": "model", "created": 1, "owned_by": "o", "type": "model", "display_name": "M"}
MODELS = MODEL | {"created_at": "2026-01-01T00:00:00Z", "name": "models/m", "model": "m"}
LEAK = "AKIA" + "Q3ZK7LMN2PXR5TBV"


def answer(asked: Asked) -> Answered:
    """One list that all of them read."""
    assert asked.method == "GET"
    path = asked.path.partition("?")[0]
    if path == "/api/version":
        return Answered(b'{"version":"0.12.1"}')
    if path.rpartition("/")[2] == "leaky":
        return Answered(json.dumps(MODELS | {"owned_by": LEAK}).encode())
    if path.rpartition("/")[2] == "m":
        return Answered(json.dumps(MODELS).encode())
    body = {"object": "list", "data": [MODELS], "models": [MODELS], "has_more": False, "first_id": "m", "last_id": "m"}
    return Answered(json.dumps(body).encode())


@dataclass
class Served:
    folder: Path
    url: str
    key: str
    model: AnsweringServer

    def asked(self) -> Asked:
        return self.model.asked[-1]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder: Path = tmp_path_factory.mktemp("up")
    with AnsweringServer(answer) as model:
        configure(folder, model.url)
        key = make_key(folder)
        with up(folder) as gateway:
            yield Served(folder, f"{gateway.url}/openai", key, model)
            assert gateway.errors.read_text() == ""


def test_openai(served: Served) -> None:
    with OpenAI(base_url=f"{served.url}/v1", api_key=served.key, max_retries=0) as client:
        assert [model.id for model in client.models.list()] == ["m"]
        assert client.models.retrieve("m").owned_by == "o"
    assert served.asked().path == "/v1/models/m"
    assert served.asked().headers["authorization"] == f"Bearer {PROVIDER_KEY}"


def test_azure(served: Served) -> None:
    version: Any = {"azure_endpoint": served.url, "api_version": "2024-10-21", "max_retries": 0}
    with AzureOpenAI(api_key=served.key, **version) as client:
        assert [model.id for model in client.models.list()] == ["m"]
    assert served.asked().path == "/openai/models?api-version=2024-10-21"
    assert served.asked().headers["api-key"] == PROVIDER_KEY


@pytest.mark.parametrize(("shown", "sent"), [("authorization", f"Bearer {PROVIDER_KEY}"), ("x-api-key", PROVIDER_KEY)])
def test_anthropic(served: Served, shown: str, sent: str) -> None:
    # Older versions of the SDK show the key in x-api-key.
    own: Any = {"api_key": served.key} if shown == "authorization" else {"default_headers": {"X-Api-Key": served.key}}
    with Anthropic(base_url=served.url, max_retries=0, **own) as client:
        assert [model.display_name for model in client.models.list(limit=5)] == ["M"]
    headers = served.asked().headers
    assert [headers.get(name) for name in ("authorization", "x-api-key") if name in headers] == [sent]
    assert headers[shown] == sent
    assert headers["anthropic-version"]


def test_gemini(served: Served) -> None:
    with genai.Client(api_key=served.key, http_options=types.HttpOptions(base_url=served.url)) as client:
        assert [model.name for model in client.models.list(config={"page_size": 5})] == ["models/m"]
        assert client.models.get(model="m").name == "models/m"
    assert served.asked().headers["x-goog-api-key"] == PROVIDER_KEY


def test_ollama(served: Served) -> None:
    with closing(ollama.Client(host=served.url, headers={"Authorization": f"Bearer {served.key}"})) as client:
        assert [model.model for model in client.list().models] == ["m"]
        assert [model.model for model in client.ps().models] == ["m"]
    assert served.asked().headers["authorization"] == f"Bearer {PROVIDER_KEY}"


def test_a_list_is_for_those_with_a_key_and_is_recorded(served: Served) -> None:
    with OpenAI(base_url=f"{served.url}/v1", api_key="none", max_retries=0) as client:
        before = len(served.model.asked)
        with pytest.raises(openai.AuthenticationError):
            client.models.list()
        assert len(served.model.asked) == before
    log = interlock(served.folder, "audit", "query", "--format", "json")
    assert "/openai/v1/models" in log.stdout


def test_a_secret_in_it_is_taken_out(served: Served) -> None:
    with OpenAI(base_url=f"{served.url}/v1", api_key=served.key, max_retries=0) as client:
        assert client.models.retrieve("leaky").owned_by == "[removed by interlock: credential-leak]"


def test_what_no_list_is_asked_for_with_is_refused(served: Served) -> None:
    with OpenAI(base_url=f"{served.url}/v1", api_key=served.key, max_retries=0) as client:
        with pytest.raises(openai.BadRequestError, match="more than a name"):
            client.get("/models", cast_to=object, options={"params": {"limit": "all of them"}})
        with pytest.raises(openai.BadRequestError, match="parameter that is not understood"):
            client.get("/models", cast_to=object, options={"params": {"key": "x"}})
        with pytest.raises(openai.APIStatusError, match="use GET"):
            client.post("/models", cast_to=object, body={})
