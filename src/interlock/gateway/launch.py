"""Whether a program that is an MCP server may be started, and by which command: allow-list, digests, sandbox."""

import hashlib
import os
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from interlock.gateway.sandbox import sandboxed
from interlock.guard.mcp.settings import McpServer, check_files
from interlock.model.errors import ConfigError, UpstreamError
from interlock.model.settings import setting

# As the last word of a listed command: any further arguments.
ANY = "..."
_DIGEST = re.compile(r"(?:[0-9a-f]{64})?")


@dataclass(frozen=True, slots=True)
class LaunchSettings:
    """`[mcp]`: which programs may be started as MCP servers."""

    launch: str = setting(
        "any", "Start any command, or only those that are listed under [mcp.programs].", choices=("any", "listed")
    )


@dataclass(frozen=True, slots=True)
class ProgramSettings:
    """`[mcp.programs.<name>]`: a program that may be started as an MCP server."""

    command: tuple[str, ...] = setting(
        (), 'Its command, word by word; "..." as the last one allows any further arguments.'
    )
    sha256: str = setting("", "What its file must hash to, in hex.")
    files: tuple[str, ...] = setting((), "PATH=SHA256 of further files that it runs, such as a script.")


def check_program(name: str, program: ProgramSettings) -> None:
    """Refuse a table that allows nothing, or everything. Raises: ConfigError that names the setting."""
    if not program.command or program.command[0] == ANY:
        hint = 'such as command = ["/usr/bin/notes-mcp", "--folder", "/srv/notes"]'
        raise ConfigError(f"program {name!r} has no command", where="command", hint=hint)
    if not _DIGEST.fullmatch(program.sha256):
        hint = "64 digits and small letters, as sha256sum prints them"
        raise ConfigError(f"program {name!r} has what is no SHA-256", where="sha256", hint=hint)
    check_files(f"program {name!r}", program.files)


@dataclass(frozen=True, slots=True)
class Launch:
    """What may be started here, and what of this machine no program in a sandbox may see (`hidden`).

    A digest is compared just before the start. Whoever can write the file could change it in between: it tells that a
    file was replaced, and does not keep anybody from replacing it. That of an interpreter or a launcher (python, npx)
    says nothing of what it runs: for that there are `files`, and exact versions.
    """

    settings: LaunchSettings = field(default_factory=LaunchSettings)
    programs: Mapping[str, ProgramSettings] = field(default_factory=dict)
    hidden: tuple[str, ...] = ()

    def check(self, name: str, server: McpServer, env: Mapping[str, str]) -> None:
        """Refuse, before anything is started, what could never be. Raises: ConfigError."""
        where = f"mcp.servers.{name}"
        if self.settings.launch == "listed" and self._listed(server.command, env) is None:
            hint = "put its command under [mcp.programs], word by word"
            raise ConfigError("its command is not listed, so it is not started", where=f"{where}.command", hint=hint)
        if server.sandbox and shutil.which("bwrap") is None:
            hint = "install bubblewrap (the package of that name; Linux only), or leave sandbox out"
            raise ConfigError("there is no bubblewrap for its sandbox", where=f"{where}.sandbox", hint=hint)
        for path in server.writable if server.sandbox else ():
            if not os.path.isabs(path) or not os.path.exists(path):
                hint = "name folders or files that are there, from the root"
                raise ConfigError(f"it cannot be given {path!r} to write", where=f"{where}.writable", hint=hint)

    def argv(self, name: str, server: McpServer, env: Mapping[str, str]) -> list[str]:
        """The words to start, in the server's folder. Reads files. Raises: UpstreamError."""
        path = _found(server.command[0], env)
        if path is None:
            raise UpstreamError("cannot be started: there is no such program", where=name)
        digests, files = [server.sha256], list(server.files)
        if self.settings.launch == "listed":
            listed = self._listed(server.command, env)
            if listed is None:
                raise UpstreamError("is not started: its command is not listed", where=name)
            digests.append(listed.sha256)
            files += listed.files
        wanted = [(path, digest) for digest in digests if digest]
        wanted += [(os.path.join(server.cwd, file), digest) for file, _, digest in (f.rpartition("=") for f in files)]
        for file, digest in wanted:
            if _digest(file) != digest:
                what = f"is not started: {Path(file).name} is not the file that was approved"
                raise UpstreamError(what, where=name)
        command = [path, *server.command[1:]]
        if not server.sandbox:
            return command
        bwrap = shutil.which("bwrap")
        if bwrap is None:
            raise UpstreamError("is not started: there is no bubblewrap for its sandbox", where=name)
        writable = [os.path.realpath(path) for path in server.writable]
        home = env.get("HOME", "/nonexistent")
        return sandboxed(bwrap, command, home=home, hidden=self.hidden, writable=writable, network=server.network)

    def _listed(self, command: Sequence[str], env: Mapping[str, str]) -> ProgramSettings | None:
        """The entry that allows a command; None if none does."""
        return next((one for one in self.programs.values() if _allows(one.command, command, env)), None)


def _allows(listed: Sequence[str], command: Sequence[str], env: Mapping[str, str]) -> bool:
    open_ended = listed[-1] == ANY
    words = listed[:-1] if open_ended else listed
    if len(command) < len(words) or (len(command) > len(words) and not open_ended):
        return False
    same = words[0] == command[0] or (_found(words[0], env) or "") == _found(command[0], env)
    return same and list(words[1:]) == list(command[1 : len(words)])


def _found(program: str, env: Mapping[str, str]) -> str | None:
    """The file that a program's name means; None if there is none."""
    path = shutil.which(program, path=env.get("PATH"))
    return path and str(Path(path).absolute())


def _digest(path: str) -> str:
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return ""  # which no file hashes to
