"""JSON in the one spelling of RFC 8785 (JCS), so that equal documents have equal hashes."""

import json
import math
from typing import Any

# Whoever reads the document again may have less of the stack left. Definitions are nested ten deep.
DEEPEST = 128


def canonical(value: Any) -> bytes:
    """The canonical bytes of a JSON value.

    Raises: ValueError for what JSON or a double cannot hold, and for what is nested deeper than `DEEPEST`.

    >>> canonical({"b": [1.0, 1e21, 1e-7, "é"], "a": None})
    b'{"a":null,"b":[1,1e+21,1e-7,"\\xc3\\xa9"]}'
    """
    return _spelled(value, 0).encode()


def _spelled(value: Any, depth: int) -> str:
    if depth > DEEPEST:
        raise ValueError("nested too deeply")
    if value is None or isinstance(value, bool | str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, int | float):
        return _number(value)
    if isinstance(value, list | tuple):
        return f"[{','.join([_spelled(inner, depth + 1) for inner in value])}]"
    if isinstance(value, dict):
        # RFC 8785, section 3.2.3: by UTF-16 code units.
        keys = sorted(value, key=lambda key: key.encode("utf-16-be"))
        said = [f"{json.dumps(key, ensure_ascii=False)}:{_spelled(value[key], depth + 1)}" for key in keys]
        return f"{{{','.join(said)}}}"
    raise ValueError(f"no JSON: {type(value).__name__}")


def _number(value: float) -> str:
    """As ECMAScript writes a double (section 3.2.2.3): Python finds the same digits and places them otherwise."""
    if isinstance(value, int) and abs(value) <= 2**53:
        return str(value)
    double = float(value)
    if not math.isfinite(double):
        raise ValueError("a number that JSON cannot hold")
    if double == 0:
        return "0"
    mantissa, _, power = f"{double!r}".partition("e")
    sign = "-" if mantissa.startswith("-") else ""
    whole, _, fraction = mantissa.lstrip("-").partition(".")
    fraction = "" if fraction == "0" else fraction
    digits = (whole + fraction).lstrip("0")
    point = len(whole) + int(power or 0) - (len(whole + fraction) - len(digits))
    digits = digits.rstrip("0")
    if 0 < point <= 21:
        padded = digits.ljust(point, "0")
        return sign + (f"{padded[:point]}.{padded[point:]}" if len(digits) > point else padded)
    if -6 < point <= 0:
        return f"{sign}0.{'0' * -point}{digits}"
    rest = f".{digits[1:]}" if len(digits) > 1 else ""
    return f"{sign}{digits[0]}{rest}e{'+' if point > 0 else '-'}{abs(point - 1)}"
