"""What models cost, as data: US dollars for a million tokens, exact, with the vendor's page and the day."""

import re
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import NamedTuple

import msgspec

_USD = re.compile(r"(\d{1,9})(?:\.(\d{1,6}))?")


class Rate(NamedTuple):
    """What tokens cost, in micro-dollars for a million: `micro_in` of a request, `micro_out` of an answer."""

    micro_in: int
    micro_out: int

    def cost(self, tokens_in: int, tokens_out: int) -> int:
        """What so many tokens cost, in picodollars (10^-12), which makes it exact.

        >>> Rate(250_000, 2_000_000).cost(1_000, 10)
        270000000
        """
        return self.micro_in * tokens_in + self.micro_out * tokens_out


class Price(msgspec.Struct, frozen=True):
    """The list price of some names of one model at its vendor: dollars as text, as the page `ref` writes them.

    It was known to hold on the day `as_of`. Standard service: no batch, cache or other discount, no surcharge.
    """

    models: tuple[str, ...]
    usd_in: str
    usd_out: str
    as_of: str
    ref: str

    @property
    def rate(self) -> Rate:
        """The same as numbers."""
        usd_in, usd_out = micro_usd(self.usd_in), micro_usd(self.usd_out)
        assert usd_in is not None
        assert usd_out is not None
        return Rate(usd_in, usd_out)


class _Prices(msgspec.Struct, frozen=True):
    prices: tuple[Price, ...]


@cache
def prices() -> Mapping[str, Price]:
    """Every bundled price by the model's name, as its vendor's API takes it."""
    data = files(__package__).joinpath("data/prices.json").read_bytes()
    listed = msgspec.json.decode(data, type=_Prices).prices
    return MappingProxyType({model: price for price in listed for model in price.models})


def micro_usd(amount: int | str) -> int | None:
    """Dollars in micro-dollars; None for what is not a plain amount below a billion with at most six decimals.

    >>> micro_usd("0.25"), micro_usd(50), micro_usd("1e3"), micro_usd("-1")
    (250000, 50000000, None, None)
    """
    match = _USD.fullmatch(str(amount))
    if match is None or not str(amount).isascii():
        return None
    return int(match[1]) * 1_000_000 + int((match[2] or "").ljust(6, "0"))
