"""`interlock run`: an unchanged program goes through the gateway as somebody, and holds nothing of the provider's."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from interlock.cli import main
from interlock.model.record import RecordKind
from interlock.run import identity
from interlock.store.segments import read
from interlock.testing.model import ModelServer, Say
from tests.gateway.process import Up, configure, up
from tests.run.start import PYTHON, begin, keys, refused, run

# A program as somebody wrote it, with no thought of interlock.
AGENT = """
import os, sys
from openai import OpenAI
answer = OpenAI(max_retries=0).chat.completions.create(model="m", messages=[{"role": "user", "content": "hi"}])
print(answer.choices[0].message.content)
print(sorted(name for name, value in os.environ.items() if "real" in value), sys.stdin.read())
sys.exit(7)
"""
REFUSES = 'interlock: its proxy refuses hosts that are no AI service; to allow: [gateway] tunnel = "allow"\n'
# One whose endpoints are fixed.
FIXED = """
import openai, os
client = openai.OpenAI(base_url="https://api.openai.com/v1", api_key="of-nobody", max_retries=0)
try:
    client.chat.completions.create(model="m", messages=[{"role": "user", "content": "hi"}])
except openai.PermissionDeniedError as error:
    print(error.code)
try:
    openai.OpenAI(base_url="https://elsewhere.example/v1", max_retries=0).models.list()
except openai.APIConnectionError as error:
    print(error.__cause__)
print(os.environ["SSL_CERT_FILE"])
"""
# Tells when it is ready, each signal that comes, and all of them once it is given a line. A signal can come while
# stdout is being written, which takes no second print then.
LISTENER = """
import os, signal, sys
got = []
def tell(number, _):
    got.append(int(number))
    os.write(1, b"signal %d\\n" % number)
for number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(number, tell)
print("ready", flush=True)
sys.stdin.readline()
print("all", *got, flush=True)
sys.exit(4)
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("billing-agent")


@pytest.fixture(scope="module")
def gateway(folder: Path) -> Iterator[Up]:
    with ModelServer(lambda _: Say("hello there")) as model:
        configure(folder, model.url)
        with up(folder) as started:
            yield started


def test_a_program_goes_through_the_gateway_under_its_own_identity(folder: Path, gateway: Up) -> None:
    done = run(folder, gateway, "--workload", "apps/billing", "--", PYTHON, "-c", AGENT)
    assert (done.returncode, done.stdout) == (7, "hello there\n[] \n"), done.stderr
    kept = "interlock: kept from the program: OPENAI_API_KEY (its own key instead), PROVIDER_KEY\n"
    assert done.stderr == kept + REFUSES
    key = keys(folder)[0]
    assert key.workload == "apps/billing"
    assert key.revoked_us
    assert key.expires_us
    assert key.expires_us - key.created_us == 12 * 3_600 * 1_000_000
    records = [stored.record for stored in read(folder / "data/audit/gw-1")]
    asked = [r for r in records if r.kind is RecordKind.REQUEST and r.credential == key.id]
    assert [(r.workload, r.model) for r in asked] == [("apps/billing", "m")]
    # That a gateway is asked whether it knows a key is nobody's refused request.
    assert not [r for r in records if r.kind is RecordKind.REFUSAL]


@pytest.mark.parametrize("how", [(), ("--isolate",)])
def test_a_fixed_endpoint_goes_through_the_gateway_too(folder: Path, gateway: Up, how: tuple[str, ...]) -> None:
    if how and refused():
        pytest.skip(refused())
    # interlock's own code shows that the request was read: it holds no key for that host, so that nothing went there.
    done = run(folder, gateway, *how, "--", PYTHON, "-c", FIXED)
    assert done.returncode == 0, done.stderr
    code, elsewhere, bundle = done.stdout.splitlines()
    assert code == "no_credential"
    assert elsewhere.startswith("403 interlock: elsewhere.example is no AI service")
    assert not Path(bundle).exists()


def test_without_a_proxy_there_are_no_variables_for_it(folder: Path, gateway: Up) -> None:
    show = "import os; print([os.environ.get(n) for n in ('HTTPS_PROXY', 'SSL_CERT_FILE', 'NO_PROXY')])"
    before = {"HTTPS_PROXY": "http://corp", "SSL_CERT_FILE": "/corp.pem", "NO_PROXY": "", "no_proxy": ""}
    done = run(folder, gateway, "--", PYTHON, "-c", show, INTERLOCK_GATEWAY_PROXY="false", **before)
    assert done.stdout == "['http://corp', '/corp.pem', '127.0.0.1,localhost,::1']\n"
    assert REFUSES not in done.stderr


def test_the_key_is_in_the_environment_and_on_no_command_line(folder: Path, gateway: Up) -> None:
    look = "import os, sys; k = os.environ['OPENAI_API_KEY']; own = open('/proc/self/cmdline').read() + "
    look += "open(f'/proc/{os.getppid()}/cmdline').read(); print(k[:4], k in own)"
    if not Path("/proc/self/cmdline").exists():
        pytest.skip("command lines are read from /proc")
    assert run(folder, gateway, "--", PYTHON, "-c", look).stdout == "ilk_ False\n"


def test_what_is_kept_is_named(folder: Path, gateway: Up) -> None:
    show = "import os; print(os.environ.get('AWS_SECRET_ACCESS_KEY'), os.environ['OPENAI_API_KEY'])"
    kept = ("--keep-env", "AWS_SECRET_ACCESS_KEY", "--keep-env", "OPENAI_API_KEY")
    done = run(folder, gateway, *kept, "--", PYTHON, "-c", show, AWS_SECRET_ACCESS_KEY="aws")
    assert done.stdout == "aws sk-the-real-one\n"
    assert done.stderr == "interlock: kept from the program: PROVIDER_KEY\n" + REFUSES
    assert run(folder, gateway, "--", PYTHON, "-c", show, AWS_SECRET_ACCESS_KEY="aws").stdout.startswith("None ilk_")


def test_the_folder_names_the_workload(folder: Path, gateway: Up) -> None:
    assert run(folder, gateway, PYTHON, "-c", "").returncode == 0
    assert keys(folder)[0].workload == folder.name


def test_a_program_of_shell_and_all(folder: Path, gateway: Up) -> None:
    done = run(folder, gateway, "--", "sh", "-c", "kill -USR2 $$")
    assert done.returncode == 128 + signal.SIGUSR2


def test_a_signal_is_passed_on_and_the_program_decides(folder: Path, gateway: Up) -> None:
    with begin(folder, gateway, "--", PYTHON, "-c", LISTENER, stdin=subprocess.PIPE, start_new_session=True) as process:
        assert process.stdin
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
        for number in (signal.SIGTERM, signal.SIGINT):
            process.send_signal(number)
            assert process.stdout.readline() == f"signal {int(number)}\n"
        process.stdin.write("\n")
        process.stdin.flush()
        assert process.stdout.readline() == "all 15 2\n"
    assert process.returncode == 4
    assert keys(folder)[0].revoked_us


@pytest.mark.skipif(sys.platform != "linux", reason="needs setsid --ctty of util-linux")
def test_ctrl_c_in_a_terminal_comes_once(folder: Path, gateway: Up) -> None:
    ours, theirs = os.openpty()
    streams = {"stdin": theirs, "stdout": theirs, "stderr": theirs}
    wrap = ("setsid", "--ctty", "--wait")
    with (
        os.fdopen(ours, "r+b", 0) as screen,
        begin(folder, gateway, "--", PYTHON, "-c", LISTENER, wrap=wrap, **streams) as process,
    ):
        os.close(theirs)
        seen = b""
        for wait_for, then in ((b"ready", b"\x03"), (b"signal 2", b"\n"), (b"all 2\r\n", b"")):
            while wait_for not in seen:
                seen += screen.read(1_000)
            screen.write(then)
    assert process.returncode == 4


def test_a_stop_before_the_program_is_there_takes_the_key_back(
    folder: Path, gateway: Up, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(*_: object) -> int:
        signal.raise_signal(signal.SIGTERM)
        return 0

    monkeypatch.setenv("INTERLOCK_GATEWAY_PORT", str(gateway.port))
    monkeypatch.setattr("interlock.run.environment.withheld", stopped)
    with pytest.raises(SystemExit) as end:
        main(["run", *_options(folder), "--workload", "stopped", "--", PYTHON, "-c", ""])
    assert end.value.code == 128 + signal.SIGTERM
    assert keys(folder)[0].workload == "stopped"
    assert keys(folder)[0].revoked_us


def _options(folder: Path, data: str = "data") -> list[str]:
    return ["--config", str(folder / "interlock.toml"), "--data", str(folder / data)]


@pytest.mark.parametrize("form", ["shell", "dotenv", "json"])
def test_the_variables_are_printed_for_a_shell_and_for_programs(folder: Path, gateway: Up, form: str) -> None:
    done = run(folder, gateway, "--print-env", "--workload", "w", "--ttl", "30m", "--format", form)
    assert done.returncode == 0
    assert done.stderr == "interlock: still in this shell: PROVIDER_KEY; unset them, so that no program holds them\n"
    match form:
        case "json":
            found = json.loads(done.stdout)
        case "dotenv":
            found = dict(line.replace('"', "").split("=") for line in done.stdout.splitlines() if line[0] != "#")
        case _:
            echo = 'eval "$1"; exec "$2" -c "import os, json; print(json.dumps(dict(os.environ)))"'
            shell = subprocess.run(["sh", "-c", echo, "sh", done.stdout, PYTHON], capture_output=True, check=True)
            found = json.loads(shell.stdout)
    assert found["OPENAI_BASE_URL"] == f"{gateway.url}/openai/v1"
    key = keys(folder)[0]
    assert found["OPENAI_API_KEY"].startswith(f"ilk_{key.id}_")
    assert (key.workload, key.revoked_us) == ("w", None)
    assert key.expires_us == key.created_us + 1_800 * 1_000_000
    if form != "json":
        assert "# no upstream for: anthropic, gemini, bedrock, ollama, azure" in done.stdout


def test_no_gateway_no_program(folder: Path, gateway: Up, capfd: pytest.CaptureFixture[str]) -> None:
    assert gateway.port  # it holds the settings' folder; the port asked here is another
    before = keys(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("INTERLOCK_GATEWAY_PORT", "9")
        assert main(["run", *_options(folder), "--", "echo", "started"]) == 3
        said = capfd.readouterr()
        assert "127.0.0.1:9: no gateway answers" in said.err
        assert "interlock up" in said.err
        patch.setenv("INTERLOCK_GATEWAY_PORT", "0")
        assert main(["run", *_options(folder), "--", "echo", "started"]) == 3
        assert "nobody knows which" in capfd.readouterr().err
    assert said.out == ""
    assert keys(folder) == before


def test_a_gateway_with_other_data_does_not_know_the_key(
    folder: Path, gateway: Up, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("INTERLOCK_GATEWAY_PORT", str(gateway.port))
    monkeypatch.setattr(identity, "IN_FORCE_S", 0.5)
    assert main(["run", *_options(folder, "elsewhere"), "--", "echo", "started"]) == 3
    said = capfd.readouterr()
    assert "does not know the keys made here" in said.err
    assert said.out == ""


def test_something_else_answers(folder: Path, gateway: Up, capfd: pytest.CaptureFixture[str]) -> None:
    assert gateway.port
    with ModelServer(lambda _: Say("hi")) as model, pytest.MonkeyPatch.context() as patch:
        patch.setenv("INTERLOCK_GATEWAY_PORT", model.url.rpartition(":")[2].removesuffix("/v1"))
        assert main(["run", *_options(folder), "--", "echo", "started"]) == 3
    assert "no interlock gateway" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "there is no program to run"),
        (["--"], "there is no program to run"),
        (["--", "no-such-program-anywhere"], "there is no program 'no-such-program-anywhere'"),
        (["--print-env", "--", "true"], "runs nothing"),
        (["--print-env", "--isolate"], "runs nothing"),
        (["--workload", "two words", "--print-env"], "cannot be the name of a workload"),
        *((["--ttl", ttl, "--", "true"], "--ttl cannot be") for ttl in ("0s", "12", "h", "31d", "9" * 30 + "d")),
    ],
)
def test_wrong_use(arguments: list[str], says: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("INTERLOCK_GATEWAY_PORT", "9")
        assert main(["run", *_options(folder), *arguments]) == 2
    assert says in capsys.readouterr().err
