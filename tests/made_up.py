"""Credentials that look real and are not: made from a fixed seed, so that no scanner of this repository finds them."""

import random
import string

_ALPHABET = string.ascii_letters + string.digits
_RANDOM = random.Random(20261124)


def _letters(number: int) -> str:
    return "".join(_RANDOM.choices(_ALPHABET, k=number))


OPENAI_KEY = f"sk-proj-{_letters(74)}T3BlbkFJ{_letters(74)}"
ANTHROPIC_KEY = f"sk-ant-api03-{_letters(93)}AA"
