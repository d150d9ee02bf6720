"""What a YAML scalar without quotes stands for."""

import functools
import re
from typing import Final

_WORDS: Final = {
    "": None,
    "~": None,
    "null": None,
    "Null": None,
    "NULL": None,
    "true": True,
    "True": True,
    "TRUE": True,
    "false": False,
    "False": False,
    "FALSE": False,
}
_NUMERIC: Final = frozenset("0123456789+-.")
_DECIMAL: Final = re.compile(r"[-+]?(?:0|[1-9][0-9_]*)")
_OCTAL: Final = re.compile(r"[-+]?0o?[0-7_]+")
_HEX: Final = re.compile(r"[-+]?0x[0-9a-fA-F_]+")
_FLOAT: Final = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_NO_JSON: Final = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
_LONGEST: Final = 400
"""A number with more digits is an attack: turning text into an integer takes quadratic time."""
_LARGEST: Final = 1 << 63


class NotANumberError(ValueError):
    """The scalar looks like a number and is none that JSON and Kubernetes can hold."""


@functools.lru_cache(maxsize=8192)  # specs repeat their words: a cache of 8,192 holds those of a large repository
def plain(text: str) -> str | int | float | bool | None:
    """Return what an unquoted scalar stands for; NotANumberError for a number that nothing can hold."""
    if text in _WORDS:
        return _WORDS[text]
    return _number(text) if text[0] in _NUMERIC else text


def _number(text: str) -> str | int | float:
    if len(text) > _LONGEST and _FLOAT.fullmatch(text):
        raise NotANumberError("this number is too long; quote it if it is text")
    digits = text.replace("_", "")
    for pattern, base in ((_DECIMAL, 10), (_OCTAL, 8), (_HEX, 16)):
        if pattern.fullmatch(text):
            return _bounded(int(digits.replace("o", ""), base))
    if _FLOAT.fullmatch(text):
        number = float(text)
        if not abs(number) < _LARGEST:
            raise NotANumberError(f"`{text}` is too large a number; quote it if it is text")
        return number
    if _NO_JSON.fullmatch(text):
        raise NotANumberError(f"`{text}` is no number that JSON knows; quote it if it is text")
    return text


def _bounded(number: int) -> int:
    if not -_LARGEST <= number < _LARGEST:
        raise NotANumberError("this number does not fit into 64 bits; quote it if it is text")
    return number


def tagged(tag: str, text: str) -> str | int | float | bool | None:
    """Return what a scalar with one of YAML's own tags stands for. KeyError for any other tag."""
    wanted = {"int": int, "float": (int, float), "bool": bool, "null": type(None)}[
        tag.removeprefix("tag:yaml.org,2002:")
    ]
    value = plain(text)
    if not isinstance(value, wanted):  # type: ignore[arg-type]  # a tuple of types is what isinstance takes
        raise NotANumberError(f"`{text}` is not what its tag says")
    return value
