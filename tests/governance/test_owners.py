"""CODEOWNERS, as GitHub documents it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock.governance.owners import owner_of_asset, owner_of_workload, parse
from interlock.governance.settings import Manifest
from interlock.model.asset import Asset, AssetKind, Evidence, Site, Workload

# The example of GitHub's documentation, "About code owners", shortened.
GITHUB = """
# comment
*       @global-owner1 @global-owner2
*.js    @js-owner #inline comment
*.go docs@example.com
/build/logs/ @doctocat
docs/*  docs@example.com
apps/ @octocat
/docs/ @doctocat
/scripts/ @doctocat @octocat
**/logs @octocat
/apps/github
with\\ blank/ @blank
"""


@pytest.mark.parametrize(
    ("path", "owner"),
    [
        ("readme", "@global-owner1 @global-owner2"),
        ("a/b/c.js", "@js-owner"),
        ("build/logs/x.txt", "@octocat"),
        ("docs/getting-started.md", "@doctocat"),
        ("a/docs/x.md", "@global-owner1 @global-owner2"),
        ("x/apps/y/z.py", "@octocat"),
        ("apps/github/a.py", None),
        ("apps/github", None),
        ("apps/githubber/a.py", "@octocat"),
        ("scripts/deep/a.sh", "@doctocat @octocat"),
        ("deep/logs/today", "@octocat"),
        ("with blank/a", "@blank"),
        ("main.go", "docs@example.com"),
    ],
)
def test_the_last_match_wins(path: str, owner: str | None) -> None:
    assert parse(GITHUB).of(path) == owner


@pytest.mark.parametrize(
    ("pattern", "path", "matches"),
    [
        ("docs/*", "docs/a.md", True),
        ("docs/*", "docs/a/b.md", False),
        ("docs/**", "docs/a/b.md", True),
        ("/a/**/z", "a/z", True),
        ("/a/**/z", "a/b/c/z", True),
        ("/*.py", "a.py", True),
        ("/*.py", "b/a.py", False),
        ("file?.txt", "x/file1.txt", True),
        ("file?.txt", "x/file/.txt", False),
        ("a+b(c)", "a+b(c)", True),
    ],
)
def test_globs(pattern: str, path: str, matches: bool) -> None:
    assert (parse(f"{pattern} @me").of(path) == "@me") is matches


def test_sections_of_gitlab() -> None:
    owners = parse("[Docs][2] @docs\n*.md\n*.txt @me\n^[Optional]\n*.py\n!*.rst")
    assert (owners.of("a.md"), owners.of("a.txt"), owners.of("a.py"), owners.of("a.rst")) == (
        "@docs",
        "@me",
        None,
        None,
    )


@given(st.text(max_size=80), st.text(max_size=40))
def test_any_file_can_be_read(text: str, path: str) -> None:
    owner = parse(text).of(path)
    assert owner is None or owner


def test_a_pattern_cannot_take_long() -> None:
    assert parse("**/" * 400 + "x @me\n" + "*a" * 400 + " @you").of("a/" * 500 + "b") is None


def test_what_is_declared_wins_and_an_asset_falls_back_to_its_workload() -> None:
    owners = parse("/apps/ @apps")
    workload = Workload("bot", "apps/bot", ("tool:a",))
    assert owner_of_workload(workload, {}, owners) == "@apps"
    assert owner_of_workload(workload, {"bot": Manifest(owner="team-a")}, owners) == "team-a"
    assert owner_of_workload(Workload("x", ".", ()), {}, owners) is None
    asset = Asset("tool:a", AssetKind.TOOL, "a", (Site("lib/a.py", 1),), Evidence.USED, ("s",))
    assert owner_of_asset(asset, [Workload("bot", ".", ("tool:a",), "team-a")], owners) == "team-a"
    assert owner_of_asset(asset, [], owners) is None
