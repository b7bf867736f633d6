"""What the Python source sees in code, and that no bytes whatever make it fail."""
# ruff: noqa: E501  one case a line

import ast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock.model.asset import AssetKind, Evidence, Observation
from interlock.sources.python_code import SOURCE, read
from tests.made_up import OPENAI_KEY

ASSETS = (Evidence.DECLARED, Evidence.USED)


def assets(code: str, path: str = "app.py") -> list[tuple[str, str, int]]:
    observations, not_scanned = read(path, code.encode())
    assert not not_scanned
    return [(o.kind.value, o.name, o.site.line) for o in observations if o.evidence in ASSETS]


def one(code: str, kind: AssetKind, path: str = "app.py") -> Observation:
    observations, _ = read(path, code.encode())
    (found,) = [o for o in observations if o.kind is kind and o.evidence in ASSETS]
    return found


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("import openai as o\no.AsyncOpenAI()", ("llm", "openai.AsyncOpenAI", 2)),
        ("from openai import OpenAI as C\nc = C()\nx = c.responses.create(model='gpt-4o', input='hi')", ("llm", "openai.responses.create", 3)),
        ("import openai\nopenai.chat.completions.create(model='gpt-4o', messages=[])", ("llm", "openai.chat.completions.create", 2)),
        ("import openai\nopenai.ChatCompletion.create(model='gpt-4', messages=[])", ("llm", "openai.ChatCompletion.create", 2)),
        ("from openai import OpenAI\nc = OpenAI()\nc.with_options(timeout=1).embeddings.create(model='x-1', input='a')", ("embedding", "openai.embeddings.create", 3)),
        ("from anthropic import Anthropic\nclass A:\n  def __init__(self):\n    self.c = Anthropic()\n  def f(self):\n    return self.c.messages.create(model='claude-3-opus-20240229', messages=[])", ("llm", "anthropic.messages.create", 6)),
        ("from anthropic import Anthropic\ndef f(c: Anthropic | None):\n  c.messages.stream(model='m', messages=[])", ("llm", "anthropic.messages.stream", 3)),
        ("import anthropic\ndef client():\n  return anthropic.Anthropic()\nclient().messages.create(model='m', messages=[])", ("llm", "anthropic.messages.create", 4)),
        ("from google import genai\nc = genai.Client()\nawait_ = c.aio.models.generate_content(model='gemini-2.0-flash', contents='x')", ("llm", "google.genai.models.generate_content", 3)),
        ("import boto3\nb = boto3.client('bedrock-runtime')\nb.converse(modelId='amazon.nova-pro-v1:0', messages=[])", ("model", "amazon.nova-pro-v1:0", 3)),
        ("import boto3\nb = boto3.Session().client(service_name='bedrock-runtime')", ("llm", "boto3.bedrock-runtime", 2)),
        ("from langchain_ollama import ChatOllama\nChatOllama(model='llama3')", ("llm", "langchain_ollama.ChatOllama", 2)),
        ("from langchain_chroma import Chroma\nChroma.from_documents([])", ("vector_store", "langchain_chroma.Chroma.from_documents", 2)),
        ("from crewai_tools import SerperDevTool\nt = SerperDevTool()", ("tool", "SerperDevTool", 2)),
        ("from langchain_core.tools import BaseTool\nclass Pay(BaseTool):\n  name: str = 'pay_invoice'", ("tool", "pay_invoice", 2)),
        ("from langchain.tools import tool\n@tool('Send mail')\ndef send(): ...", ("tool", "Send mail", 3)),
        ("from .server import mcp\n@mcp.tool()\ndef add(a: int): ...", ("tool", "add", 3)),
        ("from transformers import AutoModelForCausalLM as M\nM.from_pretrained('org/some-model')", ("model", "org/some-model", 2)),
        ("from datasets import load_dataset\nload_dataset('squad')", ("dataset", "squad", 2)),
        ("import requests\nrequests.post('https://api.openai.com/v1/chat/completions', json={'model': 'gpt-4o'})", ("llm", "api.openai.com", 2)),
        ("import requests\nrequests.post('https://api.openai.com/v1/chat/completions', json={'model': 'gpt-4o'})", ("model", "gpt-4o", 2)),
        ("DEFAULT_MODEL = 'anthropic:claude-3-5-haiku-latest'", ("model", "anthropic:claude-3-5-haiku-latest", 1)),
        ("def ask(q, model_name='gpt-4o-mini'): ...", ("model", "gpt-4o-mini", 1)),
        ("p.add_argument('--model', default='gpt-4o')", ("model", "gpt-4o", 1)),
        ("import os\nx = os.getenv('CHAT_MODEL', 'gpt-4o')", ("model", "gpt-4o", 2)),
        ("x = get_env('EMBEDDINGS_MODEL', 'text-embedding-3-small')", ("model", "text-embedding-3-small", 1)),
        ("from langchain_community.vectorstores import PGVector\nclass Ours(PGVector): ...", ("vector_store", "Ours", 2)),
        ("import os\nk = os.environ.get('ANTHROPIC_API_KEY')", ("credential", "ANTHROPIC_API_KEY", 2)),
        ("from pydantic_settings import BaseSettings\nclass S(BaseSettings):\n  openai_api_key: str", ("credential", "OPENAI_API_KEY", 3)),
        ("from decouple import config\nk = config('GROQ_API_KEY')", ("credential", "GROQ_API_KEY", 2)),
        ("S = {'name': 'look', 'description': 'd', 'input_schema': {}}", ("tool", "look", 1)),
        ("REVIEW_PROMPT = '''You are a careful reviewer. Read the text below and list every mistake that you find.'''", ("prompt", "REVIEW_PROMPT", 1)),
        ("from google import genai\nfrom google.genai import types\nC = types.GenerateContentConfig(system_instruction='Be kind.')", ("prompt", "C instructions", 3)),
        ("from google import genai\ngenai.Client().models.generate_content(model='m', contents='x', config={'system_instruction': 'Be kind.'})", ("prompt", "instructions", 2)),
        ("from bedrock_agentcore.identity import requires_api_key as r\nr(provider_name='vault-1')", ("credential", "vault-1", 2)),
        ("from langchain_core.prompts import ChatPromptTemplate as T\nP = T.from_messages([('system', 'Be kind.'), ('user', '{x}')])", ("prompt", "P instructions", 2)),
        ("from langchain_core.prompts import PromptTemplate as T\nASK = 'Answer {x}.'\nT.from_template(ASK)", ("prompt", "ASK", 2)),
        ("from agents.mcp import MCPServerStdio as S\ns = S(params={'command': 'uvx', 'args': ['acme']}, name='Acme')", ("mcp_server", "Acme", 2)),
        ("from mcp.client.sse import sse_client\nsse_client('https://h.acme.io/sse')", ("mcp_server", "server", 2)),
        ("import anthropic\nanthropic.Anthropic().beta.messages.create(model='m', messages=[], mcp_servers=[{'type': 'url', 'name': 'n1', 'url': 'https://h.acme.io'}])", ("mcp_server", "n1", 2)),
        ("from openai import OpenAI\nOpenAI().responses.create(model='m', input='x', tools=[{'type': 'mcp', 'server_label': 'wiki', 'server_url': 'https://h.acme.io'}])", ("mcp_server", "wiki", 2)),
        ("from langgraph.graph import StateGraph\ng = StateGraph(dict)\ng.compile()", ("agent", "g", 2)),
        ("from langgraph.prebuilt import ToolNode\ndef look(): ...\nToolNode([look])", ("tool", "look", 2)),
        ("from llama_index.core.tools import FunctionTool\ndef look(): ...\nFunctionTool.from_defaults(fn=look)", ("tool", "look", 3)),
        ("from pydantic_ai import Agent\na = Agent('openai:gpt-4o')\n@a.tool_plain\ndef look(): ...", ("tool", "look", 4)),
        ("from pydantic_ai import Agent\na = Agent('openai:gpt-4o')", ("model", "openai:gpt-4o", 2)),
        ("from autogen import AssistantAgent\nAssistantAgent('Writer', system_message='Write.')", ("agent", "Writer", 2)),
        ("from transformers import pipeline\npipeline('text-generation', model='org/m-1')", ("model", "org/m-1", 2)),
        ("from huggingface_hub import snapshot_download as d\nd('org/m-2')", ("model", "org/m-2", 2)),
        ("from crewai import Agent\nfrom crewai.project import agent\nclass C:\n  @agent\n  def clerk(self):\n    return Agent(config=self.x)", ("agent", "clerk", 6)),
        ("from pymilvus import MilvusClient\nMilvusClient(uri='http://h:1')", ("vector_store", "pymilvus.MilvusClient", 2)),
        ("import instructor, openai\nc = instructor.from_openai(openai.OpenAI())\nc.chat.completions.create(model='gpt-4o', messages=[])", ("llm", "openai.chat.completions.create", 3)),
        ("def run(t):\n  m = [{'role': 'system', 'content': 'Be brief.'}]\n  return ask(m, t)", ("prompt", "run instructions", 2)),
        ("from agents import Agent\na = Agent(name='A', instructions='Be brief.')", ("agent", "A", 2)),
        ("from langfuse import observe\n@observe()\ndef f(): ...", ("observability", "langfuse.observe", 3)),
        ("from guardrails import Guard\ng = Guard()", ("guardrail", "guardrails.Guard", 2)),
        ("from mcp import StdioServerParameters\nStdioServerParameters(command='npx', args=['-y', 'acme-mcp'])", ("mcp_server", "server", 2)),
        ("from langchain_mcp_adapters.client import MultiServerMCPClient\nMultiServerMCPClient({'math': {'command': 'uvx', 'args': ['m']}})", ("mcp_server", "math", 2)),
    ],
)  # fmt: skip
def test_what_is_seen(code: str, expected: tuple[str, str, int]) -> None:
    assert expected in assets(code)


@pytest.mark.parametrize(
    "code",
    [
        "# import openai; openai.OpenAI()",
        '"""from openai import OpenAI; OpenAI(api_key=x)"""',
        "from mylib import OpenAI\nOpenAI()",
        "from twilio.rest import Client\nClient().messages.create(body='gpt-4o', to='x')",
        "from google.cloud import storage\nstorage.Client()",
        "LIMITS = {'gpt-4o': 128000, 'claude-3-opus': 200000}",
        "import os\nos.environ['GITHUB_TOKEN']",
        "prompt = 'Password: '",
        "from langchain.tools import tool\ndef run(tools):\n  for tool in tools:\n    tool('x')",
        "DOCS = 'see https://platform.openai.com/docs'",
        "import openai",
        "S = {'name': 'x', 'description': 'y', 'parameters': 3}",
    ],
)
def test_what_is_not_ai(code: str) -> None:
    assert assets(code) == []


def test_a_model_in_a_configuration_class_and_in_a_registry() -> None:
    code = """
from dataclasses import dataclass
from langchain.chat_models import init_chat_model
@dataclass
class Info:
    id: str
MODELS = {"a": Info(id="openai:gpt-4o")}
DEFAULT = MODELS["a"]
class Config:
    NAME = "claude-3-haiku-20240307"
init_chat_model(model=DEFAULT.id)
init_chat_model(Config.NAME)
init_chat_model(Config().NAME)
"""
    models = [(name, line) for kind, name, line in assets(code) if kind == "model"]
    assert models == [("claude-3-haiku-20240307", 10), ("openai:gpt-4o", 7)]


def test_links_of_an_agent() -> None:
    code = """
from agents import Agent
def pay(): ...
from .tools import search
a = Agent(name="Clerk", model="gpt-4o", tools=[pay, search], instructions=f"Hello {1}")
"""
    agent = one(code, AssetKind.AGENT)
    assert {(link.kind.value, link.name) for link in agent.links} == {
        ("model", "gpt-4o"), ("tool", "pay"), ("tool", "search"), ("prompt", "Clerk instructions"),
    }  # fmt: skip


def test_a_server_exposes_its_tools() -> None:
    code = "from fastmcp import FastMCP\nmcp = FastMCP('w')\n@mcp.tool\ndef f(): ...\n@mcp.tool('g g')\ndef g(): ...\n"
    assert [link.name for link in one(code, AssetKind.MCP_SERVER).links] == ["f", "g g"]


def test_a_client_says_where_it_goes_and_what_it_reads() -> None:
    code = """
import os
from openai import OpenAI
client = OpenAI(api_key=os.environ["DEEPSEEK_API_KEY"], base_url="https://me:pw@api.deepseek.com/v1?x=1")
"""
    client = one(code, AssetKind.LLM)
    assert client.facts["service"] == "deepseek"
    assert client.facts["endpoint"] == "https://api.deepseek.com/v1"
    assert client.facts["credential"] == "environment"
    assert [link.name for link in client.links] == ["DEEPSEEK_API_KEY"]


def test_an_address_from_the_environment_is_not_known() -> None:
    code = "import os, openai\nopenai.OpenAI(base_url=os.environ['URL'])"
    assert one(code, AssetKind.LLM).facts["endpoint_env"] == "URL"
    assert one("import openai\ndef f(u):\n  openai.OpenAI(base_url=u)", AssetKind.LLM).facts["endpoint_unknown"] is True


@pytest.mark.parametrize("path", ["tests/x.py", "a/test_x.py", "a/x_test.py", "unit_tests/x.py", "conftest.py"])
def test_what_a_test_uses_is_only_mentioned_but_a_key_is_a_key(path: str) -> None:
    code = f"from openai import OpenAI\nMODEL = 'gpt-4o'\nOpenAI(api_key='{OPENAI_KEY}')"
    assert assets(code, path) == [("credential", "OpenAI project key", 3)]
    assert len(assets(code, "contest/latest.py")) == 3


@pytest.mark.parametrize(
    ("given", "line"),
    [
        ("'k7Qz93jfPq02mXc81LsW'", 3), ("os.getenv('K', 'k7Qz93jfPq02mXc81LsW')", 3), ("KEY", 2),
        ("'short'", None), ("'sk-no-key-required'", None), ("'your-api-key-goes-here'", None), ("'0' * 20", None),
        ("'0000000000000000'", None), ("'/var/run/secrets/token'", None), ("os.environ['K']", None), ("other()", None),
    ],
)  # fmt: skip
def test_a_literal_credential_of_no_known_format(given: str, line: int | None) -> None:
    code = f"import os; from openai import OpenAI\nKEY = 'k7Qz93jfPq02mXc81LsW'\nOpenAI(api_key={given})"
    observations, _ = read("a.py", code.encode())
    found = [(o.name, o.site.line) for o in observations if o.facts.get("literal")]
    assert found == ([("openai.OpenAI credential", line)] if line else [])
    assert "k7Qz93" not in repr(observations)
    assert not [o for o in read("tests/a.py", code.encode())[0] if o.facts.get("literal")]


@pytest.mark.parametrize("broken", [False, True])
def test_a_key_is_found_and_its_value_is_nowhere(broken: bool) -> None:
    code = f"from openai import OpenAI\n\nOpenAI(api_key='{OPENAI_KEY}'){'(' if broken else ''}\n"
    observations, not_scanned = read("a.py", code.encode())
    (credential,) = [o for o in observations if o.kind is AssetKind.CREDENTIAL]
    assert (credential.site.line, credential.facts["literal"]) == (3, True)
    assert OPENAI_KEY[8:40] not in repr(observations)
    assert bool(not_scanned) is broken


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"def (:", "invalid syntax (line 1)"),
        (b"x = '\0'", "null bytes"),
        (b"# coding: nope\n", "unknown encoding"),
        (b"x = " + b"-" * 100_000 + b"1", "nested too deeply"),
        (b"x = 1" + b"+1" * 100_000, "nested too deeply"),
        (b"\xff\xfe\x00", ""),
    ],
)
def test_what_cannot_be_read_is_said(data: bytes, reason: str) -> None:
    observations, (missed,) = read("bad.py", data)
    assert observations == ()
    assert reason in missed.reason


def test_an_old_encoding_is_read() -> None:
    code = "# -*- coding: latin-1 -*-\nimport openai\ns = 'é'\nopenai.OpenAI()".encode("latin-1")
    observations, not_scanned = read("old.py", code)
    assert not not_scanned
    assert ("llm", 4) in [(o.kind.value, o.site.line) for o in observations]


def test_names_that_lead_in_circles_come_to_an_end() -> None:
    code = "import openai\na = b\nb = a or c\nc = a if b else c\nx = openai.OpenAI(api_key=a, base_url=c)\nx.chat.completions.create(model=b)\n"
    code += "".join(f"v{n} = v{n + 1} or v{n + 1} or v{n + 1}\n" for n in range(60))
    assert ("llm", "openai.OpenAI", 5) in assets(code + "openai.OpenAI(api_key=v0)\n")


SNIPPETS = st.sampled_from([
    "import openai", "from openai import OpenAI as O", "c = O()", "c.chat.completions.create(model=M, messages=[{}])",
    "M = 'gpt-4o'", "class A(O):\n  x = M", "def f(c=c, *, m: O = M): return c", "f().x['y'](**k)", "for c in c: pass",
    "lambda c: c", "x: O | None", "(a, b), *c = M, f", "with O() as c: c", "@f\n@c.tool(1)\ndef g(): ...", "O(api_key=c)",
    "f'{M}{c!r:>{M}}'", "[c for c in f() if (y := c)]", "match c:\n  case O(x=1): pass", "del c", "global M", "{**c, 1: 2}",
    "async def h():\n  async with c as (a, b): await c.messages.create(model=M, messages=a)", "c[0].create(model=*M,)",
])  # fmt: skip


@given(st.lists(SNIPPETS, max_size=12).map("\n".join))
def test_any_code_can_be_read(code: str) -> None:
    first = read("a.py", code.encode())
    assert first == read("a.py", code.encode())
    try:
        ast.parse(code)
    except SyntaxError:
        assert first[1]


@given(st.binary(max_size=200))
def test_any_bytes_can_be_read(data: bytes) -> None:
    observations, not_scanned = read("a.py", b"import openai\n" + data)
    assert len(not_scanned) <= 1
    assert all(o.site.line >= 1 for o in observations)


def test_the_marks_are_in_every_example_that_shows_something() -> None:
    for example in SOURCE.examples:
        assert not example.expect or any(mark in example.given[1] for mark in SOURCE.marks)
    assert not any(mark in b"import os\nprint('hello, world')\nclass A:\n    x = 1\n" for mark in SOURCE.marks)
