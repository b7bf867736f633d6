"""Settings: what is accepted, and what is refused with file, line and remedy."""

import dataclasses
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock.config import DEFAULT_UPSTREAMS, SECTIONS, Settings, load
from interlock.guard.settings import PriceSettings
from interlock.model.errors import ConfigError

FULL = """
[gateway]
port = 0
max_body_bytes = 1024
[console]
hosts = ["a.example", "b.example"]
[policy]
bundled = false
files = ["own.cedar"]
[llm.upstreams.openai]
url = "https://models.example/v1"
[llm.upstreams."my-vllm"]
url = "http://127.0.0.1:8000/v1"
api_key_env = "VLLM_KEY"
[workloads.billing-agent]
owner = "payments"
tools = []
[workloads."apps/chat"]
models = ["m"]
[tools.settle]
recipients = ["iban"]
[limits.payments-day]
owner = "payments"
per = "owner"
window = "day"
usd = "12.50"
concurrent = 4
[prices."my-model-1.5"]
usd_in = "0.25"
usd_out = 2
"""


def settings(tmp_path: Path, text: str, **env: str) -> Settings:
    file = tmp_path / "interlock.toml"
    file.write_text(text, "utf-8")
    return load(str(file), str(tmp_path / "data"), env)


def test_a_whole_file_is_read(tmp_path: Path) -> None:
    read = settings(tmp_path, FULL)
    assert (read.gateway.port, read.gateway.max_body_bytes) == (0, 1024)
    assert read.console.hosts == ("a.example", "b.example")
    assert (read.policy.bundled, read.policy.files) == (False, ("own.cedar",))
    assert read.upstreams["openai"].url == "https://models.example/v1"
    assert read.upstreams["my-vllm"].api_key_env == "VLLM_KEY"
    assert read.workloads["billing-agent"].tools == ()
    assert read.workloads["billing-agent"].models is None
    assert read.workloads["apps/chat"].models == ("m",)
    assert read.tools["settle"].recipients == ("iban",)
    daily = read.limits["payments-day"]
    assert (daily.owner, daily.per, daily.window, daily.usd, daily.concurrent) == (
        "payments",
        "owner",
        "day",
        "12.50",
        4,
    )
    assert daily.requests is None
    assert read.prices["my-model-1.5"] == PriceSettings(usd_in="0.25", usd_out=2)
    assert read.data == tmp_path / "data"


def test_no_file_at_all_gives_the_defaults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    read = load(env={"HOME": str(tmp_path)})
    assert read.file is None
    assert read.upstreams == DEFAULT_UPSTREAMS
    assert read.gateway == SECTIONS["gateway"]()


def test_the_file_in_the_working_folder_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "interlock.toml").write_text("[gateway]\nport = 1\n")
    monkeypatch.chdir(tmp_path)
    assert load(env={}).gateway.port == 1


def test_the_environment_names_the_file_and_the_folder(tmp_path: Path) -> None:
    (tmp_path / "x.toml").write_text("[gateway]\nport = 2\n")
    read = load(env={"INTERLOCK_CONFIG": str(tmp_path / "x.toml"), "INTERLOCK_DATA": str(tmp_path / "d")})
    assert (read.gateway.port, read.data) == (2, tmp_path / "d")
    assert load(None, None, {"XDG_DATA_HOME": str(tmp_path)}).data == tmp_path / "interlock"


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    read = settings(
        tmp_path,
        FULL,
        INTERLOCK_GATEWAY_PORT="7",
        INTERLOCK_POLICY_BUNDLED="true",
        INTERLOCK_CONSOLE_HOSTS="c.example,d.example",
        INTERLOCK_CONSOLE_TITLE="ACME",
    )
    assert read.gateway.port == 7
    assert read.policy.bundled
    assert read.console.hosts == ("c.example", "d.example")
    assert read.console.title == "ACME"


@pytest.mark.parametrize(
    ("text", "line", "what"),
    [
        ("[gateway]\nhost = 'a'\nport = 'x'\n", 3, "port must be a whole number from 0"),
        ("[gateway]\nport = -1\n", 2, "port must be a whole number from 0"),
        ("[gateway]\nport = true\n", 2, "port must be a whole number from 0"),
        ("[gateway]\nhost = 7\n", 2, "host must be a text"),
        ("[policy]\nbundled = 1\n", 2, "bundled must be true or false"),
        ("[policy]\nfiles = 'own.cedar'\n", 2, "files must be a list of texts"),
        ("[policy]\nfiles = [1]\n", 2, "files must be a list of texts"),
        ("[gateway]\nprot = 1\n", 2, "unknown setting 'prot'"),
        ("\n[gatway]\nport = 1\n", 2, r"unknown section \[gatway\]"),
        ("[gateway]\nport = 1\nport = 2\n", 3, "not TOML"),
        ("[gateway\n", 1, "not TOML"),
        ("[llm.upstreams.openai]\napi_key_env = 'K'\n", 1, "needs a url"),
        ("[llm.upstreams.openai]\nurl = 'ftp://x'\n", 2, "needs a url"),
        ("[workloads.a]\nowner = 'x'\nmodels = 'm'\n", 3, "models must be a list of texts"),
        ("[workloads]\na = 1\n", 1, r"\[workloads.a\] is not a table"),
        ("gateway = 1\n", 1, r"\[gateway\] is not a table"),
        ("llm = 1\n", 1, r"\[llm\] is not a table"),
        ("workloads = 1\n", 1, r"\[workloads\] is not a table"),
        ("[limits.a]\nwindow = 'week'\nrequests = 1\n", 2, "window cannot be 'week'"),
        ("[limits.a]\nwindow = 'day'\nrequests = 0\n", 3, "requests must be at least 1"),
        ("[limits.a]\nwindow = 'day'\nusd = 1.5\n", 3, "usd must be a whole number from 0 or a text"),
        ("[limits.a]\nwindow = 'day'\nusd = 'much'\n", 3, "'a' cannot be 'much' dollars"),
        ("[limits.a]\nowner = 'x'\nrequests = 1\n", 1, "'a' does not say over which time"),
        ("[limits.b]\nconcurrent = 1\n[limits.a]\nowner = 'x'\n", 3, "'a' limits nothing"),
        ("[prices.\"m-1.5\"]\nusd_in = 1\nusd_out = 'x'\n", 3, "usd_out of the price of 'm-1.5' cannot be 'x'"),
        ("[prices.m]\nusd_in = 1\n", 1, "usd_out of the price of 'm' is missing"),
        (
            "[mcp.servers.a]\nurl = 'http://a/m'\n[mcp.servers.a__b]\nurl = 'http://b/m'\n",
            3,
            "'a__b' has '__' in its name",
        ),
        ("[mcp.servers.a]\nurl = 'http://a/m'\n[mcp.servers.a_]\nurl = 'http://b/m'\n", 3, "'a' and 'a_' look alike"),
        ("[llm.other.x]\nurl = 'y'\n", 1, r"unknown section \[llm\]"),
    ],
)
def test_a_wrong_file_is_refused_with_its_line_and_a_remedy(tmp_path: Path, text: str, line: int, what: str) -> None:
    with pytest.raises(ConfigError, match=what) as refused:
        settings(tmp_path, text)
    assert refused.value.where == f"{tmp_path / 'interlock.toml'}:{line}"
    assert refused.value.hint


@pytest.mark.parametrize(
    ("variable", "value"),
    [("INTERLOCK_GATEWAY_PORT", "x"), ("INTERLOCK_GATEWAY_PORT", "-1"), ("INTERLOCK_POLICY_BUNDLED", "yes")],
)
def test_a_wrong_variable_is_refused_by_its_name(tmp_path: Path, variable: str, value: str) -> None:
    with pytest.raises(ConfigError) as refused:
        settings(tmp_path, "", **{variable: value})
    assert refused.value.where == f"environment variable {variable}"


@pytest.mark.parametrize("content", [None, b"\xff\xfe"])
def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "x.toml"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ConfigError, match="cannot read it") as refused:
        load(str(file), str(tmp_path), {})
    assert refused.value.where == str(file)


@given(text=st.text(alphabet="[]ga.tewy=1\n\"'#{}, x", max_size=60))
def test_any_text_is_settings_or_a_config_error(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    file = tmp_path_factory.getbasetemp() / f"any-{os.getpid()}.toml"
    file.write_text(text, "utf-8")
    try:
        read = load(str(file), "data", {})
    except ConfigError as refused:
        read = None
        message = str(refused)
        assert message.startswith(str(file))
    assert read is None or dataclasses.is_dataclass(read)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[tools.run]\nsink = "exec"', "3: sink cannot be 'exec'"),
        ('[workloads.w]\nextras = ["logprob"]', "3: extras cannot be 'logprob'"),
        ('[policy]\nanswer_mode = "off"', "3: answer_mode cannot be 'off'"),
        ('[tools.run]\noutput = "Internal"', "3: output cannot be 'Internal'"),
        ("[gateway]\nmax_body_bytes = 0", "3: max_body_bytes must be at least 1"),
        ('[workloads."a b"]\nmodels = "gpt"', "3: [workloads.a b] models must be a list of texts"),
        ('[llm.upstreams.a]\nurl = "ftp://x"', "3: upstream 'a' needs a url, not 'ftp://x'"),
        ('[llm.upstreams.healthz]\nurl = "http://x"', "2: an upstream cannot be called 'healthz'"),
    ],
)
def test_a_value_that_means_nothing_is_refused_with_its_line(text: str, said: str, tmp_path: Path) -> None:
    file = tmp_path / "interlock.toml"
    file.write_text(f"# one line\n{text}\n", "utf-8")
    with pytest.raises(ConfigError) as caught:
        load(str(file), str(tmp_path), {})
    assert caught.value.brief.startswith(f"{file}:{said}")


def test_what_is_nested_too_deeply_is_refused_and_no_fault(tmp_path: Path) -> None:
    file = tmp_path / "interlock.toml"
    file.write_text("[policy]\nfiles = " + "[" * 20_000)
    with pytest.raises(ConfigError, match="nested too deeply"):
        load(str(file), None, {})
