"""Azure's addresses name the model: what a body says of it has to be the same."""

import json

import pytest

from interlock.model.errors import ProtocolError
from interlock.protocols import Adapter, openai_chat, openai_embeddings

ADDRESSES = [(openai_chat.ADAPTER, "chat/completions"), (openai_embeddings.ADAPTER, "embeddings")]


def model(adapter: Adapter, end: str, **body: object) -> str:
    target = adapter.target(f"/openai/deployments/cheap/{end}?api-version=1")
    assert target
    said = {"input": "hi"} if end == "embeddings" else {"messages": [{"role": "user", "content": "hi"}]}
    return adapter.request(json.dumps({**said, **body}).encode(), target).model


@pytest.mark.parametrize(("adapter", "end"), ADDRESSES)
def test_the_deployment_in_the_path_is_the_model(adapter: Adapter, end: str) -> None:
    assert model(adapter, end) == "cheap"
    assert model(adapter, end, model="cheap") == "cheap"
    assert model(adapter, end, model=None) == "cheap"


@pytest.mark.parametrize(("adapter", "end"), ADDRESSES)
@pytest.mark.parametrize("other", ["gpt-5-pro", "Cheap", "", 5, ["cheap"]])
def test_a_body_that_names_another_is_refused(adapter: Adapter, end: str, other: object) -> None:
    with pytest.raises(ProtocolError, match="model"):
        model(adapter, end, model=other)
