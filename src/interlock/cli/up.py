"""Start the gateway and the console.

Model clients then use the gateway's address and an interlock key. A program
is started so, or the variables for every SDK are printed, by `interlock run`:

  interlock run --workload billing -- python agent.py
  interlock run --workload billing --print-env

The provider's own key stays here, in the variable that
[llm.upstreams.<name>] api_key_env names. A program whose endpoints are fixed
is given HTTPS_PROXY, and the authority to trust, as printed. Stops on SIGINT
or SIGTERM, after the answers under way.

Policies, workloads, tools, limits and prices can change meanwhile: changed
files are in force within about two seconds, or at once on SIGHUP. Files that
are not valid change nothing; what else has changed waits for a restart.
"""

import argparse
import asyncio
import os
import signal

from interlock.cli import _options
from interlock.config import Settings
from interlock.governance.exceptions import headline

SUMMARY = "start the gateway and the console"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Its arguments."""
    _options.add(parser)


def run(args: argparse.Namespace) -> int:
    """Serve until told to stop."""
    import uvloop

    settings = _options.settings(args)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(settings))
    return 0


async def _serve(settings: Settings) -> None:
    from interlock.up import serving

    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with serving(settings) as up:
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, up.reload)
        print(f"gateway   {up.gateway}", f"console   {up.console}", f"open      {up.link}", sep="\n", flush=True)
        print("          (this link works once; a new one comes with each start)", flush=True)
        for name, upstream in settings.upstreams.items():
            print(f"models    {up.gateway}/{name}  ->  {upstream.url}", flush=True)
            if upstream.api_key_env and not os.environ.get(upstream.api_key_env):
                print(f"          {upstream.api_key_env} is not set: requests go out with no credential", flush=True)
        for name, server in settings.mcp_servers.items():
            print(f"tools     {up.gateway}/mcp/{name}  ->  {server.url or ' '.join(server.command)}", flush=True)
            if server.api_key_env and not os.environ.get(server.api_key_env):
                print(f"          {server.api_key_env} is not set: requests go out with no credential", flush=True)
        if settings.gateway.proxy:
            print(f"proxy     {up.gateway.replace('//', '//interlock:KEY@')}  for HTTPS_PROXY", flush=True)
            print(f"          trust {settings.data / 'keys' / 'ca.pem'}", flush=True)
        print(f"policy    {headline(up.exceptions)}:", flush=True)
        print(f"          {up.console}/exceptions, or interlock coverage", flush=True)
        for one in up.exceptions:
            if one.name == "trusted-source-open":
                print(f"warning   {one.where}: {one.means}", flush=True)
        print(f"data      {settings.data}", flush=True)
        for name, host in (("gateway", settings.gateway.host), ("console", settings.console.host)):
            if not host.startswith(("127.", "localhost", "::1")):
                print(f"warning   the {name} listens on {host} in plain HTTP: put TLS in front of it", flush=True)
        await stop.wait()
        print("stopping: waiting for the answers under way", flush=True)
