"""Coverage-guided fuzzing of every adapter and of HTTP on both sides: `make fuzz FUZZ=60 TARGETS=http-client`.

Each target runs in a process of its own. What it learns stays in build/fuzz; what it finds is printed and kept there.
`--keep` writes the smallest inputs that cover what was learned to tests/corpus/fuzz, where the test suite replays them.
"""

import argparse
import re
import subprocess
import sys
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from tests.fuzz.seeds import FOLDER, kept, line_of
from tests.fuzz.targets import Fuzzed, targets

BUILD = Path("build/fuzz")
LONGEST = 8_192
# Of one target so many inputs are kept, of so many bytes: the corpus is read at every run of the tests.
MOST_KEPT, LONGEST_KEPT = 12, 1_000
GRACE_S = 120


@dataclass(frozen=True, slots=True)
class Result:
    """What one target came to. `found` are files with inputs that broke something."""

    executed: int
    corpus: int
    found: tuple[Path, ...]
    told: str


def fuzz(target: Fuzzed, seconds: int) -> Result:
    """Run a target for about `seconds`."""
    corpus, found = BUILD / "corpus" / target.name, BUILD / "found" / target.name
    corpus.mkdir(parents=True, exist_ok=True)
    found.mkdir(parents=True, exist_ok=True)
    for data in (*target.seeds, *kept(target.name)):
        (corpus / sha256(data).hexdigest()).write_bytes(data)
    before = {*found.iterdir()}
    command = _command(
        target, f"-max_total_time={seconds}", f"-max_len={LONGEST}", f"-artifact_prefix={found}/", "-timeout=20",
        "-rss_limit_mb=2000", "-print_final_stats=1", str(corpus),
    )  # fmt: skip
    done = subprocess.run(
        command, capture_output=True, text=True, errors="replace", timeout=seconds + GRACE_S, check=False
    )
    executed = re.search(r"number_of_executed_units: (\d+)", done.stderr)
    said = re.sub(r"INFO: .*\n", "", done.stdout + done.stderr)
    at = said.find("=== Uncaught Python exception")
    told = said[at : said.find("\n==", at)] if at >= 0 else said[-2_000:]
    told = told if done.returncode else ""
    new = tuple(sorted({*found.iterdir()} - before))
    return Result(int(executed[1]) if executed else 0, sum(1 for _ in corpus.iterdir()), new, told)


def keep(target: Fuzzed) -> int:
    """Write the smallest inputs that cover what a target has learned beside what is kept already; how many."""
    smallest = BUILD / "smallest" / target.name
    smallest.mkdir(parents=True, exist_ok=True)
    subprocess.run(
        _command(target, "-merge=1", str(smallest), str(BUILD / "corpus" / target.name)),
        capture_output=True,
        check=True,
        timeout=GRACE_S * 5,
    )
    known = {*target.seeds, *kept(target.name)}
    new = sorted((file.read_bytes() for file in smallest.iterdir()), key=lambda data: (len(data), data))
    lines = [line_of(data) for data in new if data not in known and len(data) <= LONGEST_KEPT]
    lines = lines[: max(0, MOST_KEPT - len(kept(target.name)))]
    if lines:
        FOLDER.mkdir(parents=True, exist_ok=True)
        with (FOLDER / f"{target.name}.txt").open("a", encoding="ascii") as out:
            out.writelines(f"{line}\n" for line in lines)
    return len(lines)


def _command(target: Fuzzed, *arguments: str) -> list[str]:
    return [sys.executable, "-m", "tests.fuzz.one", target.name, *arguments]


def main() -> int:
    """Fuzz what was asked for; 1 if something was found."""
    every = targets()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=60, help="for each target (default: 60)")
    parser.add_argument("--keep", action="store_true", help="keep the smallest inputs that cover what was learned")
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"of {', '.join(every)}; all if none is named")
    args = parser.parse_args()
    if unknown := [name for name in args.targets if name not in every]:
        parser.error(f"there is no target {unknown[0]!r}")
    broken = 0
    for target in [every[name] for name in args.targets or every]:
        result = fuzz(target, args.seconds)
        broken += bool(result.told)
        print(f"{target.name:30} {result.executed:>10,} runs {result.corpus:>6,} inputs", flush=True)
        if result.told:
            print(result.told, *(f"the input: {file}" for file in result.found), sep="\n", flush=True)
        elif args.keep:
            print(f"{'':30} {keep(target):>10,} kept", flush=True)
    return 1 if broken else 0


if __name__ == "__main__":
    raise SystemExit(main())
