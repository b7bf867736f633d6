"""The asset graph: observations merged by identity, with their relations and the questions one asks of it."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from interlock.inventory.identity import identity, shown_name
from interlock.model.asset import Asset, AssetKind, Evidence, Fact, Link, Observation, Relation, Site

ASSET_EVIDENCE = frozenset({Evidence.DECLARED, Evidence.USED})
_STRENGTH = {evidence: rank for rank, evidence in enumerate(Evidence)}


@dataclass(frozen=True, slots=True)
class Inventory:
    """What exists, each thing once. `assets` are in the order of their ids, `relations` in their own.

    Rules: the same observations in any order give the same inventory. An observation whose evidence is
    weaker than declared or used makes no asset and adds no site. Facts of one asset are merged: values that
    differ are joined with ` | `, so that neither of two answers is lost. What is to be judged is judged sighting
    by sighting (`sightings`), never by merged facts. A link whose target is not an asset, or could be several,
    makes no relation.
    """

    assets: tuple[Asset, ...]
    relations: tuple[Relation, ...]
    _by_id: Mapping[str, Asset] = field(repr=False, compare=False)
    _seen: Mapping[str, tuple[Asset, ...]] = field(repr=False, compare=False)

    @classmethod
    def build(cls, observations: Iterable[Observation], evidence: frozenset[Evidence] = ASSET_EVIDENCE) -> "Inventory":
        """Merge the observations whose evidence is one of `evidence`."""
        groups: dict[str, list[Observation]] = defaultdict(list)
        for observation in observations:
            if observation.evidence in evidence:
                groups[identity(observation)].append(observation)
        for group in groups.values():
            group.sort(key=_order)
        assets = tuple(_merge(id_, groups[id_]) for id_ in sorted(groups))
        by_id = MappingProxyType({asset.id: asset for asset in assets})
        seen = MappingProxyType({asset.id: _sightings(asset, groups[asset.id]) for asset in assets})
        return cls(assets, _relations(groups, assets), by_id, seen)

    def get(self, asset_id: str) -> Asset | None:
        """The asset of this id, or None."""
        return self._by_id.get(asset_id)

    def sightings(self, asset_id: str) -> tuple[Asset, ...]:
        """The asset as each sighting shows it, in order: one site, and the facts that were seen there."""
        return self._seen.get(asset_id, ())

    def of(self, *kinds: AssetKind) -> tuple[Asset, ...]:
        """All assets of these kinds."""
        return tuple(asset for asset in self.assets if asset.kind in kinds)

    def below(self, folder: str) -> tuple[Asset, ...]:
        """All assets with a site in `folder` or deeper; `.` is everything."""
        return tuple(asset for asset in self.assets if any(inside(site.path, folder) for site in asset.sites))

    def related(self, asset_id: str, *verbs: str) -> tuple[Asset, ...]:
        """What this asset points to, by these verbs (none: by any)."""
        return self._ends(lambda r: r.target if r.source == asset_id and (not verbs or r.verb in verbs) else None)

    def relating(self, asset_id: str, *verbs: str) -> tuple[Asset, ...]:
        """What points to this asset, by these verbs (none: by any)."""
        return self._ends(lambda r: r.source if r.target == asset_id and (not verbs or r.verb in verbs) else None)

    def _ends(self, end: Callable[[Relation], str | None]) -> tuple[Asset, ...]:
        ids = sorted({found for relation in self.relations if (found := end(relation)) is not None})
        return tuple(self._by_id[id_] for id_ in ids)


def inside(path: str, folder: str) -> bool:
    """Whether `path` is in `folder` or deeper; both relative to the root, `.` is the root.

    >>> inside("apps/bot/main.py", "apps"), inside("apps2/main.py", "apps"), inside("main.py", ".")
    (True, False, True)
    """
    return folder in {".", ""} or path == folder or path.startswith(folder + "/")


def _order(observation: Observation) -> tuple[object, ...]:
    facts = tuple(sorted((name, repr(value)) for name, value in observation.facts.items()))
    return (_STRENGTH[observation.evidence], observation.site, observation.source, observation.name, facts)


def _merge(id_: str, group: list[Observation]) -> Asset:
    return Asset(
        id=id_,
        kind=group[0].kind,
        name=shown_name(group[0]),
        sites=tuple(sorted({observation.site for observation in group})),
        evidence=group[0].evidence,
        sources=tuple(sorted({observation.source for observation in group})),
        facts=MappingProxyType(_merged_facts(group)),
    )


def _sightings(asset: Asset, group: list[Observation]) -> tuple[Asset, ...]:
    group = sorted(group, key=lambda observation: observation.site)
    return tuple(replace(asset, sites=(o.site,), facts=MappingProxyType(_merged_facts([o]))) for o in group)


def _merged_facts(group: list[Observation]) -> dict[str, Fact]:
    seen: dict[str, list[Fact]] = defaultdict(list)
    for observation in group:
        for name, value in observation.facts.items():
            if value is not None and value not in seen[name]:
                seen[name].append(value)
    return {name: _one_fact(values) for name, values in sorted(seen.items()) if values}


def _one_fact(values: list[Fact]) -> Fact:
    return values[0] if len(values) == 1 else " | ".join(sorted(map(str, values)))


def _relations(groups: Mapping[str, list[Observation]], assets: tuple[Asset, ...]) -> tuple[Relation, ...]:
    index: dict[tuple[AssetKind, str], list[Asset]] = defaultdict(list)
    for asset in assets:
        for name in {asset.name, *(observation.name for observation in groups[asset.id])}:
            index[asset.kind, name].append(asset)
    found: set[Relation] = set()
    for id_, group in groups.items():
        for observation in group:
            for link in observation.links:
                target = _target(link, observation.site, index)
                if target and target.id != id_:
                    found.add(Relation(id_, link.verb.value, target.id))
    return tuple(sorted(found))


def _target(link: Link, site: Site, index: Mapping[tuple[AssetKind, str], list[Asset]]) -> Asset | None:
    candidates = index.get((link.kind, link.name), [])
    if not candidates:
        probe = Observation(link.kind, link.name, site, Evidence.USED, "")
        candidates = index.get((link.kind, shown_name(probe)), [])
    here = [asset for asset in candidates if any(s.path == site.path for s in asset.sites)]
    nearest = here or candidates
    return nearest[0] if len(nearest) == 1 else None
