"""Which folders are workloads."""

import pytest

from interlock.governance.settings import Manifest
from interlock.governance.workloads import manifest_files, workload_at, workloads
from interlock.inventory import Inventory
from interlock.model.asset import AssetKind, Evidence, Observation, Site, Workload


def inventory(*seen: tuple[AssetKind, str]) -> Inventory:
    return Inventory.build(Observation(kind, "x", Site(path, 1), Evidence.USED, "s") for kind, path in seen)


def found(
    seen: Inventory, files: list[str], names: dict[str, str] | None = None, declared: dict[str, Manifest] | None = None
) -> dict[str, str]:
    return {w.id: w.root for w in workloads(seen, files, names or {}, declared or {}, "repo")}


def test_the_nearest_manifest_makes_the_workload() -> None:
    seen = inventory((AssetKind.LLM, "apps/bot/src/a.py"), (AssetKind.AGENT, "apps/clerk/a.py"))
    files = ["pyproject.toml", "apps/bot/requirements.txt", "apps/clerk/Dockerfile"]
    assert found(seen, files) == {"bot": "apps/bot", "clerk": "apps/clerk"}


def test_a_project_that_only_has_a_dependency_uses_no_ai() -> None:
    assert found(inventory((AssetKind.DEPENDENCY, "lib/pyproject.toml")), ["lib/pyproject.toml"]) == {}


def test_without_any_manifest_the_root_is_the_workload() -> None:
    assert found(inventory((AssetKind.LLM, "deep/down/a.py")), []) == {"repo": "."}
    assert found(inventory((AssetKind.LLM, "a.py")), []) == {"repo": "."}


def test_names() -> None:
    seen = inventory((AssetKind.LLM, "a/bot/x.py"), (AssetKind.LLM, "b/bot/x.py"), (AssetKind.LLM, "c/x.py"))
    files = ["a/bot/pyproject.toml", "b/bot/pyproject.toml", "c/pyproject.toml"]
    assert found(seen, files, {"c": "clerk"}) == {"a-bot": "a/bot", "b-bot": "b/bot", "clerk": "c"}


@pytest.mark.parametrize("path", ["apps/one", "apps/one/"])
def test_a_declared_path_claims_its_folder(path: str) -> None:
    seen = inventory((AssetKind.LLM, "apps/one/a.py"))
    assert found(seen, [], declared={"billing": Manifest(path=path)}) == {"billing": "apps/one"}
    assert found(seen, [], declared={"other": Manifest(path="elsewhere")}) == {"repo": "."}


def test_assets_belong_to_the_deepest_workload() -> None:
    seen = inventory((AssetKind.LLM, "a.py"), (AssetKind.LLM, "in/b.py"), (AssetKind.CREDENTIAL, "in/.env"))
    of = {w.id: w.assets for w in workloads(seen, ["in/setup.py", "pyproject.toml"], {}, {}, "repo")}
    assert of == {"repo": ("llm:a.py#x",), "in": ("credential:x", "llm:in/b.py#x")}


def test_where_a_path_belongs() -> None:
    outer, inner = Workload("o", ".", ()), Workload("i", "a/b", ())
    assert workload_at("a/b/c.py", [outer, inner]) is inner
    assert workload_at("a/bc.py", [outer, inner]) is outer
    assert workload_at("x.py", [inner]) is None


@pytest.mark.parametrize(
    ("path", "is_one"),
    [
        ("pyproject.toml", True), ("a/requirements-dev.txt", True), ("Dockerfile", True), ("api.Dockerfile", True),
        ("Dockerfile.prod", True), ("package.json", True), ("readme.md", False), ("my-package.json", False),
    ],
)  # fmt: skip
def test_manifests(path: str, is_one: bool) -> None:
    assert manifest_files([path]) == ([path] if is_one else [])


def test_a_module_named_setup_is_no_manifest() -> None:
    assert manifest_files(["setup.py", "a/setup.py", "a/__init__.py"]) == ["setup.py"]
