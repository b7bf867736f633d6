"""The command line: one module for each command, found by its name.

A command's module holds `SUMMARY` (one line), `arguments(parser)` and `run(args) -> exit code`.
"""

import argparse
import importlib
import os
import pkgutil
import sys
from types import ModuleType

from interlock import __version__
from interlock.model.errors import InterlockError


def names() -> list[str]:
    """The names of all commands, in order."""
    return sorted(m.name for m in pkgutil.iter_modules(__path__) if not m.name.startswith("_"))


def command(name: str) -> ModuleType:
    """The module of a command."""
    return importlib.import_module(f"interlock.cli.{name}")


def parser(only: str | None = None) -> argparse.ArgumentParser:
    """The whole parser, or one with a single command in it (which starts faster)."""
    top = argparse.ArgumentParser(
        prog="interlock",
        description="Find the AI you run, stand in its live path, and prove what it did.",
        epilog="Exit codes: 0 clean, 1 findings or denials as asked for, 2 usage, 3 could not do the work.",
    )
    top.add_argument("--version", action="version", version=f"interlock {__version__}")
    commands = top.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name in [only] if only else names():
        module = command(name)
        sub = commands.add_parser(
            name,
            help=module.SUMMARY,
            description=module.__doc__,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        module.arguments(sub)
        sub.set_defaults(run=module.run)
    return top


def main(argv: list[str] | None = None) -> int:
    """Run a command; the exit code. An `InterlockError` is printed to stderr, never as a traceback."""
    argv = sys.argv[1:] if argv is None else argv
    only = argv[0] if argv and argv[0] in names() else None
    args = parser(only).parse_args(argv)
    try:
        code: int = args.run(args)
    except InterlockError as error:
        print(f"interlock: {error}", file=sys.stderr)
        return error.exit_code
    except BrokenPipeError:
        # The reader of our output (`| head`) has gone: that is its right, and no fault of the work.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        return 130
    return code
