"""How a room declares its settings: a frozen dataclass of `setting(...)` fields; `config.py` fills it."""

from dataclasses import field
from typing import Any


def setting(default: Any, doc: str) -> Any:
    """A field of a settings dataclass, with the sentence that the reference page prints."""
    return field(default=default, metadata={"doc": doc})
