"""Runs one target under atheris, in a process of its own: `python -m tests.fuzz.one TARGET [libFuzzer's arguments]`."""

import random
import sys

import atheris

# Whatever brings interlock along has to be imported here.
with atheris.instrument_imports(include=["interlock"]):
    from tests.fuzz.mutate import mutate
    from tests.fuzz.targets import CHOICE, targets

    TARGETS = targets()

# How often an input is changed as what it is, rather than as bytes.
STRUCTURED = 0.7


def main() -> None:
    """Fuzz until libFuzzer's arguments end it, or something is found."""
    target = TARGETS[sys.argv[1]]

    def run(data: bytes) -> None:
        target.check(data.ljust(CHOICE, b"\0"))

    def change(data: bytes, most: int, seed: int) -> bytes:
        choose = random.Random(seed)
        changed = mutate(data, target.kind, choose) if choose.random() < STRUCTURED else None
        return changed[:most] if changed else bytes(atheris.Mutate(data, most))

    atheris.Setup([sys.argv[0], *sys.argv[2:]], run, custom_mutator=change)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
