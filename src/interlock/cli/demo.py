"""The whole story on bundled input, in under a minute: no key, no network,
nothing kept.

A small company's repository is scanned. Its invoice agent, a real one on the
official openai SDK, runs once without interlock and once through it, with the
same hijacked model behind. Then the coverage, the audit log, and what one
flipped byte in it does. Exits with 3 if any step did not come out as told.
"""

import argparse
import tempfile
from importlib.resources import as_file, files
from pathlib import Path

SUMMARY = "see the whole story on bundled input, in under a minute"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Its one argument."""
    parser.add_argument("--serve", action="store_true", help="leave the gateway and the console up at the end")


def run(args: argparse.Namespace) -> int:
    """Tell the story."""
    import uvloop

    from interlock.demo import tell

    company = files("interlock") / "examples" / "halden-freight"
    with as_file(company) as bundled, tempfile.TemporaryDirectory(prefix="interlock-demo-") as folder:
        uvloop.run(tell(bundled, Path(folder), serve=args.serve))
    return 0
