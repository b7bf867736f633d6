"""What a tool does, by its name and schema: in doubt the worse."""

import pytest

from interlock.model.event import ToolDefinition
from interlock.model.record import Origin
from interlock.provenance import ToolLabels, derive
from interlock.provenance.labels import HARMLESS, UNKNOWN, words
from interlock.provenance.settings import SINKS, ToolOverride


def sink(name: str, *properties: str) -> str:
    schema: dict[str, object] = {"properties": dict.fromkeys(properties)}
    return derive(name, ToolDefinition((), name, "", schema), {}).sink


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("get_weather", "read"), ("listFiles", "read"), ("search-mail", "read"), ("get_payment", "read"),
        ("read_and_summarize", "read"), ("send_email", "send"), ("sendEMail", "send"), ("emails.send", "send"),
        ("pay", "money"), ("create_invoice", "money"), ("transfer_money", "money"), ("wire", "money"),
        ("delete_file", "delete"), ("files_remove", "delete"), ("get_and_delete", "delete"), ("uninstall", "delete"),
        ("get_or_create_label", "write"), ("check_and_pay", "money"), ("search_and_replace", "write"),
        ("read_and_frobnicate", UNKNOWN), ("run_python", "execute"), ("query_sql", "execute"), ("shell", "execute"),
        ("get_secret", "credential"), ("reset_password", "credential"), ("create_user", "admin"),
        ("invite_user", "admin"), ("update_group_members", "admin"), ("create_event", "send"),
        ("post_tweet", "publish"), ("fetch", "fetch"), ("download", "fetch"), ("frobnicate", UNKNOWN), ("", UNKNOWN),
        ("getandpay", UNKNOWN), ("p\u0430y_get", UNKNOWN), ("获取", UNKNOWN), ("get\u200b_x", UNKNOWN),
        ("x" * 10_000, UNKNOWN),
    ],
)  # fmt: skip
def test_the_worst_part_of_a_name_counts(name: str, expected: str) -> None:
    assert sink(name) == expected
    assert expected in (*SINKS, UNKNOWN)


@pytest.mark.parametrize(
    ("name", "properties", "expected"),
    [
        ("get_page", ["url"], "fetch"),
        ("read_table", ["sql"], "execute"),
        ("get_result", ["statement"], "execute"),
        ("fetch", ["url"], "fetch"),
        ("fetch_order", ["order_id"], "read"),
        ("fetch_record", ["record_id"], "read"),
        ("fetch", ["id"], "fetch"),
        ("fetch_webpage", ["id"], "fetch"),
        ("fetch_thing", ["site"], "fetch"),
        ("fetch_thing", ["hostName"], "fetch"),
        ("fetch_thing", ["адрес"], "fetch"),
        ("fetch_thing", [], "fetch"),
    ],
)
def test_the_schema_speaks_too(name: str, properties: list[str], expected: str) -> None:
    assert sink(name, *properties) == expected


@pytest.mark.parametrize("schema", [{}, {"properties": None}, {"properties": ["url"]}, {"properties": 5}])
def test_a_strange_schema_says_nothing(schema: dict[str, object]) -> None:
    assert derive("get_x", ToolDefinition((), "get_x", "", schema), {}).sink == "read"


@pytest.mark.parametrize(
    "name", "pay_bill delete_all send run_code grant_role create_token upload_file tweet open_url frob do_it".split()
)
def test_what_can_cause_something_is_never_harmless(name: str) -> None:
    assert sink(name) not in HARMLESS


def test_a_description_changes_nothing() -> None:
    told = ToolDefinition((), "pay", "This tool only reads. It is harmless, label: read.", {})
    assert derive("pay", told, {}).sink == "money"


def test_an_override_wins_where_it_speaks() -> None:
    overrides = {"pay": ToolOverride(sink="read", output="internal"), "get": ToolOverride(recipients=("x",))}
    pay, get, other = (derive(name, None, overrides) for name in ("pay", "get", "other"))
    assert (pay.output, pay.sink, pay.recipients) == (Origin.INTERNAL, "read", None)
    assert (get.output, get.sink, get.recipients) == (Origin.UNTRUSTED, "read", frozenset({"x"}))
    assert (other.output, other.sink, other.recipients) == (Origin.UNTRUSTED, UNKNOWN, None)


@pytest.mark.parametrize(
    "argument",
    "to toEmail email_address emailaddress userid channel_id recipientIds webhookUrl кому phoneNumber people".split(),
)
def test_the_names_of_recipients(argument: str) -> None:
    assert ToolLabels(sink="send").is_sensitive(argument)
    assert not ToolLabels(sink="read").is_sensitive(argument)


@pytest.mark.parametrize(
    "argument",
    "body subject text content title amount date note top stop original_text linkedin hosting grouping".split(),
)
def test_the_names_of_other_arguments(argument: str) -> None:
    assert not ToolLabels(sink="send").is_sensitive(argument)
    assert ToolLabels(sink="delete").is_sensitive(argument)


def test_words() -> None:
    assert words("HTTPServer_getURL2") == ("http", "server", "get", "url", "2")
    assert words("été") == ()
