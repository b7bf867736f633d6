"""What every catalogue promises of every entry. An entry gets all of this for free by being in its folder."""

import base64
import importlib
import inspect
import json
import random
import re
import signal
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
import re2
from hypothesis import example, given
from hypothesis import strategies as st

from docs.generate import entry_section
from interlock.checks import Check, Judgement, checks
from interlock.detectors import Detector, detectors
from interlock.inventory import Inventory
from interlock.inventory.identity import identity
from interlock.knowledge import frameworks
from interlock.model.asset import Asset, AssetKind, Evidence, Observation, Site, Status
from interlock.model.errors import ProtocolError
from interlock.model.event import Channel, Event, Media, Opaque, Signal, Text, ToolCall, ToolDefinition
from interlock.protocols import Adapter, CallDelta, Frame, Request, TextDelta, Wire, adapters
from interlock.protocols._eventstream import Messages, message
from interlock.protocols._json import where
from interlock.sources import FileSource, file_sources
from tests.purity import pure

Entry = Check | Detector | Adapter | FileSource
ROOMS: dict[str, Mapping[str, Any]] = {
    "checks": checks(),
    "detectors": detectors(),
    "protocols": adapters(),
    "sources": file_sources(),
}
EVERY = [pytest.param(room, entry, id=f"{room}/{id_}") for room, found in ROOMS.items() for id_, entry in found.items()]
CHANGELOG = Path(__file__).parent.parent / "CHANGELOG.md"
LIMIT_S = 120
CANARY = "canary-5d1e"


def entries(room: str) -> list[Any]:
    return [pytest.param(entry, id=id_) for id_, entry in ROOMS[room].items()]


def cases(room: str) -> list[Any]:
    found = ROOMS[room].items()
    return [pytest.param(entry, case, id=f"{id_}: {case.name}") for id_, entry in found for case in entry.examples]


@contextmanager
def finishing() -> Iterator[None]:
    """A generous end for work that must be linear: what is quadratic on 100 KB does not reach it."""

    def stop(_signal: int, _frame: FrameType | None) -> None:
        raise AssertionError(f"not done after {LIMIT_S} s: the work is not linear in the length of its input")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(LIMIT_S)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


# Every entry, whatever its room


@pytest.mark.parametrize(("room", "entry"), EVERY)
def test_it_says_what_it_is(room: str, entry: Entry) -> None:
    meta = entry.meta
    module = importlib.import_module(f"interlock.{room}.{meta.id.replace('-', '_')}")
    first = (inspect.getdoc(module) or "").partition("\n")[0]
    versions = re.findall(r"(?m)^## \[(\d+\.\d+\.\d+)\]", CHANGELOG.read_text("utf-8"))
    assert re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", meta.id)
    assert first.endswith(".")
    assert len(first) <= 120
    assert meta.title
    assert not meta.title.endswith(".")
    assert meta.why.endswith(".")
    assert meta.since in versions


@pytest.mark.parametrize(("room", "entry"), EVERY)
def test_what_accuses_says_how_bad_it_is_and_what_to_do(room: str, entry: Entry) -> None:
    accuses = room in {"checks", "detectors"}
    assert (entry.meta.severity is not None) == accuses
    assert bool(entry.meta.fix) == accuses
    assert bool(entry.meta.refs) or not accuses


@pytest.mark.parametrize(("room", "entry"), EVERY)
def test_its_references_exist(room: str, entry: Entry) -> None:
    for ref in entry.meta.refs:
        file, _, item = ref.partition(":")
        assert item in frameworks()[file].ids(), f"{room}: {ref}"
    assert len(set(entry.meta.refs)) == len(entry.meta.refs)


@pytest.mark.parametrize(("room", "entry"), EVERY)
def test_it_has_three_to_six_examples_of_different_names(room: str, entry: Entry) -> None:
    names = [case.name for case in entry.examples]
    assert 3 <= len(names) <= 6, room
    assert len(set(names)) == len(names)


@pytest.mark.parametrize(("room", "entry"), EVERY)
def test_its_documentation_can_be_written(room: str, entry: Entry) -> None:
    section = entry_section(room, entry)
    assert entry.meta.title in section
    assert all(case.name in section for case in entry.examples)


# Checks


def judge(check: Check, observations: tuple[Observation, ...]) -> Judgement:
    inventory = Inventory.build(observations)
    asset = inventory.get(identity(observations[0]))
    assert asset is not None, "the first observation of an example must make an asset"
    assert asset.kind in check.kinds
    return check.judge(asset, inventory)


@pytest.mark.parametrize(("check", "case"), cases("checks"))
def test_a_check_judges_its_examples_purely(check: Check, case: Any) -> None:
    first = judge(check, case.given)
    with pure():
        again = judge(check, case.given)
    assert first.status is case.expect
    assert first == again
    assert first.message


@pytest.mark.parametrize("check", entries("checks"))
def test_a_check_has_an_example_that_fails_and_one_that_passes(check: Check) -> None:
    assert {Status.FAIL, Status.PASS} <= {case.expect for case in check.examples}


@pytest.mark.parametrize("check", entries("checks"))
@given(facts=st.dictionaries(st.text(max_size=12), st.none() | st.booleans() | st.integers() | st.text(max_size=12)))
def test_a_check_has_an_answer_for_any_facts(check: Check, facts: dict[str, Any]) -> None:
    known = {name: facts.get(str(n)) for n, name in enumerate(_fact_names(check))}
    for kind in check.kinds:
        asset = Asset("a", kind, "thing", (Site("a.py", 1),), Evidence.USED, ("s",), {**known, **facts})
        assert check.judge(asset, Inventory.build(())).status in Status


def _fact_names(check: Check) -> list[str]:
    return sorted({name for case in check.examples for observation in case.given for name in observation.facts})


@pytest.mark.parametrize("check", entries("checks"))
def test_a_check_says_when_it_fails_passes_and_does_not_know(check: Check) -> None:
    said = inspect.getdoc(check.judge) or ""
    assert "FAIL" in said
    assert "PASS" in said


# Detectors


@pytest.mark.parametrize("detector", entries("detectors"))
def test_a_detector_says_what_it_flags_why_and_what_it_does_not_see(detector: Detector) -> None:
    module = importlib.import_module(f"interlock.detectors.{detector.meta.id.replace('-', '_')}")
    headings = re.findall(r"(?:^|\s)(What|Why|Limits): ", inspect.getdoc(module) or "")
    assert headings == ["What", "Why", "Limits"]


@pytest.mark.parametrize(("detector", "case"), cases("detectors"))
def test_a_detector_flags_exactly_the_pieces_of_its_examples(detector: Detector, case: Any) -> None:
    channel, text = case.given
    first = detector.detect(text)
    with pure():
        again = detector.detect(text)
        detector.pending(text)
    seen = first if channel in detector.channels else ()
    assert tuple(text[s.span.start : s.span.end] for s in seen) == case.expect
    assert first == again
    for found in first:
        assert found.detector == detector.meta.id
        assert found.rule
        assert 0 < found.score <= 1000
        assert 0 <= found.span.start < found.span.end <= len(text)
        assert found.span.end - found.span.start <= detector.reach


@pytest.mark.parametrize("detector", entries("detectors"))
def test_a_text_with_a_signal_has_a_mark_of_its_detector(detector: Detector) -> None:
    assert detector.channels
    for _, text in (case.given for case in detector.examples):
        marked = any(re2.search(mark, text) for mark in detector.marks)
        assert marked or not detector.detect(text)


def pieces_of(detector: Detector) -> list[str]:
    texts = [case.given[1] for case in detector.examples]
    return [*texts, *(text[: len(text) // 2] for text in texts), " ", "\n", ". And then ", "-", "a" * 300]


@pytest.mark.parametrize("detector", entries("detectors"))
@given(data=st.data())
def test_a_stream_cut_anywhere_gives_the_signals_of_the_whole_text(detector: Detector, data: st.DataObject) -> None:
    whole = "".join(data.draw(st.lists(st.sampled_from(pieces_of(detector)), min_size=1, max_size=6)))
    cut = data.draw(st.integers(0, len(whole)))
    begun = whole[:cut]
    decided = detector.pending(begun)

    def until(text: str) -> list[Signal]:
        return [found for found in detector.detect(text) if found.span.start < decided]

    assert 0 <= decided <= len(begun)
    assert decided >= len(begun) - detector.reach, "it would hold back more than its longest match"
    assert until(begun) == until(whole)


@pytest.mark.parametrize("detector", entries("detectors"))
def test_a_detector_is_linear_on_100_kb_of_the_worst(detector: Detector) -> None:
    texts = [case.given[1] for case in detector.examples]
    units = [*texts, *(text[: len(text) // 2] for text in texts), *(text[:12] for text in texts)]
    for unit in [*units, "a", " ", "\n", "-", "ignore all ", "<", "((((", "\u200b", "\U0001f600", "a b\n"]:
        text = (unit * (100_000 // len(unit) + 1))[:100_000]
        with finishing():
            found = detector.detect(text)
            decided = detector.pending(text)
        assert all(s.span.end <= len(text) for s in found)
        assert 0 <= decided <= len(text)


# Adapters


def short(event: Event) -> str:
    """An event as an adapter's examples write it."""
    match event:
        case Text(channel=channel, text=text):
            return f"{channel.value}:{text}"
        case ToolCall(name=name, arguments=arguments):
            return f"call:{name}({arguments})"
        case ToolDefinition(name=name):
            return f"tool:{name}"
        case Media(kind=kind, source=source):
            return f"{kind}:{source}"
        case Opaque(path=path, text=text):
            return f"opaque:{where(path)}={text}"


def streamed(frames: list[Frame]) -> list[Event]:
    """What a stream says when it is put together: texts and calls in the order in which they begin."""
    grown: dict[object, Event] = {}
    for delta in (delta for frame in frames for delta in frame.deltas):
        match delta:
            case TextDelta(again=True) | CallDelta(again=True) if delta_key(delta) in grown:
                pass
            case TextDelta(stream, text):
                said = grown.get(stream)
                grown[stream] = Text(stream, Channel.OUTPUT, (said.text if isinstance(said, Text) else "") + text)
            case CallDelta(choice, index, call_id, name, arguments):
                old = grown.get((choice, index), ToolCall((), "", "", ""))
                assert isinstance(old, ToolCall)
                call = ToolCall((), old.call_id + call_id, old.name + name, old.arguments + arguments)
                grown[choice, index] = call
            case Opaque() | Media():
                grown[object()] = delta
            case _:
                pass
    return list(grown.values())


def delta_key(delta: TextDelta | CallDelta) -> object:
    return delta.stream if isinstance(delta, TextDelta) else (delta.choice, delta.index)


def requested(adapter: Adapter, data: bytes, path: str) -> Request:
    target = adapter.target(path or adapter.routes[0])
    assert target, "the path of the example is none of the adapter's routes"
    return adapter.request(data, target)


def read(adapter: Adapter, wire: Wire) -> list[Event]:
    """The events of an example's bytes, read as what they are. Raises: ProtocolError."""
    data = wire.data
    match wire.kind:
        case "request":
            return list(requested(adapter, data, wire.path).events)
        case "answer":
            return list(adapter.answer(data).events)
        case "stream":
            return streamed(frames_of(adapter, [data]))
    raise AssertionError(f"an example's kind is request, answer or stream, not {wire.kind!r}")


def frames_of(adapter: Adapter, parts: list[bytes]) -> list[Frame]:
    reader = adapter.reader()
    frames = [frame for part in parts for frame in reader.feed(part)]
    reader.end()
    return frames


@pytest.mark.parametrize(("adapter", "case"), cases("protocols"))
def test_an_adapter_reads_its_examples_purely(adapter: Adapter, case: Any) -> None:
    first = read(adapter, case.given)
    with pure():
        again = read(adapter, case.given)
    assert tuple(short(event) for event in first) == case.expect
    assert first == again


@pytest.mark.parametrize("adapter", entries("protocols"))
def test_an_adapter_has_an_example_of_each_direction(adapter: Adapter) -> None:
    assert {case.given.kind for case in adapter.examples} == {"request", "answer", "stream"}
    assert all(route.startswith(f"{adapter.base}/") or adapter.base for route in adapter.routes)
    assert all(route.startswith("/") for route in adapter.routes)
    assert len(set(adapter.routes)) == len(adapter.routes) > 0


@pytest.mark.parametrize(("adapter", "case"), cases("protocols"))
def test_what_nobody_edits_stays_byte_identical(adapter: Adapter, case: Any) -> None:
    data = case.given.data
    match case.given.kind:
        case "request":
            assert requested(adapter, data, case.given.path).raw == data
        case "answer":
            assert adapter.answer(data).raw == data
        case _:
            assert b"".join(frame.raw for frame in frames_of(adapter, [data])) == data


@pytest.mark.parametrize(("adapter", "case"), [p for p in cases("protocols") if p.values[1].given.kind == "stream"])
@given(data=st.data())
def test_any_cut_of_a_stream_gives_the_same_frames(adapter: Adapter, case: Any, data: st.DataObject) -> None:
    wire = case.given.data
    cuts = sorted(data.draw(st.lists(st.integers(0, len(wire)), max_size=8)))
    parts = [wire[a:b] for a, b in zip([0, *cuts], [*cuts, len(wire)], strict=True)]
    assert frames_of(adapter, parts) == frames_of(adapter, [wire])


@pytest.mark.parametrize("adapter", entries("protocols"))
@given(junk=st.binary(max_size=300), seed=st.integers(0, 2**32))
@example(junk=b'{"model":"m","messages":[{"role":"user","content":"\xff"}]}', seed=0)
@example(junk=b"[" * 100_000, seed=0)
def test_junk_gives_a_protocol_error_or_nothing_worse(adapter: Adapter, junk: bytes, seed: int) -> None:
    choose = random.Random(seed)
    case = choose.choice(adapter.examples).given
    broken = bytearray(case.data)
    for _ in range(choose.randrange(1, 4)):
        at = choose.randrange(len(broken) + 1)
        broken[at : at + choose.randrange(4)] = choose.randbytes(choose.randrange(3))
    path = next(e.given.path for e in adapter.examples if e.given.kind == "request")
    given = [Wire(case.kind, bytes(broken), case.path)]
    for wire in (*given, *(Wire(kind, junk, path) for kind in ("request", "answer", "stream"))):
        try:
            events = read(adapter, wire)
        except ProtocolError:
            continue
        assert all(isinstance(event, Event) for event in events)


def objects(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """The paths of all JSON objects in a document."""
    if isinstance(value, dict):
        yield path
    if isinstance(value, dict | list):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from objects(inner, (*path, key))


def planted(data: bytes) -> Iterator[tuple[str, bytes]]:
    """The document with one more string in one of its objects, once for each object. No body counts as an empty one."""
    for path in objects(json.loads(data or b"{}")):
        document = target = json.loads(data or b"{}")
        for part in path:
            target = target[part]
        target["x_unheard_of"] = CANARY
        yield where(path), json.dumps(document).encode()


def planted_stream(adapter: Adapter, data: bytes) -> Iterator[tuple[str, bytes]]:
    """A stream with one more string in one of its documents, once for each object of each."""
    if adapter.stream_type == b"application/vnd.amazon.eventstream":
        yield from planted_messages(data)
        return
    pieces = stream_pieces(adapter, data)
    for n in range(1, len(pieces), 2):
        for path, document in planted(pieces[n]):
            yield f"event {n // 2}: {path}", b"".join([*pieces[:n], document, *pieces[n + 1 :]])


def stream_pieces(adapter: Adapter, data: bytes) -> list[bytes]:
    """A stream's bytes, cut so that each JSON document is a piece of its own: each second one."""
    if adapter.stream_type == b"text/event-stream":
        return re.split(rb"(?m)(?<=^data: )(\{.*\})$", data)
    if adapter.stream_type == b"application/x-ndjson":
        return re.split(rb"(?m)^(\{.*\})$", data)
    raise AssertionError(f"say here how documents lie in a stream of {adapter.stream_type!r}")


def planted_messages(data: bytes) -> Iterator[tuple[str, bytes]]:
    """The same for messages of AWS; a document can be inside another, in base64 under `bytes`."""
    messages = Messages().feed(data)
    for n, found in enumerate(messages):
        documents = list(planted(found.payload))
        outer = json.loads(found.payload)
        if "bytes" in outer:
            inner = planted(base64.b64decode(outer["bytes"]))
            whole = ((path, {**outer, "bytes": base64.b64encode(document).decode()}) for path, document in inner)
            documents += [(f"bytes: {path}", json.dumps(changed).encode()) for path, changed in whole]
        for path, document in documents:
            parts = [one.raw for one in messages]
            parts[n] = message(found.headers, document)
            yield f"event {n}: {path}", b"".join(parts)


@pytest.mark.parametrize(("adapter", "case"), cases("protocols"))
def test_a_new_string_in_any_object_is_seen_or_refused(adapter: Adapter, case: Any) -> None:
    data = case.given.data
    whole = list(planted_stream(adapter, data) if case.given.kind == "stream" else planted(data))
    silent = []
    for path, changed in whole:
        try:
            seen = read(adapter, replace(case.given, data=changed))
        except ProtocolError:
            continue
        if CANARY not in repr(seen):
            silent.append(path)
    assert whole
    assert not silent, "text can pass there without being seen"


@pytest.mark.parametrize("adapter", entries("protocols"))
def test_a_frame_without_end_is_refused(adapter: Adapter) -> None:
    reader = adapter.reader()
    endless = (piece for _ in range(64) for piece in (b"data: ", b"x" * 1_000_000))
    with pytest.raises(ProtocolError):
        deque(map(reader.feed, endless), maxlen=0)


@pytest.mark.parametrize("adapter", entries("protocols"))
def test_an_error_is_told_in_the_protocols_own_shape(adapter: Adapter) -> None:
    message = 'a "quoted" sentence,\nin two lines'
    assert message in repr(json.loads(adapter.error(403, "denied", message))).replace("\\n", "\n")
    frames = frames_of(adapter, [adapter.stream_error("denied", message)])
    assert [frame.error for frame in frames] == [True]


# Sources


@pytest.mark.parametrize(("source", "case"), cases("sources"))
def test_a_source_reads_its_examples_purely(source: FileSource, case: Any) -> None:
    path, data = case.given
    observations, not_scanned = source.read(path, data)
    with pure():
        again = source.read(path, data)
    assert sorted((o.kind.value, o.name, o.site.line) for o in observations) == sorted(case.expect)
    assert again == (observations, not_scanned)
    assert source.wants(path)
    if observations and source.marks:
        assert any(mark in data for mark in source.marks), "a scan would pass over this file"


@pytest.mark.parametrize(("source", "case"), cases("sources"))
def test_a_sighting_carries_its_evidence(source: FileSource, case: Any) -> None:
    path, data = case.given
    lines = data.count(b"\n") + 1
    for observation in source.read(path, data)[0]:
        assert observation.source == source.meta.id
        assert observation.site.path == path
        assert 1 <= observation.site.line <= lines
        assert observation.kind in AssetKind
        assert observation.name


@pytest.mark.parametrize("source", entries("sources"))
@given(junk=st.binary(max_size=300), seed=st.integers(0, 2**32))
@example(junk=b"\xff\xfe\x00", seed=0)
@example(junk=b"(" * 20_000, seed=0)
@example(junk=b"[" * 20_000, seed=0)
def test_a_damaged_file_is_reported_and_stops_nothing(source: FileSource, junk: bytes, seed: int) -> None:
    choose = random.Random(seed)
    path, data = choose.choice(source.examples).given
    broken = bytearray(data)
    for _ in range(choose.randrange(1, 4)):
        at = choose.randrange(len(broken))
        broken[at : at + choose.randrange(4)] = choose.randbytes(choose.randrange(3))
    for content in (junk, bytes(broken)):
        observations, not_scanned = source.read(path, content)
        assert all(o.site.path == path and o.site.line >= 1 for o in observations)
        assert all(n.path == path and n.reason for n in not_scanned)
