"""The OAuth client of the MCP SDK finds the issuer through interlock's metadata."""

import asyncio
import json
import subprocess
import sys
from pathlib import Path

from tests.e2e.test_mcp_sdk import SERVER
from tests.gateway.process import LIMIT_S, configure, up
from tests.identity.provider import Provider, provider

CLIENT = """
import asyncio, json, sys
from mcp import Client
from mcp.client.auth.extensions.client_credentials import ClientCredentialsOAuthProvider
from mcp.client.streamable_http import streamable_http_client
from mcp.shared._httpx_utils import create_mcp_http_client

class Memory:
    tokens = info = None
    async def get_tokens(self): return self.tokens
    async def set_tokens(self, tokens): self.tokens = tokens
    async def get_client_info(self): return self.info
    async def set_client_info(self, info): self.info = info

async def main(url, issuer, mode):
    auth = ClientCredentialsOAuthProvider(url, Memory(), "desk", "pass", issuer=issuer)
    async with create_mcp_http_client(auth=auth) as http:
        async with Client(streamable_http_client(url, http_client=http), mode=mode, cache=None) as client:
            result = await client.call_tool("read_mail", {})
            print(json.dumps(result.content[0].text))

asyncio.run(main(*sys.argv[1:]))
"""


def test_the_sdks_oauth_client_finds_its_way(tmp_path: Path) -> None:
    program = tmp_path / "office.py"
    program.write_text(SERVER)

    async def call(login: Provider, office: int, mode: str) -> str:
        folder = tmp_path / mode
        folder.mkdir()
        more = f'[mcp.servers.office]\nurl = "http://127.0.0.1:{office}/mcp"\n'
        more += f'[identity.issuers.corp]\nissuer = "{login.url}"\nscopes = ["mcp"]\n'
        configure(folder, "http://127.0.0.1:9/v1", more)
        with up(folder) as running:
            url = f"{running.url}/mcp/office"
            command = [sys.executable, "-c", CLIENT, url, login.url, mode]
            done = await asyncio.to_thread(
                subprocess.run, command, capture_output=True, text=True, timeout=LIMIT_S, check=False
            )
        assert done.returncode == 0, done.stderr[-2_000:]
        assert login.forms[-1]["resource"] == url
        assert login.forms[-1]["scope"] == "mcp"
        found: str = json.loads(done.stdout)
        return found

    async def work(office: int) -> None:
        async with provider() as login:
            login.answer = lambda form: (200, {
                "access_token": login.token(aud=form["resource"], sub="desk", scope=form.get("scope")),
                "token_type": "Bearer", "expires_in": 600,
            })  # fmt: skip
            for mode in ("legacy", "2026-07-28"):
                assert "Please pay" in await call(login, office, mode)

    with subprocess.Popen([sys.executable, str(program), "http"], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout
            asyncio.run(work(int(process.stdout.readline())))
        finally:
            process.kill()
