"""The worked cases of the Python source: shown in the docs, run by `tests/test_catalog.py`."""

from interlock.model.meta import Example

OPENAI = b"""\
import os
from openai import AsyncOpenAI as Client

MODEL = os.getenv("BILLING_MODEL", "gpt-4o-mini")
SYSTEM = "You pay invoices."
client = Client(api_key=os.environ["OPENAI_API_KEY"])

TOOLS = [
    {"type": "function", "function": {"name": "pay_invoice", "parameters": {"type": "object"}}},
]

async def answer(text):
    return await client.chat.completions.create(
        model=MODEL,
        messages=[{"role": "system", "content": SYSTEM}, {"role": "user", "content": text}],
        tools=TOOLS,
    )
"""
AGENT = b'''\
from agents import Agent, function_tool

@function_tool
def search(query: str) -> str:
    """Search the wiki."""
    return query

helper = Agent(name="Helper", model="gpt-4.1", instructions="Answer from the wiki.", tools=[search])
'''
MCP = b"""\
from mcp.server.fastmcp import FastMCP

mcp = FastMCP("weather")

@mcp.tool()
def forecast(city: str) -> str:
    return city
"""
ELSEWHERE = b"""\
from .clients import llm

def ask(question):
    return llm.chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": question}])
"""
NOT_AI = b'''\
"""Talks about openai and gpt-4o, and uses neither."""
from twilio.rest import Client

COSTS = {"gpt-4o": 5, "claude-3-opus": 15}  # OpenAI(api_key=...)
Client("id", "token").messages.create(body="from openai import OpenAI", to="me")
'''
EXAMPLES: tuple[Example[tuple[str, bytes], tuple[tuple[str, str, int], ...]], ...] = (
    Example(
        "openai: aliased import, environment default, system message, tool schema",
        ("bot.py", OPENAI),
        (
            ("credential", "OPENAI_API_KEY", 6),
            ("dependency", "openai", 2),
            ("llm", "openai.AsyncOpenAI", 6),
            ("llm", "openai.chat.completions.create", 13),
            ("model", "gpt-4o-mini", 4),
            ("prompt", "SYSTEM", 5),
            ("tool", "pay_invoice", 9),
        ),
    ),
    Example(
        "an agent with a decorated tool",
        ("helper.py", AGENT),
        (
            ("agent", "Helper", 8),
            ("dependency", "openai-agents", 1),
            ("model", "gpt-4.1", 8),
            ("prompt", "Helper instructions", 8),
            ("tool", "search", 4),
        ),
    ),
    Example(
        "an MCP server and its tool",
        ("server.py", MCP),
        (("dependency", "mcp", 1), ("mcp_server", "weather", 3), ("tool", "forecast", 6)),
    ),
    Example(
        "a call on a client that another file makes",
        ("ask.py", ELSEWHERE),
        (("llm", "chat.completions.create", 4), ("model", "gpt-4o", 4)),
    ),
    Example("comments, documentation, price tables and other SDKs are not AI", ("costs.py", NOT_AI), ()),
)
