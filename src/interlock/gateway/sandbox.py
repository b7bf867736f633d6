"""A program in a sandbox of bubblewrap: what it may see of this machine, and that it ends with whoever started it.

The file system is read-only; /tmp and the folders of sockets are its own and empty; other processes are not there;
there is no network unless it is asked for. What it does NOT do: filter system calls, or limit memory and time.
"""

import os
import stat
from collections.abc import Sequence
from pathlib import Path

# Where services put their sockets: the container engine, the session bus, key agents, the display's server.
FOLDERS = ("/run", "/var/run")
# Its own, and empty.
PRIVATE = ("/tmp", "/var/tmp")  # noqa: S108 - covered up, not used
# Where tools keep credentials below a home: the program has what it was given, and not these.
CREDENTIALS = (
    ".ssh", ".gnupg", ".aws", ".azure", ".kube", ".docker", ".config/gcloud", ".config/gh", ".config/rclone",
    ".local/share/keyrings", ".password-store", ".mozilla", ".config/google-chrome", ".config/chromium",
    ".netrc", ".npmrc", ".pypirc", ".git-credentials", ".bash_history", ".zsh_history", ".vault-token",
)  # fmt: skip
RESOLVER = "/etc/resolv.conf"


def sandboxed(
    bwrap: str, command: Sequence[str], *, home: str, hidden: Sequence[str], writable: Sequence[str], network: bool
) -> list[str]:
    """`command`, as bubblewrap starts it. `hidden` is covered up, `writable` may be written; both are real paths.

    >>> " ".join(sandboxed("bwrap", ["x"], home="/nowhere", hidden=(), writable=(), network=False)[:3])
    'bwrap --unshare-user --unshare-pid'
    """
    words = [bwrap, "--unshare-user", "--unshare-pid", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try"]
    words += [] if network else ["--unshare-net"]
    words += ["--die-with-parent", "--cap-drop", "ALL", "--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc"]
    covered = sorted({os.path.realpath(path) for path in (*PRIVATE, *FOLDERS) if os.path.isdir(path)})
    words += [part for path in covered for part in ("--tmpfs", path)]
    if network and (resolver := os.path.realpath(RESOLVER)).startswith(tuple(f"{path}/" for path in covered)):
        words += ["--ro-bind-try", resolver, resolver]
    words += [part for path in writable for part in ("--bind", path, path)]
    # INVARIANT: what is hidden comes last, so that it stays hidden in a folder that may be written.
    secrets = [os.path.realpath(path) for path in (*(f"{home}/{name}" for name in CREDENTIALS), *hidden)]
    for path in (*unix_sockets(covered), *secrets):
        if os.path.isdir(path):
            words += ["--tmpfs", path]
        elif os.path.exists(path):
            words += ["--dev-bind", "/dev/null", path]  # reads as an empty file
    return [*words, "--", *command]


def unix_sockets(covered: Sequence[str]) -> list[str]:
    """The unix sockets of this system with a place in the file system, outside the folders that are covered."""
    found = set()
    for line in Path("/proc/net/unix").read_text("utf-8", "surrogateescape").splitlines()[1:]:
        path = line.split(maxsplit=7)[7:]
        if path and path[0].startswith("/"):
            real = os.path.realpath(path[0])
            if not any(real.startswith(f"{folder}/") for folder in covered) and _is_socket(real):
                found.add(real)
    return sorted(found)


def _is_socket(path: str) -> bool:
    try:
        return stat.S_ISSOCK(os.lstat(path).st_mode)
    except OSError:
        return False  # gone, or where this user may not look; then the program may not either
