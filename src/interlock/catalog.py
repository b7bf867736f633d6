"""Finds the entries of a catalogue room: one constant in each of its modules, and outsiders' entry points.

A room declares the type of its entries in its `__init__`; an entry's module holds one constant of that
type. There is no registration: a module that is in the folder is in the catalogue.
"""

import importlib
import pkgutil
from collections.abc import Mapping
from functools import cache
from importlib.metadata import entry_points
from types import MappingProxyType
from typing import Protocol, TypeVar, runtime_checkable

from interlock.model.errors import CatalogError
from interlock.model.meta import Meta


@runtime_checkable
class Entry(Protocol):
    """Anything that says what it is."""

    @property
    def meta(self) -> Meta:
        """Its own description."""
        ...


E = TypeVar("E", bound=Entry)


@cache
def load(room: str, constant: str, kind: type[E]) -> Mapping[str, E]:
    """The entries of `interlock.<room>` by id, in the order of their ids.

    Each module of the room whose name does not begin with `_` must hold `constant`, an instance of `kind`
    whose id is the module's name with `-` for `_`. The entry-point group `interlock.<room>` adds outsiders'.

    Raises: CatalogError if a module breaks that contract or two entries have one id.
    """
    package = importlib.import_module(f"interlock.{room}")
    found: dict[str, E] = {}
    for module_info in pkgutil.iter_modules(package.__path__):
        if module_info.name.startswith("_"):
            continue
        name = f"interlock.{room}.{module_info.name}"
        entry = getattr(importlib.import_module(name), constant, None)
        _admit(found, entry, kind, where=f"{name}.{constant}", id_=module_info.name.replace("_", "-"))
    for point in entry_points(group=f"interlock.{room}"):
        _admit(found, point.load(), kind, where=f"entry point {point.name} = {point.value}", id_=point.name)
    return MappingProxyType(dict(sorted(found.items())))


def _admit(found: dict[str, E], entry: object, kind: type[E], *, where: str, id_: str) -> None:
    if not isinstance(entry, kind):
        raise CatalogError(
            f"expected a {kind.__name__}, found {type(entry).__name__}",
            where=where,
            hint="every module of a catalogue room holds exactly one entry; `interlock new` writes one",
        )
    if entry.meta.id != id_:
        raise CatalogError(f"the id is {entry.meta.id!r}, the name says {id_!r}", where=where, hint="make them equal")
    if id_ in found:
        raise CatalogError(f"two entries have the id {id_!r}", where=where, hint="rename one of them")
    found[id_] = entry
