"""Every setting that loosens something is listed by name, with the section and key where it was set."""

from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from interlock.app import policies
from interlock.config import PolicySettings, Settings, load
from interlock.gateway.settings import GatewaySettings
from interlock.governance.exceptions import Loosening, exceptions, headline
from interlock.governance.settings import Manifest
from interlock.guard.settings import LimitSettings
from interlock.provenance.settings import ToolOverride

LIMITED = Manifest(models=("gpt-5",), tools=("read",))
# What an installation has out of the box, by the @id of the policy that permits it.
OWN = {
    "answers-may-hold-unknown-fields", "embeddings-unless-limited", "media-is-recorded", "personal-data-is-recorded",
    "signals-are-recorded", "private-data-untrusted-text-and-a-way-out",
}  # fmt: skip


def found(settings: Settings, *keyed: str) -> tuple[Loosening, ...]:
    tables = settings.workloads, settings.tools, settings.limits
    return exceptions(settings.policy, settings.gateway, *tables, policies(settings).loaded, frozenset(keyed))


def written(tmp_path: Path, text: str, *keyed: str) -> set[tuple[str, str, str]]:
    """What a configuration file loosens beside interlock's own policies: (name, subject, where)."""
    file = tmp_path / "interlock.toml"
    file.write_text(f"{text}\n[limits.all]\nconcurrent = 9\n")
    loose = found(load(str(file), str(tmp_path), {}), *keyed)
    return {(one.name, one.subject, one.where) for one in loose if not one.bundled}


def test_out_of_the_box_only_interlocks_own_are_in_force_and_nothing_is_limited() -> None:
    loose = found(Settings(data=Path("unused")))
    assert {one.name for one in loose if one.bundled} == OWN
    assert [one.name for one in loose if not one.bundled] == ["no-limits"]
    assert headline(loose) == "7 exceptions in force, 1 beside interlock's own policies"
    assert all(one.means.endswith(".") for one in loose)


def test_a_workload_within_scope_and_limits_adds_none() -> None:
    closed = Settings(data=Path("unused"), workloads={"bot": LIMITED}, limits={"all": LimitSettings(concurrent=1)})
    assert {one.name for one in found(closed, "bot")} == OWN
    assert headline(found(closed)).endswith(", none beside interlock's own policies")


@pytest.mark.parametrize(
    ("text", "name", "subject", "where"),
    [
        ('[policy]\nanswer_mode = "observe"', "answers-observed", "", "[policy] answer_mode"),
        ('[policy]\nobserve = ["cap-reached"]', "policy-observed", "cap-reached", "[policy] observe"),
        ('[policy]\nask = ["tool-not-offered"]', "policy-asked", "tool-not-offered", "[policy] ask"),
        ("[policy]\nbundled = false", "bundled-policies-off", "", "[policy] bundled"),
        ('[gateway]\ntunnel = "allow"', "hosts-unread", "", "[gateway] tunnel"),
        ('[gateway]\ntunnel_hosts = ["a.org"]', "host-unread", "a.org", "[gateway] tunnel_hosts"),
        ("[gateway]\nunsafe_pass_credentials = true", "client-credentials", "", "[gateway] unsafe_pass_credentials"),
        ('[tools.t]\noutput = "internal"', "tool-trusted", "t", "[tools.t] output"),
        ('[tools.t]\nsink = "none"', "tool-harmless", "t", "[tools.t] sink"),
        ("[tools.t]\nrecipients = []", "tool-recipients", "t", "[tools.t] recipients"),
    ],
)
def test_each_is_named_with_where_it_was_set(tmp_path: Path, text: str, name: str, subject: str, where: str) -> None:
    assert written(tmp_path, text) == {(name, subject, where)}


@pytest.mark.parametrize(
    ("line", "name", "key"),
    [
        ('answer_mode = "observe"', "answers-observed", "answer_mode"),
        ('unsafe_tools = ["wiki"]', "unsafe-tools", "unsafe_tools"),
        ('extras = ["logprobs"]', "extras", "extras"),
        ('redact = ["credential-leak"]', "not-hidden", "redact"),
    ],
)
def test_each_of_a_workload_is_named(tmp_path: Path, line: str, name: str, key: str) -> None:
    text = f'[policy]\nredact = ["personal-data"]\n[workloads.w]\nmodels = []\ntools = []\n{line}'
    assert written(tmp_path, text) == {(name, "w", f"[workloads.w] {key}")}


def test_who_has_a_key_and_no_scope_is_named_declared_or_not(tmp_path: Path) -> None:
    text = "[workloads.half]\nmodels = []\n[workloads.none]\nowner = 'me'"
    assert written(tmp_path, text, "keyed", "half") == {
        ("no-scope", "half", "[workloads.half] tools"),
        ("no-scope", "keyed", "[workloads.keyed] models, tools"),
        ("no-scope", "none", "[workloads.none] models, tools"),
    }


def test_what_tightens_is_no_exception(tmp_path: Path) -> None:
    text = """
[policy]
answer_mode = "block"
redact = ["personal-data"]
[gateway]
proxy = false
tunnel = "allow"
[workloads.w]
models = []
tools = []
extras = []
redact = ["personal-data", "credential-leak"]
[tools.t]
output = "untrusted"
sink = "money"
"""
    assert written(tmp_path, text) == set()


def test_a_permit_of_an_own_file_is_named_by_its_id_and_a_prohibition_is_none(tmp_path: Path) -> None:
    (tmp_path / "own.cedar").write_text(
        '@id("no-gpt-4") forbid (principal, action == Action::"callModel", resource == Model::"gpt-4");\n\n'
        '@id("wiki-may-leak") @reason("The wiki is public.")\n'
        'permit (principal == Workload::"w", action == Action::"releaseText", resource);\n'
    )
    where = f"{tmp_path / 'own.cedar'}:3"
    assert written(tmp_path, '[policy]\nfiles = ["own.cedar"]') == {("wiki-may-leak", "", where)}


def test_a_copy_of_interlocks_policies_is_the_operators_own(tmp_path: Path) -> None:
    text = '@id("model-in-scope") permit (principal, action == Action::"callModel", resource);'
    (tmp_path / "bundled.cedar").write_text(text)
    names = {name for name, _, _ in written(tmp_path, '[policy]\nbundled = false\nfiles = ["bundled.cedar"]')}
    assert names == {"bundled-policies-off", "model-in-scope"}


def unsafe(kind: Any, value: object) -> dict[str, Any]:
    """Every setting of this kind whose name says that it is unsafe, set."""
    return {f.name: value for f in fields(kind) if "unsafe" in f.name}


def test_no_setting_that_is_called_unsafe_is_forgotten() -> None:
    loud = Settings(
        data=Path("unused"),
        gateway=GatewaySettings(**unsafe(GatewaySettings, True)),
        policy=PolicySettings(**unsafe(PolicySettings, True)),
        workloads={"w": Manifest(**unsafe(Manifest, ("x",)))},
        tools={"t": ToolOverride(**unsafe(ToolOverride, True))},
    )
    named = {one.where.rpartition(" ")[2] for one in found(loud)}
    kinds = (GatewaySettings, PolicySettings, Manifest, ToolOverride)
    assert {name for kind in kinds for name in unsafe(kind, True)} <= named
