"""What the composition root does beside composing: the index is brought up to date in pieces."""

from pathlib import Path

import pytest

from interlock import up
from interlock.app import now_us, open_log, open_store, refresh, rules
from interlock.config import load
from interlock.model.errors import ConfigError, StoreError
from interlock.model.record import Record, RecordKind

RECORDS = 1_200


def test_the_index_is_brought_up_to_date_in_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = load(None, str(tmp_path), {})
    with open_log(settings, now_us) as log:
        for n in range(RECORDS):
            log.append(Record(RecordKind.REQUEST, n, workload="w", session="s"))
    store = open_store(settings)
    assert refresh(settings, store, 500) == 500
    monkeypatch.setattr(up, "PAGE_RECORDS", 500)
    with pytest.raises(StoreError, match="more new records than one page waits for"):
        up._refresh(settings, store)
    up._refresh(settings, store)
    assert store.indexed("gw-1") == RECORDS
    assert refresh(settings, store) == 0
    store.close()


@pytest.mark.parametrize("entry", ["personal-dta", "personal-data:ibann", "credential-leak:x", "invisible-text:tags"])
def test_what_would_hide_nothing_is_refused(tmp_path: Path, entry: str) -> None:
    with pytest.raises(ConfigError, match="redact"):
        rules(load(None, str(tmp_path), {"INTERLOCK_POLICY_REDACT": entry}))
    assert rules(
        load(None, str(tmp_path), {"INTERLOCK_POLICY_REDACT": "personal-data:iban,credential-leak"})
    ).policies.hash
