"""The official MCP conformance suite, directly and through interlock: `python -m bench.conformance`."""
