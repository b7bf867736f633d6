"""Run any program with all its AI traffic in the live path.

  interlock run --workload billing-agent -- python agent.py

The program gets a key of its own, which ends with it, and the variables by
which the SDKs find the gateway; its code stays as it is. Providers' own
credentials are taken out of its environment. With --isolate (Linux) it can
reach the gateway and nothing else. Its exit code is passed on.

An MCP client's configuration that the command names is put behind interlock
in a private copy; with --isolate also those that lie in this folder.

  eval "$(interlock run --print-env --workload billing-agent)"

gives the same variables to this shell instead.
"""

import argparse
import json
import os
import re
import shlex
import shutil
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from interlock.cli import _options
from interlock.cli._output import clean
from interlock.config import Settings
from interlock.model.errors import UsageError

SUMMARY = "run any program with its AI traffic in the live path"
UNITS_S = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
# A key that nobody revokes should not be good for long: a program that runs longer has `identity add`.
TTL, TTL_MAX_S = "12h", 30 * 86_400


def arguments(parser: argparse.ArgumentParser) -> None:
    """Its arguments."""
    parser.usage = "interlock run [--workload W] [--isolate] [options] -- CMD..."
    parser.add_argument("--workload", metavar="W", help="whose traffic it is (default: this folder's name)")
    parser.add_argument("--isolate", action="store_true", help="cut every other way out (Linux)")
    parser.add_argument("--ttl", metavar="TIME", default=TTL, help=f"the key's longest life: 30m, 12h, 7d ({TTL})")
    parser.add_argument(
        "--keep-env", metavar="NAME", action="append", default=[], help="leave this credential in its environment"
    )
    parser.add_argument("--print-env", action="store_true", help="print the variables and run nothing")
    parser.add_argument("--format", choices=("shell", "dotenv", "json"), default="shell", help="how to print them")
    _options.add(parser)
    parser.add_argument("program", metavar="CMD...", nargs=argparse.REMAINDER, help="the program and its arguments")


def run(args: argparse.Namespace) -> int:
    """Run it, or print its environment."""
    settings = _options.settings(args)
    command = args.program[1:] if args.program[:1] == ["--"] else args.program
    workload = args.workload or _workload(command)
    lifetime_us = _seconds(args.ttl) * 1_000_000
    if args.print_env:
        if command or args.isolate:
            raise UsageError("--print-env prints the variables and runs nothing", hint="leave out what goes with CMD")
        _print_env(settings, workload, lifetime_us, args.format, args.keep_env)
        return 0
    if not command:
        raise UsageError("there is no program to run", hint="interlock run -- CMD...")
    if shutil.which(command[0]) is None:
        raise UsageError(f"there is no program {clean(command[0])!r}", hint="is it on the PATH, and executable?")
    return _run(settings, workload, lifetime_us, command, args)


def _run(settings: Settings, workload: str, lifetime_us: int, command: list[str], args: argparse.Namespace) -> int:
    from interlock.app import local_authority
    from interlock.run.environment import addresses, direct, proxied, withheld
    from interlock.run.identity import gateway, lent, url
    from interlock.run.isolate import address, isolated
    from interlock.run.program import Signals, started

    where = gateway(settings)
    with (
        Signals() as signals,
        lent(settings, workload, lifetime_us) as key,
        tempfile.TemporaryDirectory(prefix="interlock-run-") as folder,
    ):
        base = url(*(address(where[1]) if args.isolate else where))
        given = addresses(settings.upstreams, base, key)
        out = withheld(os.environ, settings.upstreams.values(), args.keep_env)
        _tell(settings, given, out)
        # Interlock's own settings are not the program's: the address of its database may have a password in it.
        own = {name for name in os.environ if name.startswith("INTERLOCK_") and name not in args.keep_env}
        kept = {name: value for name, value in os.environ.items() if name not in out and name not in own}
        if settings.gateway.proxy:
            bundle = Path(folder) / "authorities.pem"
            local_authority(settings).write_bundle(bundle)
            given |= proxied(kept, base, key, str(bundle))
        else:
            given |= direct(kept)
        env = kept | {name: value for name, value in given.items() if name not in args.keep_env}
        instead = _clients(settings, command, args, _Client(workload, base, key, Path(folder)))
        if args.isolate:
            _refuse_open_database(settings)
        else:
            command = [_instead(word, instead) for word in command]
        hidden = [str(settings.data)]
        with isolated(command, env, where, hidden, instead) if args.isolate else started(command, env) as running:
            return signals.wait(running)


class _Client(NamedTuple):
    """Who the program is, where it finds the gateway, and a folder of its own."""

    workload: str
    base: str
    key: str
    folder: Path


def _clients(settings: Settings, command: list[str], args: argparse.Namespace, client: _Client) -> dict[str, str]:
    """Private copies of MCP clients' configurations, by the files that they stand for; what became of each is said."""
    from interlock.run.clients import PROJECT_FILES, configuration, routed

    # In isolation nothing that the program starts can write the log.
    wrap = None if args.isolate else _wrap(settings, client.workload)
    instead: dict[str, str] = {}
    named = {word.rpartition("=")[2] for word in command[1:]}
    for name in sorted({*named, *PROJECT_FILES}):
        try:
            document = configuration(Path(name).read_text("utf-8-sig")) if name.endswith(".json") else None
        except (OSError, UnicodeDecodeError):
            continue  # there is no such file, or none that a client could read
        if document is None:
            continue
        if name not in named and not args.isolate:
            _note(f"not behind interlock: the MCP servers in {name}; name the file in the command, or use --isolate")
            continue
        found = routed(document, settings.mcp_servers, client.base, client.key, wrap)
        private = client.folder / f"client-{len(instead)}.json"
        private.touch(0o600)
        private.write_text(json.dumps(found.document, indent=2), "utf-8")
        instead[os.path.realpath(name)] = str(private)
        _note(f"MCP servers in {name}: {', '.join((*found.led, *found.wrapped)) or 'none'} behind interlock")
        if found.left_out:
            _note(f"left out of {name}: {', '.join(found.left_out)}; interlock mcp import {name} takes them over")
    return instead


def _instead(word: str, instead: Mapping[str, str]) -> str:
    """A word of the command with the private copy of the file that it names, as FILE or as --option=FILE."""
    before, equals, name = word.rpartition("=")
    copied = instead.get(os.path.realpath(name)) if name else None
    return f"{before}{equals}{copied}" if copied else word


def _wrap(settings: Settings, workload: str) -> list[str]:
    from interlock.run.program import interlock

    words = [*interlock(), "mcp", "wrap", "--workload", workload, "--data", str(settings.data.absolute())]
    return [*words, *(("--config", str(settings.file.absolute())) if settings.file else ())]


def _refuse_open_database(settings: Settings) -> None:
    """Raises: ConfigError if an isolated program could write keys into the database."""
    from interlock.model.errors import ConfigError
    from interlock.store.database import address

    place = address(settings.store.url, settings.data)
    file = place.database if place.get_backend_name() == "sqlite" else None
    if file and not Path(file).resolve().is_relative_to(settings.data.resolve()):
        hint = "leave [store] url out, or move the file into the data folder"
        raise ConfigError("the database lies where an isolated program could write it", where="[store] url", hint=hint)


def _tell(settings: Settings, given: Mapping[str, str], out: list[str]) -> None:
    """Say on stderr what the program does not get, by names only."""
    said = [f"{name} (its own key instead)" if name in given else name for name in out]
    if said:
        _note(f"kept from the program: {', '.join(said)}")
    if settings.gateway.proxy and settings.gateway.tunnel == "refuse":
        _note('its proxy refuses hosts that are no AI service; to allow: [gateway] tunnel = "allow"')


def _note(text: str) -> None:
    print(f"interlock: {clean(text)}", file=sys.stderr, flush=True)


def _workload(command: list[str]) -> str:
    """This folder's name, else the program's, as far as a workload may be called so."""
    names = (Path.cwd().name, *(Path(word).name for word in command[:1]), "program")
    possible = (re.sub(r"[^A-Za-z0-9._@+-]+", "-", name).strip("-@+")[:128] for name in names)
    return next(name for name in possible if name)


def _seconds(ttl: str) -> int:
    match = re.fullmatch(r"([1-9][0-9]{0,8})([smhd])", ttl)
    seconds = int(match[1]) * UNITS_S[match[2]] if match else 0
    if not 0 < seconds <= TTL_MAX_S:
        raise UsageError(f"--ttl cannot be {ttl!r}", hint="a number and s, m, h or d, at most 30d")
    return seconds


def _print_env(settings: Settings, workload: str, lifetime_us: int, form: str, keep: list[str]) -> None:
    from interlock.knowledge import client_protocols
    from interlock.run.environment import addresses, direct, served, withheld
    from interlock.run.identity import gateway, made, url

    base = url(*gateway(settings))
    key, text = made(settings, workload, lifetime_us)
    given = addresses(settings.upstreams, base, text) | direct(os.environ)
    given = {name: value for name, value in given.items() if name not in keep}
    until = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime((key.expires_us or 0) / 1e6))
    if form == "json":
        print(json.dumps(given, indent=2))
    else:
        chosen = served(settings.upstreams)
        print(f"# {workload}: key {key.id}, good until {until}; interlock identity revoke {key.id} ends it")
        missing = [p.name for p in client_protocols() if not chosen[p.name]]
        if missing:
            print(f"# no upstream for: {', '.join(missing)} (see [llm.upstreams.<name>])")
        for name in settings.upstreams:
            if name not in chosen.values():
                print(f"# no SDK looks for {name} by itself; it is at {base}/{name}")
        for name, value in given.items():
            print(f"export {name}={shlex.quote(value)}" if form == "shell" else f'{name}="{value}"')
    if out := [name for name in withheld(os.environ, settings.upstreams.values(), keep) if name not in given]:
        _note(f"still in this shell: {', '.join(out)}; unset them, so that no program holds them")
