"""A policy's force is written into the file, and everything else of it stays."""

import tomllib
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock.governance.forces import with_force
from interlock.model.errors import ConfigError
from interlock.policy import Force

OBSERVE, ASK = Force.OBSERVE, Force.ASK
WRITTEN = [
    ("", '[policy]\nobserve = ["a"]\n'),
    ("[gateway]\nport = 0", '[gateway]\nport = 0\n\n[policy]\nobserve = ["a"]\n'),
    ("[policy] # mine\nfiles = []\n[tools.x]\n", '[policy] # mine\nobserve = ["a"]\nfiles = []\n[tools.x]\n'),
    ('[policy]\nobserve = ["b"] # why\n', '[policy]\nobserve = ["a", "b"] # why\n'),
    ("[policy]\nobserve = []\nask = ['a']\n", '[policy]\nobserve = ["a"]\nask = []\n'),
    ('[policy]\nask = ["b", "a"]\n', '[policy]\nobserve = ["a"]\nask = ["b"]\n'),
    (
        '[policy]\nobserve = [\n  # noisy\n  "b", # see ["a"]\n]\n',
        '[policy]\nobserve = [\n  "a",\n  # noisy\n  "b", # see ["a"]\n]\n',
    ),
]


@pytest.mark.parametrize(("before", "after"), WRITTEN)
def test_it_is_written_where_it_belongs(before: str, after: str) -> None:
    assert with_force(before, "a", OBSERVE) == after


def test_twice_is_once() -> None:
    once = with_force('[policy]\nask = ["a"]\n', "a", OBSERVE)
    assert with_force(once, "a", OBSERVE) == once


@pytest.mark.parametrize("text", ['policy = { ask = ["b"] }', 'policy.ask = ["b"]', '["policy"]\nask = ["b"]\n'])
def test_another_way_to_write_the_table_is_left_to_the_operator(text: str) -> None:
    with pytest.raises(ConfigError, match="not understood") as caught:
        with_force(text, "a", OBSERVE)
    assert "by hand" in caught.value.hint


def test_what_is_no_toml_is_refused() -> None:
    with pytest.raises(ConfigError, match="not TOML"):
        with_force("[policy", "a", OBSERVE)


NAMES = st.text(min_size=1, max_size=8).filter(lambda text: not any(0xD800 <= ord(c) < 0xE000 for c in text))


@given(policy=NAMES, force=st.sampled_from(Force), others=st.lists(st.sampled_from(["b", "c", "d"]), unique=True))
def test_any_name_is_written_so_that_it_is_read_again(policy: str, force: Force, others: list[str]) -> None:
    text = f"# top\n[policy]\nask = {others}\nfiles = [ # x\n]\n[workloads.w]\nowner = 'o' # end\n"
    with suppress(ConfigError):
        after = with_force(text, policy, force)
        table = tomllib.loads(after)["policy"]
        assert policy in table[force.value]
        assert [one for one in Force if policy in table.get(one.value, [])] == [force]
        assert "# end" in after
