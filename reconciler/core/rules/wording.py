"""Fields of manifests as a person calls them: `--ctx-size`, `image`, `env HF_HOME`."""

import re
from collections.abc import Iterable
from typing import Final

_MAIN: Final = "spec.template.spec.containers[llama-server]"
_ITEM: Final = re.compile(r"(\w+)\[([^\]]*)\]$")
_LISTS: Final = frozenset({"env", "volumes", "volumeMounts", "initContainers", "ports", "tolerations", "containers"})
_MOST: Final = 8
"""Fields that one line names; of more it tells how many."""


def fields(kind: str, paths: Iterable[str]) -> tuple[str, ...]:
    """Return each field once, in its order; of an object other than the Deployment with its kind before it."""
    said = tuple(dict.fromkeys(_field(kind, path) for path in paths))
    if len(said) <= _MOST:
        return said
    return (*said[: _MOST - 1], f"{len(said) - _MOST + 1} fields more")


def _field(kind: str, path: str) -> str:
    if kind != "Deployment":
        return f"{kind} {path.removeprefix('spec.')}"
    if path.startswith(f"{_MAIN}.args["):
        return path.removeprefix(f"{_MAIN}.args[").rstrip("]")
    for prefix in (f"{_MAIN}.", "spec.template.spec.", "spec.template.metadata.", "spec.", "metadata."):
        if path.startswith(prefix):
            return _short(path.removeprefix(prefix), pod=prefix == "spec.template.metadata.")
    return path


def _short(path: str, *, pod: bool) -> str:
    item = _ITEM.fullmatch(path)
    if item and item[1] in _LISTS:
        return f"{item[1].removesuffix('s') if item[1] != 'env' else 'env'} {item[2]}"
    nested = re.match(r"env\[([^\]]*)\]", path)
    if nested:
        return f"env {nested[1]}"
    if path.startswith("resources.limits."):
        return path.removeprefix("resources.limits.")
    return f"pod {path}" if pod else path
