"""The YAML files of a report, and their names."""

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
    return yamltext.dump(documents, sort_keys=False).encode()


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
