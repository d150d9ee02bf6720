"""The one place of the report where YAML is written, and the names of its files."""

import hashlib
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

import yaml

from reconciler.core.model.objects import ServiceId

_UNSAFE: Final = re.compile(r"[^A-Za-z0-9._-]")

_LONGEST: Final = 200
"""File systems end a name at 255 bytes; the suffix and a mark of what was cut take their part."""


class _Dumper(getattr(yaml, "CSafeDumper", yaml.SafeDumper)):  # type: ignore[misc]  # yaml's stubs lack the C dumper
    """Writes a value out each time, since an anchor in a report helps nobody."""

    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002  # yaml names the parameter
        """Say that nothing is an alias."""
        return True


def dump(documents: Iterable[Mapping[str, Any]]) -> bytes:
    """Return YAML documents in UTF-8, keys in the order given, `---` before each but the first."""
    text: str = yaml.dump_all(
        (_plain(document) for document in documents), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=1000
    )
    return text.encode()


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


def _plain(value: Any) -> Any:
    """Return the value in the types that YAML's safe dumper knows; half a surrogate pair, which is no text, is `?`."""
    if isinstance(value, Mapping):
        return {str(name): _plain(below) for name, below in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, str):
        return str(value) if value.isascii() else value.encode(errors="replace").decode()
    return value
