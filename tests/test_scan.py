"""A scan from the file system to its result: what it sees, what it says it could not see, what it never shows."""

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from interlock.governance.coverage import Mark, coverage
from interlock.governance.document import encode
from interlock.governance.page import page
from interlock.governance.settings import Manifest
from interlock.governance.workloads import UNREAD_KINDS
from interlock.model.asset import Scan, Status
from interlock.model.errors import ScanError
from interlock.model.meta import Confidence
from interlock.scan import scan
from interlock.sources import file_sources
from tests.made_up import ANTHROPIC_KEY, OPENAI_KEY

AT = "2026-01-01T00:00:00Z"
AGENT = 'from agents import Agent\nAgent(name="Clerk", model="gpt-4o")\n'


def tree(root: Path, files: dict[str, str | bytes]) -> Path:
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    return root


def missed(result: Scan) -> dict[str, str]:
    return {item.path: item.reason for item in result.not_scanned}


def test_from_files_to_workloads_and_findings(tmp_path: Path) -> None:
    root = tree(
        tmp_path / "shop",
        {
            "apps/clerk/pyproject.toml": '[project]\nname = "clerk-agent"\ndependencies = ["openai-agents"]\n',
            "apps/clerk/clerk.py": AGENT,
            "apps/clerk/.env": "OPENAI_API_KEY=zz\n",
            ".mcp.json": '{"mcpServers": {"files": {"command": "npx", "args": ["files-mcp"]}}}',
            ".github/CODEOWNERS": "/apps/ @shop/ai\n",
        },
    )
    result = scan([root], at=AT)
    assert result.root == str(root)
    assert {asset.id: asset.owner for asset in result.assets} == {
        "agent:apps/clerk/clerk.py#Clerk": "@shop/ai",
        "credential:OPENAI_API_KEY": "@shop/ai",
        "dependency:openai-agents": "@shop/ai",
        "mcp_server:files@npm:files-mcp": None,
        "model:gpt-4o": "@shop/ai",
    }
    (workload,) = result.workloads
    assert (workload.id, workload.root, workload.owner, len(workload.assets)) == (
        "clerk-agent",
        "apps/clerk",
        "@shop/ai",
        4,
    )
    (finding,) = result.findings
    assert (finding.check, finding.site.path, finding.workload) == ("mcp-server-without-pin", ".mcp.json", None)
    assert [(r.source, r.target) for r in result.relations] == [("agent:apps/clerk/clerk.py#Clerk", "model:gpt-4o")]
    assert scan([root], at=AT) == result


def test_moved_lines_keep_a_finding_and_its_asset(tmp_path: Path) -> None:
    config = '{"mcpServers": {"files": {"command": "npx", "args": ["files-mcp"]}}}'
    before = scan([tree(tmp_path, {".mcp.json": config})], at=AT)
    after = scan([tree(tmp_path, {".mcp.json": "\n\n" + config})], at=AT)
    assert [f.id for f in before.findings] == [f.id for f in after.findings]
    assert before.findings[0].site.line + 2 == after.findings[0].site.line


def test_a_finding_names_the_place_that_is_at_fault(tmp_path: Path) -> None:
    def config(package: str) -> str:
        return json.dumps({"mcpServers": {"files": {"command": "npx", "args": [package]}}})

    code = 'from openai import OpenAI\na = OpenAI(base_url="https://a.example/v1")\n'
    code += 'b = OpenAI(base_url="http://b.example/v1")\nc = OpenAI(base_url="http://c.example/v1")\n'
    files: dict[str, str | bytes] = {
        "a/.mcp.json": config("files-mcp@1.2.3"),
        "b/.mcp.json": config("files-mcp"),
        "c/bot.py": code,
    }
    found = scan([tree(tmp_path, files)], at=AT).findings
    assert [(f.check, f.site.path, f.site.line) for f in found] == [
        ("mcp-server-without-pin", "b/.mcp.json", 1),
        ("endpoint-without-tls", "c/bot.py", 3),
        ("endpoint-without-tls", "c/bot.py", 4),
    ]
    assert "http://b.example" in found[1].message
    assert len({f.id for f in found}) == 3


def test_equal_faults_in_a_file_are_each_found_and_keep_their_ids(tmp_path: Path) -> None:
    code = 'from openai import OpenAI\na = OpenAI(base_url="http://a.example/v1")\nb = OpenAI(base_url="http://a.example/v1")\n'
    before = scan([tree(tmp_path, {"a.py": code})], at=AT).findings
    after = scan([tree(tmp_path, {"a.py": "\n" + code})], at=AT).findings
    assert [f.site.line for f in before] == [2, 3]
    assert [f.id for f in before] == [f.id for f in after]
    assert len({f.id for f in before}) == 2


def test_what_is_declared_wins(tmp_path: Path) -> None:
    root = tree(tmp_path, {"bots/one/a.py": AGENT, "CODEOWNERS": "* @all\n"})
    result = scan([root], at=AT, manifests={"billing": Manifest(owner="team-b", path="bots/one")})
    assert [(w.id, w.root, w.owner) for w in result.workloads] == [("billing", "bots/one", "team-b")]


def test_no_secret_leaves_the_scan(tmp_path: Path) -> None:
    code = f"""
from agents import Agent
from openai import OpenAI
OpenAI(api_key="{OPENAI_KEY}", base_url="https://u:{ANTHROPIC_KEY}@h.example/{OPENAI_KEY}?k={ANTHROPIC_KEY}")
Agent(name="{OPENAI_KEY}", model="{OPENAI_KEY}", instructions="{OPENAI_KEY}")
TOOLS = [{{"type": "function", "function": {{"name": "x {OPENAI_KEY}"}}}}]
"""
    root = tree(
        tmp_path,
        {
            "a.py": code,
            ".env": f"OPENAI_API_KEY={OPENAI_KEY}\n",
            "pyproject.toml": f'[project]\nname = "{OPENAI_KEY}"\n',
            ".mcp.json": json.dumps({"mcpServers": {OPENAI_KEY: {"command": "x", "env": {"A_KEY": ANTHROPIC_KEY}}}}),
            "broken/pyproject.toml": f'a = {{ "{OPENAI_KEY}" = 1, "{OPENAI_KEY}" = 2 }}',
            "requirements.txt": f"openai @ https://u:{OPENAI_KEY}@h.example/x\n",
        },
    )
    result = scan([root], at=AT)
    for shown in (repr(result), encode(result), page(result)):
        assert OPENAI_KEY[8:48] not in shown
        assert ANTHROPIC_KEY[14:48] not in shown
    assert {f.check for f in result.findings if f.status is Status.FAIL} == {"credential-in-source"}


def test_a_key_of_no_known_format_is_a_finding_of_less_confidence(tmp_path: Path) -> None:
    code = 'from openai import OpenAI\nOpenAI(api_key="k7Qz93jfPq02mXc81LsW")\n'
    root = tree(tmp_path, {"a.py": code, "b.py": f'KEY = "{OPENAI_KEY}"\n'})
    result = scan([root], at=AT)
    found = [(f.site.path, f.status, f.confidence) for f in result.findings]
    assert found == [("a.py", Status.FAIL, Confidence.MEDIUM), ("b.py", Status.FAIL, Confidence.HIGH)]
    assert "k7Qz93" not in encode(result) + page(result)


@pytest.mark.parametrize(
    ("endpoint", "status"),
    [
        ("http://gpu.internal/a%20b", Status.FAIL), ("HTTP://gpu.internal", Status.FAIL),
        ("http://${HOST}/v1", Status.UNKNOWN), ("${URL}", Status.UNKNOWN), ("grpc://gpu.internal", Status.UNKNOWN),
        ("https://${HOST}/v1", None), ("http://127.0.0.1:9", None),
    ],
)  # fmt: skip
def test_an_address_that_is_not_understood_does_not_pass(tmp_path: Path, endpoint: str, status: Status | None) -> None:
    config = json.dumps({"mcpServers": {"docs": {"url": endpoint}}})
    found = scan([tree(tmp_path, {".mcp.json": config})], at=AT).findings
    assert [(f.check, f.status) for f in found] == ([("endpoint-without-tls", status)] if status else [])


def test_links_are_not_followed_and_loops_end(tmp_path: Path) -> None:
    root = tree(tmp_path / "in", {"a.py": AGENT})
    tree(tmp_path / "outside", {"b.py": AGENT})
    (root / "loop").symlink_to(root)
    (root / "again.py").symlink_to(root / "a.py")
    (root / "out").symlink_to(tmp_path / "outside")
    (root / "gone.py").symlink_to("nothing")
    (root / "vendored.py").symlink_to(tree(root / "venv", {"v.py": AGENT}) / "v.py")
    result = scan([root], at=AT)
    assert [str(asset.sites[0].path) for asset in result.assets] == ["a.py", "a.py"]
    assert missed(result) == {
        "out": "a link out of the scanned folder",
        "gone.py": "a link to nothing",
        "vendored.py": "a link into venv, which is passed over",
    }


def test_what_cannot_be_read_is_said_and_the_rest_is_scanned(tmp_path: Path) -> None:
    files: dict[str, str | bytes] = {
        "good.py": AGENT,
        "bad.py": "import openai\ndef (",
        "huge.py": b"#" * 5_000_001,
        "old.py": "import openai\nprint 'x'\n",
        "mcp.json": '{"servers": ',
        "q/pyproject.toml": "a=" + "[" * 50_000,
    }
    root = tree(tmp_path, files)
    os.mkfifo(root / "pipe.py")
    result = scan([root], at=AT)
    assert set(missed(result)) == {*files, "pipe.py"} - {"good.py"}
    assert missed(result)["huge.py"] == "larger than 5 MB"
    assert missed(result)["pipe.py"] == "not a regular file"
    assert "agent:good.py#Clerk" in {asset.id for asset in result.assets}


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_locked_file_and_folder_are_said(tmp_path: Path) -> None:
    root = tree(tmp_path, {"a.py": AGENT, "shut/b.py": AGENT})
    (root / "a.py").chmod(0)
    (root / "shut").chmod(0)
    try:
        assert missed(scan([root], at=AT)) == {"a.py": "permission denied", "shut": "permission denied"}
    finally:
        (root / "shut").chmod(0o700)


def test_source_of_other_languages_is_counted_by_kind(tmp_path: Path) -> None:
    files: dict[str, str | bytes] = {"a.ts": "", "b/c.ts": "", "b/D.TS": "", "d.go": "", "e.txt": "", "ts": ""}
    root = tree(tmp_path, {**files, "x.py": AGENT, "node_modules/y.js": ""})
    result = scan([root], at=AT)
    assert missed(result) == {
        "*.ts": "3 files: no source reads this kind yet",
        "*.go": "1 file: no source reads this kind yet",
    }
    (row,) = coverage([result], (), {}, frozenset()).rows
    assert row.clean.mark is Mark.YES


def test_a_named_file_that_no_source_reads_is_said(tmp_path: Path) -> None:
    root = tree(tmp_path, {"a.ts": "", "notes.txt": "", "x.py": AGENT, "b/c.ts": ""})
    result = scan([root / "a.ts", root / "notes.txt", root / "x.py", root / "b"], at=AT)
    assert missed(result) == {
        "a.ts": "no source reads this kind of file",
        "notes.txt": "no source reads this kind of file",
        "*.ts": "1 file: no source reads this kind yet",
    }


def test_no_kind_that_is_said_to_be_unread_is_read() -> None:
    for kind in UNREAD_KINDS:
        assert not any(source.wants(kind.replace("*", "a")) for source in file_sources().values())


def test_folders_of_tools_are_passed_over(tmp_path: Path) -> None:
    root = tree(tmp_path, {f"{name}/x.py": AGENT for name in (".git", ".venv", "node_modules", "a/__pycache__")})
    result = scan([root], at=AT)
    assert (result.files, result.assets, result.not_scanned) == (0, (), ())


def test_odd_names(tmp_path: Path) -> None:
    root = tree(tmp_path, {"a\nb\x1b[31m.py": AGENT, "<b>.py": AGENT})
    (Path(os.fsdecode(os.fsencode(root) + b"/\xff.py"))).write_text(AGENT)
    result = scan([root], at=AT)
    agents = [asset for asset in result.assets if asset.kind.value == "agent"]
    assert [asset.sites[0].path for asset in agents] == ["<b>.py", "\\xff.py", "a\nb\x1b[31m.py"]
    assert all(asset.id.isprintable() for asset in agents)
    assert encode(result).isascii() is False or encode(result)


def test_a_module_of_the_project_hides_the_sdk_of_its_name(tmp_path: Path) -> None:
    root = tree(tmp_path, {"main.py": AGENT, "agents/__init__.py": "class Agent: ...\n"})
    assert [asset.id for asset in scan([root], at=AT).assets] == ["model:gpt-4o"]
    (root / "pyproject.toml").write_text('[project]\nname = "openai-agents"\n')
    assert "agent:main.py#Clerk" in {asset.id for asset in scan([root], at=AT).assets}
    root = tree(tmp_path / "two", {"main.py": AGENT, "src/agents.py": "class Agent: ...\n"})
    assert [asset.id for asset in scan([root], at=AT).assets] == ["model:gpt-4o"]


def test_several_paths_have_one_root(tmp_path: Path) -> None:
    root = tree(tmp_path, {"a/x.py": AGENT, "b/y.py": AGENT, "c/z.py": AGENT})
    result = scan([root / "a", root / "b" / "y.py"], at=AT)
    assert result.root == str(root)
    assert {site.path for asset in result.assets for site in asset.sites} == {"a/x.py", "b/y.py"}
    one = scan([root / "a" / "x.py"], at=AT)
    assert replace(one, root="", assets=(), workloads=(), relations=()).files == 1


def test_progress_and_paths_that_are_not_there(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    scan([tree(tmp_path, {"a.py": AGENT, "b.txt": ""})], at=AT, progress=lambda done, total: told.append((done, total)))
    assert told == [(1, 2), (2, 2)]
    with pytest.raises(ScanError, match="no such file"):
        scan([tmp_path / "nothing"], at=AT)


def test_an_empty_folder(tmp_path: Path) -> None:
    result = scan([tmp_path], at=AT)
    assert (result.files, result.assets, result.workloads, result.findings, result.not_scanned) == (0, (), (), (), ())
