"""The one place of the report where YAML is written, and the names of its files."""

import hashlib
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from reconciler.core.model.objects import ServiceId
from reconciler.core.rules import yamltext

_UNSAFE: Final = re.compile(r"[^A-Za-z0-9._-]")

_LONGEST: Final = 200
"""File systems end a name at 255 bytes; the suffix and a mark of what was cut take their part."""


def dump(documents: Iterable[Mapping[str, Any]]) -> bytes:
    """Return YAML documents in UTF-8, keys in the order given, `---` before each but the first."""
    kept = tuple(documents)
    try:
        return yamltext.dump(kept, sort_keys=False).encode()
    except UnicodeEncodeError:
        return yamltext.dump(map(_encodable, kept), sort_keys=False).encode()


def path_of(folder: str, service: ServiceId) -> str:
    """Return the report's file for a service, `folder/namespace/name.yaml`.

    Names come from specs and labels: whatever could leave the folder, or hide a file, is written as `%2f`.
    """
    return f"{folder}/{_segment(service.namespace)}/{_segment(service.name)}.yaml"


def _segment(name: str) -> str:
    safe = _UNSAFE.sub(lambda found: "".join(f"%{byte:02x}" for byte in found[0].encode(errors="replace")), name)
    if not safe or safe.startswith("."):
        safe = f"%2e{safe[1:]}" if safe else "%00"
    if len(safe) > _LONGEST:
        safe = f"{safe[:_LONGEST]}-{hashlib.sha256(name.encode(errors='replace')).hexdigest()[:8]}"
    return safe


def _encodable(value: Any) -> Any:
    """Return the value with `?` for each half of a surrogate pair, which is no text."""
    if isinstance(value, Mapping):
        return {_encodable(name): _encodable(below) for name, below in value.items()}
    if isinstance(value, list | tuple):
        return [_encodable(item) for item in value]
    return value.encode(errors="replace").decode() if isinstance(value, str) else value
