"""CATALOGUE of sources: world -> observations. Each is `fetch` (the only I/O) and `read` (pure).

One file is one source. A file source says which files it wants by name and by bytes, so that a scan builds
a syntax tree only where there is an AI mark; `read` gets the bytes and never executes or imports them.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from interlock.catalog import load
from interlock.model.asset import NotScanned, Observation
from interlock.model.meta import Example, Meta

Reading = tuple[tuple[Observation, ...], tuple[NotScanned, ...]]


@dataclass(frozen=True, slots=True)
class FileSource:
    """An entry of this room that reads single files.

    `wants` takes the path relative to the root; `marks` are byte strings one of which must be in the file
    (none: every wanted file is read); `read` takes path and bytes and gives what it saw and what it could
    not read. Examples give (path, bytes) and expect (kind, name, line) triples.
    """

    meta: Meta
    wants: Callable[[str], bool]
    marks: tuple[bytes, ...]
    read: Callable[[str, bytes], Reading]
    examples: tuple[Example[tuple[str, bytes], tuple[tuple[str, str, int], ...]], ...]


def file_sources() -> Mapping[str, FileSource]:
    """Every file source by id."""
    return load("sources", "SOURCE", FileSource)
