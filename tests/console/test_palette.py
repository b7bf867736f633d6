"""Whoever sees little can read every page: contrast of each pair of colours, names of controls, order of headings."""

import re
from importlib.resources import files
from itertools import pairwise

import pytest

from tests.console.fakes import hijacked, of, quiet
from tests.console.reader import read
from tests.console.scenes import outside, various

CSS = files("interlock.console").joinpath("static", "console.css").read_text("utf-8")
TOKENS = {name: (light, dark) for name, light, dark in re.findall(r"--([\w-]+): light-dark\((#\w{6}), (#\w{6})\)", CSS)}
THEMES = ("light", "dark")
GROUNDS = ("bg", "surface", "sunk", "hover")
# Text on each ground that it stands on, in any state; the soft grounds take the colour that they belong to.
TEXT = [
    *((ink, ground) for ink in ("ink", "ink-2", "ink-3", "accent") for ground in GROUNDS),
    *((ink, ground) for ink in ("good", "warn", "bad") for ground in ("surface", "hover", f"{ink}-soft")),
    *((ink, "bad-soft") for ink in ("ink", "ink-2", "ink-3", "accent", "o-untrusted")),
    *((f"o-{origin}", f"o-{origin}-soft") for origin in ("user", "system", "internal", "retrieved", "untrusted")),
    ("ink", "accent-soft"),
    ("ink", "warn-soft"),
    ("on-accent", "accent"),
]


def luminance(colour: str) -> float:
    """WCAG 2.2, "relative luminance"."""
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_the_formula_is_the_standards() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("theme", THEMES)
def test_every_text_stands_out_from_its_ground(theme: str) -> None:
    place = THEMES.index(theme)
    poor = {
        (ink, ground): round(ratio, 2)
        for ink, ground in TEXT
        if (ratio := contrast(TOKENS[ink][place], TOKENS[ground][place])) < 4.5
    }
    assert poor == {}


@pytest.mark.parametrize("theme", THEMES)
def test_controls_and_bars_stand_out(theme: str) -> None:
    place = THEMES.index(theme)
    pairs = [
        ("field", "surface"),
        ("accent", "sunk"),
        ("accent", "bg"),
        ("o-user", "surface"),
        ("o-internal", "surface"),
    ]
    assert all(contrast(TOKENS[one][place], TOKENS[other][place]) >= 3 for one, other in pairs)


@pytest.mark.parametrize(
    "target",
    ["/", "/sessions?view=all", "/sessions/va1105", "/sessions/7f3a91c2d4e5", "/outside", "/use", "/exceptions"],
)
def test_a_page_can_be_heard(target: str) -> None:
    page = read(of(hijacked(), various(), quiet("q"), outside()), target)
    levels = [int(tag[1]) for tag in page.tags if tag in ("h1", "h2", "h3")]
    assert levels[0] == 1
    assert all(later - earlier <= 1 for earlier, later in pairwise(levels))
    assert page.unnamed == []
    assert len(page.landmarks) == len(set(page.landmarks)), page.landmarks
