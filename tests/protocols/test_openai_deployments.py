"""Azure's addresses name the model, whatever a body says of it."""

import json

import pytest

from interlock.model.errors import ProtocolError
from interlock.protocols import Adapter, Request, openai_chat, openai_embeddings

ADDRESSES = [(openai_chat.ADAPTER, "chat/completions"), (openai_embeddings.ADAPTER, "embeddings")]


def asked(adapter: Adapter, end: str, **body: object) -> Request:
    target = adapter.target(f"/openai/deployments/cheap/{end}?api-version=1")
    assert target
    said = {"input": "hi"} if end == "embeddings" else {"messages": [{"role": "user", "content": "hi"}]}
    return adapter.request(json.dumps({**said, **body}).encode(), target)


@pytest.mark.parametrize(("adapter", "end"), ADDRESSES)
def test_the_deployment_in_the_path_is_the_model(adapter: Adapter, end: str) -> None:
    for body in ({}, {"model": "cheap"}, {"model": None}):
        request = asked(adapter, end, **body)
        assert request.model == "cheap"
        assert json.loads(request.raw).get("model") == body.get("model")


@pytest.mark.parametrize(("adapter", "end"), ADDRESSES)
@pytest.mark.parametrize("other", ["gpt-5-pro", "Cheap"])
def test_a_body_that_names_another_goes_on_with_the_deployments_name(adapter: Adapter, end: str, other: str) -> None:
    request = asked(adapter, end, model=other)
    assert (request.model, json.loads(request.raw)["model"], request.document["model"]) == ("cheap",) * 3
    assert adapter.edit_request(request, {}) == request.raw


@pytest.mark.parametrize(("adapter", "end"), ADDRESSES)
@pytest.mark.parametrize("other", ["", 5, ["cheap"]])
def test_a_model_that_is_no_name_is_refused(adapter: Adapter, end: str, other: object) -> None:
    with pytest.raises(ProtocolError, match="model"):
        asked(adapter, end, model=other)
