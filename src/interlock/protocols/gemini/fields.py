"""Names of fields, in both their spellings, and the values that say nothing by themselves.

Google's servers read protobuf's JSON: a field is written `inlineData` or `inline_data`, and the SDKs mix both. Keys
of free objects (a call's `args`, a result's `response`, a JSON schema) are not fields and stay as they are.
"""

import json
import re
from typing import Any, NamedTuple

from interlock.model.errors import ProtocolError
from interlock.model.event import Channel, Opaque, Path, Text
from interlock.protocols._json import encode, is_empty, object_, opaque, where

# What of a part is its content; a part has one of them.
DATA = frozenset(
    {
        "text", "inlineData", "fileData", "functionCall", "functionResponse", "executableCode", "codeExecutionResult",
        "toolCall", "toolResponse",
    }
)  # fmt: skip
# How the server shall look at a part's media, and what a client notes at it.
SETTINGS = frozenset(
    {
        "mediaResolution", "videoMetadata", "mediaProcessing", "speechMetadata", "documentMetadata",
        "spreadsheetMetadata", "audioMetadata",
    }
)  # fmt: skip
# Text in a structure of its own: what a client notes at a part, and what was heard in a recording.
NOTES = frozenset({"partMetadata", "audioTranscription"})
# Settings of a request whose strings are no part of the conversation.
PARAMETERS = frozenset({"safetySettings", "toolConfig", "labels", "serviceTier", "modelArmorConfig", "store"})
# Those of `generationConfig`. Not among them: what names another model, or writes the answer to a bucket.
GENERATION = frozenset(
    {
        "temperature", "topP", "topK", "candidateCount", "maxOutputTokens", "stopSequences", "responseLogprobs",
        "logprobs", "presencePenalty", "frequencyPenalty", "seed", "responseMimeType", "responseSchema",
        "responseJsonSchema", "responseModalities", "mediaResolution", "speechConfig",
        "audioTimestamp", "thinkingConfig", "imageConfig", "enableEnhancedCivicAnswers", "enableAffectiveDialog",
        "audioTranscriptionConfig", "responseFormat", "translationConfig",
    }
)  # fmt: skip
FINISHES = frozenset(
    {
        "FINISH_REASON_UNSPECIFIED", "STOP", "MAX_TOKENS", "SAFETY", "RECITATION", "LANGUAGE", "OTHER", "BLOCKLIST",
        "PROHIBITED_CONTENT", "SPII", "MALFORMED_FUNCTION_CALL", "IMAGE_SAFETY", "IMAGE_PROHIBITED_CONTENT",
        "IMAGE_OTHER", "NO_IMAGE", "IMAGE_RECITATION", "UNEXPECTED_TOOL_CALL", "TOO_MANY_TOOL_CALLS",
        "MISSING_THOUGHT_SIGNATURE", "MALFORMED_RESPONSE", "ESCALATION", "PUP_LIMITED_DISABLED", "CONTINUATION",
        "MODEL_ARMOR",
    }
)  # fmt: skip
# What a candidate brings beside its content: sources, with their titles, addresses and quotes.
SOURCES = frozenset({"citationMetadata", "groundingMetadata", "urlContextMetadata"})
# What is made of `logprobsResult`: the tokens of the text itself, and all of it.
TOKENS = ("chosenCandidates", "logprobsResult")
# Names and times that a server gives to an answer.
IDS = frozenset({"modelVersion", "responseId", "createTime"})
# The words of an error.
ERROR = ("code", "message", "status")

_SNAKE = re.compile(r"[a-z][a-z0-9]*(?:_[a-z0-9]+)+")
_ENUM = re.compile(r"[A-Z][A-Z_]{0,63}")
LONGEST_FIELD = 48
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]*={0,2}")
_ESCAPE = re.compile(r"\\.")
_READABLE = {"\\n": "\n", "\\r": "\r", "\\t": "\t"}


class Field(NamedTuple):
    """A field's value, and where it stands, as it is spelled there."""

    path: Path
    value: Any

    @property
    def key(self) -> str:
        """Its name as it is spelled there."""
        return str(self.path[-1])


def fields(value: object, path: Path) -> dict[str, Field]:
    """The fields of a message by their names in camel case; those that are null are not set, as in protobuf.

    Raises: ProtocolError if it is no object, or says a field in both spellings: servers differ in which they take.
    """
    message = object_(value, path)
    found: dict[str, Field] = {}
    for key, inner in message.items():
        name = _camel(key)
        if name in found or (name != key and name in message):
            raise ProtocolError(
                "one field is there in both spellings", where=where((*path, key)), hint="send it once, in camel case"
            )
        found[name] = Field((*path, key), inner)
    return {name: field for name, field in found.items() if field.value is not None}


def inside(field: Field | None) -> dict[str, Field]:
    """The fields of the message that a field holds; none if it is not set."""
    return fields(field.value, field.path) if field else {}


def _camel(key: str) -> str:
    if "_" not in key or not _SNAKE.fullmatch(key):
        return key
    first, *later = key.split("_")
    return first + "".join(word[0].upper() + word[1:] for word in later)


def unknown(found: dict[str, Field], known: frozenset[str]) -> list[Opaque]:
    """The fields that are not `known` and not empty, as opaque events."""
    return [opaque(*field) for name, field in found.items() if name not in known and not is_empty(field.value)]


def several(field: Field | None) -> list[tuple[Path, Any]]:
    """The items of a repeated field, with their places. Google's servers take a single object for a list of one."""
    if field is None:
        return []
    if isinstance(field.value, dict):
        return [field]
    if not isinstance(field.value, list):
        raise ProtocolError("expected a list", where=where(field.path), hint="see the API reference")
    return [((*field.path, index), item) for index, item in enumerate(field.value)]


def is_plain(value: object) -> bool:
    """Whether it holds nothing but numbers, switches and the names of enums: no text.

    >>> is_plain([{"category": "HARM_CATEGORY_HATE_SPEECH", "blocked": True}]), is_plain({"category": "free text"})
    (True, False)
    """
    if isinstance(value, str):
        return _ENUM.fullmatch(value) is not None
    if isinstance(value, dict):
        return all(_is_field(key) and (type(inner) is int or is_plain(inner)) for key, inner in value.items())
    if isinstance(value, list):
        return set(map(type, value)) <= {int, float} or all(map(is_plain, value))
    return True


def _is_field(key: str) -> bool:
    return key.isidentifier() and key.isascii() and len(key) <= LONGEST_FIELD


def is_number(value: object) -> bool:
    """Whether it is a number; protobuf writes large ones as text."""
    return isinstance(value, int | float) or (isinstance(value, str) and value.isascii() and value.isdigit())


def check_base64(field: Field) -> None:
    """Raises: ProtocolError if it is anything else than base64, in either of its alphabets."""
    if not isinstance(field.value, str) or not _BASE64.fullmatch(field.value):
        raise ProtocolError("expected base64", where=where(field.path), hint="send it back as it came")


def structure(field: Field, channel: Channel, tool: str = "", call_id: str = "") -> list[Text]:
    """All that a structure says, as one text: itself if it is one, else its JSON; see `readable`."""
    if isinstance(field.value, bool | int | float) or is_empty(field.value):
        return []
    text = field.value if isinstance(field.value, str) else readable(field.value)
    return [Text(field.path, channel, text, tool, call_id)]


def readable(value: object) -> str:
    r"""JSON in which line ends and tabs stand as themselves, so that a text in it reads as it is shown.

    >>> print(readable({"said": "one\ntwo"}))
    {"said":"one
    two"}
    """
    return _ESCAPE.sub(lambda found: _READABLE.get(found[0], found[0]), encode(value).decode())


def parsed(text: str, otherwise: object) -> object:
    """The structure that `readable` gave as text, after an edit; `otherwise` if it is no structure any more."""
    try:
        value = json.loads(text, strict=False)
        encode(value)  # an edit can leave half of a surrogate pair
    except (ValueError, RecursionError):
        return otherwise
    return value if isinstance(value, dict | list) else otherwise
