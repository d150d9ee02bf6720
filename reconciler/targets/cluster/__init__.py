"""A Kubernetes cluster as a target."""

from reconciler.targets.cluster import api
from reconciler.targets.cluster.target import ClusterTarget


def connect(context: str) -> ClusterTarget:
    """Return the cluster of a kubeconfig's context ("" for its current one), or of the pod that we run in."""
    return ClusterTarget(api.connect(context))
