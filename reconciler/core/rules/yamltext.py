"""YAML as this project writes it, everywhere: block style, no anchors, long texts as literal blocks.

The text is PyYAML's, byte for byte, in a fraction of its time: it works out every scalar of every object anew, while a
fleet's objects say the same words a thousand times over. Here the layout of mappings and lists is written out, and
PyYAML is asked for each scalar once. What does not fit that is left to it as a whole.
"""

import functools
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

import yaml

_Base: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


class _Dumper(_Base):  # type: ignore[misc]  # the C dumper has no types
    def ignore_aliases(self, _data: Any) -> bool:
        return True


def _text(dumper: Any, text: str) -> Any:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _text)

_WIDTH: Final = 10_000
"""Folded lines make noisy diffs."""

_UNFOLDED: Final = 1 << 30
_REMEMBERED: Final = 1 << 16
"""Scalars: a fleet of ten thousand services has about as many of its own, at some 200 bytes each."""

_BREAKS: Final = re.compile("[\r\x85\u2028\u2029]")
"""What YAML takes for a line's end beside the line feed."""
_LINE: Final = re.compile(r"\n(?=[^\n])")


class _UnusualError(Exception):
    """Better left to PyYAML: a key that it would write as `? key`, a text that ends in empty lines."""


def dump(documents: Iterable[Any], *, sort_keys: bool = True) -> str:
    """Return the documents as one stream, each but the first behind `---`; a file of one has none."""
    kept = tuple(documents)
    try:
        return "---\n".join(_document(document, sort_keys=sort_keys) for document in kept)
    except _UnusualError:
        return _by_pyyaml(map(plain, kept), sort_keys=sort_keys, width=_WIDTH)


def plain(value: Any) -> Any:
    """Return the value in the dicts, lists and exact scalar types that YAML knows."""
    if isinstance(value, Mapping):
        return {str(name): plain(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return str(value) if isinstance(value, str) else value


def _by_pyyaml(documents: Iterable[Any], *, sort_keys: bool, width: int) -> str:
    text: str = yaml.dump_all(documents, Dumper=_Dumper, sort_keys=sort_keys, allow_unicode=True, width=width)
    return text


def _document(document: Any, *, sort_keys: bool) -> str:
    if not document or not isinstance(document, (Mapping, list, tuple)):
        raise _UnusualError
    lines = list(_lines(document, "", sort_keys=sort_keys))
    if max(map(len, lines)) > _WIDTH:
        raise _UnusualError
    return "\n".join(lines) + "\n"


def _lines(value: Any, indent: str, *, sort_keys: bool) -> Iterator[str]:
    """Yield the lines of a mapping or a list that is not empty; a text of several lines is one of them."""
    if type(value) is dict or isinstance(value, Mapping):
        for name in sorted(value) if sort_keys else value:
            item, key = value[name], _key(name)
            if not _holds(item):
                yield f"{indent}{key}: {_scalar(item, indent)}"
                continue
            yield f"{indent}{key}:"
            # a list stands at the indent of its key
            deeper = indent if isinstance(item, (list, tuple)) else f"{indent}  "
            yield from _lines(item, deeper, sort_keys=sort_keys)
        return
    for item in value:
        if not _holds(item):
            yield f"{indent}- {_scalar(item, indent)}"
            continue
        inner = _lines(item, f"{indent}  ", sort_keys=sort_keys)
        yield f"{indent}- {next(inner)[len(indent) + 2 :]}"
        yield from inner


def _holds(value: Any) -> bool:
    """Tell whether it is a mapping or a list with something in it."""
    return type(value) is not str and isinstance(value, (dict, list, tuple, Mapping)) and bool(value)


def _scalar(value: Any, indent: str) -> str:
    if isinstance(value, str):
        text = _written(str(value), str)
        return _LINE.sub(f"\n{indent}", text) if "\n" in text else text
    if isinstance(value, Mapping):
        return "{}"
    if isinstance(value, (list, tuple)):
        return "[]"
    return _written(value, (type(value), str(value)))


@functools.lru_cache(_REMEMBERED)
def _written(value: Any, _kind: Any) -> str:
    """Return a scalar as it stands behind its key; `_kind` tells 1 from True and from 1.0, and 0.0 from -0.0."""
    if isinstance(value, str) and _BREAKS.search(value):
        raise _UnusualError
    text = _by_pyyaml([{"k": value}], sort_keys=False, width=_UNFOLDED)
    first, _, rest = text.partition("\n")
    if rest and ("+" in first[:6] or not rest.startswith("  ")):
        raise _UnusualError
    return text[3:-1]


@functools.lru_cache(_REMEMBERED)
def _key(name: Any) -> str:
    text = _by_pyyaml([{name: 1}], sort_keys=False, width=_UNFOLDED) if isinstance(name, str) else ""
    if not text.endswith(": 1\n") or text.count("\n") > 1:
        raise _UnusualError
    return text.removesuffix(": 1\n")
