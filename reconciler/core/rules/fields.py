"""Fields of objects by path: how two objects differ, and who owns what.

A path reads `spec.template.spec.containers[llama-server].args[--tensor-split]`. List items are named by what Kubernetes
merges them by; items of a list that is taken whole are named by their index.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from reconciler.core.model.change import FieldChange
from reconciler.core.model.objects import JsonObject

_MERGE_KEYS: Final[Mapping[str, tuple[tuple[str, ...], ...]]] = {
    "claims": (("name",),),
    "containers": (("name",),),
    "env": (("name",),),
    "imagePullSecrets": (("name",),),
    "initContainers": (("name",),),
    "ports": (("containerPort", "protocol"), ("port", "protocol")),
    "resourceClaims": (("name",),),
    "topologySpreadConstraints": (("topologyKey", "whenUnsatisfiable"),),
    "volumeMounts": (("mountPath",),),
    "volumes": (("name",),),
}
"""List field -> the keys its items are merged by. Source: x-kubernetes-list-map-keys in the API's schemas."""

_BOOKKEEPING: Final = frozenset(
    {
        "deployment.kubernetes.io/revision",
        "pv.kubernetes.io/bind-completed",
        "pv.kubernetes.io/bound-by-controller",
        "volume.beta.kubernetes.io/storage-provisioner",
        "volume.kubernetes.io/selected-node",
        "volume.kubernetes.io/storage-provisioner",
    }
)
"""Annotations that Kubernetes' own controllers keep for themselves, written moments after an object is made."""


def differences(old: Any, new: Any, path: str = "") -> Iterator[FieldChange]:
    """Yield each field in which `new` differs from `old`, in path order; arguments of a command one by one."""
    if old == new:
        return
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        yield from _differences_by_name(old, new, path + "." if path else "")
    elif isinstance(old, Sequence) and isinstance(new, Sequence) and not isinstance(old, str):
        before, after = _named(old, path), _named(new, path)
        yield from (_moved(old, new, path) if before == after else _differences_in_list(before, after, path))
    else:
        yield FieldChange(path, "change", old, new)


def comparable(manifest: JsonObject) -> JsonObject:
    """Return the object without what the server keeps for itself. Empty maps of metadata are no difference."""
    metadata = manifest["metadata"]
    told = {
        "annotations": {
            name: value for name, value in (metadata.get("annotations") or {}).items() if name not in _BOOKKEEPING
        },
        "labels": metadata.get("labels"),
    }
    kept = {name: value for name, value in told.items() if value}
    body = {name: value for name, value in manifest.items() if name not in {"apiVersion", "kind", "metadata", "status"}}
    return {"metadata": kept, **body}


def same(one: JsonObject, other: JsonObject) -> bool:
    """Tell whether two states of an object differ in nothing but status and bookkeeping."""
    return comparable(one) == comparable(other)


def leaves(value: Any, path: str = "") -> Iterator[str]:
    """Yield the path of everything that is no mapping or list with merge keys."""
    if isinstance(value, Mapping) and value:
        for name, item in value.items():
            yield from leaves(item, f"{path}.{name}" if path else name)
        return
    keys = _keys_of(value, path) if isinstance(value, list) else None
    if keys is None:
        yield path
        return
    for item in value:
        rest = {name: found for name, found in item.items() if name not in keys}
        yield from leaves(rest, f"{path}[{_label(item, keys)}]")


def by_merge_key(items: Sequence[Any], path: str) -> Mapping[str, Any] | None:
    """Return the items of a list by what Kubernetes merges them by, None for a list that is taken whole."""
    keys = _keys_of(items, path)
    return None if keys is None else {_label(item, keys): item for item in items}


def owned(entry: JsonObject) -> Iterator[str]:
    """Yield the paths that one entry of metadata.managedFields owns, deepest only."""
    yield from _owned(entry.get("fieldsV1") or {}, "")


def covers(one: str, other: str) -> bool:
    """Tell whether one path is the other, or holds it."""
    shorter, longer = sorted((one, other), key=len)
    return longer.startswith(shorter) and (len(shorter) == len(longer) or longer[len(shorter)] in ".[")


def _differences_by_name(old: Mapping[str, Any], new: Mapping[str, Any], prefix: str) -> Iterator[FieldChange]:
    for name in sorted({*old, *new}):
        path = prefix + name
        if name not in old:
            yield FieldChange(path, "add", None, new[name])
        elif name not in new:
            yield FieldChange(path, "remove", old[name], None)
        else:
            yield from differences(old[name], new[name], path)


def _differences_in_list(old: Mapping[str, Any], new: Mapping[str, Any], path: str) -> Iterator[FieldChange]:
    for name in [*old, *(name for name in new if name not in old)]:
        item = f"{path}[{name}]"
        if name not in old:
            yield FieldChange(item, "add", None, new[name])
        elif name not in new:
            yield FieldChange(item, "remove", old[name], None)
        else:
            yield from differences(old[name], new[name], item)


def _moved(old: Sequence[Any], new: Sequence[Any], path: str) -> Iterator[FieldChange]:
    yield FieldChange(path, "change", list(old), list(new))


def _named(items: Sequence[Any], path: str) -> dict[str, Any]:
    if path.endswith(".args"):
        return _arguments(items)
    found = by_merge_key(items, path)
    return {str(index): item for index, item in enumerate(items)} if found is None else dict(found)


def _arguments(items: Sequence[Any]) -> dict[str, Any]:
    """Return flag -> value ("" for a mere switch). A flag that stands twice has its second one named `--flag#2`."""
    found: dict[str, Any] = {}
    flag = ""
    for item in map(str, items):
        if item.startswith("-") and not _is_number(item):
            # llama-server reads no `--flag=value`, but people write it, and a path must not hold the value
            name, _, joined = item.partition("=") if item.startswith("--") else (item, "", "")
            flag, count = name, 2
            while flag in found:
                flag, count = f"{name}#{count}", count + 1
            found[flag] = joined
        else:
            found[flag] = f"{found.get(flag, '')} {item}".strip()
    return found


def _is_number(text: str) -> bool:
    return text.removeprefix("-").replace(".", "", 1).isdigit()


def _keys_of(items: Sequence[Any], path: str) -> tuple[str, ...] | None:
    """Return the merge keys that fit all items, None for a list that is taken whole."""
    for keys in _MERGE_KEYS.get(path.rpartition(".")[2], ()):
        labels = [_label(item, keys) for item in items if isinstance(item, Mapping) and set(keys) <= set(item)]
        if len(labels) == len(items) == len(set(labels)):
            return keys
    return None


def _label(item: Mapping[str, Any], keys: Iterable[str]) -> str:
    return "/".join(str(item[key]) for key in keys)


def _owned(fields: Mapping[str, Any], path: str) -> Iterator[str]:
    deeper = {name: value for name, value in fields.items() if name != "."}
    if not deeper and path:
        yield path
    for name, value in sorted(deeper.items()):
        kind, _, rest = name.partition(":")
        if kind == "f":
            yield from _owned(value, f"{path}.{rest}" if path else rest)
        elif kind == "k":
            item = json.loads(rest)
            label = _label(item, sorted(item))
            keys = {f"f:{key}" for key in item}
            inner = {name: found for name, found in value.items() if name not in keys}
            yield from _owned(inner, f"{path}[{label}]")
        else:
            yield path
