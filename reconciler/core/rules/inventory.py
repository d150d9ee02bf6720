"""The inventory's parent: a ConfigMap that is the parent object of an ApplySet. Source: KEP-3659."""

import base64
import hashlib
from collections.abc import Iterable, Mapping
from typing import Final

from reconciler.core.model.objects import JsonObject, Key
from reconciler.core.model.observed import Inventory
from reconciler.core.model.plan import Ownership
from reconciler.core.rules import vocabulary

_SEPARATOR: Final = ","


def applyset_id(name: str, namespace: str, kind: str, group: str) -> str:
    """Return the id of the set that has this parent, by the hash that KEP-3659 lays down; the core group is empty."""
    digest = hashlib.sha256(f"{name}.{namespace}.{kind}.{group}".encode()).digest()
    return f"applyset-{base64.urlsafe_b64encode(digest).decode().rstrip('=')}-v1"


def hints(ownership: Ownership, keys: Iterable[Key]) -> Inventory:
    """Return the inventory of these members: which kinds in which namespaces one has to look through."""
    members = tuple(keys)
    kinds = {f"{key.kind}.{key.group}" if key.group else key.kind for key in members}
    namespaces = {key.namespace for key in members if key.namespace}
    return Inventory(
        applyset=ownership.applyset,
        tooling=vocabulary.TOOLING,
        repository=ownership.repository,
        path=ownership.path,
        group_kinds=tuple(sorted(kinds)),
        namespaces=tuple(sorted(namespaces - {ownership.namespace})),
    )


def parent(wanted: Inventory, ownership: Ownership) -> JsonObject:
    """Return the parent object that says what the inventory holds."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": ownership.name,
            "namespace": ownership.namespace,
            "labels": {
                "app.kubernetes.io/managed-by": vocabulary.MANAGER,
                vocabulary.APPLYSET_ID: wanted.applyset,
            },
            "annotations": {
                vocabulary.APPLYSET_GROUP_KINDS: _SEPARATOR.join(wanted.group_kinds),
                vocabulary.APPLYSET_NAMESPACES: _SEPARATOR.join(wanted.namespaces),
                vocabulary.APPLYSET_TOOLING: wanted.tooling,
                vocabulary.PATH: wanted.path,
                vocabulary.REPOSITORY: wanted.repository,
            },
        },
    }


def read(found: JsonObject) -> Inventory:
    """Return what a parent object says; a name that it does not give is empty."""
    metadata = found["metadata"]
    labels: Mapping[str, str] = metadata.get("labels") or {}
    annotations: Mapping[str, str] = metadata.get("annotations") or {}
    return Inventory(
        applyset=labels.get(vocabulary.APPLYSET_ID, ""),
        tooling=annotations.get(vocabulary.APPLYSET_TOOLING, ""),
        repository=annotations.get(vocabulary.REPOSITORY, ""),
        path=annotations.get(vocabulary.PATH, ""),
        group_kinds=_split(annotations.get(vocabulary.APPLYSET_GROUP_KINDS, "")),
        namespaces=_split(annotations.get(vocabulary.APPLYSET_NAMESPACES, "")),
    )


def _split(text: str) -> tuple[str, ...]:
    return tuple(part for part in text.split(_SEPARATOR) if part)
