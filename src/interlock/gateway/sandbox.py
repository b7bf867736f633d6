"""A program in a sandbox of bubblewrap: what it may see of this machine, and that it ends with whoever started it.

The file system is read-only. Homes, /tmp and the folders of sockets are its own and empty, but for what it is given: so
what comes to be there later is not there for it either. Other processes are not there; there is no network unless it is
asked for. What it does NOT do: filter system calls, limit memory and time, or hide what lies elsewhere and is readable
for everybody, such as /etc or /srv; of sockets there, those that are open when it starts.
"""

import os
import pwd
import stat
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

# Where services put their sockets: the container engine, the session bus, key agents, the display's server.
FOLDERS = ("/run", "/var/run")
# Its own, and empty.
PRIVATE = ("/tmp", "/var/tmp")  # noqa: S108 - covered up, not used
HOMES = ("/home", "/root")
# People's accounts begin here, and end before that of nobody (login.defs(5)).
_PEOPLE = range(1_000, 65_534)
RESOLVER = "/etc/resolv.conf"
_EMPTY = ("--tmpfs",)
# What is done for each place in a sandbox: the words of bubblewrap, which the place follows.
Plan = dict[str, tuple[str, ...]]


def homes(env: Mapping[str, str]) -> tuple[str, ...]:
    """Where people's files are: that of $HOME, of this user, and of all others that the system knows; real paths."""
    own = [one.pw_dir for one in pwd.getpwall() if one.pw_uid in (0, os.getuid()) or one.pw_uid in _PEOPLE]
    every = (os.path.realpath(path) for path in (*HOMES, env.get("HOME") or "/", *own) if path)
    return tuple(sorted({path for path in every if path != "/" and os.path.isdir(path)}))


def sandboxed(
    bwrap: str,
    command: Sequence[str],
    *,
    homes: Sequence[str],
    needed: Sequence[str] = (),
    hidden: Sequence[str] = (),
    readable: Sequence[str] = (),
    writable: Sequence[str] = (),
    network: bool = False,
) -> list[str]:
    """`command`, as bubblewrap starts it.

    `homes` (real paths) are empty but for what of `needed`, `readable` and `writable` lies in them; a home itself is
    never `needed`. `hidden` is hidden also where it lies in those. Reads folders.

    >>> " ".join(sandboxed("bwrap", ["x"], homes=())[:3])
    'bwrap --unshare-user --unshare-pid'
    """
    words = [bwrap, "--unshare-user", "--unshare-pid", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try"]
    words += [] if network else ["--unshare-net"]
    words += ["--die-with-parent", "--cap-drop", "ALL", "--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc"]
    covered = {os.path.realpath(path) for path in (*PRIVATE, *FOLDERS, *homes) if os.path.isdir(path)}
    plan: Plan = dict.fromkeys(covered, _EMPTY)
    plan |= {path: ("--ro-bind", path) for path in map(os.path.realpath, readable)}
    plan |= {path: ("--bind", path) for path in map(os.path.realpath, writable)}
    needed = [*needed, RESOLVER] if network else needed
    for path in _outer_first(map(os.path.realpath, needed)):
        if path not in covered and os.path.exists(path) and not _is_shown(path, plan):
            plan[path] = ("--ro-bind", path)
    for path in _outer_first(map(os.path.normpath, (*needed, *readable, *writable))):
        if (real := os.path.realpath(path)) != path and not _is_shown(path, plan):
            plan[path] = ("--symlink", real)
    masked = [path for path in unix_sockets(()) if path not in plan]
    for path in map(os.path.realpath, hidden):
        if os.path.isdir(path):
            plan = {place: how for place, how in plan.items() if not _is_in(place, path)} | {path: _EMPTY}
        elif os.path.exists(path) and not _without(path, plan):
            masked.append(path)
    # INVARIANT: what is inside comes after what it is in, so that it is not covered up, or uncovered, by that.
    for path in _outer_first(plan):
        words += [*plan[path], path]
    for path in masked:
        if _is_shown(path, plan):
            words += ["--dev-bind", "/dev/null", path]  # reads as an empty file
    return [*words, "--", *command]


def _without(path: str, plan: Plan) -> bool:
    """Have the folder of a file made anew without it, so that no other file can come into its place.

    False where that cannot be: the folder may be written, or not be read.
    """
    folder = os.path.dirname(path)
    if not _is_shown(path, plan):
        return True
    around = _nearest(folder, plan)
    if folder == "/" or (around and plan[around][0] == "--bind"):
        return False
    try:
        beside = [entry for entry in os.scandir(folder) if entry.path != path]
        links = {entry.path: os.readlink(entry.path) for entry in beside if entry.is_symlink()}
    except OSError:
        return False
    plan.pop(path, None)
    plan[folder] = _EMPTY
    for one in beside:
        plan.setdefault(one.path, ("--symlink", links[one.path]) if one.path in links else ("--ro-bind-try", one.path))
    return True


def _is_shown(path: str, plan: Plan) -> bool:
    nearest = _nearest(path, plan)
    return nearest is None or plan[nearest] != _EMPTY


def _nearest(path: str, plan: Plan) -> str | None:
    """The innermost place of a plan that a path is in, or is."""
    return max((place for place in plan if _is_in(path, place)), key=len, default=None)


def _is_in(path: str, folder: str) -> bool:
    return path == folder or path.startswith(f"{folder.rstrip('/')}/")


def _outer_first(paths: Iterable[str]) -> list[str]:
    return sorted(paths, key=lambda path: (len(path), path))


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
