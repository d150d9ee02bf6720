"""A Kubernetes cluster as a target."""

from reconciler.targets.cluster import api
from reconciler.targets.cluster.target import ClusterTarget


def connect(context: str, *, read_only: bool = False) -> ClusterTarget:
    """Return the cluster of a kubeconfig's context ("" for its current one), or of the pod that we run in.

    With `read_only` it is only looked at, with get and list alone: not even a dry run is asked for.
    """
    return ClusterTarget(api.connect(context), read_only=read_only)
