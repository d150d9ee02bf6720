"""Fields that Kubernetes does not let change. Known here so that a reviewer is told before the API server says no."""

from collections.abc import Iterable, Mapping
from typing import Final

_FIELDS: Final[Mapping[str, tuple[str, ...]]] = {
    "Deployment": ("spec.selector",),
    "Job": ("spec.selector", "spec.template", "spec.completionMode", "spec.podFailurePolicy"),
    "PersistentVolumeClaim": (
        "spec.accessModes",
        "spec.dataSource",
        "spec.selector",
        "spec.storageClassName",
        "spec.volumeMode",
        "spec.volumeName",
    ),
    "Service": ("spec.clusterIP", "spec.clusterIPs"),
}
"""Kind -> immutable fields. Source: the validation of each kind, pkg/apis/*/validation in Kubernetes."""


def touched(kind: str, paths: Iterable[str]) -> tuple[str, ...]:
    """Return those of the paths that lie in an immutable field of the kind."""
    fields = _FIELDS.get(kind, ())
    return tuple(
        path for path in paths if any(path == field or path.startswith((f"{field}.", f"{field}[")) for field in fields)
    )
