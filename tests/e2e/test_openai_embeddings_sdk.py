"""The official openai SDK asks for embeddings through the gateway."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import pytest
from openai import AzureOpenAI, OpenAI

from interlock.testing.model import ModelServer, Say
from interlock.testing.openai_embeddings import EMBEDDINGS
from tests.gateway.process import configure, make_key, up

LIMITED = "[workloads.limited]\nextras = []\n"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str, str]]:
    """(address, key, key of a workload that may have no embeddings)."""
    folder: Path = tmp_path_factory.mktemp("up")
    with ModelServer(lambda _: Say(), speech=EMBEDDINGS) as model:
        configure(folder, model.url, LIMITED)
        keys = make_key(folder), make_key(folder, "limited")
        with up(folder) as gateway:
            yield gateway.url, *keys
            assert gateway.errors.read_text() == ""


def sdk(served: tuple[str, str, str], limited: bool = False) -> OpenAI:
    return OpenAI(base_url=f"{served[0]}/openai/v1", api_key=served[1 + limited], max_retries=0)


@pytest.mark.parametrize("more", [{}, {"encoding_format": "float"}])
def test_vectors_of_texts(served: Any, more: Any) -> None:
    with sdk(served) as client:
        answer = client.embeddings.create(model="m", input=["hello you", "hi"], **more)
    assert [entry.embedding for entry in answer.data] == [[1.125, 0.0, 0.0], [0.25, 0.125, 0.0]]
    assert answer.usage.total_tokens == 3


def test_a_deployment_of_azure(served: Any) -> None:
    with AzureOpenAI(
        azure_endpoint=f"{served[0]}/openai", api_key=served[1], api_version="2024-10-21", max_retries=0
    ) as client:
        assert len(client.embeddings.create(model="deployed", input="hello").data[0].embedding) == 3


def test_tokens_are_refused_as_nobody_can_read_them(served: Any) -> None:
    with sdk(served) as client, pytest.raises(openai.BadRequestError, match="not understood"):
        client.embeddings.create(model="m", input=[[1, 2], [3]])


def test_a_workload_without_embeddings_in_its_scope_gets_none(served: Any) -> None:
    with sdk(served, limited=True) as client, pytest.raises(openai.PermissionDeniedError, match="not permitted"):
        client.embeddings.create(model="m", input="hello")
