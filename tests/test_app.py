"""What the composition root does beside composing: the index is brought up to date in pieces."""

from pathlib import Path

import pytest

from interlock import up
from interlock.app import current_exceptions, now_us, open_log, open_store, refresh, rules
from interlock.config import load
from interlock.mcp.labels import SetLabels
from interlock.model.errors import ConfigError, StoreError
from interlock.model.record import Record, RecordKind
from interlock.provenance.settings import ToolOverride

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


def test_labels_that_were_set_on_the_console_are_in_force_and_named_as_exceptions(tmp_path: Path) -> None:
    file = tmp_path / "interlock.toml"
    file.write_text('[tools."bank/pay"]\nsink = "money"\n[tools.pay]\nsink = "write"\n')
    settings = load(str(file), str(tmp_path), {})
    store = open_store(settings)
    for server in ("bank", "shop"):
        store.set_labels(SetLabels(server, "pay", ToolOverride(sink="read"), "console-1", 1))
    ready = rules(settings, (), (), store.labels())
    found = {one.subject: one.where for one in current_exceptions(settings, store, ()) if one.name == "tool-harmless"}
    store.close()
    assert {name: one.sink for name, one in ready.tools.items()} == {
        "bank/pay": "money",
        "shop/pay": "read",
        "pay": "write",
    }
    assert found == {"shop/pay": "the console, by console-1"}


def test_clients_that_may_ask_their_own_user_are_exceptions(tmp_path: Path) -> None:
    (tmp_path / "interlock.toml").write_text('[approvals]\nunsafe_elicitation = ["my-desktop", "chat-*"]\n')
    settings = load(str(tmp_path / "interlock.toml"), str(tmp_path / "data"), {})
    store = open_store(settings)
    found = [one.subject for one in current_exceptions(settings, store, ()) if one.name == "clients-ask-their-user"]
    store.close()
    assert found == ["my-desktop", "chat-*"]
