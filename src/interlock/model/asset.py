"""The nouns of posture: what a source saw, the asset that it is evidence of, and what is wrong with it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from types import MappingProxyType

from interlock.model.meta import Confidence, Severity

Fact = str | int | bool | None
NO_FACTS: Mapping[str, Fact] = MappingProxyType({})


class AssetKind(Enum):
    """Every kind of asset; the value is what JSON, the command line and the console show."""

    MODEL = "model"
    LLM = "llm"
    AGENT = "agent"
    TOOL = "tool"
    PROMPT = "prompt"
    EMBEDDING = "embedding"
    VECTOR_STORE = "vector_store"
    MCP_SERVER = "mcp_server"
    MCP_CLIENT = "mcp_client"
    GUARDRAIL = "guardrail"
    CREDENTIAL = "credential"
    DEPENDENCY = "dependency"
    DATASET = "dataset"
    INFERENCE_SERVER = "inference_server"
    CLOUD = "cloud"
    IDENTITY = "identity"
    OBSERVABILITY = "observability"


class Evidence(Enum):
    """How strong a sighting is. Only `DECLARED` and `USED` make an asset by default."""

    DECLARED = "declared"
    USED = "used"
    IMPORTED = "imported"
    MENTIONED = "mentioned"


class Verb(Enum):
    """How one asset relates to another."""

    USES = "uses"
    CALLS = "calls"
    EXPOSES = "exposes"
    READS = "reads"
    WRITES = "writes"
    RUNS_AS = "runs-as"
    DEPLOYED_ON = "deployed-on"
    OWNED_BY = "owned-by"
    TRAINED_ON = "trained-on"


@dataclass(frozen=True, slots=True, order=True)
class Site:
    """Where something was seen. `path` is relative to the scanned root, with `/`; `line` is 1-based."""

    path: str
    line: int


@dataclass(frozen=True, slots=True)
class Link:
    """A relation from the observed thing to another, named as a source knows it: by kind and name."""

    verb: Verb
    kind: AssetKind
    name: str


@dataclass(frozen=True, slots=True)
class Observation:
    """One sighting by one source. Facts never hold a secret's value; None means not known, never fine."""

    kind: AssetKind
    name: str
    site: Site
    evidence: Evidence
    source: str
    facts: Mapping[str, Fact] = field(default_factory=lambda: NO_FACTS)
    links: tuple[Link, ...] = ()


@dataclass(frozen=True, slots=True)
class Asset:
    """One thing, once, with all its sites in order. `id` is stable from scan to scan."""

    id: str
    kind: AssetKind
    name: str
    sites: tuple[Site, ...]
    evidence: Evidence
    sources: tuple[str, ...]
    facts: Mapping[str, Fact] = field(default_factory=lambda: NO_FACTS)
    owner: str | None = None


@dataclass(frozen=True, slots=True, order=True)
class Relation:
    """`source` and `target` are asset ids."""

    source: str
    verb: str
    target: str


@dataclass(frozen=True, slots=True)
class Workload:
    """An application that uses AI: the unit that has an owner, a scope and an identity.

    `root` is the folder (relative, `.` for the scanned root) whose manifest or AI use makes it one;
    `assets` are the ids of what was found below that folder.
    """

    id: str
    root: str
    assets: tuple[str, ...]
    owner: str | None = None


class Status(Enum):
    """A check's answer for one asset. UNKNOWN is what was not understood; it is shown and never counts as fine."""

    PASS = "pass"
    FAIL = "fail"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Finding:
    """A check that did not pass for an asset. `id` is a fingerprint that survives moved lines.

    `known`: whether a baseline has it; None if there was none.
    """

    id: str
    check: str
    status: Status
    severity: Severity
    confidence: Confidence
    title: str
    message: str
    fix: str
    asset: str
    site: Site
    workload: str | None = None
    known: bool | None = None


@dataclass(frozen=True, slots=True, order=True)
class NotScanned:
    """Something that was not read, and why; `*.ts` is all files of that kind. Never left out in silence."""

    path: str
    reason: str


@dataclass(frozen=True, slots=True)
class Scan:
    """The whole result of one scan, in a stable order."""

    root: str
    at: str
    files: int
    assets: tuple[Asset, ...]
    relations: tuple[Relation, ...]
    workloads: tuple[Workload, ...]
    findings: tuple[Finding, ...]
    not_scanned: tuple[NotScanned, ...]
