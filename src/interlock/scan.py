"""One scan: folders -> sources -> inventory -> checks -> governance -> `Scan`. Nothing scanned is ever executed."""

import hashlib
import tomllib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from os.path import splitext
from pathlib import Path

from interlock import knowledge
from interlock.checks import Check, Judgement, checks
from interlock.governance import owners, workloads
from interlock.governance.settings import Manifest
from interlock.governance.summary import counted
from interlock.inventory import Inventory
from interlock.knowledge import redact
from interlock.model.asset import Asset, Finding, NotScanned, Observation, Scan, Site, Status, Workload
from interlock.model.meta import Severity
from interlock.sources import FileSource, file_sources
from interlock.sources._files import MAX_FILE_BYTES, Tree, common_root, contents, marked, walk, why

Progress = Callable[[int, int], None]


def scan(
    paths: Sequence[Path],
    *,
    at: str,
    manifests: Mapping[str, Manifest] | None = None,
    progress: Progress | None = None,
) -> Scan:
    """Scan files and folders. With several, the root is the deepest folder that holds them all.

    `at` is the time to record (ISO 8601, UTC); `progress` gets files done and files in all.
    Raises: ScanError for a path that is not there or is no file or folder.
    """
    root = common_root(paths)
    found = Tree()
    for path in paths:
        walk(path.resolve(), root, found)
    observations, not_scanned, read = _observe(found, progress)
    names = _project_names(found)
    inventory = Inventory.build(_redacted(o) for o in observations if not _is_shadowed(o, found, names))
    projects = workloads.manifest_files(found.files)
    around = workloads.workloads(inventory, projects, names, manifests or {}, root.name or "root")
    rules = _code_owners(found)
    around = tuple(replace(w, owner=owners.owner_of_workload(w, manifests or {}, rules)) for w in around)
    return Scan(
        root=str(root),
        at=at,
        files=read,
        assets=tuple(replace(a, owner=owners.owner_of_asset(a, around, rules)) for a in inventory.assets),
        relations=inventory.relations,
        workloads=around,
        findings=tuple(_judge(inventory, checks().values(), around)),
        not_scanned=tuple(sorted({replace(n, reason=redact(n.reason)) for n in found.not_scanned + not_scanned})),
    )


def _observe(found: Tree, progress: Progress | None) -> tuple[list[Observation], list[NotScanned], int]:
    observations: list[Observation] = []
    not_scanned: list[NotScanned] = []
    unread: Counter[str] = Counter()
    read = 0
    for done, (path, place) in enumerate(found.files.items(), 1):
        wanting = [source for source in file_sources().values() if source.wants(path)]
        if wanting:
            read += 1
            for seen, missed in _read(path, place, wanting):
                observations += seen
                not_scanned += missed
        elif path in found.named:
            not_scanned.append(NotScanned(path, "no source reads this kind of file"))
        elif (kind := f"*{splitext(path)[1].lower()}") in workloads.UNREAD_KINDS:
            unread[kind] += 1
        if progress:
            progress(done, len(found.files))
    for kind, number in unread.items():
        not_scanned.append(NotScanned(kind, f"{counted(number, 'file')}: no source reads this kind yet"))
    return observations, not_scanned, read


def _read(
    path: str, place: str, wanting: Iterable[FileSource]
) -> Iterator[tuple[Iterable[Observation], Iterable[NotScanned]]]:
    try:
        data = contents(place)
    except OSError as error:
        yield (), [NotScanned(path, why(error))]
        return
    if data is None or len(data) > MAX_FILE_BYTES:
        reason = "not a regular file" if data is None else f"larger than {MAX_FILE_BYTES // 1_000_000} MB"
        yield (), [NotScanned(path, reason)]
        return
    for source in wanting:
        if source.marks and not marked(source.marks).search(data):
            continue
        try:
            yield source.read(path, data)
        except Exception as error:  # noqa: BLE001  one file, however made, never ends a scan; it is shown instead
            yield (), [NotScanned(path, f"{source.meta.id} could not read it: {type(error).__name__}")]


def _is_shadowed(observation: Observation, found: Tree, names: Mapping[str, str]) -> bool:
    """Whether the SDK that a symbol seems to be from is really the project's own module of the same name."""
    top = str(observation.facts.get("module") or "").partition(".")[0]
    if top not in knowledge.symbols().common_words or observation.facts.get("sdk") in names.values():
        return False
    folder = observation.site.path.rpartition("/")[0]
    while True:
        for base in (f"{folder}/" if folder else "", f"{folder}/src/" if folder else "src/"):
            if f"{base}{top}.py" in found.files or f"{base}{top}/__init__.py" in found.files:
                return True
        if not folder:
            return False
        folder = folder.rpartition("/")[0]


def _redacted(observation: Observation) -> Observation:
    """INVARIANT: nothing that looks like a credential goes further than this, wherever it stood."""
    facts = {name: redact(value) if isinstance(value, str) else value for name, value in observation.facts.items()}
    links = tuple(replace(link, name=redact(link.name)) for link in observation.links)
    return replace(observation, name=redact(observation.name), facts=facts, links=links)


def _project_names(found: Tree) -> dict[str, str]:
    """The name that each folder's pyproject.toml gives, by folder."""
    files = [path for path in found.files if path.rpartition("/")[2] == "pyproject.toml"]
    named = {path.rpartition("/")[0] or ".": _project_name(found.files[path]) for path in files}
    return {folder: name for folder, name in named.items() if name}


def _project_name(place: str) -> str | None:
    """The name in a pyproject.toml; None if there is none (that it is broken, its source says)."""
    try:
        document = tomllib.loads((contents(place) or b"").decode("utf-8-sig"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError):
        return None
    for keys in (("project", "name"), ("tool", "poetry", "name")):
        found: object = document
        for key in keys:
            found = found.get(key) if isinstance(found, dict) else None
        if isinstance(found, str) and found:
            return redact(found)
    return None


def _code_owners(found: Tree) -> owners.Owners:
    for place in owners.PLACES:
        if place in found.files:
            return owners.parse((contents(found.files[place]) or b"").decode("utf-8", "replace"))
    return owners.Owners()


def _judge(inventory: Inventory, judges: Iterable[Check], around: tuple[Workload, ...]) -> list[Finding]:
    """What did not pass, gravest first."""
    found: list[Finding] = []
    for check in judges:
        for asset in inventory.of(*check.kinds):
            found += _findings(check, asset, inventory, around)
    return sorted(found, key=lambda f: (f.status is not Status.FAIL, -f.severity.rank, f.check, f.site, f.id))


def _findings(check: Check, asset: Asset, inventory: Inventory, around: tuple[Workload, ...]) -> Iterator[Finding]:
    """One for each place where it did not pass. Equal ones in a file are told apart by their order, not their lines."""
    judged = ((seen.sites[0], check.judge(seen, inventory)) for seen in inventory.sightings(asset.id))
    number: Counter[str] = Counter()
    for site, judgement in dict.fromkeys(judged):
        if judgement.status is not Status.PASS:
            same = "\0".join((check.meta.id, asset.id, site.path, judgement.status.value, judgement.message))
            yield _finding(check, asset, site, judgement, f"{same}\0{number[same]}", around)
            number[same] += 1


def _finding(
    check: Check, asset: Asset, site: Site, judgement: Judgement, fingerprint: str, around: tuple[Workload, ...]
) -> Finding:
    workload = workloads.workload_at(site.path, around)
    return Finding(
        id=hashlib.sha256(fingerprint.encode("utf-8", "surrogatepass")).hexdigest()[:16],
        check=check.meta.id,
        status=judgement.status,
        severity=check.meta.severity or Severity.LOW,
        confidence=judgement.confidence or check.meta.confidence,
        title=check.meta.title,
        message=judgement.message,
        fix=check.meta.fix,
        asset=asset.id,
        site=site,
        workload=workload.id if workload else None,
    )
