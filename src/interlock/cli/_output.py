"""How commands print: one rich console on stdout, 80 columns wide where there is no terminal."""

import sys

from rich.console import Console

PLAIN_WIDTH = 80


def console() -> Console:
    """A console for this run's stdout; plain and 80 columns wide if that is not a terminal."""
    return Console(highlight=False, width=None if sys.stdout.isatty() else PLAIN_WIDTH, soft_wrap=False)
