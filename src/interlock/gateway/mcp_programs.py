"""MCP servers that are programs: started here, spoken with over stdin and stdout, and ended with the gateway."""

import asyncio
import contextlib
import hashlib
import os
import shutil
import signal
from collections.abc import Callable, Mapping
from pathlib import Path

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
# Between the end of its stdin, SIGTERM and SIGKILL.
PATIENCE_S = 2.0
# What waits to be written to a program that does not read.
HIGH_WATER = 16_777_216


class Programs:
    """The programs of one server: each workload has its own, so that what one knows does not reach another.

    Rules: only the configured command is started, by its file alone, no shell, and only while that file hashes to
    what the settings say; it sees the named variables and no others; what it prints that is no message ends it.
    """

    def __init__(
        self, name: str, server: McpServer, env: Mapping[str, str], answer_s: float, loop: asyncio.AbstractEventLoop
    ) -> None:
        self._name = name
        self._server = server
        self._env = {one: env[one] for one in (*ENVIRONMENT, *server.env) if one in env}
        self._answer_s = answer_s
        self._loop = loop
        self._running: dict[str, _Program] = {}
        self._starting: set[asyncio.Task[None]] = set()
        self.on_changed: Callable[[], None] = lambda: None
        self.on_refused: Callable[[str, str], None] = lambda _workload, _method: None

    def ask(self, workload: str, command: Send, waiter: Waiter) -> None:
        """Send a message to the workload's program. One that is not running is started by what opens a connection."""
        program = self._running.get(workload)
        if program and program.is_running:
            program.ask(command, waiter, self._loop.time() + self._answer_s)
        elif command.opens:
            task = self._loop.create_task(self._start(workload, command, waiter))
            self._starting.add(task)
            task.add_done_callback(self._starting.discard)
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
        for task in self._starting:
            task.cancel()
        await asyncio.gather(*(program.close() for program in self._running.values()))

    async def _start(self, workload: str, command: Send, waiter: Waiter) -> None:
        self._running = {name: program for name, program in self._running.items() if program.is_running}
        if len(self._running) >= MOST_PROGRAMS:
            waiter.on_error(UpstreamError(f"runs for {MOST_PROGRAMS} workloads already", where=self._name, status=503))
            return
        try:
            path = await asyncio.to_thread(self._checked)
            process = await asyncio.create_subprocess_exec(
                path, *self._server.command[1:], env=self._env, cwd=self._server.cwd or None,
                stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
                limit=self._server.max_result_bytes, start_new_session=True,
            )  # fmt: skip
        except UpstreamError as error:
            waiter.on_error(error)
        except OSError as error:
            waiter.on_error(UpstreamError(f"cannot be started: {error.strerror}", where=self._name))
        else:
            refused = self.on_refused
            program = _Program(self._name, process, self.on_changed, lambda method: refused(workload, method))
            if other := self._running.get(workload):  # two came at once
                await other.close()
            self._running[workload] = program
            program.ask(command, waiter, self._loop.time() + self._answer_s)

    def _checked(self) -> str:
        """The program's file. Raises: UpstreamError if there is none, or it is another one than the settings say."""
        path = shutil.which(self._server.command[0], path=self._env.get("PATH"))
        if path is None:
            raise UpstreamError("cannot be started: there is no such program", where=self._name)
        path = str(Path(path).absolute())
        if self._server.sha256:
            with open(path, "rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            if digest != self._server.sha256:
                raise UpstreamError("is not started: its file is not the one that was approved", where=self._name)
        return path


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
        on_changed: Callable[[], None],
        on_refused: Callable[[str], None],
    ) -> None:
        self._name = name
        self._process = process
        self._on_changed = on_changed
        self._on_refused = on_refused
        self._waiting: dict[int, tuple[_Line, float]] = {}
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
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(self._process.pid, number)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._process.wait(), PATIENCE_S)
                break
        await self._reading

    def _forget(self, id_: int) -> None:
        self._waiting.pop(id_, None)

    async def _read(self) -> None:
        stdout = self._process.stdout
        assert stdout
        error = UpstreamError("ended before it answered", where=self._name)
        try:
            while line := await stdout.readline():
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
            case Notification(method="notifications/tools/list_changed"):
                self._on_changed()
            case _:
                answer, refused = unasked(message)
                if answer:
                    self.write(answer)
                if refused:
                    self._on_refused(refused)

    def _fail(self, error: UpstreamError) -> None:
        """It is over: who waits is told, and the program is ended if it still runs."""
        self._closing = True
        waiting, self._waiting = self._waiting, {}
        for line, _ in waiting.values():
            if line.waiter:
                line.waiter.on_error(error)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGTERM)
