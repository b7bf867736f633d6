"""Which folders are workloads: the applications whose code uses AI, and what was found in each."""

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping

from interlock.governance.settings import Manifest
from interlock.inventory import Inventory
from interlock.inventory.graph import inside
from interlock.model.asset import Asset, AssetKind, Workload

# A file that makes its folder a project.
MANIFESTS = re.compile(
    r"pyproject\.toml|requirements[\w.-]*\.(?:txt|in)|setup\.(?:py|cfg)|Pipfile|environment\.ya?ml|package\.json|"
    r"(?:[\w-]+\.)?(?:Dockerfile|Containerfile)(?:\.[\w-]+)?|go\.mod|Cargo\.toml|pom\.xml|langgraph\.json"
)
# What a program must have to be one that uses AI; a dependency or a variable's name alone is not enough.
USES_AI = frozenset({
    AssetKind.LLM, AssetKind.AGENT, AssetKind.MODEL, AssetKind.EMBEDDING, AssetKind.MCP_CLIENT, AssetKind.TOOL,
})  # fmt: skip

# Source files of kinds that no source reads: a scan counts them, `*.ts` standing for all of its kind.
UNREAD_KINDS = frozenset({
    "*.bicep", "*.cs", "*.go", "*.java", "*.js", "*.jsx", "*.kt", "*.mjs", "*.php", "*.rb", "*.rs", "*.tf",
    "*.ts", "*.tsx",
})  # fmt: skip


def manifest_files(paths: Collection[str]) -> list[str]:
    """Those of these files that make their folder a project; a setup.py inside a package is a module of it."""
    named = [path for path in paths if MANIFESTS.fullmatch(path.rpartition("/")[2])]
    return [p for p in named if not (p.endswith("setup.py") and f"{p.removesuffix('setup.py')}__init__.py" in paths)]


def workloads(
    inventory: Inventory,
    manifest_files: Iterable[str],
    project_names: Mapping[str, str],
    declared: Mapping[str, Manifest],
    root_name: str,
) -> tuple[Workload, ...]:
    """The workloads by id. Every asset below a workload's folder, and below no deeper one's, is its own.

    A folder is a workload if it holds a manifest and AI is used in it below no deeper manifest; AI outside
    of any project belongs to the root. `project_names` gives a folder's name from its pyproject.toml,
    `root_name` the scanned folder's own; `declared` workloads with a `path` claim that folder and its name.
    """
    claimed = {manifest.path.strip("/") or ".": id_ for id_, manifest in declared.items() if manifest.path}
    folders = {_folder(path) for path in manifest_files} | set(claimed) | {"."}
    used = {_nearest(site.path, folders) or "." for asset in inventory.of(*USES_AI) for site in asset.sites}
    roots = sorted(used | {folder for folder in claimed if inventory.below(folder)})
    owned: dict[str, set[str]] = defaultdict(set)
    for asset in inventory.assets:
        for root in _roots_of(asset, roots):
            owned[root].add(asset.id)
    names = _unique({root: claimed.get(root) or project_names.get(root) or _last(root, root_name) for root in roots})
    found = [Workload(names[root], root, tuple(sorted(owned[root]))) for root in roots]
    return tuple(sorted(found, key=lambda workload: workload.id))


def workload_at(path: str, found: Iterable[Workload]) -> Workload | None:
    """The workload whose folder is the deepest one that `path` is in; None for a whole kind of files (`*.ts`)."""
    if path in UNREAD_KINDS:
        return None
    around = [workload for workload in found if inside(path, workload.root)]
    return max(around, key=lambda workload: _depth(workload.root), default=None)


def _roots_of(asset: Asset, roots: list[str]) -> set[str]:
    return {root for site in asset.sites if (root := _nearest(site.path, set(roots)))}


def _nearest(path: str, folders: set[str]) -> str | None:
    folder = _folder(path)
    while folder not in folders:
        if folder == ".":
            return None
        folder = _folder(folder)
    return folder


def _folder(path: str) -> str:
    return path.rpartition("/")[0] or "."


def _depth(folder: str) -> int:
    return 0 if folder == "." else folder.count("/") + 1


def _last(root: str, root_name: str) -> str:
    return root_name if root == "." else root.rpartition("/")[2]


def _unique(names: Mapping[str, str]) -> dict[str, str]:
    """Two folders of one name get as much of their paths as tells them apart; a number where nothing does."""
    taken: dict[str, str] = {}
    for root, name in names.items():
        same = [other for other, its_name in names.items() if its_name == name]
        candidate = name if len(same) == 1 else root.replace("/", "-") if root != "." else name
        number = 2
        unique = candidate
        while unique in taken.values():
            unique, number = f"{candidate}-{number}", number + 1
        taken[root] = unique
    return taken
