"""What all tasks together have seen is counted once, whoever looks at a memory at the same time, and however long."""

from interlock.guard.mcp import Memories
from interlock.model.event import Channel, Text
from interlock.model.record import Origin
from tests.guard.mcp.play import a_task


def grow(memories: Memories, task: object, *, times: int = 1) -> None:
    memory = memories.of(task, 1)  # type: ignore[arg-type]
    memory.add(Text((), Channel.TOOL_RESULT, "word " * 100), Origin.UNTRUSTED)
    for _ in range(times):
        memories.grown(memory, 1)


def test_exchanges_of_one_task_at_once_count_what_it_has_seen_once() -> None:
    once, often = Memories(0), Memories(0)
    grow(once, a_task())
    grow(often, a_task(), times=5)
    assert often._size_bytes == once._size_bytes == once.of(a_task(), 1).size_bytes


def test_exchanges_without_a_task_count_for_nothing() -> None:
    memories = Memories(0)
    for _ in range(50):
        grow(memories, None)
    assert memories._size_bytes == 0


def test_a_memory_that_was_forgotten_counts_no_more() -> None:
    memories = Memories(0)
    memory = memories.of(a_task(), 1)
    memories._forget([memory], 2)
    memory.add(Text((), Channel.TOOL_RESULT, "late"), Origin.UNTRUSTED)
    memories.grown(memory, 3)
    assert memories._size_bytes == 0
