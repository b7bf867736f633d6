"""What every exchange goes by, made of settings: policies, detectors, labels, limits; made anew when they change."""

import json
import secrets
import time
from collections.abc import Callable, Iterable
from dataclasses import fields, replace
from hashlib import sha256
from importlib.resources import files
from pathlib import Path

from interlock.config import TABLES, Settings
from interlock.detectors import Engine, detectors
from interlock.governance.exceptions import BUNDLED
from interlock.guard import Rules
from interlock.guard.approvals import Approvals
from interlock.guard.budgets import Budgets
from interlock.guard.caps import Caps, Counters, caps
from interlock.guard.rules import Prompts
from interlock.guard.settings import limits, rates
from interlock.guard.vault import Vault
from interlock.mcp.inspection import definition_of
from interlock.mcp.labels import SetLabels, overrides
from interlock.mcp.pins import Pin, Standing
from interlock.model.errors import ConfigError
from interlock.model.event import ToolDefinition
from interlock.policy import Force, Mode, Policies, Scope, Source
from interlock.policy.arguments import Fields, common, of_declarations, of_schema
from interlock.provenance.writers import OpenWriter, open_writers
from interlock.store.secret import secret

# Sections of the settings that a running gateway takes over; all others wait for a restart.
RELOADED = ("policy", "workloads", "tools", "limits", "prices")


def rules(
    settings: Settings, credentials: Iterable[str] = (), pins: Iterable[Pin] = (), labels: Iterable[SetLabels] = ()
) -> Rules:
    """The policies, detectors and labels of these settings; `credentials` may never go out.

    `pins` are the tools that are known, whose arguments policies can read; `labels` those that were set on the
    console. Raises: PolicyError, ConfigError.
    """
    key = secret(settings.data / "keys" / "digest.key")
    return Rules(
        policies=policies(settings, pins),
        engine=Engine(detectors(), secrets=credentials),
        digest=keyed(key),
        now_us=now_us,
        ticks_us=ticks_us,
        limit=settings.gateway.max_body_bytes,
        tools=overrides(settings.tools, labels),
        prompts=Prompts(settings.policy.canaries),
        budgets=Budgets(limits(settings.limits), rates(settings.prices)),
        owners=_owners(settings),
        vault=Vault(secret(settings.data / "keys" / "pseudonyms.key"), secrets.token_bytes, settings.pseudonyms),
        caps=_caps(settings, Counters()),
        approvals=Approvals(settings.approvals, lambda: secrets.token_hex(6)),
    )


def trial(settings: Settings, pins: Iterable[Pin] = (), labels: Iterable[SetLabels] = ()) -> Rules:
    """The rules of these settings to try something on: nothing is read or written but the policies.

    Raises: PolicyError, ConfigError.
    """
    engine, digest = Engine(detectors()), keyed(b"trial")
    made = Rules(policies(settings, pins), engine, digest, now_us, ticks_us, settings.gateway.max_body_bytes)
    tools = overrides(settings.tools, labels)
    return replace(made, tools=tools, owners=_owners(settings), caps=_caps(settings, Counters()))


def renewed(before: Rules, settings: Settings, pins: Iterable[Pin], labels: Iterable[SetLabels] = ()) -> Rules:
    """The rules of changed settings, with all that was counted and remembered under the old ones.

    A limit whose table has changed begins anew. Raises: PolicyError, ConfigError; then nothing has changed.
    """
    return replace(
        before,
        policies=policies(settings, pins),
        tools=overrides(settings.tools, labels),
        prompts=Prompts(settings.policy.canaries),
        budgets=before.budgets.renewed(limits(settings.limits), rates(settings.prices)),
        owners=_owners(settings),
        caps=_caps(settings, before.caps.counters),
    )


def policies(settings: Settings, pins: Iterable[Pin] = ()) -> Policies:
    """The policies of these settings. Raises: PolicyError, ConfigError."""
    scopes = {
        name: Scope(
            manifest.models,
            manifest.tools,
            manifest.unsafe_tools,
            manifest.extras,
            Mode(manifest.answer_mode) if manifest.answer_mode else None,
            manifest.redact,
        )
        for name, manifest in settings.workloads.items()
    }
    _refuse_unknown_redactions(settings)
    return Policies(
        schema(),
        sources(settings),
        scopes,
        Mode(settings.policy.answer_mode),
        settings.policy.redact,
        _forces(settings),
        known_tools(settings, pins),
    )


def schema() -> Source:
    """What policies can speak of."""
    name = "schema.cedarschema"
    return Source(name, files("interlock.policy").joinpath(name).read_text("utf-8"))


def bundled() -> Source:
    """The policies that interlock brings."""
    return Source(BUNDLED, files("interlock.policy").joinpath("bundled.cedar").read_text("utf-8"))


def bundled_examples() -> str:
    """What the bundled policies are to decide, as `interlock policy test` reads it."""
    return files("interlock.policy").joinpath("examples.toml").read_text("utf-8")


def sources(settings: Settings) -> tuple[Source, ...]:
    """The Cedar files of these settings. Raises: ConfigError for one that cannot be read."""
    own = [_cedar(settings, name) for name in settings.policy.files]
    return (bundled(), *own) if settings.policy.bundled else tuple(own)


def policy_paths(settings: Settings) -> tuple[Path, ...]:
    """Where the Cedar files of these settings are."""
    folder = settings.file.parent if settings.file else Path()
    return tuple(folder / name for name in settings.policy.files)


def known_tools(settings: Settings, pins: Iterable[Pin]) -> dict[str, Fields]:
    """The arguments of each tool that policies can read: as declared, else as the approved definitions say."""
    found: dict[str, list[Fields]] = {}
    for pin in pins:
        if pin.standing is not Standing.NEW:
            found.setdefault(pin.tool, []).append(of_schema(_defined(pin).schema))
    known = {tool: common(several) for tool, several in found.items()}
    declared = {name: override.arguments for name, override in settings.tools.items() if override.arguments}
    return known | {name: of_declarations(name, arguments) for name, arguments in declared.items()}


def open_sources(settings: Settings, pins: Iterable[Pin], labels: Iterable[SetLabels] = ()) -> tuple[OpenWriter, ...]:
    """Who can write what it likes into a tool's results that these settings trust; see `provenance.writers`."""
    tools = {pin.tool: (pin.server, _defined(pin)) for pin in pins if pin.standing is not Standing.NEW}
    unsafe = {name for manifest in settings.workloads.values() for name in manifest.unsafe_tools}
    return tuple(open_writers(tools, overrides(settings.tools, labels), unsafe))


def _defined(pin: Pin) -> ToolDefinition:
    return definition_of(pin.tool, json.loads(pin.document), pin.server)


def waits_for_restart(before: Settings, after: Settings) -> tuple[str, ...]:
    """The sections that have changed and that a running gateway does not take over."""
    kept = [name for name in (one.name for one in fields(before)) if name not in (*RELOADED, "data", "file")]
    return tuple(
        TABLES[name][0] if name in TABLES else name for name in kept if getattr(before, name) != getattr(after, name)
    )


def _caps(settings: Settings, counters: Counters) -> Caps:
    where = f"{settings.file or ''} "
    own = {
        name: caps(manifest.caps, f"{where}[workloads.{name}] caps")
        for name, manifest in settings.workloads.items()
        if manifest.caps is not None
    }
    return Caps(caps(settings.policy.caps, f"{where}[policy] caps"), own, counters)


def _owners(settings: Settings) -> dict[str, str]:
    return {name: manifest.owner for name, manifest in settings.workloads.items()}


def _forces(settings: Settings) -> dict[str, Force]:
    forces: dict[str, Force] = {}
    for force in Force:
        for name in getattr(settings.policy, force.value):
            if name in forces:
                what = f"{name!r} stands under {forces[name].value} and under {force.value}"
                raise ConfigError(what, where=f"{settings.file or ''} [policy]", hint="say it once")
            forces[name] = force
    return forces


def _refuse_unknown_redactions(settings: Settings) -> None:
    known = detectors()
    asked = {name: manifest.redact or () for name, manifest in settings.workloads.items()}
    for section, redact in {
        "policy": settings.policy.redact,
        **{f"workloads.{n}": r for n, r in asked.items()},
    }.items():
        for entry in redact:
            name, colon, rule = entry.partition(":")
            where = f"{settings.file or ''} [{section}] redact"
            if name not in known:
                hint = f"one of {', '.join(known)}; a rule may follow, as in personal-data:iban"
                raise ConfigError(f"there is no detector {name!r}", where=where, hint=hint)
            if colon and rule not in known[name].rules:
                hint = f"one of {', '.join(sorted(known[name].rules)) or 'none: name the detector alone'}"
                raise ConfigError(f"{name} has no rule {rule!r}", where=where, hint=hint)


def _cedar(settings: Settings, name: str) -> Source:
    path = (settings.file.parent if settings.file else Path()) / name
    try:
        return Source(str(path), path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read it: {error}", where=str(path), hint="see [policy] files") from error


def keyed(key: bytes) -> Callable[[str], str]:
    """HMAC-SHA-256 (RFC 2104), cut to 128 bits, with both keyed states made once.

    >>> keyed(b"k")("text") == hmac.new(b"k", b"text", "sha256").hexdigest()[:32]
    True
    """
    block = key.ljust(sha256().block_size, b"\0")
    inner, outer = sha256(bytes(b ^ 0x36 for b in block)), sha256(bytes(b ^ 0x5C for b in block))

    def digest(text: str) -> str:
        within, around = inner.copy(), outer.copy()
        within.update(text.encode("utf-8", "surrogatepass"))
        around.update(within.digest())
        return around.hexdigest()[:32]

    return digest


def ticks_us() -> int:
    """A clock that never goes back: microseconds since some moment."""
    return time.monotonic_ns() // 1000


def now_us() -> int:
    """The clock: microseconds since 1970 UTC."""
    return time.time_ns() // 1000
