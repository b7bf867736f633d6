"""One exchange with a model as a generator: it asks for I/O, inspects, decides, edits.

`exchange.py` is the whole story from a request's bytes to the last byte of its answer; `commands.py` says
what it can ask of the gateway. The other modules are its parts.
"""

from interlock.guard.commands import Begin as Begin
from interlock.guard.commands import Claim as Claim
from interlock.guard.commands import ClientGoneError as ClientGoneError
from interlock.guard.commands import Command as Command
from interlock.guard.commands import Emit as Emit
from interlock.guard.commands import Exchange as Exchange
from interlock.guard.commands import Forward as Forward
from interlock.guard.commands import Head as Head
from interlock.guard.commands import Note as Note
from interlock.guard.commands import Petition as Petition
from interlock.guard.commands import Read as Read
from interlock.guard.commands import Reply as Reply
from interlock.guard.commands import Told as Told
from interlock.guard.exchange import exchange as exchange
from interlock.guard.rules import Call as Call
from interlock.guard.rules import Rules as Rules
