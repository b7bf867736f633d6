"""Names of fields, and which of them are understood because they hold nothing but an id, a state or a number."""

import re
from collections.abc import Callable, Iterator, Mapping, Set

from interlock.model.errors import ProtocolError
from interlock.model.event import Channel, Opaque, Path
from interlock.protocols import Document
from interlock.protocols._json import is_empty, opaque, where

ROLES = {
    "system": Channel.SYSTEM,
    "developer": Channel.SYSTEM,
    "user": Channel.USER,
    "assistant": Channel.ASSISTANT,
}
# The calls that the client runs, and which field holds their arguments; with each, the item that brings the result.
CALLS = {"function_call": "arguments", "custom_tool_call": "input"}
RESULTS = {"function_call_output": "function_call", "custom_tool_call_output": "custom_tool_call"}
# Calls of tools that the API itself defines and the client runs: nobody judges what is in them.
CLIENT_RUN = frozenset({"computer_call", "local_shell_call", "shell_call", "apply_patch_call"})
# Settings of a request whose strings are no part of the conversation; numbers and switches carry no text.
# fmt: off
PARAMETERS = frozenset(
    {
        "access_programs", "background_options", "frequency_penalty", "image", "include", "max_output_tokens",
        "max_tool_calls", "metadata", "moderation", "parallel_tool_calls", "presence_penalty", "prompt_cache_key",
        "prompt_cache_options", "prompt_cache_retention", "reasoning", "safety_identifier", "service_tier", "store",
        "stream_options", "temperature", "text", "tool_choice", "top_logprobs", "top_p", "truncation", "user",
    }
)
# What an answer says once more of its request, and what the server says of the answer as a whole.
ECHO = PARAMETERS | {
    "billing", "context_management", "conversation", "input_transformations", "instructions", "previous_response_id",
    "prompt", "prompt_cache_diagnostics", "tool_usage", "tools",
}
# Strings of such an echo that say nothing.
SETTINGS = frozenset(
    {
        "", "auto", "concise", "default", "detailed", "developer", "disabled", "effort", "enabled", "flex", "format",
        "generate_summary", "high", "image_gen", "low", "max", "medium", "minimal", "none", "payer", "priority",
        "required", "standard", "summary", "text", "type", "verbosity", "web_search", "xhigh",
    }
)
# fmt: on
# What stands in place of an echo that is taken out, where SDKs expect something.
BLANK: Mapping[str, object] = {"metadata": {}, "tools": [], "tool_choice": "auto"}
# What is made of `logprobs`: the tokens of the text itself, and the alternatives.
TOKENS = ("logprobs", "top_logprobs")
ERROR = ("message", "type", "param", "code")
# More items or parts than a model writes in one answer; an index is refused from here on.
MOST_PARTS = 4_096

_ID = re.compile(r"[!-~]{1,1024}")
_PADDING = re.compile(r"[A-Za-z0-9_-]{0,64}")


def is_id(value: object) -> bool:
    """Whether a value is an id: printable ASCII without spaces, of bounded length."""
    return isinstance(value, str) and _ID.fullmatch(value) is not None


def is_padding(value: object) -> bool:
    """Whether a value is the random padding that hides the length of a streamed piece."""
    return isinstance(value, str) and _PADDING.fullmatch(value) is not None


def _is_number(value: object) -> bool:
    return isinstance(value, int | float)


def _one_of(*words: str) -> Callable[[object], bool]:
    known = frozenset(words)
    return lambda value: isinstance(value, str) and value in known


_QUIET: Mapping[str, Callable[[object], bool]] = {
    "id": is_id,
    "item_id": is_id,
    "file_id": is_id,
    "container_id": is_id,
    "created_by": is_id,
    "status": _one_of("in_progress", "completed", "incomplete", "failed", "cancelled", "queued"),
    "phase": _one_of("commentary", "final_answer"),
    "detail": _one_of("auto", "low", "high", "original"),
    "object": _one_of("response"),
    "service_tier": is_id,
    "obfuscation": is_padding,
    "caller": lambda value: value == {"type": "direct"},
    "allowed_callers": lambda value: value == ["direct"],
} | dict.fromkeys(
    (
        "async", "background", "completed_at", "created_at", "defer_loading", "end_index", "index", "sequence_number",
        "start_index", "strict",
    ),
    _is_number,
)  # fmt: skip


def aside(value: Document, path: Path, known: Set[str]) -> Iterator[Opaque]:
    """What an object holds beside what is `known`, ids, states and numbers: nobody understands it."""
    for key, inner in value.items():
        if key in known or is_empty(inner):
            continue
        understood = _QUIET.get(key)
        if understood is None or not understood(inner):
            yield opaque((*path, key), inner)


def index_of(document: Document, name: str) -> int:
    """An index of an event. Raises: ProtocolError."""
    index = document.get(name)
    if not isinstance(index, int) or isinstance(index, bool) or not 0 <= index < MOST_PARTS:
        raise ProtocolError("expected an index from 0", where=where((name,)), hint="see the API reference", status=502)
    return index
