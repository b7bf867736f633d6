"""Workloads' own keys: add one, list them, take one back.

A key is shown once, when it is made; interlock keeps only its hash. A program
uses it as its API key, with the gateway as its base address; nothing else in
the program changes. A running gateway notices new and revoked keys by itself.
"""

import argparse
import secrets
import shlex
import time
from datetime import UTC, datetime

from interlock.cli import _options
from interlock.cli._output import console, shown
from interlock.config import Settings
from interlock.model.errors import UsageError
from interlock.store import Key

SUMMARY = "give workloads keys of their own, and take them back"
_DAY_US = 86_400_000_000
# 100 years: beyond that a date no longer fits what shows it, and somebody meant something else.
_DAYS_MAX = 36_500


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the three things to do."""
    actions = parser.add_subparsers(dest="action", metavar="add|list|revoke", required=True)
    add = actions.add_parser("add", help="make a key for a workload and show it, this once")
    add.add_argument("workload", metavar="WORKLOAD", help="the workload's name, as in the inventory")
    add.add_argument("--days", metavar="N", type=int, help="the key expires after N days (default: it does not)")
    listing = actions.add_parser("list", help="show all keys; no secrets")
    revoke = actions.add_parser("revoke", help="refuse a key from now on")
    revoke.add_argument("key_id", metavar="KEY_ID", help="as `identity list` shows it; or a whole key that has leaked")
    for action in (add, listing, revoke):
        _options.add(action)


def run(args: argparse.Namespace) -> int:
    """Do it."""
    from interlock.app import open_store

    settings = _options.settings(args)
    now_us = time.time_ns() // 1000
    store = open_store(settings)
    try:
        match args.action:
            case "add":
                key, text = _new(args, now_us)
                store.add_key(key)
                _print_new(settings, key, text)
            case "list":
                _print_keys(store.keys(), now_us)
            case "revoke":
                # Who has found a leaked key may give all of it; it must not be repeated.
                key_id = args.key_id.split("_")[1] if args.key_id.startswith("ilk_") else args.key_id
                if not store.revoke_key(key_id, now_us):
                    raise UsageError(f"there is no key {key_id}", hint="see: interlock identity list")
                console().print(f"key {shown(key_id)} is refused from now on")
    finally:
        store.close()
    return 0


def _new(args: argparse.Namespace, now_us: int) -> tuple[Key, str]:
    from interlock.identity.keys import mint

    if args.days is not None and not 1 <= args.days <= _DAYS_MAX:
        raise UsageError(f"--days must be from 1 to {_DAYS_MAX}")
    lifetime_us = None if args.days is None else args.days * _DAY_US
    return mint(args.workload, now_us, lifetime_us, secrets.token_bytes)


def _print_new(settings: Settings, key: Key, text: str) -> None:
    out = console()
    expiry = f"until {_date(key.expires_us)}" if key.expires_us is not None else "until it is revoked"
    out.print(f"key {key.id} of {shown(key.workload)}, good {expiry}")
    out.print("This is the only time that it is shown. In the environment of the program:\n")
    host = f"[{settings.gateway.host}]" if ":" in settings.gateway.host else settings.gateway.host
    route = "openai" if "openai" in settings.upstreams else next(iter(settings.upstreams))
    base = f"http://{host}:{settings.gateway.port}/{route}/v1"
    # print, not rich: a key must never be wrapped.
    print(f"  export OPENAI_BASE_URL={shlex.quote(base)}\n  export OPENAI_API_KEY={text}\n")
    out.print(f"To take it back: interlock identity revoke {key.id}")


def _print_keys(keys: tuple[Key, ...], now_us: int) -> None:
    from rich.table import Table

    out = console()
    if not keys:
        out.print("no keys; make one with: interlock identity add WORKLOAD")
        return
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False)
    for heading in ("key", "workload", "created", "expires", "state"):
        table.add_column(heading, no_wrap=heading != "workload", overflow="fold")
    for key in keys:
        expires = _date(key.expires_us) if key.expires_us is not None else "never"
        table.add_row(key.id, shown(key.workload), _date(key.created_us), expires, _state(key, now_us))
    out.print(table)


def _state(key: Key, now_us: int) -> str:
    if key.revoked_us is not None:
        return f"revoked {_date(key.revoked_us)}"
    return "expired" if key.expires_us is not None and now_us >= key.expires_us else "good"


def _date(at_us: int) -> str:
    return datetime.fromtimestamp(at_us / 1e6, UTC).strftime("%Y-%m-%d")
