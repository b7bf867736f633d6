"""A file of settings that a command changes: put in the place of the old one, with all else left as it was."""

import os
from pathlib import Path
from typing import NamedTuple

from interlock.model.errors import ConfigError
from interlock.store.files import replace_whole

OWN_MODE = 0o600


class SettingsFile(NamedTuple):
    """What stands in the file. `text` has one kind of line end; `data` is None if there is no file yet."""

    path: Path
    data: bytes | None
    text: str

    @property
    def crlf(self) -> bool:
        """Whether every line of the file ends as on Windows."""
        data = self.data or b""
        return 0 < data.count(b"\n") == data.count(b"\r\n")

    def replace(self, text: str) -> None:
        """Put `text` in the place of what was read. Raises: ConfigError, also if somebody else was faster."""
        ends = "\r\n" if self.crlf else "\n"
        hint = "nothing was changed"
        try:
            now = self.path.read_bytes() if self.path.exists() else None
            if now != self.data:
                raise ConfigError("it was changed in the meantime", where=str(self.path), hint=f"{hint}; try again")
            if now is not None and not os.access(self.path, os.W_OK):
                raise ConfigError("it may not be written", where=str(self.path), hint=hint)
            mode = self.path.stat().st_mode & 0o777 if now is not None else OWN_MODE
            replace_whole(self.path, text.replace("\n", ends).encode())
            self.path.chmod(mode)
        except OSError as error:
            raise ConfigError(f"cannot write it: {error.strerror}", where=str(self.path), hint="see --config") from None


def read(path: Path) -> SettingsFile:
    """The file, or an empty one if there is none. Raises: ConfigError."""
    try:
        data = path.read_bytes() if path.exists() else None
        text = (data or b"").decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read it: {error}", where=str(path), hint="name a TOML file in UTF-8") from None
    file = SettingsFile(path, data, text)
    return file._replace(text=text.replace("\r\n", "\n")) if file.crlf else file
