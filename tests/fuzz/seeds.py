"""The kept inputs of a target: `tests/corpus/fuzz/<target>.txt`, one a line in base64, and after it what it showed."""

import base64
from pathlib import Path

FOLDER = Path(__file__).parents[1] / "corpus" / "fuzz"


def kept(target: str) -> list[bytes]:
    """What is kept of a target, in the order of its file."""
    file = FOLDER / f"{target}.txt"
    lines = file.read_text("ascii").splitlines() if file.exists() else []
    return [base64.b64decode(line.split()[0], validate=True) for line in lines if line and not line.startswith("#")]


def line_of(data: bytes) -> str:
    """A line that keeps an input."""
    return base64.b64encode(data).decode()
