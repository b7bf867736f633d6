"""The composition root: the only place that builds objects from settings."""

from collections.abc import Callable
from itertools import islice

from interlock.config import Settings
from interlock.store import Stored
from interlock.store.database import address
from interlock.store.log import AuditLog
from interlock.store.segments import is_log, read
from interlock.store.signer import load_signer, make_signer
from interlock.store.sql import SqlStore

_INDEX_BATCH = 500


def open_store(settings: Settings) -> SqlStore:
    """The database of these settings, brought up to date. Raises: StoreError."""
    return SqlStore(address(settings.store.url, settings.data))


def open_log(settings: Settings, clock_us: Callable[[], int]) -> AuditLog:
    """The audit log of this gateway, for writing. Raises: AuditError."""
    logs = settings.data / "audit"
    key_file = settings.data / "keys" / "audit.key"
    # Where there are logs there was a key: to make another would only hide that it is gone.
    begun = logs.is_dir() and any(is_log(folder) for folder in logs.iterdir())
    key = load_signer(key_file) if begun else make_signer(key_file)
    name = settings.gateway.name
    return AuditLog.open(logs / name, name, key, settings.audit, clock_us)


def refresh(settings: Settings, store: SqlStore) -> int:
    """Add the new records of every audit log to the store's index; how many. Raises: AuditError, StoreError."""
    logs = settings.data / "audit"
    folders = sorted(folder for folder in logs.iterdir() if is_log(folder)) if logs.is_dir() else []
    for folder in folders:
        have = store.indexed(folder.name)
        newest = next(read(folder, have - 1), None) if have else None
        if have and (newest is None or newest.leaf != store.leaf(folder.name, have - 1)):
            # Another log has been begun under this name, or lost what was not yet on disk: the files decide.
            store.clear_index()
            break
    added = 0
    for folder in folders:
        records = read(folder, store.indexed(folder.name))
        while batch := list[Stored](islice(records, _INDEX_BATCH)):
            store.index(batch)
            added += len(batch)
    return added
