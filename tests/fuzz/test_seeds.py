"""What fuzzing has found stays found, without the fuzzer: every kept input, and a few changed ones, of each target."""

import random

import pytest

from tests.fuzz.mutate import mutate
from tests.fuzz.seeds import FOLDER, kept
from tests.fuzz.targets import CHOICE, Fuzzed, targets

TARGETS = targets()
EVERY = [pytest.param(target, id=name) for name, target in TARGETS.items()]
CHANGES = 40


@pytest.mark.parametrize("target", EVERY)
def test_every_kept_input(target: Fuzzed) -> None:
    inputs = [*target.seeds, *kept(target.name), bytes(CHOICE)]
    for data in inputs:
        target.check(data)
    assert len(target.seeds) > 0


@pytest.mark.parametrize("target", EVERY)
def test_a_few_changes_of_what_is_right(target: Fuzzed) -> None:
    choose = random.Random(target.name)
    done = 0
    for number in range(CHANGES):
        data = choose.choice(target.seeds)
        changed = mutate(data, target.kind, choose) if number % 4 else None
        if changed is None:
            at = choose.randrange(len(data) + 1)
            changed = data[:at] + choose.randbytes(choose.randrange(4)) + data[at + choose.randrange(4) :]
        target.check(changed.ljust(CHOICE, b"\0"))
        done += 1
    assert done == CHANGES


def test_every_file_of_kept_inputs_has_a_target() -> None:
    names = {file.stem for file in FOLDER.glob("*.txt")}
    assert names <= TARGETS.keys()
