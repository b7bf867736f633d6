"""MCP servers that are programs: started here, spoken with over stdin and stdout, and ended with the gateway."""

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass

from interlock.gateway.launch import Launch
from interlock.gateway.waiting import Waiter
from interlock.guard import Head
from interlock.guard.mcp import Send, unasked
from interlock.guard.mcp.settings import McpServer
from interlock.mcp import messages
from interlock.mcp.messages import Notification, Response
from interlock.model.errors import ProtocolError, UpstreamError

# What a program needs to run at all; everything else has to be named.
ENVIRONMENT = ("PATH", "HOME", "LANG", "TZ")
# One program for each workload that uses the server.
MOST_PROGRAMS = 64
# What says that something has changed, and nothing of any call.
CHANGES = frozenset(
    f"notifications/{what}"
    for what in ("tools/list_changed", "prompts/list_changed", "resources/list_changed", "resources/updated")
)
# Between the end of its stdin, SIGTERM and SIGKILL.
PATIENCE_S = 2.0
# Between two looks at whether what a program has started is gone as well.
LOOK_S = 0.02
# What waits to be written to a program that does not read.
HIGH_WATER = 16_777_216


class Programs:
    """The programs of one server: each workload has its own, so that what one knows does not reach another.

    Rules: only the configured command is started, by its file alone, no shell, and only as `launch` allows it; it sees
    the named variables and no others; what it prints that is no message ends it; with it ends all that it started,
    but what has left its process group (a sandbox leaves nothing).
    """

    def __init__(
        self, name: str, server: McpServer, env: Mapping[str, str], answer_s: float, loop: asyncio.AbstractEventLoop,
        launch: Launch | None = None,
    ) -> None:  # fmt: skip
        """Raises: ConfigError if `launch` would never allow it."""
        self._name = name
        self._server = server
        self._env = {one: env[one] for one in (*ENVIRONMENT, *server.env) if one in env}
        self._launch = launch or Launch()
        self._launch.check(name, server, self._env)
        self._answer_s = answer_s
        self._loop = loop
        self._running: dict[str, _Program] = {}
        self._starting: dict[str, asyncio.Task[_Program]] = {}
        self._work: set[asyncio.Task[None]] = set()
        self.on_changed: Callable[[], None] = lambda: None
        self.on_refused: Callable[[str, str], None] = lambda _workload, _method: None

    def ask(self, workload: str, command: Send, waiter: Waiter) -> None:
        """Send a message to the workload's program. One that is not running is started by what opens a connection."""
        program = self._running.get(workload)
        if program and program.is_running:
            program.ask(command, waiter, self._loop.time() + self._answer_s)
        elif command.opens:
            self._do(self._open(workload, command, waiter))
        else:
            _begin(self._loop, _Line(None), waiter, 404)

    def tell(self, workload: str, body: bytes) -> None:
        """Send a message for whose answer nobody waits."""
        if (program := self._running.get(workload)) and program.is_running:
            program.write(body)

    def sweep(self, now: float) -> None:
        """End what was waited for too long."""
        for program in self._running.values():
            program.sweep(now)

    async def close(self) -> None:
        """End every program."""
        await asyncio.gather(*self._starting.values(), return_exceptions=True)
        await asyncio.gather(*(program.close() for program in self._running.values()))
        await asyncio.gather(*self._work, return_exceptions=True)

    def _do(self, work: Coroutine[None, None, None]) -> None:
        task = self._loop.create_task(work)
        self._work.add(task)
        task.add_done_callback(self._work.discard)

    async def _open(self, workload: str, command: Send, waiter: Waiter) -> None:
        """Send a message to the workload's program, which many may want at once and is started once."""
        program = self._running.get(workload)  # somebody else's start may be over by now
        if program is None or not program.is_running:
            try:
                program = await asyncio.shield(self._start_once(workload))
            except UpstreamError as error:
                waiter.on_error(error)
                return
        if program.is_running:
            program.ask(command, waiter, self._loop.time() + self._answer_s)
        else:
            waiter.on_error(UpstreamError("ended before it answered", where=self._name))

    def _start_once(self, workload: str) -> "asyncio.Task[_Program]":
        starting = self._starting.get(workload)
        if starting is None:
            starting = self._starting[workload] = self._loop.create_task(self._start(workload))
            starting.add_done_callback(lambda done: self._started(workload, done))
        return starting

    async def _pipe(self) -> tuple["_Stdout", int]:
        """A pipe: our end, and the one that the program writes to."""
        reader = asyncio.StreamReader(limit=self._server.max_result_bytes)
        read_end, write_end = os.pipe()
        transport, _ = await self._loop.connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(read_end, "rb", buffering=0)
        )
        return _Stdout(reader, transport), write_end

    def _started(self, workload: str, done: "asyncio.Task[_Program]") -> None:
        del self._starting[workload]
        if not done.cancelled():
            done.exception()  # whoever waited was told; if nobody waits any more, nobody needs to be

    async def _start(self, workload: str) -> "_Program":
        """A new program. Raises: UpstreamError."""
        self._running = {name: program for name, program in self._running.items() if program.is_running}
        if len(self._running) + len(self._starting) > MOST_PROGRAMS:
            raise UpstreamError(f"runs for {MOST_PROGRAMS} workloads already", where=self._name, status=503)
        try:
            argv = await asyncio.to_thread(self._launch.argv, self._name, self._server, self._env)
            stdout, write_end = await self._pipe()
            try:
                process = await asyncio.create_subprocess_exec(
                    *argv, env=self._env, cwd=self._server.cwd or None, stdin=asyncio.subprocess.PIPE,
                    stdout=write_end, start_new_session=True,
                )  # fmt: skip
            except BaseException:
                stdout.close()
                raise
            finally:
                os.close(write_end)
        except OSError as error:
            raise UpstreamError(f"cannot be started: {error.strerror}", where=self._name) from None
        refused = self.on_refused
        program = _Program(
            self._name, process, stdout, self.on_changed, lambda method: refused(workload, method),
            lambda: self._do(program.close()),
        )  # fmt: skip
        self._running[workload] = program
        return program


@dataclass(frozen=True, slots=True)
class _Stdout:
    """Our end of a program's stdout. It is closed with the program, whoever still holds the other end."""

    reader: asyncio.StreamReader
    transport: asyncio.ReadTransport

    def close(self) -> None:
        """Read no more."""
        self.transport.close()


class _Line:
    """One answer of a program: the messages that belong to it, until it is complete."""

    def __init__(self, released: Callable[[], None] | None) -> None:
        self._data = bytearray()
        self._released = released
        self.waiter: Waiter | None = None
        self.is_complete = released is None

    def put(self, message: bytes, *, last: bool) -> None:
        """One more message."""
        self._data += message + b"\n"
        self.is_complete = last
        if self.waiter:
            self.waiter.on_data()

    def take(self) -> bytes | None:
        """What has come so far; b"" if there is nothing yet, None at the end."""
        if not self._data:
            return None if self.is_complete else b""
        data, self._data = bytes(self._data), bytearray()
        return data

    def release(self) -> None:
        """Nobody waits any more."""
        self.waiter = None
        if self._released:
            self._released()


def _begin(loop: asyncio.AbstractEventLoop, line: _Line, waiter: Waiter, status: int) -> bool:
    """Let an answer begin, in a moment: whoever asked is still asking. Whether it is wanted."""
    if not waiter.connected(line):
        return False
    line.waiter = waiter

    def head() -> None:
        if line.waiter is waiter:
            waiter.on_head(Head(status, streamed=True), [])

    loop.call_soon(head)
    return True


class _Program:
    """One running program."""

    def __init__(
        self,
        name: str,
        process: asyncio.subprocess.Process,
        stdout: _Stdout,
        on_changed: Callable[[], None],
        on_refused: Callable[[str], None],
        on_failed: Callable[[], None],
    ) -> None:
        self._name = name
        self._process = process
        self._stdout = stdout
        self._on_changed = on_changed
        self._on_refused = on_refused
        self._on_failed = on_failed
        self._waiting: dict[int, tuple[_Line, float]] = {}
        self._listening: dict[_Line, None] = {}
        self._closing = False
        self._loop = asyncio.get_running_loop()
        self._reading = self._loop.create_task(self._read())

    @property
    def is_running(self) -> bool:
        """Whether it can still be spoken with."""
        return not self._closing and self._process.returncode is None

    def ask(self, command: Send, waiter: Waiter, deadline: float) -> None:
        """Send a message; what belongs to its answer goes to `waiter`."""
        id_ = command.id
        if command.method == "GET":
            self._listen(waiter)
            return
        if command.method != "POST" or id_ is None:
            if command.body:
                self.write(command.body)
            _begin(self._loop, _Line(None), waiter, 202)
            return
        line = _Line(lambda: self._forget(id_))
        self._waiting[id_] = (line, deadline)
        if _begin(self._loop, line, waiter, 200):
            self.write(command.body)
        else:
            line.release()

    def _listen(self, waiter: Waiter) -> None:
        """What it says outside of its answers goes to `waiter` from here on."""
        line = _Line(lambda: self._listening.pop(line, None))
        self._listening[line] = None
        if not _begin(self._loop, line, waiter, 200):
            line.release()

    def write(self, body: bytes) -> None:
        """One message, on a line of its own."""
        stdin = self._process.stdin
        assert stdin
        if stdin.transport.get_write_buffer_size() > HIGH_WATER:
            self._fail(UpstreamError("does not read what it is sent", where=self._name))
            return
        stdin.write(body + b"\n")

    def sweep(self, now: float) -> None:
        """End what was waited for too long."""
        for id_ in [id_ for id_, (_, deadline) in self._waiting.items() if deadline <= now]:
            line, _ = self._waiting.pop(id_)
            if line.waiter:
                line.waiter.on_error(UpstreamError("did not answer in time", where=self._name, status=504))

    async def close(self) -> None:
        """End it: its stdin first, then by signals, to all that it has started."""
        self._closing = True
        if self._process.stdin:
            self._process.stdin.close()
        for number in (None, signal.SIGTERM, signal.SIGKILL):
            if number is not None:
                self._signal(number)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._ended(), PATIENCE_S)
                break
        # What has left the group may hold the other end of its stdout for ever.
        self._reading.cancel()
        await asyncio.gather(self._reading, return_exceptions=True)
        self._stdout.close()

    async def _ended(self) -> None:
        """Wait until it is gone, and its group with it."""
        await self._process.wait()
        while self._signal(0):  # noqa: ASYNC110 - the kernel tells nobody that a group is empty
            await asyncio.sleep(LOOK_S)

    def _signal(self, number: int) -> bool:
        """A signal to its group; whether there is one."""
        try:
            os.killpg(self._process.pid, number)
        except (ProcessLookupError, PermissionError):
            return False
        return True

    def _forget(self, id_: int) -> None:
        self._waiting.pop(id_, None)

    async def _read(self) -> None:
        error = UpstreamError("ended before it answered", where=self._name)
        try:
            while line := await self._stdout.reader.readline():
                if line.strip():
                    self._take(line.strip())
        except ValueError:
            error = UpstreamError("printed a line that is too long", where=self._name)
        except ProtocolError as wrong:
            error = UpstreamError(f"printed what is no message: {wrong.what}", where=self._name)
        self._fail(error)

    def _take(self, line: bytes) -> None:
        """Give a message to whom it belongs. Raises: ProtocolError if it is none."""
        message = messages.parse(line)
        match message:
            case Response(id=int() as id_) if id_ in self._waiting:
                self._waiting[id_][0].put(line, last=True)
            case Notification(method="notifications/progress", params={"progressToken": int() as id_}):
                if id_ in self._waiting:
                    self._waiting[id_][0].put(line, last=False)
            case Notification():
                if message.method == "notifications/tools/list_changed":
                    self._on_changed()
                for heard in self._hearing(message.method):
                    heard.put(line, last=False)
            case _:
                self._asked(line, message)

    def _only(self) -> list[_Line]:
        """Who waits for the only answer there is; with several nobody can tell whose a message is."""
        return [line for line, _ in self._waiting.values()] if len(self._waiting) == 1 else []

    def _hearing(self, method: str) -> list[_Line]:
        """Who hears what it says outside of its answers: of what has changed who listens, of all else one call alone.

        The clients of one workload share a program; what it tells one of them of his call is for no other.
        """
        return (list(self._listening) if method in CHANGES else []) or self._only()

    def _asked(self, line: bytes, message: messages.Message) -> None:
        """It asks its client: the one whose request alone is under way; else it is refused."""
        answer, refused = unasked(message)
        hearing = self._only()
        if refused and hearing:
            hearing[0].put(line, last=False)
            return
        if answer:
            self.write(answer)
        if refused:
            self._on_refused(refused)

    def _fail(self, error: UpstreamError) -> None:
        """It is over: who waits is told, and the program is ended if it still runs."""
        ended = [*(line for line, _ in self._waiting.values()), *self._listening]
        self._waiting, self._listening = {}, {}
        for line in ended:
            if line.waiter:
                line.waiter.on_error(error)
        if not self._closing:
            self._closing = True
            self._on_failed()
