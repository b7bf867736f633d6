"""The command line as a whole: every command explains itself, and no error is a traceback."""

import importlib
import subprocess
import sys
from pathlib import Path

import pytest

import interlock
from interlock import cli
from interlock.cli import main
from interlock.model.errors import ConfigError


def said(capsys: pytest.CaptureFixture[str], *argv: str) -> tuple[int, str, str]:
    try:
        code = main(list(argv))
    except SystemExit as stopped:
        code = stopped.code if isinstance(stopped.code, int) else -1
    out, err = capsys.readouterr()
    return code, out, err


@pytest.mark.parametrize("name", cli.names())
def test_each_command_explains_itself(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    module = cli.command(name)
    assert module.SUMMARY
    assert not module.SUMMARY.endswith(".")
    code, out, err = said(capsys, name, "--help")
    assert (code, err) == (0, "")
    assert out.startswith(f"usage: interlock {name}")


@pytest.mark.parametrize(
    "command",
    [[], *([name] for name in cli.names()), *(["audit", a] for a in ("verify", "query")),
     *(["identity", a] for a in ("add", "list", "revoke"))],
)  # fmt: skip
def test_every_help_fits_80_columns(
    command: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    code, out, _ = said(capsys, *command, "--help")
    assert code == 0
    assert [line for line in out.splitlines() if len(line) > 80] == []


def test_help_lists_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = said(capsys, "--help")
    assert code == 0
    assert all(f"    {name}" in out for name in cli.names())


def test_the_version_is_the_packages(capsys: pytest.CaptureFixture[str]) -> None:
    assert said(capsys, "--version") == (0, f"interlock {interlock.__version__}\n", "")


@pytest.mark.parametrize("argv", [[], ["no-such-command"], ["up", "--no-such-option"], ["new", "check"]])
def test_a_wrong_command_line_is_code_2_and_says_how(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = said(capsys, *argv)
    assert (code, out) == (2, "")
    assert err.startswith("usage: interlock")


def test_an_error_is_printed_with_where_and_what_to_do(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "interlock.toml"
    file.write_text("[gateway]\nport = 'x'\n")
    code, out, err = said(capsys, "up", "--config", str(file), "--data", str(tmp_path))
    assert (code, out) == (ConfigError.exit_code, "")
    assert err == f"interlock: {file}:2: [gateway] port must be a whole number from 0, not 'x'\n  correct the value\n"


@pytest.mark.parametrize(("stop", "code"), [(KeyboardInterrupt(), 130), (ConfigError("x"), 3)])
def test_a_stopped_command_has_its_code(stop: BaseException, code: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def run(_args: object) -> int:
        raise stop

    monkeypatch.setattr(importlib.import_module("interlock.cli.new"), "run", run)
    assert main(["new", "check", "x"]) == code


def test_a_reader_that_goes_away_is_no_fault(tmp_path: Path) -> None:
    program = (
        "import sys; from interlock.cli import main, new\n"
        "def run(args):\n    for _ in range(100_000): print('x' * 80)\n    return 0\n"
        "new.run = run; sys.exit(main(['new', 'check', 'x']))"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=tmp_path
    ) as writer:
        assert writer.stdout
        assert writer.stderr
        assert writer.stdout.readline() == b"x" * 80 + b"\n"
        writer.stdout.close()
        complaints = writer.stderr.read()
    assert (writer.returncode, complaints) == (0, b"")


def test_python_m_is_the_same_program() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "interlock", "--version"], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout == f"interlock {interlock.__version__}\n"


def test_a_command_imports_no_other_one() -> None:
    program = (
        "import sys; from interlock.cli import main\n"
        "try: main(['new', '--help'])\nexcept SystemExit: pass\n"
        "print([m for m in sys.modules if m.startswith('interlock.cli.') and m != 'interlock.cli.new'])\n"
        "print([m for m in ('sqlalchemy', 'starlette', 'uvicorn', 'openai', 'cryptography') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.splitlines()[-2:] == ["[]", "[]"]
