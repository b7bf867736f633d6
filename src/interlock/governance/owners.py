"""Who answers for a file: CODEOWNERS, read as GitHub and GitLab read it, and what the operator declares."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import re2

from interlock.governance.settings import Manifest
from interlock.model.asset import Asset, Workload

# Where the file may be; the first one that is there counts (GitHub: "About code owners").
PLACES = (".github/CODEOWNERS", "CODEOWNERS", "docs/CODEOWNERS", ".gitlab/CODEOWNERS")


GLOB = {"/**/": "/(?:.*/)?", "**/": "(?:.*/)?", "/**": "/.*", "*": "[^/]*", "?": "[^/]"}


@dataclass(frozen=True, slots=True)
class Rule:
    """One line: whose the paths are that its RE2 expression matches. No owners: nobody's, on purpose."""

    pattern: Any
    owners: tuple[str, ...]
    line: int


@dataclass(frozen=True, slots=True)
class Owners:
    """The rules of a CODEOWNERS file; the last one that matches a path decides."""

    rules: tuple[Rule, ...] = ()

    def of(self, path: str) -> str | None:
        """The owners of a path, parted by blanks; None if nobody is named."""
        for rule in reversed(self.rules):
            if rule.pattern.fullmatch(path):
                return " ".join(rule.owners) or None
        return None


def parse(text: str) -> Owners:
    """The rules of a CODEOWNERS file. GitLab's `[Section]` headers give their owners to lines that name none."""
    rules: list[Rule] = []
    section: tuple[str, ...] = ()
    for number, line in enumerate(text.splitlines(), 1):
        bare = re.split(r"(?<!\\)\s#|^#", line)[0].strip()
        if not bare:
            continue
        if header := re.match(r"\^?\[[^\]]+\](?:\[\d+\])?\s*(.*)$", bare):
            section = tuple(header[1].split())
            continue
        glob, *owners = re.split(r"(?<!\\)\s+", bare)
        if glob.startswith("!"):  # GitLab's exclusion: nobody's
            rules.append(Rule(_expression(glob[1:]), (), number))
        else:
            rules.append(Rule(_expression(glob), tuple(owners) or section, number))
    return Owners(tuple(rules))


def _expression(glob: str) -> Any:
    """A gitignore-like pattern as an expression over relative paths (GitHub's rules: no `!`, no `[ ]`)."""
    glob = glob.replace("\\ ", " ").replace("\\#", "#")
    anchored = "/" in glob.rstrip("/")
    body = glob.strip("/")
    tokens = re.findall(r"/\*\*/|\*\*/|/\*\*|\*|\?|[^*?/]+|/", body)
    parts = "".join(GLOB.get(token, re2.escape(token)) for token in tokens)
    start = "" if anchored else "(?:.*/)?"
    # `docs/*` is the files in docs and no deeper; a name or a folder is everything below it.
    end = "" if body.endswith("/*") else "/.*" if glob.endswith("/") else "(?:/.*)?"
    return re2.compile(f"(?s){start}{parts}{end}")


def owner_of_workload(workload: Workload, declared: Mapping[str, Manifest], owners: Owners) -> str | None:
    """What the operator declares, else who owns the folder (a file in it), else None."""
    manifest = declared.get(workload.id)
    if manifest and manifest.owner:
        return manifest.owner
    probe = "any" if workload.root == "." else f"{workload.root}/any"
    return owners.of(probe)


def owner_of_asset(asset: Asset, around: Iterable[Workload], owners: Owners) -> str | None:
    """Who owns the file of its first site; else the owner of the one workload that it belongs to."""
    if owner := owners.of(asset.sites[0].path):
        return owner
    its_owners = {workload.owner for workload in around if asset.id in workload.assets}
    return its_owners.pop() if len(its_owners) == 1 else None
