"""What model servers other than OpenAI's put into requests and answers: what of it is text, and what says nothing.

Source: Azure OpenAI's REST reference (content filtering), and the request and answer types of vLLM, SGLang,
llama.cpp's server, OpenRouter, DeepSeek, Mistral and Gemini's OpenAI endpoint. Not among the settings, so opaque: what
names another model or another host, what lets the server search or read elsewhere, and what lets it answer in tokens.
"""

from collections.abc import Iterator, Mapping

from interlock.model.event import Event, Opaque, Path
from interlock.protocols import Document
from interlock.protocols._json import is_empty, list_, object_, opaque
from interlock.protocols._reading import Fits, Voice, holds, is_count, is_name, is_number, is_switch, is_token, others

# fmt: off
PARAMETERS = frozenset(
    {
        # Sampling, and when to stop.
        "top_k", "top_a", "min_p", "typical_p", "tfs_z", "repetition_penalty", "repeat_penalty", "repeat_last_n",
        "length_penalty", "mirostat", "mirostat_tau", "mirostat_eta", "dry_multiplier", "dry_base",
        "dry_allowed_length", "dry_penalty_last_n", "dry_sequence_breakers", "xtc_probability", "xtc_threshold",
        "min_tokens", "min_new_tokens", "n_predict", "random_seed", "use_beam_search", "early_stopping", "best_of",
        "ignore_eos", "stop_token_ids", "allowed_token_ids", "bad_words", "include_stop_str_in_output", "no_stop_trim",
        # The form of the answer.
        "guided_json", "guided_regex", "guided_choice", "guided_grammar", "guided_decoding_backend",
        "guided_whitespace_pattern", "structured_outputs", "regex", "ebnf", "grammar", "json_schema",
        "skip_special_tokens", "spaces_between_special_tokens",
        # How the prompt is made, and how much is thought.
        "chat_template_kwargs", "chat_template_content_format", "add_generation_prompt", "continue_final_message",
        "add_special_tokens", "mm_processor_kwargs", "truncate_prompt_tokens", "safe_prompt", "enable_thinking",
        "thinking_budget", "thinking", "reasoning", "include_reasoning", "reasoning_format", "separate_reasoning",
        "stream_reasoning",
        # The rest.
        "priority", "request_id", "cache_salt", "cache_prompt", "usage", "user_security_context", "cache_control",
    }
)
# fmt: on

# What an answer says of itself.
_SEVERITIES = frozenset({"safe", "very_low", "low", "medium", "high"})
_LIST = holds(filtered=is_switch, id=is_name)
_FILTER = holds(
    filtered=is_switch,
    detected=is_switch,
    severity=lambda value: isinstance(value, str) and value in _SEVERITIES,
    details=lambda value: isinstance(value, list) and all(map(_LIST, value)),
)
# Azure: what its filters found, of a prompt or of a choice.
FILTERED = holds(
    **dict.fromkeys(
        (
            "hate", "self_harm", "sexual", "violence", "profanity", "jailbreak", "indirect_attack", "task_adherence",
            "protected_material_text", "protected_material_code", "custom_blocklists", "ungrounded_material",
            "personally_identifiable_information",
        ),
        _FILTER,
    )
)  # fmt: skip
_PROMPT = holds(prompt_index=is_count, content_filter_results=FILTERED, content_filter_result=FILTERED)


def is_plain(value: object) -> bool:
    """Whether it holds nothing but names, numbers and switches."""
    if isinstance(value, dict):
        return all(is_name(key) and is_plain(inner) for key, inner in value.items())
    if isinstance(value, list):
        return all(map(is_plain, value))
    return is_name(value) or is_number(value) or isinstance(value, bool) or is_empty(value)


ENVELOPE: Mapping[str, Fits] = {
    "prompt_filter_results": lambda value: isinstance(value, list) and all(map(_PROMPT, value)),
    "moderation": is_plain,
    "timings": is_plain,
    "x_groq": is_plain,
}
CHOICE: Mapping[str, Fits] = {
    "content_filter_results": FILTERED,
    "content_filter_offsets": holds(check_offset=is_count, start_offset=is_count, end_offset=is_count),
    "native_finish_reason": is_name,
    # A number of vLLM and SGLang: the token that ended it.
    "stop_reason": is_number,
    "matched_stop": is_number,
}

# What stands at a message, a part of it, a tool or a call.
_CACHE = holds(type=lambda value: value == "ephemeral", ttl=lambda value: value in ("5m", "1h"))
PART: Mapping[str, Fits] = {
    "prompt_cache_breakpoint": holds(mode=lambda value: value == "explicit", ttl=lambda value: value in ("30m", "12h")),
    "cache_control": _CACHE,
    "index": is_count,
}
# Gemini's endpoint signs its calls and wants the signatures back.
CALL: Mapping[str, Fits] = {
    "index": is_count,
    "extra_content": holds(google=holds(thought_signature=is_token, thought=is_switch)),
}
# An assistant's message that the model is to go on with, as DeepSeek and Qwen name it.
MESSAGE: Mapping[str, Fits] = {"cache_control": _CACHE}
ASSISTANT: Mapping[str, Fits] = {
    **MESSAGE,
    "prefix": is_switch,
    "partial": is_switch,
    "extra_content": CALL["extra_content"],
}

_DETAIL: Mapping[str, Fits] = {
    "type": is_name,
    "id": is_name,
    "format": is_name,
    "index": is_count,
    "signature": is_token,
    "data": is_token,
}
_DETAILS = ("text", "summary")


def reasoning(value: object, path: Path, voice: Voice) -> Iterator[Event]:
    """Thoughts as OpenRouter gives them, and takes them back: in pieces, some of them encrypted."""
    for index, item in enumerate(list_(value, path)):
        at = (*path, index)
        detail = object_(item, at)
        for key in _DETAILS:
            if not is_empty(detail.get(key)):
                yield voice.says((*at, key), detail[key])
        yield from others(detail, at, {*_DETAILS}, _DETAIL)


def unknown(value: Document, path: Path, known: Mapping[str, Fits]) -> list[Opaque]:
    """What of an object is not of `known` form."""
    return [
        opaque((*path, key), inner)
        for key, inner in value.items()
        if not is_empty(inner) and not (key in known and known[key](inner))
    ]
