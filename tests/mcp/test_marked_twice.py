"""Two arguments that a schema would repeat in one header: neither is, since names of headers know no case."""

from interlock.mcp.headers import check_params, param_headers


def test_names_that_differ_in_case_are_one_header() -> None:
    properties = {
        "to": {"type": "string", "x-mcp-header": "To"}, "too": {"type": "string", "x-mcp-header": "to"},
        "region": {"type": "string", "x-mcp-header": "Region"},
    }  # fmt: skip
    schema = {"type": "object", "properties": properties}
    arguments = {"to": "bob", "too": "eve", "region": "eu"}
    lines = param_headers(schema, arguments)
    assert lines == [(b"mcp-param-region", b"eu")]
    check_params(1, schema, arguments, dict(lines))


def test_only_plain_digits_are_a_whole_number() -> None:
    schema = {"type": "object", "properties": {"n": {"type": "integer", "x-mcp-header": "N"}}}
    assert param_headers(schema, {"n": 4}) == [(b"mcp-param-n", b"4")]
    check_params(1, schema, {"n": 4}, {b"mcp-param-n": b"4.0"})
