"""A file of settings that commands change: what they do not speak of stays as it was."""

import os
from pathlib import Path

import pytest

from interlock.cli import _settings_file, main
from interlock.model.errors import ConfigError

POLICY = b"# ours\r\n[policy]\r\nbundled = true # as it comes\r\n"


def test_line_ends_stay_what_they_are(tmp_path: Path) -> None:
    file = tmp_path / "interlock.toml"
    for text, ends in ((POLICY, b"\r\n"), (POLICY.replace(b"\r\n", b"\n"), b"\n")):
        file.write_bytes(text)
        where = ["--config", str(file), "--data", str(tmp_path / "data")]
        assert main(["policy", "mode", "act-not-asked-for", "enforce", *where]) == 0
        assert main(["mcp", "add", "notes", *where, "--", "notes-mcp"]) == 0
        after = file.read_bytes()
        assert after.count(b"\n") == after.count(ends) > 5
        assert b"bundled = true # as it comes" + ends in after
        assert b"[mcp.servers.notes]" + ends in after


def test_mixed_line_ends_are_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "interlock.toml"
    file.write_bytes(b"a = 1\r\nb = 2\n")
    found = _settings_file.read(file)
    found.replace(found.text + "c = 3\n")
    assert file.read_bytes() == b"a = 1\r\nb = 2\nc = 3\n"


def test_who_was_slower_changes_nothing(tmp_path: Path) -> None:
    file = tmp_path / "interlock.toml"
    for before in (None, b"", b"a = 1\n"):
        file.unlink(missing_ok=True)
        if before is not None:
            file.write_bytes(before)
        found = _settings_file.read(file)
        file.write_bytes(b"b = 2\n")
        with pytest.raises(ConfigError, match="changed in the meantime"):
            found.replace("c = 3\n")
        assert file.read_bytes() == b"b = 2\n"


def test_a_file_that_may_not_be_written_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "interlock.toml"
    file.write_bytes(b"a = 1\n")
    monkeypatch.setattr(os, "access", lambda path, how: not (path == file and how == os.W_OK))
    with pytest.raises(ConfigError, match="may not be written"):
        _settings_file.read(file).replace("b = 2\n")
    assert file.read_bytes() == b"a = 1\n"


def test_a_new_file_is_the_owners_alone(tmp_path: Path) -> None:
    file = tmp_path / "interlock.toml"
    _settings_file.read(file).replace("a = 1\n")
    assert (file.read_bytes(), file.stat().st_mode & 0o777) == (b"a = 1\n", 0o600)


def test_what_is_no_text_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "interlock.toml"
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="cannot read it"):
        _settings_file.read(file)
