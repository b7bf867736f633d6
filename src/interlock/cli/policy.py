"""Policies: validate them, try them on examples and on what was recorded,
and set what their refusals mean.

list     what is in force by the settings: each policy with its force, and where
         it stands
check    load the settings and the policies, and say what is wrong or odd with
         them; FILES are taken in place of [policy] files
test     decide the examples in FILES (TOML; see the how-to on policies), in
         memory, without a gateway
replay   decide again what the audit log holds, and show what would differ
suggest  print a manifest for each workload: the models and tools that it was
         permitted, by the log, and no others
mode     set the force of a policy in interlock.toml; a running gateway takes it
         over within about two seconds
         enforce: it refuses. ask: it refuses until a person approves.
         observe: it refuses nothing, and what it would refuse is noted.

JSON (--format json):
list, check  {"hash", "policies": [{"id", "effect", "force", "written",
             "where", "actions", "tool", "reads", "reason"}], "remarks":
             [{"where", "what", "hint"}]}
test         {"held", "examples": [{"name", "where", "holds", "expected",
             "decided", "by", "observed", "reason"}]}
replay       {"records", "decided", "changed", "changes": [{"workload", "what",
             "subject", "was", "now", "by", "count", "examples"}],
             "undecided": {why: count}}
Exit codes: 0 fine, 1 a remark (check --strict), an example that does not hold,
a change (replay --fail-on-change); 2 usage; 3 not valid.
"""

import argparse
import json
import os
from typing import Any

from interlock.cli import _options, _settings_file
from interlock.cli._output import console, shown
from interlock.cli._policy_trials import (
    add_trials,
    known,
    print_replay,
    print_suggestions,
    print_tests,
    run_replay,
    run_tests,
    with_policies,
)
from interlock.config import Settings, load
from interlock.governance.exceptions import BUNDLED
from interlock.governance.forces import with_force
from interlock.model.errors import ConfigError, UsageError
from interlock.policy import Force, Policies, Policy
from interlock.policy.review import Remark, review

SUMMARY = "validate policies, try them, and set what their refusals mean"
FOUND = 1
_STYLES = {Force.ENFORCE: "enforce", Force.ASK: "[yellow]ask[/]", Force.OBSERVE: "[dim]observe[/]"}


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add what can be done."""
    actions = parser.add_subparsers(dest="action", metavar="list|check|test|replay|suggest|mode", required=True)
    listing = actions.add_parser("list", help="show the policies of the settings")
    check = actions.add_parser("check", help="validate settings and policies")
    check.add_argument("files", nargs="*", metavar="FILE", help="Cedar files, in place of [policy] files")
    check.add_argument("--strict", action="store_true", help="exit with 1 if there is any remark")
    mode = actions.add_parser("mode", help="set the force of a policy")
    mode.add_argument("id", metavar="ID", help="the policy's @id")
    mode.add_argument("force", choices=[force.value for force in Force])
    for one in (listing, check):
        one.add_argument("--format", choices=("table", "json"), default="table", help="default: table")
    for one in (listing, check, mode):
        _options.add(one)
    add_trials(actions)


def run(args: argparse.Namespace) -> int:
    """Do it."""
    settings = _options.settings(args)
    match args.action:
        case "test":
            return print_tests(run_tests(settings, args), args.format)
        case "replay":
            return print_replay(run_replay(settings, args), args)
        case "suggest":
            return print_suggestions(settings, args)
        case "mode":
            return _mode(settings, args.id, Force(args.force))
        case "check":
            return _check(with_policies(settings, args.files), args)
    policies, _ = _loaded(settings)
    _print(policies, (), args.format)
    return 0


def _loaded(settings: Settings) -> tuple[Policies, tuple[Remark, ...]]:
    """The policies of these settings, and what is odd about them. Raises: PolicyError, ConfigError, StoreError."""
    from interlock.rulebook import known_tools, open_sources, trial

    pins, labels = known(settings)
    made = trial(settings, pins, labels).policies
    named = {name: manifest.tools or () for name, manifest in settings.workloads.items()}
    tools = known_tools(settings, pins).keys() | settings.tools.keys()
    remarks = [remark for remark in review(made.loaded, named, tools) if not remark.where.startswith(BUNDLED)]
    for one in open_sources(settings, pins, labels):
        what = f"{one.source} is trusted, and {one.writer} can write into it what nobody judges"
        remarks.insert(0, Remark(f"[tools.{one.source}] output", what, one.fix))
    return made, tuple(remarks)


def _check(settings: Settings, args: argparse.Namespace) -> int:
    policies, remarks = _loaded(settings)
    _print(policies, remarks, args.format)
    return FOUND if remarks and args.strict else 0


def _print(policies: Policies, remarks: tuple[Remark, ...], form: str) -> None:
    if form == "json":
        said = {
            "hash": policies.hash,
            "policies": [_as_json(policy) for policy in policies.loaded],
            "remarks": [remark._asdict() for remark in remarks],
        }
        print(json.dumps(said, indent=1))
        return
    from rich.table import Table

    out = console()
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False)
    for heading in ("effect", "force", "policy", "where"):
        table.add_column(heading, overflow="fold", no_wrap=heading in ("effect", "force"))
    for policy in policies.loaded:
        force = "" if policy.permits else _STYLES[policy.force]
        if policy.force is not policy.written:
            force += f" [dim](was {policy.written.value})[/]"
        table.add_row("permit" if policy.permits else "forbid", force, shown(policy.id), shown(_place(policy)))
    out.print(table)
    out.print(f"\n{len(policies.loaded)} policies, valid; hash {policies.hash}")
    for remark in remarks:
        out.print(f"\n[yellow]{shown(remark.where)}[/]: {shown(remark.what)}")
        out.print(f"  {shown(remark.hint)}")


def _place(policy: Policy) -> str:
    file, _, line = policy.where.rpartition(":")
    return f"bundled:{line}" if file == BUNDLED else policy.where


def _as_json(policy: Policy) -> dict[str, Any]:
    return {
        "id": policy.id,
        "effect": "permit" if policy.permits else "forbid",
        "force": policy.force.value,
        "written": policy.written.value,
        "where": _place(policy),
        "actions": list(policy.actions),
        "tool": policy.tool,
        "reads": sorted(policy.reads),
        "reason": policy.reason,
    }


def _mode(settings: Settings, policy: str, force: Force) -> int:
    """Write it into the file; only what loads takes the file's place."""
    if settings.file is None:
        hint = "name the file with --config, or make an interlock.toml"
        raise UsageError("there is no file of settings to write that into", hint=hint)
    path = settings.file.resolve()
    found = _settings_file.read(path)
    try:
        after = with_force(found.text, policy, force)
    except ConfigError as error:
        raise ConfigError(error.what, where=str(settings.file), hint=error.hint) from None
    # Beside the file, so that names in it that are relative still hold.
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        draft.touch(0o600)
        draft.write_text(after, "utf-8")
        _loaded(load(str(draft), str(settings.data)))
    finally:
        draft.unlink(missing_ok=True)
    found.replace(after)
    console().print(f"{shown(policy)}: {force.value}, by {shown(str(settings.file))}", soft_wrap=True)
    return 0
