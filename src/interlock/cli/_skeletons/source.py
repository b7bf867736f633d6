"""One sentence: which files, and what they say about AI."""

import re

from interlock.model.asset import AssetKind, Evidence, NotScanned, Observation, Site
from interlock.model.meta import Example, Maturity, Meta
from interlock.sources import FileSource, Reading

ID = "new-source"
LINE = re.compile(r"^model:\s{0,8}([\w./:-]{1,100})\s*$")


def wants(path: str) -> bool:
    """Files of this name, in any folder."""
    return path.rpartition("/")[2] == "new-source.conf"


def read(path: str, data: bytes) -> Reading:
    """A model for each line that names one."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        return (), (NotScanned(path, "not UTF-8"),)
    lines = enumerate(text.split("\n"), 1)
    found = ((number, match[1]) for number, line in lines if (match := LINE.match(line)))
    return tuple(
        Observation(AssetKind.MODEL, name, Site(path, number), Evidence.DECLARED, ID) for number, name in found
    ), ()


SOURCE = FileSource(
    meta=Meta(
        id=ID,
        title="New source",
        why="What would stay unseen without it.",
        since="0.1.0",
        maturity=Maturity.SANDBOX,
    ),
    wants=wants,
    marks=(b"model:",),
    read=read,
    examples=(
        Example(
            "two models",
            ("a/new-source.conf", b"model: gpt-5\n# old\nmodel: o3\n"),
            (("model", "gpt-5", 1), ("model", "o3", 3)),
        ),
        Example("none", ("new-source.conf", b"# model: gpt-5\n"), ()),
        Example("not text", ("new-source.conf", b"model: \xff\n"), ()),
    ),
)
