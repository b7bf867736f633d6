"""Values in the arguments of tool calls: valid JSON stays valid, and means what the text would mean."""

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock.model.event import Signal
from tests.guard.test_pseudonyms import CARD, EMAIL, NASTY, RULES, find, hidden, names, signal

TASK = names()
PLACEHOLDERS = {hidden(TASK, value, rule): value for value, rule in RULES.items()}
TEXTS = st.lists(st.sampled_from([*PLACEHOLDERS, "EMAIL-", "{", '"', "\\", "é"]) | st.text(max_size=4), max_size=4)
SCALARS = TEXTS.map("".join) | st.integers() | st.floats(allow_nan=False) | st.booleans() | st.none()
DOCUMENTS = st.dictionaries(
    st.text(max_size=4),
    st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner)),
    max_size=4,
)


def test_values_are_escaped_and_all_else_stays_as_it_stands() -> None:
    task = names()
    placeholder = hidden(task, NASTY, "name")
    arguments = (
        f'{{ "n" : 1.0, "big":123456789012345678901234567890.10e+400, "x":"\\u00e9\\/", "to":"<{placeholder}>" }}'
    )
    restored = task.restore_json(arguments)
    assert restored == arguments.replace(f'"<{placeholder}>"', json.dumps(f"<{NASTY}>"))
    assert json.loads(restored)["to"] == f"<{NASTY}>"


def test_a_number_of_any_length_does_not_keep_the_rest_from_being_restored() -> None:
    task = names()
    placeholder = hidden(task, EMAIL)
    assert task.restore_json(f'[{"9" * 10_000}, "{placeholder}"]') == f'[{"9" * 10_000}, "{EMAIL}"]'


def test_keys_lists_and_escaped_placeholders_are_restored() -> None:
    task = names()
    placeholder = hidden(task, EMAIL)
    escaped = "".join(f"\\u{ord(character):04x}" for character in placeholder)
    arguments = f'{{"{placeholder}": ["{escaped}", [{{"a": "{placeholder.lower()}"}}]]}}'
    assert json.loads(task.restore_json(arguments)) == {EMAIL: [EMAIL, [{"a": EMAIL}]]}


@pytest.mark.parametrize(
    "arguments",
    ["", " ", "{", "null", "1", '{"a": "@"} x', '{"a": @}', '{"a": "@\n"}', "\ufeff{}", "[" * 100_000, '{"a": "@', "@"],
)
def test_arguments_that_are_no_json_object_come_back_as_they_came(arguments: str) -> None:
    task = names()
    arguments = arguments.replace("@", hidden(task, EMAIL))
    assert task.restore_json(arguments) == arguments


def test_documents_in_strings_stay_documents() -> None:
    task = names()
    placeholder = hidden(task, NASTY, "name")
    for _ in range(2):
        body = json.dumps({"to": placeholder, "list": json.dumps([placeholder])})
        restored = json.loads(task.restore_json(json.dumps({"body": body})))
        inner = json.loads(restored["body"])
        assert inner["to"] == NASTY
        assert json.loads(inner["list"]) == [NASTY]


def test_a_value_cannot_add_a_field_to_a_document_in_a_string() -> None:
    task = names()
    placeholder = hidden(task, 'x","admin":true,"y":"', "name")
    restored = task.restore_json(json.dumps({"body": json.dumps({"name": placeholder})}))
    assert json.loads(json.loads(restored)["body"]).keys() == {"name"}


def test_a_document_nested_too_deeply_is_restored_as_text() -> None:
    task = names()
    document = hidden(task, EMAIL)
    for _ in range(8):
        document = json.dumps([document])
    assert EMAIL in task.restore_json(document)


def mapped(value: object) -> object:
    if isinstance(value, str):
        return TASK.restore(value)
    if isinstance(value, dict):
        return {TASK.restore(key): mapped(inner) for key, inner in value.items()}
    return [mapped(inner) for inner in value] if isinstance(value, list) else value


@given(document=DOCUMENTS, ascii_=st.booleans())
def test_restoring_a_document_is_restoring_its_strings(document: dict[str, object], ascii_: bool) -> None:
    arguments = json.dumps(document, ensure_ascii=ascii_)
    restored = TASK.restore_json(arguments)
    assert json.loads(restored, parse_float=Decimal) == json.loads(json.dumps(mapped(document)), parse_float=Decimal)
    if not any(placeholder in arguments for placeholder in PLACEHOLDERS):
        assert restored == arguments


@given(st.text(max_size=30) | st.text(alphabet='{}[]":,\\u0123456789abEe.-+ \n', max_size=30))
def test_garbage_is_left_alone(text: str) -> None:
    assert TASK.restore_json(text) == text
    assert names().hide_json(text, find) == text


@given(document=DOCUMENTS)
def test_hidden_arguments_come_back(document: dict[str, object]) -> None:
    task = names()
    real = json.dumps(mapped(document))
    asked = task.hide_json(real, find)
    assert json.loads(task.restore_json(asked)) == json.loads(real)
    assert not any(value in text for text in strings(json.loads(asked)) for value in RULES)


def strings(value: object) -> list[str]:
    if isinstance(value, dict):
        return [text for key, inner in value.items() for text in (key, *strings(inner))]
    if isinstance(value, list):
        return [text for inner in value for text in strings(inner)]
    return [value] if isinstance(value, str) else []


def test_hiding_sees_through_escapes_keys_and_documents_in_strings() -> None:
    task = names()
    body = f'{{\\"a\\": \\"{EMAIL}\\"}}'
    arguments = f'{{"to": "\\nbob\\u0040example.com", "{EMAIL}": 12345, "body": "{body}", "x": "\\u00e9"}}'
    asked = task.hide_json(arguments, find)
    placeholder = hidden(task, EMAIL)
    assert json.loads(asked) == {
        "to": f"\n{placeholder}", placeholder: 12345, "body": json.dumps({"a": placeholder}), "x": "é",
    }  # fmt: skip
    assert asked.endswith('"x": "\\u00e9"}')
    assert json.loads(task.restore_json(asked)) == json.loads(arguments)


def test_a_number_that_is_somebodys_becomes_a_placeholder_and_others_stay() -> None:
    def digits(text: str) -> list[Signal]:
        return [signal(0, len(text), "card")] if text == "4111111111111111" else []

    task = names()
    asked = task.hide_json(
        '{"card": 4111111111111111, "f": 1.04111111111111111, "e": -1.5e+10, "n": [1, 12345678]}', digits
    )
    placeholder = hidden(task, CARD, "card")
    assert asked == f'{{"card": "{placeholder}", "f": 1.04111111111111111, "e": -1.5e+10, "n": [1, 12345678]}}'
    assert json.loads(task.restore_json(asked))["card"] == "4111111111111111"


def test_a_text_that_is_no_document_is_hidden_as_text() -> None:
    task = names()
    assert task.hide_json(f"to: {EMAIL}", find) == f"to: {hidden(task, EMAIL)}"
    assert task.hide_json(f'{{"to": {EMAIL}', find) == f'{{"to": {hidden(task, EMAIL)}'


def test_a_value_is_hidden_in_arguments_whose_field_does_not_tell_what_it_is() -> None:
    task = names()
    placeholder = hidden(task, "4111111111111111", "card")
    asked = task.hide_json('{"a": "0170 4111111111111111", "b": 4111111111111111}', lambda _: ())
    assert json.loads(asked) == {"a": f"0170 {placeholder}", "b": placeholder}
