"""How a room declares its settings: a frozen dataclass of `setting(...)` fields; `config.py` fills it."""

from dataclasses import field
from typing import Any


def setting(default: Any, doc: str, *, least: int = 0, choices: tuple[str, ...] = ()) -> Any:
    """A field of a settings dataclass, with the sentence that the reference page prints.

    A number is at least `least`; a text is one of `choices`, if there are any.
    """
    return field(default=default, metadata={"doc": doc, "least": least, "choices": choices})
