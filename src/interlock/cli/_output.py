"""How commands print: one rich console on stdout, 80 columns wide where there is no terminal."""

import sys

from rich.console import Console
from rich.markup import escape

PLAIN_WIDTH = 80


def console() -> Console:
    """A console for this run's stdout; plain and 80 columns wide if that is not a terminal."""
    return Console(highlight=False, width=None if sys.stdout.isatty() else PLAIN_WIDTH, soft_wrap=False)


def shown(text: str) -> str:
    """A text of somebody else, safe to print: no markup of ours, and nothing that a terminal acts on."""
    return escape(clean(text))


def clean(text: str) -> str:
    """`text` with a mark in place of each character that a terminal acts on; it may still hold markup."""
    return "".join([c if c.isprintable() else "\ufffd" for c in text])
