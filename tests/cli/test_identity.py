"""`interlock identity`: a key is shown once, works, and can be taken back."""

import re
from pathlib import Path

import pytest

from interlock.app import open_store
from interlock.cli import main
from interlock.config import load
from interlock.identity.keys import Keyring
from interlock.model.errors import IdentityError


@pytest.fixture
def data(tmp_path: Path) -> str:
    return str(tmp_path / "data")


def ring(data: str) -> Keyring:
    store = open_store(load(data=data, env={}))
    keys = store.keys()
    store.close()
    return Keyring(keys)


def add(data: str, capsys: pytest.CaptureFixture[str], *options: str) -> str:
    assert main(["identity", "add", "apps/billing", *options, "--data", data]) == 0
    found = re.search(r"^  export OPENAI_API_KEY=(ilk_\S+)$", capsys.readouterr().out, re.MULTILINE)
    assert found
    return found[1]


def test_a_key_is_shown_once_and_works(data: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["identity", "add", "apps/billing", "--data", data]) == 0
    out = capsys.readouterr().out
    assert "export OPENAI_BASE_URL=http://127.0.0.1:7700/openai/v1\n" in out
    assert all(len(line) <= 80 for line in out.splitlines() if "OPENAI_API_KEY" not in line)
    text = re.findall(r"ilk_\S+", out)[0]
    assert ring(data).prove(f"Bearer {text}", 0).workload == "apps/billing"
    assert main(["identity", "list", "--data", data]) == 0
    assert text[15:] not in capsys.readouterr().out
    for path in Path(data).iterdir():
        assert text[15:67].encode() not in path.read_bytes()


def test_a_key_expires(data: str, capsys: pytest.CaptureFixture[str]) -> None:
    text = add(data, capsys, "--days", "30")
    with pytest.raises(IdentityError, match="has expired"):
        ring(data).prove(text, 2**53)
    assert main(["identity", "list", "--data", data]) == 0
    assert re.search(r"apps/billing +\d{4}-\d\d-\d\d +\d{4}-\d\d-\d\d +good", capsys.readouterr().out)


def test_a_key_is_revoked(data: str, capsys: pytest.CaptureFixture[str]) -> None:
    text = add(data, capsys)
    assert main(["identity", "revoke", text[4:14], "--data", data]) == 0
    assert capsys.readouterr().out == f"key {text[4:14]} is refused from now on\n"
    with pytest.raises(IdentityError, match="was revoked"):
        ring(data).prove(text, 0)
    assert main(["identity", "list", "--data", data]) == 0
    assert "revoked 2" in capsys.readouterr().out


def test_a_leaked_key_is_revoked_by_all_of_it_and_not_repeated(data: str, capsys: pytest.CaptureFixture[str]) -> None:
    text = add(data, capsys)
    assert main(["identity", "revoke", text, "--data", data]) == 0
    assert main(["identity", "revoke", text.replace(text[4:14], "a" * 10), "--data", data]) == 2
    said = capsys.readouterr()
    assert text[15:] not in said.out + said.err
    with pytest.raises(IdentityError, match="was revoked"):
        ring(data).prove(text, 0)


def test_a_base_address_for_another_upstream_and_ipv6(
    data: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "interlock.toml"
    config.write_text('[gateway]\nhost = "::1"\nport = 8000\n[llm.upstreams.lab]\nurl = "http://lab/v1"\n')
    assert main(["identity", "add", "w", "--config", str(config), "--data", data]) == 0
    assert "OPENAI_BASE_URL='http://[::1]:8000/lab/v1'" in capsys.readouterr().out


@pytest.mark.parametrize("days", ["0", "-1", "36501"])
def test_days_that_make_no_sense(data: str, days: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["identity", "add", "w", "--days", days, "--data", data]) == 2
    assert "--days must be" in capsys.readouterr().err


def test_wrong_use(data: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["identity", "list", "--data", data]) == 0
    assert "no keys; make one" in capsys.readouterr().out
    assert main(["identity", "revoke", "nosuchkey", "--data", data]) == 2
    assert "there is no key nosuchkey" in capsys.readouterr().err
    assert main(["identity", "add", "two words", "--data", data]) == 2
    assert main(["identity", "list", "--data", data]) == 0
    assert "no keys" in capsys.readouterr().out
