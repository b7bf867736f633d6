"""Policies that read a call's arguments: typed by the tool's schema, and closed against what does not fit."""

import re
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock.model.decision import Allow, Ask, Deny
from interlock.model.errors import ConfigError, PolicyError
from interlock.model.record import Origin
from interlock.policy import CallTool, Force, Policies, Source
from interlock.policy.arguments import MisfitError, common, fitted, of_declarations, of_schema, record_text
from tests.policy.test_policies import SCHEMA

PAY: dict[str, Any] = {
    "type": "object",
    "$defs": {"Place": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}},
    "properties": {
        "amount": {"type": "integer"},
        "price": {"type": "number"},
        "to": {"type": ["string", "null"]},
        "note": {"anyOf": [{"type": "string"}, {"type": "null"}]},
        "tags": {"type": "array", "items": {"type": "string"}},
        "place": {"$ref": "#/$defs/Place"},
        "odd näme": {"type": "boolean"},
        "mixed": {"type": ["string", "integer"]},
        "any": {},
    },
    "required": ["amount", "to"],
}
TOOLS = {"pay": of_schema(PAY)}
PERMIT = '@id("all") permit (principal, action == Action::"callTool", resource);'


def load(text: str, **forces: Force) -> Policies:
    named = {name.replace("_", "-"): force for name, force in forces.items()}
    return Policies(SCHEMA, (Source("p", f"{PERMIT}\n{text}"),), {}, forces=named, tools=TOOLS)


def forbid(condition: str, tool: str = "pay") -> str:
    scope = f'principal, action == Action::"callTool", resource == Tool::"{tool}"'
    return f'@id("no") @reason("No.") forbid ({scope}) when {{ {condition} }};'


def pay(tool: str = "pay") -> CallTool:
    return CallTool("w", tool, "money", frozenset({Origin.USER}), tainted=False, offered=True, understood=True)


def test_a_schema_becomes_the_types_that_cedar_has() -> None:
    assert record_text(of_schema(PAY)) == (
        '{"amount": Long, "price"?: decimal, "to"?: String, "note"?: String, "tags"?: Set<String>, '
        '"place"?: {"city": String}, "odd n\\u{e4}me"?: Bool}'
    )


@pytest.mark.parametrize(
    ("condition", "arguments", "refused"),
    [
        ("context.args.amount > 1000", {"amount": 1001}, True),
        ("context.args.amount > 1000", {"amount": 1000, "whatever": [1]}, False),
        ("context.args.amount > 1000", {"amount": 1001.0}, True),
        ("context.args has price && context.args.price.greaterThan(decimal(\"9.5\"))", {"price": 9.75}, True),
        ("context.args has price && context.args.price.greaterThan(decimal(\"9.5\"))", {"price": 9}, False),
        ("context.args has note && context.args.note like \"*secret*\"", {"note": "a secret b"}, True),
        ("context.args has note && context.args.note like \"*secret*\"", {"note": None}, False),
        ("context.args has tags && context.args.tags.contains(\"x\")", {"tags": ["y", "x"]}, True),
        ("context.args has place && context.args.place.city == \"Rome\"", {"place": {"city": "Rome"}}, True),
        ("context.args has \"odd näme\" && context.args[\"odd näme\"]", {"odd näme": True}, True),
    ],
)  # fmt: skip
def test_a_policy_reads_an_argument(condition: str, arguments: dict[str, object], *, refused: bool) -> None:
    decision = load(forbid(condition)).decide(pay(), arguments)
    assert decision == (Deny("No.", ("no",)) if refused else Allow(("all",)))


@pytest.mark.parametrize(
    "arguments",
    [
        None, [], {}, {"amount": "1"}, {"amount": True}, {"amount": 2**63}, {"amount": 1.5}, {"amount": None},
        {"amount": 1, "Amount": 5_000}, {"AMOUNT": 1}, {"amount": {"__entity": {"type": "Tool", "id": "x"}}},
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused_by_who_reads_it_and_by_nobody_else(arguments: object) -> None:
    policies = load(forbid("context.args.amount > 1000"))
    decision = policies.decide(pay(), arguments)
    assert decision == Deny("An argument that a policy reads is not what the tool's schema says. No.", ("no",))
    assert policies.decide(pay("other"), arguments) == Allow(("all",))
    assert load("").decide(pay(), arguments) == Allow(("all",))


def test_what_does_not_fit_has_the_force_of_the_policy() -> None:
    text = forbid("context.args.amount > 1000")
    assert isinstance(load(text, no=Force.ASK).decide(pay(), {}), Ask)
    assert load(text, no=Force.OBSERVE).decide(pay(), {}) == Allow(("all",), ("no",))


def test_a_permit_that_cannot_read_does_not_permit() -> None:
    scope = 'principal, action == Action::"callTool", resource == Tool::"pay"'
    text = f'@id("small") permit ({scope}) when {{ context.args.amount < 10 }};'
    policies = Policies(SCHEMA, (Source("p", text),), {}, tools=TOOLS)
    assert policies.decide(pay(), {"amount": 9}) == Allow(("small",))
    assert policies.decide(pay(), {"amount": "9"}) == Deny("No policy permits it.")
    assert policies.at_best(pay()) == Allow(("small",))


def test_at_best_no_argument_is_to_blame() -> None:
    policies = load(
        forbid("context.args.amount > 1000") + '@id("never") forbid (principal, action, resource == Tool::"b");'
    )
    assert policies.at_best(pay()) == Allow(("all",))
    assert isinstance(policies.at_best(pay("b")), Deny)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (forbid("context.args.amuont > 1"), "amuont"),
        (forbid("context.args.amount > \"1\""), "not valid"),
        (forbid("context.args.note == \"x\""), "not valid"),  # without `has`: it can be missing
        (forbid("context.args.mixed == \"x\""), "mixed"),
        (forbid("context.args.amount > 1", "unknown"), "nobody has said what arguments"),
        (forbid("context.args == context.args"), "all arguments at once"),
        ('@id("a") forbid (principal, action, resource) when { context.args.amount > 1 };', "not about one tool"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_refused_when_it_is_loaded(text: str, why: str) -> None:
    with pytest.raises(PolicyError, match=re.escape(why)):
        load(text)


def test_the_hash_changes_with_the_types_that_are_read_and_no_others() -> None:
    text = forbid("context.args.amount > 1000")
    other = {"pay": of_schema({**PAY, "required": []})}
    more = {**TOOLS, "b": TOOLS["pay"]}
    source = (Source("p", f"{PERMIT}\n{text}"),)
    with pytest.raises(PolicyError):
        Policies(SCHEMA, source, {}, tools=other)
    assert Policies(SCHEMA, source, {}, tools=more).hash == load(text).hash


def test_declared_arguments() -> None:
    declared = of_declarations("pay", ["amount: Long", "note?: String", "to: Set<String>"])
    assert record_text(declared) == '{"amount": Long, "note"?: String, "to": Set<String>}'
    for wrong in ("amount", "amount: Int", "a: Set<Set<Long>>", ": Long", "__x: Long", "a: Long;"):
        with pytest.raises(ConfigError, match="declares no argument"):
            of_declarations("pay", [wrong])


def test_of_two_tools_of_one_name_only_what_they_have_in_common_can_be_read() -> None:
    one, other = (
        of_declarations("a", ["x: Long", "y: Long", "z: Bool"]),
        of_declarations("a", ["x?: Long", "y: String"]),
    )
    assert record_text(common([one, other])) == '{"x"?: Long}'


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(
        ["type", "properties", "items", "anyOf", "$ref", "required", "amount", "__entity", "ä"]), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


@given(schema=st.dictionaries(st.sampled_from(["type", "properties", "required", "$defs", "anyOf"]), JSON), value=JSON)
def test_any_schema_is_read_and_any_value_fits_or_does_not(schema: dict[str, Any], value: object) -> None:
    fields = of_schema(schema)
    assert record_text(fields).startswith("{")
    with suppress(MisfitError):
        assert isinstance(fitted(value, fields), dict)


@given(value=JSON)
def test_whatever_the_arguments_are_the_policy_decides(value: object) -> None:
    decision = load(forbid('context.args has note && context.args.note == "x"')).decide(pay(), {"note": value})
    assert isinstance(decision, Allow) == (value is None or (isinstance(value, str) and value != "x"))


def test_a_reference_that_leads_round_ends() -> None:
    schema = {"properties": {"a": {"$ref": "#/properties/a"}, "b": {"$ref": "https://elsewhere.example/x"}}}
    assert of_schema(schema) == {}


@pytest.mark.parametrize(
    "body", ["(" * 3_000 + "true" + ")" * 3_000, "true" + " && true" * 5_000, "[" * 500 + "]" * 500]
)
def test_a_policy_that_would_break_its_reader_is_refused(body: str) -> None:
    with pytest.raises(PolicyError, match=r"over|too long"):
        load(f'@id("deep") permit (principal, action, resource) when {{ {body} }};')
