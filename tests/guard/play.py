"""Plays an exchange: performs its commands from a script, and writes down what it asked for."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from importlib.resources import files

from interlock.detectors import Engine, detectors
from interlock.guard import Begin, Call, Command, Emit, Forward, Head, Note, Read, Reply, Rules, Told, exchange
from interlock.model.decision import Principal
from interlock.model.record import Record
from interlock.policy import Policies, Scope, Source
from interlock.protocols import Adapter
from interlock.protocols.openai_chat import ADAPTER
from interlock.provenance.settings import ToolOverride

FOLDER = files("interlock.policy")
SCHEMA = Source("schema.cedarschema", FOLDER.joinpath("schema.cedarschema").read_text("utf-8"))
BUNDLED = Source("bundled.cedar", FOLDER.joinpath("bundled.cedar").read_text("utf-8"))
ENGINE = Engine(detectors())
WHOLE, STREAMED = Head(200, streamed=False), Head(200, streamed=True)


def make_rules(
    *policies: str, scopes: dict[str, Scope] | None = None, limit: int = 100_000,
    tools: dict[str, ToolOverride] | None = None,
) -> Rules:  # fmt: skip
    """Real rules: the bundled policies with `policies` beside them, a digest without a key, a clock that stands."""
    sources = (BUNDLED, *(Source(f"own{number}", text) for number, text in enumerate(policies)))
    return Rules(
        Policies(SCHEMA, sources, scopes or {}), ENGINE, lambda text: blake2b(text.encode(), digest_size=4).hexdigest(),
        lambda: 5_000_000, lambda: 0, limit, tools or {},
    )  # fmt: skip


def make_call(workload: str = "w", request: str = "r1") -> Call:
    return Call(Principal(workload, "k1"), request, "openai-chat", "/openai", "up", 4_000_000)


@dataclass
class Played:
    """All commands in order, and short forms of them."""

    commands: list[Command] = field(default_factory=list)

    @property
    def short(self) -> list[str]:
        """`note request allowed`, `forward`, `read`, `begin`, `emit`, `reply 200`; a durable note ends in `durable`."""
        out = []
        for command in self.commands:
            match command:
                case Note(record=record, durable=durable):
                    out.append(f"note {record.kind.value} {record.verdict.value}{' durable' * durable}")
                case Reply(status=status):
                    out.append(f"reply {status}")
                case Forward():
                    out.append("forward")
                case Read():
                    out.append("read")
                case Begin():
                    out.append("begin")
                case Emit():
                    out.append("emit")
        return out

    @property
    def records(self) -> list[Record]:
        return [command.record for command in self.commands if isinstance(command, Note)]

    @property
    def sent(self) -> bytes:
        """What the client got."""
        parts = [command.data for command in self.commands if isinstance(command, Emit)]
        return b"".join(parts) + b"".join(c.body for c in self.commands if isinstance(c, Reply))

    @property
    def forwarded(self) -> list[bytes]:
        return [command.body for command in self.commands if isinstance(command, Forward)]


def play(
    body: bytes, *script: Told | Exception, rules: Rules | None = None, call: Call | None = None,
    throw_at: int | None = None, thrown: Exception | None = None,
    adapter: Adapter = ADAPTER, path: str = "/v1/chat/completions",
) -> Played:  # fmt: skip
    """Run an exchange to its end. `script` answers `Forward` and `Read` in order; an exception in it is thrown there.

    `thrown` is thrown in place of the answer to command number `throw_at`. What the exchange lets out, comes out.
    """
    running = exchange(adapter, path, body, call or make_call(), rules or make_rules())
    left: Sequence[Told | Exception] = list(script)
    played = Played()
    told: Told | Exception = None
    try:
        while True:
            command = running.throw(told) if isinstance(told, Exception) else running.send(told)
            played.commands.append(command)
            told = None
            if isinstance(command, Forward | Read):
                told, *left = left
            if throw_at == len(played.commands) - 1 and thrown:
                told, throw_at = thrown, None
    except StopIteration:
        return played
