"""The last step into an isolated program: cut every way out but one, then become the program.

It runs as a script of its own (`python -IS inside.py FD CMD...`), started by `isolate.py` and with the program's own
environment, so it needs nothing but the standard library. What it is to do comes as one JSON message over the
unix socket FD; what it answers is the listener of the program's one way out, made inside the new network. After
that the socket is closed and the program takes its place: same process, same terminal, same exit code.

    1. a user, a mount and a network namespace (unless bubblewrap made them): no interface but loopback
    2. folders and unix sockets by which another program could be talked to are covered up
    3. a listener on loopback goes outside, where each connection is led on to the gateway
    4. system calls that pass a network namespace by are refused, and nothing can be gained any more
"""

import contextlib
import ctypes
import fcntl
import json
import os
import platform
import signal
import socket
import struct
import sys
from typing import Any

LOOPBACK = "127.0.0.1"
MESSAGE_BYTES = 1 << 20
# Signals that bubblewrap's own process was told to ignore, so that the program decides about them.
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)

# <linux/sched.h>, <sys/mount.h>, <linux/prctl.h>, <linux/seccomp.h>
_CLONE_NEWNS, _CLONE_NEWUSER, _CLONE_NEWNET = 0x00020000, 0x10000000, 0x40000000
_MS_NOSUID, _MS_NODEV, _MS_BIND, _MS_REC, _MS_PRIVATE = 2, 4, 4096, 16384, 1 << 18
_PR_SET_SECCOMP, _PR_CAPBSET_DROP, _PR_SET_NO_NEW_PRIVS, _SECCOMP_MODE_FILTER = 22, 24, 38, 2
_SIOCGIFFLAGS, _SIOCSIFFLAGS, _IFF_UP = 0x8913, 0x8914, 1
# <linux/audit.h>, and the numbers of socket, ioctl and io_uring_setup in each machine's table.
_MACHINES = {
    "x86_64": (0xC000003E, 41, 16, 425),
    "aarch64": (0xC00000B7, 198, 29, 425),
    "riscv64": (0xC00000F3, 198, 29, 425),
}
_X32 = 0x40000000  # x86_64 has a second table of system calls above this bit
# Families of sockets that stay inside a network namespace. Others, such as AF_VSOCK to the host of a virtual
# machine, do not.
_FAMILIES = (1, 2, 10, 16)  # AF_UNIX, AF_INET, AF_INET6, AF_NETLINK
# To type into the terminal, as TIOCSTI does, is to have the shell outside run something later.
_TIOCSTI, _TIOCLINUX = 0x5412, 0x541C
# <linux/bpf_common.h>: load a word of the call's data; jump if equal, if greater or equal; return.
_LOAD, _JEQ, _JGE, _RETURN = 0x20, 0x15, 0x35, 0x06
_ALLOW, _REFUSE = 0x7FFF0000, 0x00050000
_EPERM, _ENOSYS, _EAFNOSUPPORT = 1, 38, 97
_NR, _ARCH, _ARG0, _ARG1 = 0, 4, 16, 24  # offsets in struct seccomp_data; a register's low half first

_libc = ctypes.CDLL(None, use_errno=True)
_libc.prctl.argtypes = (ctypes.c_int, *(ctypes.c_ulong,) * 4)
_libc.mount.argtypes = (ctypes.c_char_p, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_ulong, ctypes.c_void_p)


def main(fd: int, command: list[str]) -> None:
    """Do what the message on `fd` says and become `command`; returns only if that could not be."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    outside = socket.socket(fileno=fd)
    message = outside.recv(MESSAGE_BYTES)
    if not message:
        return  # who started this has gone
    order: dict[str, Any] = json.loads(message)
    try:
        if order["enter"]:
            enter(order["folders"], order["covers"])
        listener = socket.create_server((LOOPBACK, order["port"]), backlog=1024)
        refuse_calls()
    except OSError as error:
        outside.send(json.dumps({"error": str(error)}).encode())
        return
    socket.send_fds(outside, [json.dumps({"pid": os.getpid()}).encode()], [listener.fileno()])
    os.closerange(3, max(fd, listener.fileno(), os.sysconf("SC_OPEN_MAX")) + 1)
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN if number in order["ignored"] else signal.SIG_DFL)
    for number in (signal.SIGPIPE, signal.SIGXFSZ):  # Python ignores these two; a program does not expect that
        signal.signal(number, signal.SIG_DFL)
    try:
        os.execvp(command[0], command)  # noqa: S606 - to run what the user names is what this is for
    except OSError as error:
        sys.stderr.write(f"interlock: cannot start {command[0]}: {error.strerror}\n")


def enter(folders: list[str], covers: list[tuple[str, str]]) -> None:
    """New user, mount and network namespaces, `folders` empty in them; `covers`: what is found at a path instead."""
    uid, gid, folder = os.geteuid(), os.getegid(), os.getcwd()
    _call("unshare", _CLONE_NEWUSER | _CLONE_NEWNS | _CLONE_NEWNET)
    for name, text in (("setgroups", "deny"), ("uid_map", f"{uid} {uid} 1"), ("gid_map", f"{gid} {gid} 1")):
        with open(f"/proc/self/{name}", "w") as file:
            file.write(text)
    _mount("none", "/", "", _MS_REC | _MS_PRIVATE)
    for path, source in covers:
        with contextlib.suppress(FileNotFoundError):  # gone in the meantime
            _mount(source, path, "", _MS_BIND)
    for path in folders:
        _mount("tmpfs", path, "tmpfs", _MS_NOSUID | _MS_NODEV)
    os.chdir(folder)  # not what lies under the cover, if one was put on it
    _loopback_up()
    # With these, root in here could take away again what covers the folders.
    for capability in range(64):
        if _libc.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0):
            break  # beyond the kernel's last one


def _loopback_up() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        request = struct.pack("16sH14x", b"lo", 0)
        flags = struct.unpack_from("H", fcntl.ioctl(any_socket, _SIOCGIFFLAGS, request), 16)[0]
        fcntl.ioctl(any_socket, _SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", flags | _IFF_UP))


def refuse_calls() -> None:
    """No new privileges from here on, and none of the system calls of `call_filter`. Raises: OSError."""
    program = call_filter(platform.machine())
    steps = ctypes.create_string_buffer(program, len(program))
    header = ctypes.create_string_buffer(struct.pack("HP", len(program) // 8, ctypes.addressof(steps)))
    _call("prctl", _PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    _call("prctl", _PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.addressof(header), 0, 0)


def call_filter(machine: str) -> bytes:
    """The seccomp program (cBPF) for a machine as `uname -m` names it. Raises: OSError if it is not known.

    Refused: sockets of families that a network namespace does not hold; io_uring, which makes sockets past this
    filter; typing into the terminal; other tables of system calls.
    """
    if machine not in _MACHINES or sys.maxsize <= 2**32:
        raise OSError(_ENOSYS, f"the system calls of this machine ({machine}) are not known to interlock")
    arch, socket_call, ioctl_call, io_uring_setup = _MACHINES[machine]

    def step(code: int, value: int, then: int = 0, otherwise: int = 0) -> bytes:
        return struct.pack("=HBBI", code, then, otherwise, value)

    def answer_if(code: int, value: int, answer: int) -> bytes:
        return step(code, value, 0, 1) + step(_RETURN, answer)

    families = b"".join(answer_if(_JEQ, family, _ALLOW) for family in _FAMILIES)
    sockets = step(_LOAD, _ARG0) + families + step(_RETURN, _REFUSE | _EAFNOSUPPORT)
    typing = b"".join(answer_if(_JEQ, request, _REFUSE | _EPERM) for request in (_TIOCSTI, _TIOCLINUX))
    ioctls = step(_LOAD, _ARG1) + typing + step(_RETURN, _ALLOW)
    return b"".join((
        step(_LOAD, _ARCH),
        step(_JEQ, arch, 1, 0),
        step(_RETURN, _REFUSE | _ENOSYS),
        step(_LOAD, _NR),
        answer_if(_JGE, _X32, _REFUSE | _ENOSYS),
        answer_if(_JEQ, io_uring_setup, _REFUSE | _ENOSYS),
        step(_JEQ, socket_call, 0, len(sockets) // 8) + sockets,
        step(_JEQ, ioctl_call, 0, len(ioctls) // 8) + ioctls,
        step(_RETURN, _ALLOW),
    ))  # fmt: skip


def _mount(source: str, target: str, kind: str, flags: int) -> None:
    _call("mount", os.fsencode(source), os.fsencode(target), kind.encode(), flags, None, what=target)


def _call(name: str, *arguments: Any, what: str = "") -> None:
    if getattr(_libc, name)(*arguments):
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}", what or None)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
    sys.exit(126)
