"""The trace of a request goes on, unless it holds what may not go out."""

import json

import pytest

from interlock.mcp.eras import LEGACY
from tests.guard.mcp.play import Fake, Gate, a_task
from tests.made_up import OPENAI_KEY

CALL = "tools/call"


@pytest.mark.parametrize("modern", [True, False])
@pytest.mark.parametrize(("state", "passes"), [("rojo=00f067aa0ba902b7", True), (f"k={OPENAI_KEY}", False)])
def test_a_secret_does_not_go_out_in_a_trace(state: str, passes: bool, modern: bool) -> None:
    gate = Gate(fake=Fake(modern=modern))
    if not modern:
        gate.play("initialize", {"capabilities": {}, "protocolVersion": LEGACY[0]}, modern=False)
    gate.play(CALL, {"name": "read_mail", "_meta": {"tracestate": state}}, task=a_task(), modern=modern)
    assert gate.fake.asked[-1]["method"] == CALL
    assert (state in json.dumps(gate.fake.asked[-1])) == passes
