"""Whether a program that is an MCP server may be started, and by which command: allow-list, digests, sandbox."""

import hashlib
import os
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from interlock.gateway.needs import needs
from interlock.gateway.sandbox import homes, sandboxed
from interlock.guard.mcp.settings import McpServer, check_files
from interlock.model.errors import ConfigError, UpstreamError
from interlock.model.settings import setting

# As the last word of a listed command: any further arguments.
ANY = "..."
_DIGEST = re.compile(r"(?:[0-9a-f]{64})?")
# Variables by which interpreters, loaders and launchers run other code than that of the file that was approved.
_LOADERS = re.compile(
    r"(?:PYTHON|LD_|DYLD_|BUN_|DENO_|RUBY|GEM_|PERL|BASH|LUA_|PHP|DOTNET_|CORECLR_|COR_|NPM_CONFIG_|UV_|PIP_|JAVA_"
    r"|_JAVA_|JDK_JAVA_|GCONV_|GLIBC_|GIT_SSH|GIT_CONFIG|OPENSSL_).*|NODE_OPTIONS|NODE_PATH|GIT_EXEC_PATH|ENV|IFS|PS4"
    r"|SHELLOPTS|CLASSPATH",
    re.IGNORECASE,
)


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
    env: tuple[str, ...] = setting(
        (), "Variables that it may be given although they can make it run other code, such as PYTHONPATH or LD_PRELOAD."
    )


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
        listed = self._listed(server.command, env) if self.settings.launch == "listed" else None
        if self.settings.launch == "listed" and listed is None:
            hint = "put its command under [mcp.programs], word by word"
            raise ConfigError("its command is not listed, so it is not started", where=f"{where}.command", hint=hint)
        loaders = [one for one in server.env if listed and _LOADERS.fullmatch(one) and one not in listed.env]
        if loaders:
            what = f"{', '.join(loaders)} can make a listed program run other code, so it is not started"
            hint = "leave it out, or name it in env of the program's table under [mcp.programs]"
            raise ConfigError(what, where=f"{where}.env", hint=hint)
        if server.sandbox and shutil.which("bwrap") is None:
            hint = "install bubblewrap (the package of that name; Linux only), or leave sandbox out"
            raise ConfigError("there is no bubblewrap for its sandbox", where=f"{where}.sandbox", hint=hint)
        for setting_name, verb in (("writable", "write"), ("readable", "read")) if server.sandbox else ():
            for path in getattr(server, setting_name):
                what, place = f"it cannot be given {path!r} to {verb}", f"{where}.{setting_name}"
                if not os.path.isabs(path) or not os.path.exists(path):
                    raise ConfigError(what, where=place, hint="name folders or files that are there, from the root")
                if os.path.realpath(path) in ("/", *homes(env)):
                    raise ConfigError(what, where=place, hint="not a whole home: name what it needs of it")

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
        cwd = os.path.abspath(server.cwd or os.getcwd())
        needed = needs(command, cwd, env.get("PATH"), [file for file, _, _ in (f.rpartition("=") for f in files)])
        return sandboxed(
            bwrap, command, homes=homes(env), needed=needed, hidden=self.hidden, readable=server.readable,
            writable=server.writable, network=server.network,
        )  # fmt: skip

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
