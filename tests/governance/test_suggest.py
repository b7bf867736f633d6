"""Manifests from what was used."""

import tomllib

from hypothesis import given
from hypothesis import strategies as st

from interlock.governance.suggest import Used, manifest, used
from interlock.model.record import Record, RecordKind, Step, Verdict


def record(*steps: Step, workload: str = "w", model: str = "m", verdict: Verdict = Verdict.ALLOWED) -> Record:
    return Record(RecordKind.REQUEST, 5, workload=workload, model=model, verdict=verdict, steps=steps)


def test_what_was_permitted_is_suggested_and_nothing_else() -> None:
    refused = Step("call", tool="delete", verdict=Verdict.BLOCKED)
    approved = Step("call", tool="pay", reason="Approved once, by ann: a1.")
    found = used(
        [
            record(Step("call", tool="read"), refused, approved),
            record(Step("call", tool="read")),
            record(model="large", verdict=Verdict.BLOCKED),
            record(workload="other"),
            record(workload=""),
        ]
    )
    assert found.keys() == {"w", "other"}
    text = "\n".join(manifest("w", found["w"]))
    assert tomllib.loads(text) == {"workloads": {"w": {"models": ["m"], "tools": ["read"]}}}
    assert '"read", # 2 times' in text
    assert 'Only ever approved by a person, and not in the list: "pay"' in text
    assert tomllib.loads("\n".join(manifest("x", Used()))) == {"workloads": {"x": {"models": [], "tools": []}}}


@given(name=st.text(min_size=1, max_size=100), tool=st.text(min_size=1, max_size=100))
def test_any_name_is_written_so_that_it_is_read_again(name: str, tool: str) -> None:
    found = used([record(Step("call", tool=tool), workload=name)])
    read = tomllib.loads("\n".join(manifest(name, found[name])))
    assert read["workloads"][name]["tools"] == [tool]
