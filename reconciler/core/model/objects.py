"""Kubernetes objects as values: plain JSON, and the key that names one."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

JsonObject = Mapping[str, Any]
"""A decoded JSON object. The only place where `Any` is at home; treat as frozen, copy to change."""


class ServiceId(NamedTuple):
    """One InferenceService, by the namespace and name its spec gives it."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


@dataclass(frozen=True, slots=True, order=True)
class Key:
    """One Kubernetes object. The API version stays out: the same object is served under several.

    `namespace` is empty for a cluster-scoped object.
    """

    group: str
    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return "/".join(part for part in (self.kind, self.namespace, self.name) if part)


def key_of(manifest: JsonObject) -> Key:
    """Return the key of a manifest that has apiVersion, kind and metadata.name."""
    group, _, _ = str(manifest["apiVersion"]).rpartition("/")
    metadata = manifest["metadata"]
    return Key(group, manifest["kind"], metadata.get("namespace", ""), metadata["name"])
