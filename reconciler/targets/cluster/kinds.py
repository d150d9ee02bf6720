"""Where the API server keeps each kind that we render. Known here, so that no call has to discover it."""

from dataclasses import dataclass
from typing import Final

from reconciler.core.model.objects import Key
from reconciler.errors import TargetError


@dataclass(frozen=True, slots=True)
class Resource:
    """One kind as the API serves it. `optional` kinds come with an operator that a cluster need not have."""

    group: str
    version: str
    plural: str
    optional: bool = False

    @property
    def base(self) -> str:
        """The path of the group and version."""
        return f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"


_KINDS: Final = {
    "ConfigMap": Resource("", "v1", "configmaps"),
    "Deployment.apps": Resource("apps", "v1", "deployments"),
    "HorizontalPodAutoscaler.autoscaling": Resource("autoscaling", "v2", "horizontalpodautoscalers"),
    "Job.batch": Resource("batch", "v1", "jobs"),
    "NetworkPolicy.networking.k8s.io": Resource("networking.k8s.io", "v1", "networkpolicies"),
    "PersistentVolumeClaim": Resource("", "v1", "persistentvolumeclaims"),
    "PodDisruptionBudget.policy": Resource("policy", "v1", "poddisruptionbudgets"),
    "PodMonitor.monitoring.coreos.com": Resource("monitoring.coreos.com", "v1", "podmonitors", optional=True),
    "Service": Resource("", "v1", "services"),
}

ALWAYS: Final = tuple(
    sorted(name for name, resource in _KINDS.items() if not resource.optional and name != "ConfigMap")
)
"""Kinds that every cluster serves: looked through at each tick, whatever the inventory's hints say."""


def group_kind(key: Key) -> str:
    """Return `Kind.group`, `Kind` for the core group."""
    return f"{key.kind}.{key.group}" if key.group else key.kind


def resource(name: str) -> Resource | None:
    """Return where a `Kind.group` is served, None for a kind that we never rendered."""
    return _KINDS.get(name)


def collection(key: Key) -> str:
    """Return the path of the collection that holds an object."""
    found = _KINDS.get(group_kind(key))
    if found is None:
        raise TargetError(f"{key}: {group_kind(key)} is no kind of ours")
    return f"{found.base}/namespaces/{key.namespace}/{found.plural}"


def path(key: Key) -> str:
    """Return the path of one object."""
    return f"{collection(key)}/{key.name}"
