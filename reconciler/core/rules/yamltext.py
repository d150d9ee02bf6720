"""YAML as this project writes it, everywhere: sorted keys, block style, no anchors, long texts as literal blocks."""

import functools
import json
from collections.abc import Iterable, Mapping
from typing import Any, Final

import yaml

from reconciler.core.model.objects import JsonObject

_Base: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


class _Dumper(_Base):  # type: ignore[misc]  # the C dumper has no types
    def ignore_aliases(self, _data: Any) -> bool:
        return True


def _text(dumper: Any, text: str) -> Any:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _text)

_WIDTH: Final = 10_000
"""Folded lines make noisy diffs."""


def dump(documents: Iterable[Any], *, sort_keys: bool = True) -> str:
    """Return the documents as one stream, each but the first behind `---`; a file of one has none."""
    text: str = yaml.dump_all(
        (plain(document) for document in documents),
        Dumper=_Dumper,
        sort_keys=sort_keys,
        allow_unicode=True,
        width=_WIDTH,
    )
    return text


def dump_object(manifest: JsonObject) -> str:
    """Return one manifest. An equal one that was written before is remembered: a tick writes each to several places."""
    return _remembered(json.dumps(plain(manifest), sort_keys=True))


@functools.lru_cache(8192)  # a few kilobytes each: those of some thousand services
def _remembered(text: str) -> str:
    return dump([json.loads(text)])


def plain(value: Any) -> Any:
    """Return the value in the dicts, lists and exact scalar types that YAML knows; half a surrogate becomes `?`."""
    if isinstance(value, Mapping):
        return {str(name): plain(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, str):
        return str(value) if value.isascii() else value.encode(errors="replace").decode()
    return value
