"""What a request is measured by, before it is sent: its size, what it may use at most, and which prompt it is."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from hashlib import blake2b
from math import ceil
from typing import NamedTuple

from interlock.model.event import Channel, Event, Media, Opaque, Text, ToolCall, ToolDefinition
from interlock.protocols import Request, encode

# OpenAI, "What are tokens": about four characters of English. Other scripts have more bytes, not more tokens.
BYTES_OF_A_TOKEN = 4
# Anthropic, "Vision": about 1,600 tokens for the largest image that is not scaled down; others count alike.
TOKENS_OF_AN_IMAGE = 1_600
# Taken for an answer of which the request does not say how long it may be. Most are shorter.
UNSAID_OUTPUT = 4_096
# How the protocols call the most tokens of an answer, and the number of answers; in the request or one of its parts.
_MOST_OUTPUT = frozenset({
    "max_tokens",  # OpenAI chat completions (old), Anthropic
    "max_completion_tokens",  # OpenAI chat completions
    "max_output_tokens",  # OpenAI responses, Gemini
    "maxOutputTokens",  # Gemini
    "maxTokens",  # Bedrock Converse
    "max_gen_len",  # Bedrock InvokeModel, Llama
    "maxTokenCount",  # Bedrock InvokeModel, Titan
    "num_predict",  # Ollama
})  # fmt: skip
_CHOICES = frozenset({"n", "candidateCount", "candidate_count"})
_PARTS = frozenset({"generationConfig", "generation_config", "inferenceConfig", "textGenerationConfig", "options"})
# No model writes that much; what is beyond is no number to reckon with.
_MOST = 1_000_000_000
MOST_CHOICES = 128
# What makes a prompt: not answers and tool results, with which an agent goes on with the same prompt.
_PROMPT = frozenset({Channel.SYSTEM, Channel.USER, Channel.RETRIEVED})
# Settings that name a request or who sent it: they may be others each time, and no model reads them.
_UNREAD = frozenset({
    "cache_salt", "metadata", "prompt_cache_key", "requestMetadata", "request_id", "safety_identifier", "service_tier",
    "serviceTier", "user", "user_security_context",
})  # fmt: skip
_CONVERSATIONS = frozenset({"messages", "contents", "input"})
NEEDS = frozenset({"tokens", "messages", "prompt"})


class Facts(NamedTuple):
    """Who asks which model, and how much for. Tokens are estimates: `tokens_out` is the most that may come back.

    `prompt` is a hash; it stays in memory. What no limit needs is 0 or empty.
    """

    workload: str
    owner: str
    model: str
    request_bytes: int = 0
    request_messages: int = 0
    request_tokens: int = 0
    tokens_out: int = 0
    prompt: bytes = b""

    def size(self, place: int) -> int:
        """How much of what `settings.SIZES` names at `place` the request has."""
        return (self.request_bytes, self.request_messages, self.request_tokens)[place]


def measure(request: Request, workload: str, owner: str, needs: Collection[str] = NEEDS) -> Facts:
    """The facts of a request. `needs` says which of tokens, messages and prompt are worth the work."""
    return Facts(
        workload,
        owner,
        _visible(request.model),
        len(request.raw),
        _messages(request.events) if "messages" in needs else 0,
        _tokens(request) if "tokens" in needs else 0,
        _most_output(request) if "tokens" in needs else 0,
        prompt_of(request.events) if "prompt" in needs else b"",
    )


def estimate(size_bytes: int) -> int:
    """About how many tokens so many bytes of text are, rounded up.

    >>> estimate(0), estimate(1), estimate(4_096)
    (0, 1, 1024)
    """
    return -(-size_bytes // BYTES_OF_A_TOKEN)


def _visible(name: str) -> str:
    """A model's name without what nobody sees in it: servers may take `gpt-4o ` for `gpt-4o`.

    >>> _visible("gpt-4o\\u200b ")
    'gpt-4o'
    """
    return "".join(char for char in name if char.isprintable() and not char.isspace())


def prompt_of(events: Iterable[Event]) -> bytes:
    """A hash of what is asked: system and user texts, media, documents, settings that a model reads, and the tools.

    An answer that the model is to go on with, and a tool's result that no call came before, ask something as well.
    What it does NOT see: a question in a call, its result or an answer that stand before the last question.
    """
    events = tuple(events)
    last = max((n for n, event in enumerate(events) if _is_said(event) and not _is_answer(event)), default=-1)
    tools = {event.name for event in events if isinstance(event, ToolCall | ToolDefinition)}
    called: set[str] = set()
    settings: dict[str, None] = {}
    hashed = blake2b(digest_size=16)
    for number, event in enumerate(events):
        match event:
            case ToolCall():
                called.add(event.call_id)
            case Text(channel=Channel.PARAMETER):
                if _is_read(event) and event.text not in tools:
                    settings[event.text] = None
            case Text() | Media() if event.channel in _PROMPT:
                _add(hashed, *_said(event))
            case Text() if number > last or (event.channel is Channel.TOOL_RESULT and event.call_id not in called):
                _add(hashed, *_said(event))
            case ToolDefinition():
                _add(hashed, event.name, event.description, encode(event.schema).decode())
            case Opaque():
                _add(hashed, "", event.text)
    # Each once: a message of an agent that has a name does not make another prompt.
    _add(hashed, *settings)
    return hashed.digest()


def _said(event: Text | Media) -> tuple[str, str]:
    return (event.channel.value, event.text) if isinstance(event, Text) else (event.kind, event.data)


def _add(hashed: blake2b, *said: str) -> None:
    for part in said:
        data = part.encode("utf-8", "surrogatepass")
        hashed.update(b"%d " % len(data))
        hashed.update(data)


def _is_answer(event: Event) -> bool:
    return isinstance(event, Text) and event.channel is Channel.ASSISTANT


def _is_read(event: Text) -> bool:
    """Whether a model may read a setting: of those in messages, the names of who speaks."""
    root = event.path[0] if event.path else ""
    return event.path[-1:] == ("name",) if root in _CONVERSATIONS else root not in _UNREAD


def _messages(events: Iterable[Event]) -> int:
    """Texts, calls and media stand below `messages`, `contents` or `input` and their message's number."""
    return len({event.path[:2] for event in events if _is_said(event)})


def _is_said(event: Event) -> bool:
    return isinstance(event, ToolCall | Media) or (isinstance(event, Text) and event.channel is not Channel.PARAMETER)


def _tokens(request: Request) -> int:
    """All bytes of the body count as text, tools and escapes too, but those of images."""
    images = [event for event in request.events if isinstance(event, Media) and event.kind == "image"]
    inline = sum(len(image.data) for image in images if image.source == "inline")
    return estimate(max(0, len(request.raw) - inline)) + TOKENS_OF_AN_IMAGE * len(images)


def _most_output(request: Request) -> int:
    """By which of several numbers the model's server goes is not known: the largest counts."""
    if "embeddings" in request.asks:
        return 0
    said = choices = 0
    for name, value in _settings(request.document):
        if name in _MOST_OUTPUT:
            said = max(said, _number(value))
        elif name in _CHOICES:
            choices = max(choices, _number(value))
    return (said or UNSAID_OUTPUT) * min(choices or 1, MOST_CHOICES)


def _settings(document: Mapping[str, object]) -> Iterator[tuple[str, object]]:
    for name, value in document.items():
        if name in _PARTS and isinstance(value, dict):
            yield from value.items()
        else:
            yield name, value


def _number(value: object) -> int:
    """What a number says, cut to what can be; 0 if it is none. Gemini takes numbers as text too (ProtoJSON)."""
    if isinstance(value, str) and value.isdecimal() and len(value) <= len(str(_MOST)):
        value = int(value)
    if isinstance(value, int | float) and not isinstance(value, bool) and value > 0:
        return ceil(min(value, _MOST))
    return 0
