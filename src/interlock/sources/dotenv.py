"""Names of AI credentials in .env files, and whether a value is set; the value itself is never kept."""

import re

from interlock import knowledge
from interlock.model.asset import AssetKind, Evidence, Fact, NotScanned, Observation, Site
from interlock.model.meta import Example, Meta
from interlock.sources import FileSource, Reading

ID = "dotenv"
FILE = re.compile(r"(?:^|/)(?:\.env(?:\.[\w-]+)*|[\w-]+\.env|env\.(?:example|sample|template)|\.?envrc)$")
ASSIGNMENT = re.compile(r"^\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=(.*)$")


def wants(path: str) -> bool:
    """.env, .env.<anything>, <anything>.env and env templates."""
    return bool(FILE.search(path))


def read(path: str, data: bytes) -> Reading:
    """Each known AI credential at its line; `value_set` says whether something that looks like a value follows."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return (), (NotScanned(path, "not UTF-8"),)
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        match = ASSIGNMENT.match(line)
        service = knowledge.credential_service(match[1]) if match else None
        if match and service:
            value = re.split(r"\s#", match[2])[0].strip()
            facts: dict[str, Fact] = {"service": service, "env": True, "value_set": not knowledge.is_filler(value)}
            site = Site(path, number)
            found.append(Observation(AssetKind.CREDENTIAL, match[1], site, Evidence.DECLARED, ID, facts))
    return tuple(found), ()


SOURCE = FileSource(
    meta=Meta(
        id=ID,
        title=".env files",
        why="The names in a .env file say which AI services a workload has credentials for, before any code is read.",
        since="0.1.0",
    ),
    wants=wants,
    marks=(),
    read=read,
    examples=(
        Example(
            "a template: names without values",
            (".env.example", b"# keys\nexport OPENAI_API_KEY=your-key-here\nPORT=8080\nLANGFUSE_SECRET_KEY=\n"),
            (("credential", "LANGFUSE_SECRET_KEY", 4), ("credential", "OPENAI_API_KEY", 2)),
        ),
        Example(
            "a value is set; it is not kept",
            ("deploy/.env", b'ANTHROPIC_API_KEY="q9-not-a-filler-4711"\n'),
            (("credential", "ANTHROPIC_API_KEY", 1),),
        ),
        Example(
            "names that are not AI's, and comments",
            (".env", b"DATABASE_URL=x\n#OPENAI_API_KEY=y\nGITHUB_TOKEN=z\n"),
            (),
        ),
    ),
)
