"""Odd values in the places of a document: what is made of one, and whether an adapter refuses it in its own words."""

import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from hypothesis import strategies as st

from interlock.model.errors import ProtocolError

ODD: list[Any] = [
    None, True, False, 0, -1, 1.5, 10**30, "", "text", "\x00", [], {}, [[]], [None], ["x"], {"": ""}, {"type": "text"},
    {"type": "custom"}, {"index": "x"}, [{"index": -1}], {"token": []}, {"content": {"token": 5}}, {"error": "x"},
]  # fmt: skip


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if path:
        yield path
    if isinstance(value, dict | list):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from places(inner, (*path, key))


def changed(document: Any, path: tuple[Any, ...], value: object, how: str) -> Any:
    out = target = json.loads(json.dumps(document))
    for part in path[:-1]:
        target = target[part]
    if how == "drop":
        del target[path[-1]]
    elif how == "twice" and isinstance(target, list):
        target.append(target[path[-1]])
    else:
        target[path[-1]] = value
    return out


def mutations(odd: Sequence[Any] = ODD) -> st.SearchStrategy[list[tuple[int, object, str]]]:
    """One to three changes for `mutated`."""
    one = st.tuples(st.integers(0, 10**6), st.sampled_from(odd), st.sampled_from(["set", "drop", "twice"]))
    return st.lists(one, min_size=1, max_size=3)


def mutated(document: Any, changes: list[tuple[int, object, str]]) -> Any:
    for number, value, how in changes:
        every = list(places(document))
        if every:
            document = changed(document, every[number % len(every)], value, how)
    return document


def refusal(use: Callable[[Any], object], document: Any) -> ProtocolError | None:
    """The refusal that `use` of a document ends with, if it does; any other error comes out."""
    try:
        use(document)
    except ProtocolError as error:
        return error
    return None


def is_told(error: ProtocolError) -> bool:
    """Whether a refusal can be told to a client: in words, and with the status of an error."""
    return bool(error.what) and 400 <= error.status < 600


def refused_of(use: Callable[[Any], object], document: Any, odd: Sequence[Any] = ODD) -> tuple[int, int]:
    """(refused, tried): each odd value in each place of a document that is good as it is."""
    assert refusal(use, document) is None
    tried = [refusal(use, changed(document, path, value, "set")) for path in places(document) for value in odd]
    refused = [error for error in tried if error is not None]
    assert all(map(is_told, refused))
    return len(refused), len(tried)
