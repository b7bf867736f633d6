"""One exchange with an MCP server as a generator: it asks for I/O, inspects, decides.

`exchange.py` is what a client's message sets off; `link.py` speaks with the server, in whichever era it speaks;
`tools.py` lists and calls, `others.py` reads everything else; `asks.py` is what a server may ask its client, and
`rounds.py` and `parking.py` how a request goes on that waits for it; `heard.py` and `streams.py` are what a server says
unasked; `union.py` is all servers as one; `state.py` is what is remembered between exchanges.
"""

from interlock.guard.mcp.commands import Answered as Answered
from interlock.guard.mcp.commands import Await as Await
from interlock.guard.mcp.commands import Bell as Bell
from interlock.guard.mcp.commands import CancelledError as CancelledError
from interlock.guard.mcp.commands import Decide as Decide
from interlock.guard.mcp.commands import Heed as Heed
from interlock.guard.mcp.commands import Keep as Keep
from interlock.guard.mcp.commands import McpCommand as McpCommand
from interlock.guard.mcp.commands import McpExchange as McpExchange
from interlock.guard.mcp.commands import McpTold as McpTold
from interlock.guard.mcp.commands import Part as Part
from interlock.guard.mcp.commands import Respond as Respond
from interlock.guard.mcp.commands import Ring as Ring
from interlock.guard.mcp.commands import Send as Send
from interlock.guard.mcp.commands import Tell as Tell
from interlock.guard.mcp.commands import Turn as Turn
from interlock.guard.mcp.exchange import Inbound as Inbound
from interlock.guard.mcp.exchange import mcp_exchange as mcp_exchange
from interlock.guard.mcp.link import ASKED_BACK as ASKED_BACK
from interlock.guard.mcp.link import unasked as unasked
from interlock.guard.mcp.state import Memories as Memories
from interlock.guard.mcp.state import Server as Server
from interlock.guard.mcp.state import Union as Union
from interlock.guard.mcp.union import union_exchange as union_exchange
