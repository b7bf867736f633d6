"""The demo, as a newcomer runs it; and that it fails loudly when its story does not come out as told."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path

import pytest
import uvloop

from interlock.demo import DemoError, tell

COMPANY = Path(str(files("interlock"))) / "examples" / "halden-freight"
MAIL = Path("apps/invoice-agent/data/inbox/INV-2042.txt")


def test_the_story_comes_out_as_told() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "interlock", "demo"], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    said = done.stdout
    assert all(len(line) <= 80 for line in said.splitlines())
    without, through = said.split("3  The same agent, through interlock")
    assert "the attacker's account" in without
    assert "the attacker's account" not in through
    assert through.count("the vendor's account") == 2
    assert "blocked  pay_invoice" in through
    assert "whole" in through
    assert "DAMAGED" in through
    assert "All of it came out as told." in through


def harmless(company: Path) -> None:
    mail = (company / MAIL).read_text("utf-8")
    (company / MAIL).write_text(mail.replace("pay 9,750.00 EUR", "please note 9,750.00 EUR"), "utf-8")


def trusting(company: Path) -> None:
    settings = company / "interlock.toml"
    settings.write_text(settings.read_text("utf-8") + '\n[tools.read_invoice]\noutput = "internal"\n', "utf-8")


def strict(company: Path) -> None:
    settings = company / "interlock.toml"
    settings.write_text(settings.read_text("utf-8").replace('"internal"', '"untrusted"'), "utf-8")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (harmless, "without interlock the attacker is paid"),
        (trusting, "through interlock the attacker is not paid"),
        (strict, "both invoices are still paid"),
    ],
)
def test_it_fails_when_a_step_comes_out_otherwise(
    change: Callable[[Path], None], told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    company = tmp_path / "company"
    shutil.copytree(COMPANY, company)
    change(company)
    (tmp_path / "run").mkdir()
    with pytest.raises(DemoError, match=told):
        uvloop.run(tell(company, tmp_path / "run", serve=False))
    assert "All of it came out as told." not in capsys.readouterr().out
