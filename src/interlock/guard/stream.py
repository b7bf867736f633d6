"""The hold-back of a streamed answer: frames wait until everything in them is decided.

In every mode no piece of a tool call leaves before the whole call was judged. In mode `window` no character leaves
that a bounded detector, looking at the whole text, would have flagged, however the stream was cut: what has left
cannot be recalled, so a text is released only up to where a match could still be growing. In mode `block` no frame
leaves before the end; in mode `observe` texts leave at once and as they are. Frames keep their order, and their
bytes if nothing in them was changed. The last one leaves only with `end`.
"""

import contextlib
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from interlock.guard.answer import MOST_CALLS, AnswerJudge, CallVerdict, notice
from interlock.guard.edits import Edits, is_json
from interlock.guard.inspect import place_name
from interlock.guard.rules import Rules
from interlock.model.errors import ProtocolError
from interlock.model.event import Media, Opaque, Path, Signal, Span, ToolCall
from interlock.model.record import Step
from interlock.policy import Mode
from interlock.protocols import Adapter, CallDelta, Finish, Frame, FrameEdit, TextDelta, decode, values, where

Stream = tuple[str, int]
# In place of a choice, for what belongs to none.
OPAQUE = -1
CallKey = tuple[int, int]
# A text is released in pieces of at least this part of what is held of it: a sixteenth.
SMALLEST_RELEASE = 16


@dataclass(slots=True)
class _Growing:
    """A text that is growing. `window` is its undecided end with one character of context before it."""

    pieces: list[str] = field(default_factory=list)
    window: str = ""
    context: int = 0
    decided: int = 0
    size: int = 0
    found: list[Signal] = field(default_factory=list)
    edits: Edits = field(default_factory=Edits)
    closed: bool = False
    echo: bool = False
    last: "_Part | None" = None
    opaque: bool = False


@dataclass(slots=True)
class _Part:
    """A stream of text: all of a growing one, or what one block adds to it from `start` on."""

    growing: _Growing
    start: int
    size: int = 0
    pieces: list[str] = field(default_factory=list)
    closed: bool = False


@dataclass(slots=True)
class _Called:
    call_id: str = ""
    name: str = ""
    kind: str = ""
    arguments: list[str] = field(default_factory=list)
    closed: bool = False
    said: bool = False


class _Held(NamedTuple):
    frame: Frame
    texts: dict[Stream, tuple[int, str]]
    calls: bool


@dataclass(frozen=True, slots=True)
class Ending:
    """The end of a stream: its last bytes, what the log says of it, and whether a risky call is among it."""

    data: bytes
    steps: tuple[Step, ...]
    risky: bool


class StreamGuard:
    """Takes frames in, gives bytes out. Bounded by `rules.limit` bytes held."""

    def __init__(self, adapter: Adapter, judge: AnswerJudge, rules: Rules) -> None:
        self._adapter = adapter
        self._judge = judge
        self._rules = rules
        self._blocks = judge.mode is Mode.BLOCK
        # What is to be put back has to be whole first, in every mode.
        self._waits = judge.mode is not Mode.OBSERVE or judge.restores
        self._held: deque[_Held] = deque()
        self._held_bytes = 0
        self._text_size = 0
        self._texts: dict[Stream, _Growing] = {}
        self._parts: dict[Stream, _Part] = {}
        self._calls: dict[CallKey, _Called] = {}
        self._finished: set[int] = set()
        self._numbered: dict[int, bool] = {}
        self._arguments: dict[CallKey, str] = {}
        self._plain = replace(_NO_CALLS, stripped=judge.stripped) if judge.stripped else _NO_CALLS
        self._changed = bool(judge.stripped)

    def push(self, frame: Frame) -> bytes:
        """The bytes that may leave now.

        Raises: ProtocolError if it holds too much, an opaque part is denied, or a choice goes on after its finish:
        what stands in for its refused calls has its place in the finish.
        """
        said: dict[Stream, tuple[int, str]] = {}
        calls = False
        for delta in frame.deltas:
            match delta:
                case TextDelta():
                    said[delta.stream] = self._add_text(delta, said.get(delta.stream))
                case CallDelta(choice=choice):
                    calls = True
                    self._add_call(delta)
                case Finish(choice=choice):
                    self._finished.add(choice)
                case Opaque() | Media():
                    self._refuse_rest(delta)
                    if isinstance(delta, Opaque) and delta.text:
                        said |= self._add_opaque(delta)
        for stream in said:
            growing = self._parts[stream].growing
            self._decide(growing, final=growing.closed)
        self._held.append(_Held(frame, said, calls))
        self._held_bytes += len(frame.raw)
        if self._held_bytes > self._rules.limit or self._text_size > self._rules.limit:
            raise ProtocolError(f"the answer is over {self._rules.limit} bytes", status=502)
        return b"".join(self._release())

    @property
    def said(self) -> int:
        """The characters of all texts and arguments so far."""
        return self._text_size + sum(len(piece) for called in self._calls.values() for piece in called.arguments)

    def finish(self) -> None:
        """Decide on the texts as they stand.

        Raises: ProtocolError if something that is not understood, and so cannot be changed, holds what may not go out.
        """
        for growing in self._texts.values():
            self._decide(growing, final=True)

    def verdicts(self) -> dict[CallKey, CallVerdict]:
        """What is decided of every call, in order."""
        return {key: self._judge.call(_whole(called)) for key, called in sorted(self._calls.items())}

    def end(self, verdicts: dict[CallKey, CallVerdict] | None = None) -> Ending:
        """The rest, by these verdicts of the calls; all texts are decided, or nothing of what is held goes out."""
        verdicts = self.verdicts() if verdicts is None else verdicts
        edit = _call_edit(verdicts, said=frozenset(choice for (_, choice), text in self._texts.items() if text.size))
        edit = replace(edit, stripped=self._judge.stripped) if self._judge.stripped else edit
        self._arguments = {
            key: verdict.arguments for key, verdict in verdicts.items() if verdict.allowed and verdict.restored
        }
        data = b"".join(self._render(held, edit) for held in self._held)
        self._held.clear()
        steps = [step for growing in self._texts.values() if (step := self._step(growing))]
        steps += [verdict.step for verdict in verdicts.values()]
        return Ending(data, tuple(steps), any(verdict.risky for verdict in verdicts.values()))

    def _step(self, growing: _Growing) -> Step | None:
        text = "".join(growing.pieces)
        found = (*growing.found, *self._judge.scan_recorded(text, echo=growing.echo))
        if (growing.echo or growing.opaque) and not found:
            return None
        return self._judge.text_step(growing.size, self._rules.digest(text), found)

    def _refuse_finished(self, choice: int) -> None:
        if choice in self._finished:
            raise ProtocolError("a choice goes on after its finish", status=502)

    def _add_text(self, delta: TextDelta, held: tuple[int, str] | None) -> tuple[int, str]:
        """Take a piece in; where in its growing text it begins, and what its frame says in this stream so far."""
        part = self._parts.get(delta.stream) or self._begin(delta)
        growing = part.growing
        if delta.again and part.size:
            if delta.text != "".join(part.pieces):
                raise ProtocolError("a text is said once more and differs", status=502)
            part.closed = True
            growing.closed = not delta.joined
            return part.start, delta.text
        self._refuse_finished(delta.stream[1])
        if part.closed:
            raise ProtocolError("a text goes on after its end", status=502)
        if growing.last is not part:
            raise ProtocolError("the texts of two blocks are mixed", status=502)
        start, before = held or (growing.size, "")
        part.pieces.append(delta.text)
        part.size += len(delta.text)
        part.closed = delta.again
        growing.closed = delta.again and not delta.joined
        growing.pieces.append(delta.text)
        growing.window += delta.text
        growing.size += len(delta.text)
        self._text_size += len(delta.text)
        return start, before + delta.text

    def _begin(self, delta: TextDelta) -> _Part:
        key = (delta.joined, delta.stream[1]) if delta.joined else delta.stream
        growing = self._texts.setdefault(key, _Growing(echo=delta.echo))
        part = self._parts[delta.stream] = growing.last = _Part(growing, growing.size)
        return part

    def _add_call(self, delta: CallDelta) -> None:
        if not delta.again:
            self._refuse_finished(delta.choice)
        called = self._calls.setdefault((delta.choice, delta.index), _Called(delta.call_id, delta.name, delta.kind))
        if len(self._calls) > MOST_CALLS:
            raise ProtocolError(f"the answer calls over {MOST_CALLS} tools", status=502)
        if delta.kind != called.kind or delta.numbered is not self._numbered.setdefault(delta.choice, delta.numbered):
            raise ProtocolError("pieces of tool calls can be put together in two ways", status=502)
        # Clients differ: some put later pieces of a name behind it, some take the last one.
        names, ids = ("", called.name or delta.name), ("", called.call_id or delta.call_id)
        if delta.name not in names or delta.call_id not in ids:
            raise ProtocolError("a tool call changes its name or id", status=502)
        called.name, called.call_id = called.name or delta.name, called.call_id or delta.call_id
        if called.closed and delta.arguments and not delta.again:
            raise ProtocolError("a tool call goes on after its end", status=502)
        if delta.again and called.arguments:
            if delta.arguments != "".join(called.arguments):
                raise ProtocolError("a tool call is said once more and differs", status=502)
        elif delta.arguments:
            called.arguments.append(delta.arguments)
        called.closed = called.closed or delta.again

    def _refuse_rest(self, event: Opaque | Media) -> None:
        if reason := self._judge.refusal(event):
            raise ProtocolError(f"{place_name(event.path)} of the answer was not let through: {reason}", status=502)

    def _add_opaque(self, event: Opaque) -> dict[Stream, tuple[int, str]]:
        """What is not understood may grow too: clients put pieces of unknown fields together, whatever the index."""
        added: dict[Stream, tuple[int, str]] = {}
        for path, text in _strings(event):
            for name in {f"opaque {where(path)}", f"opaque {place_name(path)}"}:
                stream = (name, OPAQUE)
                added[stream] = self._add_text(TextDelta(stream, text), added.get(stream))
                self._parts[stream].growing.opaque = True
        return added

    def _decide(self, growing: _Growing, *, final: bool) -> None:
        window, context = growing.window, growing.context
        until = len(window) if final else self._judge.pending(window)
        # What is held for long is read again for each piece that is released of it: these are not too small.
        if until - context <= (0 if final else len(window) // SMALLEST_RELEASE):
            return
        base = growing.size - len(window)
        found = tuple(
            signal
            for signal in self._judge.scan(window, self._judge.enforced, echo=growing.echo)
            if context <= signal.span.start < until
        )
        growing.found += [s._replace(span=_moved(s.span, base)) for s in found]
        growing.decided = base + until
        growing.window, growing.context = window[until - 1 :], 1
        if growing.opaque:
            if self._judge.withheld(found):
                raise ProtocolError("a part of the answer that is not understood holds what may not go out", status=502)
            return
        for span, text in self._judge.edits(window, found, quoted=is_json(growing.pieces[0])):
            if context <= span.start < until:
                growing.edits.add(_moved(span, base), text)
                self._changed = True

    def _release(self) -> Iterable[bytes]:
        while self._held and not self._blocks:
            held = self._held[0]
            if held.calls or held.frame.done or held.frame.error or held.frame.last:
                return
            if self._waits and any(
                start + len(text) > self._parts[stream].growing.decided for stream, (start, text) in held.texts.items()
            ):
                return
            self._held.popleft()
            self._held_bytes -= len(held.frame.raw)
            yield self._render(held, self._plain)

    def _render(self, held: _Held, calls: FrameEdit) -> bytes:
        if not self._changed and not self._arguments and calls is _NO_CALLS:
            return held.frame.raw
        changed = {
            stream: new
            for stream, (start, text) in held.texts.items()
            if (new := self._parts[stream].growing.edits.apply(text, start)) != text
        }
        arguments = self._restored(held) if self._arguments else {}
        finishes = calls.notices and any(isinstance(d, Finish) and d.choice in calls.notices for d in held.frame.deltas)
        touched = any(isinstance(d, CallDelta) and (d.choice, d.index) in calls.calls for d in held.frame.deltas)
        if not (changed or arguments or finishes or touched or calls.stripped):
            return held.frame.raw
        return self._adapter.edit_frame(held.frame, replace(calls, texts=changed, arguments=arguments))

    def _restored(self, held: _Held) -> dict[CallKey, str]:
        """The arguments of a frame's calls in which something is put back: all in a call's first piece."""
        out = {}
        for delta in held.frame.deltas:
            if isinstance(delta, CallDelta) and (key := (delta.choice, delta.index)) in self._arguments:
                if delta.again or (delta.arguments and not self._calls[key].said):
                    out[key] = self._arguments[key]
                elif delta.arguments:
                    out[key] = ""
                self._calls[key].said = self._calls[key].said or bool(delta.arguments)
        return out


_NO_CALLS = FrameEdit()


def _strings(event: Opaque) -> list[tuple[Path, str]]:
    """The texts of a part that is not understood, and where they stand; it may be a document."""
    if is_json(event.text):
        with contextlib.suppress(ProtocolError):
            document = decode(f'{{"_":{event.text}}}'.encode("utf-8", "surrogatepass"))
            return list(values(document["_"], event.path))
    return [(event.path, event.text)]


def _moved(span: Span, by: int) -> Span:
    return Span(span.start + by, span.end + by)


def _whole(called: _Called) -> ToolCall:
    return ToolCall((), called.call_id, called.name, "".join(called.arguments))


def _call_edit(verdicts: dict[CallKey, CallVerdict], said: frozenset[int]) -> FrameEdit:
    """New indexes for the calls of each choice that lost one, and what is said instead."""
    told = {key: notice([verdict.told]) for key, verdict in verdicts.items() if not verdict.allowed}
    calls: dict[CallKey, int | None] = {}
    notices: dict[int, str] = {}
    emptied: set[int] = set()
    for choice in {choice for choice, _ in verdicts}:
        own = {key: verdict for key, verdict in verdicts.items() if key[0] == choice}
        refused = [verdict.told for verdict in own.values() if not verdict.allowed]
        if not refused:
            continue
        index = 0
        for key, verdict in own.items():
            calls[key] = index if verdict.allowed and key[1] >= 0 else key[1] if verdict.allowed else None
            index += verdict.allowed and key[1] >= 0
        notices[choice] = ("\n\n" if choice in said else "") + notice(refused)
        if len(refused) == len(own):
            emptied.add(choice)
    return FrameEdit(calls=calls, notices=notices, emptied=frozenset(emptied), told=told)
