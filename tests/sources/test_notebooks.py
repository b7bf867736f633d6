"""Notebooks: code is found at the lines of the file, whatever IPython has put between it."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock.sources.python_code import SOURCE
from interlock.sources.python_code.notebook import NotebookError, parse
from tests.made_up import OPENAI_KEY

CODE = ["from openai import OpenAI\n", "\n", "OpenAI().chat.completions.create(model='gpt-4o')"]


def cell(source: object, kind: str = "code") -> dict[str, object]:
    return {
        "cell_type": kind,
        "metadata": {},
        "outputs": [{"text": ["OpenAI(model='gpt-3.5-turbo')"]}],
        "source": source,
    }


def notebook(*cells: object, indent: int | None = 1, **metadata: object) -> str:
    return json.dumps({"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}, indent=indent)


def seen(text: str) -> list[tuple[str, str, int]]:
    found, _ = SOURCE.read("a.ipynb", text.encode())
    return [(o.kind.value, o.name, o.site.line) for o in found]


def missed(text: str) -> list[str]:
    return [one.reason for one in SOURCE.read("a.ipynb", text.encode())[1]]


def line_of(text: str, words: str) -> int:
    return next(number for number, line in enumerate(text.splitlines(), 1) if words in line)


def test_what_a_cell_shows_is_at_its_line_in_the_file() -> None:
    text = notebook(cell(["# Ask a model"], "markdown"), cell(CODE))
    call, imported = line_of(text, "gpt-4o"), line_of(text, "import OpenAI")
    assert set(seen(text)) == {
        ("dependency", "openai", imported),
        ("llm", "openai.OpenAI", call),
        ("llm", "openai.chat.completions.create", call),
        ("model", "gpt-4o", call),
    }
    assert missed(text) == []


@pytest.mark.parametrize("indent", [None, 1, 4])
@pytest.mark.parametrize(
    "source", [CODE, "".join(CODE), ["".join(CODE[:2]), *CODE[2:]], ["from openai ", "import OpenAI\n", *CODE[1:]]]
)
def test_a_source_may_be_written_in_several_ways(source: object, indent: int | None) -> None:
    text = notebook(cell(source), indent=indent)
    found = {(name, line) for kind, name, line in seen(text) if kind in ("llm", "model")}
    assert ("gpt-4o", line_of(text, "gpt-4o")) in found
    assert len(found) == 3


def test_names_of_one_cell_hold_in_the_next() -> None:
    text = notebook(
        cell("import openai\nMODEL = 'gpt-4o-mini'"), cell(["openai.OpenAI().responses.create(model=MODEL)"])
    )
    assert ("llm", "openai.responses.create", line_of(text, "responses.create")) in seen(text)
    assert any(kind == "model" and name == "gpt-4o-mini" for kind, name, _ in seen(text))


@pytest.mark.parametrize(
    "extra",
    [
        ["%pip install openai\n"],
        ["!pip install \\\n", "  openai\n"],
        ["%%time\n"],
        ["files = !ls\n"],
        ["x = %env HOME\n"],
        ["OpenAI?\n"],
        ["?OpenAI\n"],
        ["if True:\n", "    !ls\n"],
        ["await f()\n"],
        ["%%capture out\n", "%matplotlib inline\n"],
    ],
)
def test_what_ipython_adds_hides_nothing(extra: list[str]) -> None:
    text = notebook(cell([*extra, *CODE]))
    assert missed(text) == []
    assert ("model", "gpt-4o", line_of(text, "gpt-4o'")) in seen(text)


@pytest.mark.parametrize("magic", ["bash", "sql", "javascript", "writefile bot.txt"])
def test_a_cell_in_another_language_is_no_python(magic: str) -> None:
    assert seen(notebook(cell([f"%%{magic}\n", *CODE]))) == []


def test_a_cell_that_is_not_valid_leaves_the_others() -> None:
    text = notebook(cell("def ("), cell(CODE), cell("x ="))
    assert ("model", "gpt-4o", line_of(text, "gpt-4o")) in seen(text)
    assert [reason.partition(": ")[2].partition(": ")[0] for reason in missed(text)] == ["cell 1", "cell 3"]


def test_outputs_and_texts_are_nobodys_code_but_a_key_is_a_key() -> None:
    assert seen(notebook(cell(CODE, "markdown"), cell(CODE, "raw"))) == []
    text = notebook(cell("1"), cell(f"print('{OPENAI_KEY}')", "markdown"))
    assert [(kind, line) for kind, _, line in seen(text)] == [("credential", line_of(text, "sk-proj"))]


def test_format_3_has_worksheets() -> None:
    old = {"worksheets": [{"cells": [{"cell_type": "code", "input": CODE}]}], "nbformat": 3, "metadata": {"name": ""}}
    text = json.dumps(old, indent=1)
    assert ("model", "gpt-4o", line_of(text, "gpt-4o")) in seen(text)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "no notebook"),
        ("{", "no notebook"),
        ("[]", "no notebook"),
        ('{"cells": 5}', "no notebook"),
        ("[" * 100_000, "no notebook"),
        (notebook(cell(CODE), kernelspec={"language": "R"}), "a notebook in R"),
        (notebook(cell(CODE), language_info={"name": "julia"}), "a notebook in julia"),
    ],
)
def test_what_is_no_notebook_of_python_is_said(text: str, reason: str) -> None:
    assert [one.startswith(reason) for one in missed(text)] == [True]
    with pytest.raises(NotebookError):
        parse(text)


def test_a_key_that_stands_twice_costs_no_time_and_loses_no_finding() -> None:
    twice = json.dumps(cell(CODE)).replace('"source"', '"source": ["hidden"], "source"', 1)
    text = '{"cells": [' + ",".join([twice.replace("hidden", "x" * 100)] * 2_000) + "]}"
    text = text.replace('"source": ["from', '"\\u0073ource": ["from')
    assert any(kind == "model" for kind, _, _ in seen(text))


JSON: Any = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20) | st.sampled_from(CODE),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["cells", "source", "cell_type", "metadata", "input", "worksheets", "x"]), inner, max_size=4
        )
    ),
    max_leaves=20,
)


@given(JSON, st.lists(JSON, max_size=4), st.sampled_from([None, 1]))
def test_nothing_breaks_it(metadata: object, cells: list[object], indent: int | None) -> None:
    text = json.dumps(
        {"cells": [{"cell_type": "code", "source": one} for one in cells], "metadata": metadata}, indent=indent
    )
    found, not_scanned = SOURCE.read("a.ipynb", text.encode())
    assert all(1 <= o.site.line <= text.count("\n") + 1 for o in found)
    assert all(one.reason for one in not_scanned)
