"""Kubernetes quantities: `500m`, `4Gi`, `1e3`. Source: apimachinery's resource.Quantity grammar."""

import re
from decimal import Decimal
from typing import Final

PATTERN: Final = r"^\+?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+|[numkMGTPE]|[KMGTPE]i)?$"

_GRAMMAR: Final = re.compile(r"([+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+))([eE][+-]?[0-9]+|[numkMGTPE]|[KMGTPE]i)?")
_DECIMAL: Final = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_BINARY: Final = {"Ki": 10, "Mi": 20, "Gi": 30, "Ti": 40, "Pi": 50, "Ei": 60}


def parse(text: str | float) -> Decimal | None:
    """Return the number a quantity stands for, in its base unit (bytes, cores, pieces); None when it is none."""
    match = _GRAMMAR.fullmatch(str(text))
    if match is None:
        return None
    number, suffix = Decimal(match[1]), match[2] or ""
    if suffix in _BINARY:
        return number * (1 << _BINARY[suffix])
    if suffix in _DECIMAL:
        return number.scaleb(_DECIMAL[suffix])
    exponent = int(suffix[1:])
    return number.scaleb(exponent) if abs(exponent) <= _MAX_EXPONENT else None


_MAX_EXPONENT: Final = 18
"""Larger is no size of anything, and a hostile exponent must not be computed."""


def whole_cores(cpu: str) -> int | None:
    """Return the threads a CPU request stands for, rounded down but at least 1; None when not said."""
    number = parse(cpu) if cpu else None
    return None if number is None else max(1, int(number))
