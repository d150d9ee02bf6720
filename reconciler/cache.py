"""Parsed files by their content: an unchanged blob is never parsed twice."""

from collections import OrderedDict
from collections.abc import Callable
from typing import Final, Generic, TypeVar

Value = TypeVar("Value")

LIMIT: Final = 20_000
"""Files kept: twice a very large repository, so that a change of branch does not empty it; about 5 KB each."""


class Cache(Generic[Value]):
    """Remember what was made of a blob at a path; forget what was not asked for the longest.

    The path belongs to the key since problems and origins name it. `version` is everything else that the value depends
    on (reader, schemas, options): with another version nothing is remembered.
    """

    def __init__(self, version: str, limit: int = LIMIT) -> None:
        self.version = version
        self._limit = limit
        self._values: OrderedDict[tuple[str, str, str], Value] = OrderedDict()

    def get(self, blob: str, path: str, make: Callable[[], Value]) -> Value:
        """Return what is remembered of the blob at this path, else make and remember it."""
        key = (self.version, blob, path)
        if key in self._values:
            self._values.move_to_end(key)
            return self._values[key]
        value = make()
        self._values[key] = value
        if len(self._values) > self._limit:
            self._values.popitem(last=False)
        return value

    def holds(self, blob: str, path: str) -> bool:
        """Tell whether the blob need not be read."""
        return (self.version, blob, path) in self._values
