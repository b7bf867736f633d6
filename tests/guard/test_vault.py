"""What is remembered of a task: for that task only, sealed, bounded, and not for long."""

from itertools import count

import pytest
from cryptography.exceptions import InvalidTag
from hypothesis import given
from hypothesis import strategies as st

from interlock.guard.vault import PseudonymSettings, Vault
from tests.guard.test_pseudonyms import EMAIL, MASTER, NASTY, hidden
from tests.purity import pure

NOW = 1_000


def make_vault(
    ttl_s: int = 60, max_values: int = 5, max_tasks: int = 3, max_bytes: int = 10_000, master: bytes = MASTER
) -> Vault:
    numbers = count()
    settings = PseudonymSettings(ttl_s=ttl_s, max_values=max_values, max_tasks=max_tasks, max_bytes=max_bytes)
    return Vault(master, lambda size: next(numbers).to_bytes(size, "big"), settings)


def keep(vault: Vault, task: str, *values: str, now_s: int = NOW) -> list[str]:
    """The placeholders of `values`, hidden in one exchange of `task`."""
    pseudonyms = vault.recall(task, now_s)
    placeholders = [hidden(pseudonyms, value, "name") for value in values]
    vault.keep(pseudonyms, now_s)
    return placeholders


def restored(vault: Vault, task: str, placeholders: list[str], now_s: int = NOW) -> list[str]:
    pseudonyms = vault.recall(task, now_s)
    return [pseudonyms.restore(placeholder) for placeholder in placeholders]


@given(values=st.lists(st.text(min_size=1) | st.just(NASTY) | st.just("\ud83d\ude00"), max_size=5))
def test_a_later_exchange_of_the_task_restores_what_an_earlier_one_hid(values: list[str]) -> None:
    vault = make_vault()
    placeholders = keep(vault, "s_1", *values)
    assert restored(vault, "s_1", placeholders) == values
    assert restored(vault, "s_2", placeholders) == placeholders


def test_a_task_is_opened_with_its_own_key_only() -> None:
    vault = make_vault()
    keep(vault, "s_1", EMAIL)
    other = make_vault(master=bytes(32))
    for thief, task in ((other, "s_1"), (make_vault(), "s_2")):
        thief._tasks[task] = vault._tasks["s_1"]
        with pytest.raises(InvalidTag):
            thief.recall(task, NOW)


def test_no_value_and_no_placeholder_rests_in_clear() -> None:
    vault = make_vault()
    (placeholder,) = keep(vault, "s_1", EMAIL)
    assert len(vault._tasks["s_1"].data) == vault.size_bytes > len(EMAIL) + len(placeholder)
    assert EMAIL.encode() not in vault._tasks["s_1"].data
    assert placeholder.encode() not in vault._tasks["s_1"].data
    assert EMAIL not in repr(vault._tasks)


def test_the_same_values_are_sealed_anew_each_time() -> None:
    vault = make_vault()
    keep(vault, "s_1", EMAIL)
    before = vault._tasks["s_1"].data
    keep(vault, "s_1", EMAIL)
    assert vault._tasks["s_1"].data[:12] != before[:12]
    assert vault._tasks["s_1"].data[12:] != before[12:]
    assert vault.size_bytes == len(before)


def test_a_task_that_rests_too_long_is_forgotten_and_use_keeps_it() -> None:
    vault = make_vault(ttl_s=60)
    placeholders = keep(vault, "s_1", EMAIL)
    keep(vault, "s_2", EMAIL)
    assert restored(vault, "s_1", placeholders, NOW + 59) == [EMAIL]
    assert restored(vault, "s_1", placeholders, NOW + 118) == [EMAIL]
    assert len(vault) == 1
    assert restored(vault, "s_1", placeholders, NOW + 178) == placeholders
    assert (len(vault), vault.size_bytes) == (0, 0)


def test_the_task_that_rested_longest_makes_room() -> None:
    vault = make_vault(max_tasks=2)
    placeholders = {task: keep(vault, task, EMAIL) for task in ("s_1", "s_2")}
    vault.recall("s_1", NOW)
    keep(vault, "s_3", EMAIL)
    assert restored(vault, "s_1", placeholders["s_1"]) == [EMAIL]
    assert restored(vault, "s_2", placeholders["s_2"]) == placeholders["s_2"]
    assert len(vault) == 2


@given(sizes=st.lists(st.tuples(st.sampled_from("abcd"), st.integers(1, 3_000)), max_size=20))
def test_memory_is_bounded_and_counted_exactly(sizes: list[tuple[str, int]]) -> None:
    vault = make_vault(max_bytes=4_000)
    for number, (task, size) in enumerate(sizes):
        keep(vault, task, str(number) * size)
        assert vault.size_bytes == sum(len(sealed.data) for sealed in vault._tasks.values()) <= 4_000
        assert len(vault) <= 3


def test_a_task_that_is_larger_than_the_room_is_not_kept() -> None:
    vault = make_vault(max_bytes=4_000)
    placeholders = keep(vault, "s_1", "x" * 5_000)
    assert restored(vault, "s_1", placeholders) == placeholders
    assert vault.size_bytes == 0


def test_of_a_task_the_newest_values_are_kept() -> None:
    vault = make_vault(max_values=3)
    old = keep(vault, "s_1", "a", "b", "c")
    new = keep(vault, "s_1", "a", "d")
    assert restored(vault, "s_1", [*old, new[1]]) == ["a", old[1], "c", "d"]


def test_two_exchanges_of_a_task_at_once_are_both_remembered() -> None:
    vault = make_vault()
    first, second = vault.recall("s_1", NOW), vault.recall("s_1", NOW)
    placeholders = [hidden(first, "a", "name"), hidden(second, "b", "name")]
    vault.keep(first, NOW)
    vault.keep(second, NOW)
    assert restored(vault, "s_1", placeholders) == ["a", "b"]


def test_an_exchange_that_hid_nothing_leaves_no_trace() -> None:
    vault = make_vault()
    keep(vault, "s_1")
    assert (len(vault), vault.size_bytes) == (0, 0)


def test_a_value_of_before_comes_back_as_it_was_written_then() -> None:
    vault = make_vault()
    pseudonyms = vault.recall("s_1", NOW)
    placeholder = hidden(pseudonyms, "Bob@example.com")
    vault.keep(pseudonyms, NOW)
    later = vault.recall("s_1", NOW)
    assert hidden(later, "bob@example.com") == placeholder
    vault.keep(later, NOW)
    assert restored(vault, "s_1", [placeholder]) == ["Bob@example.com"]


@pytest.mark.parametrize("now_s", [0, NOW - 1])
def test_a_clock_that_is_set_back_loses_nothing(now_s: int) -> None:
    vault = make_vault()
    placeholders = keep(vault, "s_1", EMAIL)
    assert restored(vault, "s_1", placeholders, now_s) == [EMAIL]


def test_it_does_no_io() -> None:
    keep(make_vault(), "s_1", EMAIL)
    vault = make_vault()
    with pure():
        placeholders = keep(vault, "s_1", EMAIL)
        assert restored(vault, "s_1", placeholders) == [EMAIL]
