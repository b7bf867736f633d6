"""What can be set about limits and prices, and the same checked: `limit` and `rate` refuse what makes no sense."""

from collections.abc import Mapping
from dataclasses import dataclass

from interlock.knowledge.prices import Rate, micro_usd, prices
from interlock.model.errors import ConfigError
from interlock.model.settings import setting

_SECOND_US = 1_000_000
WINDOWS = {"minute": 60 * _SECOND_US, "hour": 3_600 * _SECOND_US, "day": 86_400 * _SECOND_US}
APART = ("workload", "owner", "model", "all")
# Amounts that are summed up over the window; `budgets.py` charges a request in this order.
SUMS = ("requests", "tokens_in", "tokens_out", "tokens", "usd")
# What a single request may have at most, in the order in which `measure.Facts` gives it.
SIZES = ("request_bytes", "request_messages", "request_tokens")
# One micro-dollar.
PICO_USD = 1_000_000


@dataclass(frozen=True, slots=True)
class LimitSettings:
    """`[limits.<name>]`: how much may be used, by whom, of what. An amount that is not given is not limited.

    A request that several limits hold for needs room in each. `*` stands for any text; case does not count.
    """

    workload: str = setting("*", "Holds for these workloads: an id, or a pattern such as `billing-*`.")
    owner: str = setting("*", "Holds for the workloads of these owners: `owner` in [workloads.NAME], or a pattern.")
    model: str = setting("*", "Holds for these models, as the client names them: `gpt-5*`.")
    per: str = setting(
        "workload", "What is counted apart: each workload, owner or model; or `all` as one.", choices=APART
    )
    window: str = setting(
        "", "Over which time requests, prompts, tokens and usd are counted. It slides.", choices=tuple(WINDOWS)
    )
    requests: int | None = setting(None, "Requests in a window.", least=1)
    prompts: int | None = setting(None, "Different prompts in a window: against copying a model.", least=1)
    tokens: int | None = setting(None, "Tokens in a window, of requests and answers together.", least=1)
    tokens_in: int | None = setting(None, "Tokens of requests in a window.", least=1)
    tokens_out: int | None = setting(None, "Tokens of answers in a window.", least=1)
    usd: int | str | None = setting(None, 'US dollars in a window: 20, or "0.50" as text.')
    concurrent: int | None = setting(None, "Requests under way at once.", least=1)
    request_bytes: int | None = setting(None, "Bytes of one request's body.", least=1)
    request_messages: int | None = setting(None, "Messages of one request, against many-shot prompts.", least=1)
    request_tokens: int | None = setting(
        None, "Tokens of one request, against stuffed contexts; estimated, four bytes each.", least=1
    )


@dataclass(frozen=True, slots=True)
class PriceSettings:
    """`[prices.<model>]`: what a model costs, instead of the bundled price. The name may be a pattern."""

    usd_in: int | str | None = setting(None, 'US dollars for a million tokens of requests: 2, or "0.25" as text.')
    usd_out: int | str | None = setting(None, "US dollars for a million tokens of answers.")


@dataclass(frozen=True, slots=True)
class Limit:
    """A limit, checked. `sums` are (place in SUMS, amount), `sizes` (place in SIZES, amount); usd in picodollars."""

    name: str
    workload: str = "*"
    owner: str = "*"
    model: str = "*"
    per: str = "workload"
    window: str = ""
    sums: tuple[tuple[int, int], ...] = ()
    sizes: tuple[tuple[int, int], ...] = ()
    prompts: int | None = None
    concurrent: int | None = None

    def holds_for(self, workload: str, owner: str, model: str) -> bool:
        """Whether a request of this workload, of this owner, to this model is limited by it."""
        return matches(self.workload, workload) and matches(self.owner, owner) and matches(self.model, model)


@dataclass(frozen=True, slots=True)
class Rates:
    """What each model costs: what the operator says, an exact name before a pattern, else the bundled price."""

    own: Mapping[str, Rate]

    def of(self, model: str) -> Rate | None:
        """A model's rate; None if nobody has said one. Patterns that fit: the longest one counts."""
        name = model.lower()
        if name in self.own:
            return self.own[name]
        fitting = [pattern for pattern in self.own if "*" in pattern and matches(pattern, name)]
        if fitting:
            return self.own[max(fitting, key=lambda pattern: (len(pattern), pattern))]
        price = prices().get(name)
        return price.rate if price else None


def limits(tables: Mapping[str, LimitSettings]) -> tuple[Limit, ...]:
    """Every limit of a configuration. Raises: ConfigError, see `limit`."""
    return tuple(limit(name, table) for name, table in tables.items())


def rates(tables: Mapping[str, PriceSettings]) -> Rates:
    """The prices of a configuration, with the bundled ones behind. Raises: ConfigError, see `rate`."""
    return Rates({name.lower(): rate(name, table) for name, table in tables.items()})


def limit(name: str, table: LimitSettings) -> Limit:
    """The limit of one table. Raises: ConfigError that names the setting in its `where`."""
    if table.per not in APART:
        raise ConfigError(f"limit {name!r} cannot count per {table.per!r}", where="per", hint=", ".join(APART))
    sums = tuple(
        (place, amount) for place, what in enumerate(SUMS) if (amount := _amount(name, what, table)) is not None
    )
    sizes = tuple((place, size) for place, what in enumerate(SIZES) if (size := getattr(table, what)) is not None)
    over_time = bool(sums) or table.prompts is not None
    if over_time and table.window not in WINDOWS:
        hint = f"window = one of {', '.join(WINDOWS)}"
        raise ConfigError(f"limit {name!r} does not say over which time it counts", where="window", hint=hint)
    if not over_time and table.window:
        hint = "take out window, or give requests, prompts, tokens or usd"
        raise ConfigError(f"limit {name!r} has a window and counts nothing over it", where="window", hint=hint)
    if not (over_time or sizes or table.concurrent is not None):
        hint = f"give one of {', '.join((*SUMS, *SIZES, 'prompts', 'concurrent'))}"
        raise ConfigError(f"limit {name!r} limits nothing", where="", hint=hint)
    return Limit(
        name,
        table.workload,
        table.owner,
        table.model,
        table.per,
        table.window,
        sums,
        sizes,
        table.prompts,
        table.concurrent,
    )


def rate(name: str, table: PriceSettings) -> Rate:
    """The rate of one table. Raises: ConfigError that names the setting in its `where`."""
    return Rate(_dollars(name, "usd_in", table.usd_in), _dollars(name, "usd_out", table.usd_out))


def matches(pattern: str, text: str) -> bool:
    """Whether a pattern, where `*` stands for any text, is the whole of `text`, whatever its case. Linear.

    >>> matches("gpt-5*", "GPT-5-mini"), matches("*-eu-*", "acme-eu-1"), matches("gpt-5", "gpt-5-mini")
    (True, True, False)
    """
    first, *rest = pattern.lower().split("*")
    text = text.lower()
    if not rest:
        return text == first
    if not text.startswith(first):
        return False
    at = len(first)
    for part in rest[:-1]:
        found = text.find(part, at)
        if found < 0:
            return False
        at = found + len(part)
    return text.endswith(rest[-1]) and len(text) - len(rest[-1]) >= at


def _amount(name: str, what: str, table: LimitSettings) -> int | None:
    given: int | str | None = getattr(table, what)
    if what != "usd" or given is None:
        assert not isinstance(given, str)
        return given
    micro = micro_usd(given)
    if not micro:
        hint = 'whole dollars, or a text with at most six decimals: usd = "0.50"'
        raise ConfigError(f"limit {name!r} cannot be {given!r} dollars", where="usd", hint=hint)
    return micro * PICO_USD


def _dollars(name: str, what: str, given: int | str | None) -> int:
    micro = None if given is None else micro_usd(given)
    if micro is None:
        say = "is missing" if given is None else f"cannot be {given!r}"
        hint = f'US dollars for a million tokens: {what} = "0.25"; a model that costs nothing has 0'
        raise ConfigError(f"{what} of the price of {name!r} {say}", where=what, hint=hint)
    return micro
