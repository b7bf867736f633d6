"""Which SDK symbol a dotted name is: exact names first, then other names of it, then naming rules."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any

import re2

from interlock import knowledge
from interlock.knowledge import Pattern, Symbol

# Steps of an attribute chain that change how a call is made, not which call it is.
MANNER = frozenset({"with_raw_response", "with_streaming_response", "aio", "raw"})
# Methods whose path alone is not distinctive: `messages.create` is Twilio's as well.
MIN_PATH = 2


@dataclass(frozen=True, slots=True)
class Sdk:
    """A symbol that was met: its kind, its arguments, and the name that people know it by."""

    kind: str
    form: str
    name: str
    package: str
    service: str | None
    args: Mapping[str, str]

    @property
    def last(self) -> str:
        """The last part of the name: `Agent` of `agents.Agent`."""
        return self.name.rpartition(".")[2]


@dataclass(frozen=True, slots=True)
class _Index:
    exact: Mapping[str, Symbol]
    by_tail: Mapping[tuple[str, str], Symbol | None]
    methods: Mapping[str, Symbol]
    aliases: Mapping[str, str]
    patterns: tuple[tuple[Any, Pattern], ...]
    any_pattern: Any


@cache
def _index() -> _Index:
    facts = knowledge.symbols()
    python = [symbol for symbol in facts.entries if symbol.lang == "python"]
    tails: dict[tuple[str, str], Symbol | None] = {}
    methods: dict[str, Symbol] = {}
    for symbol in python:
        owner, _, path = symbol.symbol.partition("#")
        key = _distribution(owner), owner.rpartition(".")[2] + (f"#{path}" if path else "")
        tails[key] = None if key in tails else symbol
        if symbol.kind in {"llm_call", "embedding"} and path.count(".") + 1 >= MIN_PATH:
            methods.setdefault(path, symbol)
    compiled = tuple((re2.compile(pattern.regex), pattern) for pattern in facts.patterns)
    either = re2.compile("|".join(f"(?:{pattern.regex})" for pattern in facts.patterns))
    return _Index({s.symbol: s for s in python}, tails, methods, facts.aliases, compiled, either)


def _distribution(dotted: str) -> str:
    """The part of a dotted name that one distribution owns: `google` and `azure` are many vendors' roof."""
    parts = dotted.split(".")
    return ".".join(parts[: {"google": 2, "azure": 3}.get(parts[0], 1)])


@lru_cache(maxsize=8192)
def find(dotted: str) -> Sdk | None:
    """The symbol that `dotted` is; `()` in it stands for what a call gives (`openai.OpenAI().chat`)."""
    owner, called, rest = dotted.partition("()")
    if called:
        path = [step for step in rest.rpartition("()")[2].split(".") if step and step not in MANNER]
        return _method(owner, ".".join(path)) if path else None
    return _plain(dotted) or _class_method(dotted)


def by_path(steps: list[str]) -> Sdk | None:
    """The call that an attribute chain on something unknown must be: `x.chat.completions.create`."""
    steps = [step for step in steps if step not in MANNER]
    for start in range(1, len(steps) - MIN_PATH + 1):
        path = ".".join(steps[start:])
        if symbol := _index().methods.get(path):
            return _sdk(symbol, path, known_service=False)
    return None


def _plain(dotted: str) -> Sdk | None:
    index = _index()
    symbol = index.exact.get(dotted) or index.by_tail.get((_distribution(dotted), dotted.rpartition(".")[2]))
    if symbol is None and dotted in index.aliases:
        target = _plain(index.aliases[dotted])
        return Sdk(target.kind, target.form, dotted, target.package, target.service, target.args) if target else None
    if symbol is not None:
        return _sdk(symbol, dotted)
    if index.any_pattern.fullmatch(dotted) is None:
        return None
    for expression, pattern in index.patterns:
        if expression.fullmatch(dotted):
            return Sdk(pattern.kind, pattern.form, dotted, pattern.package, pattern.service or None, pattern.args)
    return None


def _class_method(dotted: str) -> Sdk | None:
    """`Class.method` without an instance, and a module that is itself a client, as `openai` and `ollama` are."""
    steps = [step for step in dotted.split(".") if step not in MANNER]
    for cut in range(len(steps) - 1, 0, -1):
        owner, path = ".".join(steps[:cut]), ".".join(steps[cut:])
        if owner == "openai":
            owner = "openai.OpenAI"
        if found := _method(owner, path):
            return found
    return None


def _method(owner: str, path: str) -> Sdk | None:
    index = _index()
    seen: set[str] = set()
    cls: str | None = owner
    while cls and cls not in seen:
        seen.add(cls)
        tail = cls.rpartition(".")[2]
        for tried in (path, path.removeprefix("beta.")):
            symbol = index.exact.get(f"{cls}#{tried}") or index.by_tail.get((_distribution(cls), f"{tail}#{tried}"))
            if symbol is not None:
                return _sdk(symbol, _method_name(_distribution(cls), tail, tried))
        cls = index.aliases.get(cls)
    return None


def _method_name(distribution: str, tail: str, path: str) -> str:
    """`openai.chat.completions.create`; a path of one step says too little alone: `cohere.ClientV2.chat`."""
    return f"{distribution}.{path}" if "." in path or tail == distribution else f"{distribution}.{tail}.{path}"


def _sdk(symbol: Symbol, name: str, *, known_service: bool = True) -> Sdk:
    service = symbol.service if known_service else None
    return Sdk(symbol.kind, symbol.form, name, symbol.package, service, symbol.args)
