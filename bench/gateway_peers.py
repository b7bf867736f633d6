"""The proxies that are measured: how each is set up, started on its own core, and read from /proc."""

import contextlib
import json
import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

HOST = "127.0.0.1"
MODEL = "gpt-5-mini"
CLOCK_TICKS = os.sysconf("SC_CLK_TCK")
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
START_S = 120.0
PATH = "/v1/chat/completions"


@dataclass(frozen=True, slots=True)
class Setting:
    """What a peer gets: a folder of its own, its port, and where the model's server listens."""

    folder: Path
    port: int
    upstream: int


@dataclass(frozen=True, slots=True)
class Ready:
    """How to start a peer and how to talk to it."""

    command: tuple[str, ...]
    path: str = PATH
    key: str = "sk-bench"
    env: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Peer:
    """A proxy: its name, its version (None: not on this machine), and how it is set up."""

    name: str
    version: str | None
    prepare: Callable[[Setting], Ready]


@dataclass(slots=True)
class Running:
    """A started peer. `pid` is the root of its process tree; 0 for `direct`, which has none."""

    name: str
    version: str
    port: int
    path: str
    key: str
    pid: int = 0
    rss_start: int = 0

    def cpu_s(self) -> float:
        """User and system time of the whole tree so far, in seconds."""
        return sum(_cpu_ticks(pid) for pid in tree(self.pid)) / CLOCK_TICKS

    def rss_bytes(self) -> int:
        """Resident memory of the whole tree; pages that two of its processes share count twice."""
        return sum(int(_proc(pid, "statm").split()[1]) for pid in tree(self.pid)) * PAGE_BYTES


def _proc(pid: int, name: str) -> str:
    return Path(f"/proc/{pid}/{name}").read_text()


def _stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat after the program's name, from `state` on."""
    return _proc(pid, "stat").rpartition(")")[2].split()


def _cpu_ticks(pid: int) -> int:
    utime, stime, ended_utime, ended_stime = _stat(pid)[11:15]
    return int(utime) + int(stime) + int(ended_utime) + int(ended_stime)


def tree(root: int) -> list[int]:
    """A process and all that descend from it; empty for 0."""
    if not root:
        return []
    parents: dict[int, int] = {}
    for entry in os.scandir("/proc"):
        if entry.name.isdigit():
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                parents[int(entry.name)] = int(_stat(int(entry.name))[1])
    found = [root]
    for pid in found:
        found += [child for child, parent in parents.items() if parent == pid]
    return found


def free_port() -> int:
    """A port on loopback that nobody listens on now."""
    with socket.create_server((HOST, 0)) as server:
        port: int = server.getsockname()[1]
        return port


def _version(command: str | None, *arguments: str) -> str | None:
    """What a program says of its version, from either stream; None if it is not there."""
    if command is None:
        return None
    done = subprocess.run([command, *arguments], capture_output=True, text=True, check=False, timeout=START_S)
    found = re.search(r"\d+\.\d+\.\d+", done.stdout + done.stderr)
    return found[0] if found else None


def peers(extra: Path) -> list[Peer]:
    """All peers in the order of the report; `extra` is the environment that `make bench-peers` makes."""
    search = f"{extra / 'bin'}{os.pathsep}{os.environ.get('PATH', '')}"
    nginx, envoy, litellm = (shutil.which(name, path=search) for name in ("nginx", "envoy", "litellm"))
    lite_version = _version(str(extra / "bin/python"), "-m", "pip", "show", "litellm") if litellm else None
    return [
        Peer("nginx", _version(nginx, "-v"), lambda setting: _nginx(nginx or "", setting)),
        Peer("envoy", _version(envoy, "--version"), lambda setting: _envoy(envoy or "", setting)),
        Peer("litellm", lite_version, lambda setting: _litellm(litellm or "", setting)),
        Peer("interlock", _version(sys.executable, "-m", "interlock", "--version"), _interlock),
    ]


def _nginx(program: str, setting: Setting) -> Ready:
    config = setting.folder / "nginx.conf"
    (setting.folder / "logs").mkdir()
    config.write_text(f"""
        daemon off; worker_processes 1; pid {setting.folder}/nginx.pid; error_log stderr error;
        {"user root;" if os.geteuid() == 0 else ""}
        events {{ worker_connections 1024; }}
        http {{
            access_log off; keepalive_requests 10000000; client_max_body_size 16m; client_body_buffer_size 256k;
            client_body_temp_path {setting.folder}/body; proxy_temp_path {setting.folder}/proxy;
            upstream model {{ server {HOST}:{setting.upstream}; keepalive 64; keepalive_requests 10000000; }}
            server {{
                listen {HOST}:{setting.port};
                location / {{
                    proxy_pass http://model; proxy_http_version 1.1; proxy_set_header Connection "";
                    proxy_buffering off;
                }}
            }}
        }}
    """)
    return Ready((program, "-p", str(setting.folder), "-e", "stderr", "-c", str(config)))


def _envoy(program: str, setting: Setting) -> Ready:
    def address(port: int) -> dict[str, object]:
        return {"socket_address": {"address": HOST, "port_value": port}}

    api = "type.googleapis.com/envoy.extensions.filters"
    router = {"name": "router", "typed_config": {"@type": f"{api}.http.router.v3.Router"}}
    route = {"match": {"prefix": "/"}, "route": {"cluster": "model", "timeout": "0s"}}
    manager = {
        "@type": f"{api}.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "bench",
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [route]}]},
        "http_filters": [router],
    }
    chain = {"filters": [{"name": "http", "typed_config": manager}]}
    endpoint = {"endpoint": {"address": address(setting.upstream)}}
    cluster = {
        "name": "model",
        "type": "STATIC",
        "load_assignment": {"cluster_name": "model", "endpoints": [{"lb_endpoints": [endpoint]}]},
    }
    listener = {"name": "in", "address": address(setting.port), "filter_chains": [chain]}
    config = setting.folder / "envoy.json"
    config.write_text(json.dumps({"static_resources": {"listeners": [listener], "clusters": [cluster]}}))
    return Ready((program, "-c", str(config), "--concurrency", "1", "--disable-hot-restart", "--log-level", "error"))


def _litellm(program: str, setting: Setting) -> Ready:
    parameters = {"model": f"openai/{MODEL}", "api_base": f"http://{HOST}:{setting.upstream}/v1", "api_key": "sk-bench"}
    config = setting.folder / "litellm.json"
    key = f"sk-{secrets.token_hex(24)}"  # it refuses to start without one, or with a weak one
    models = [{"model_name": MODEL, "litellm_params": parameters}]
    config.write_text(json.dumps({"model_list": models, "general_settings": {"master_key": key}}))
    command = (program, "--config", str(config), "--host", HOST, "--port", str(setting.port), "--telemetry", "False")
    return Ready(command, key=key, env=(("LITELLM_LOCAL_MODEL_COST_MAP", "True"),))


def _interlock(setting: Setting) -> Ready:
    """As an operator runs it: a workload with a key, and everything that is on by default."""
    config = setting.folder / "interlock.toml"
    config.write_text(
        f'[gateway]\nport = {setting.port}\n[console]\nport = 0\n[llm.upstreams.openai]\nurl = "http://{HOST}:'
        f'{setting.upstream}/v1"\n'
    )
    where = ("--config", str(config), "--data", str(setting.folder / "data"))
    program = (sys.executable, "-m", "interlock")
    added = subprocess.run(
        [*program, "identity", "add", "bench", *where], capture_output=True, text=True, check=True, timeout=START_S
    )
    key = re.search(r"\bilk_[a-z2-7]+_[a-z2-7]+", added.stdout)
    if key is None:
        raise RuntimeError(f"`interlock identity add` printed no key: {added.stdout!r}")
    return Ready((*program, "up", *where), path=f"/openai{PATH}", key=key[0])


@contextlib.contextmanager
def running(peer: Peer, setting: Setting, cpu: int) -> Iterator[Running]:
    """The peer, started on core `cpu` and listening; its whole process group is ended afterwards."""
    setting.folder.mkdir()
    ready = peer.prepare(setting)
    log = setting.folder / "output.txt"
    with log.open("wb") as output:
        process = subprocess.Popen(
            ["taskset", "--cpu-list", str(cpu), *ready.command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, **dict(ready.env)},
            cwd=setting.folder,
            start_new_session=True,
        )
    try:
        _await_port(process, setting.port, log)
        yield Running(peer.name, peer.version or "?", setting.port, ready.path, ready.key, process.pid)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _await_port(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        with contextlib.suppress(OSError), socket.create_connection((HOST, port), timeout=1):
            return
        time.sleep(0.05)
    raise RuntimeError(f"it did not start listening:\n{log.read_text(errors='replace')[-2000:]}")
