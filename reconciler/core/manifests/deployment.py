"""The Deployment: how replicas come and go."""

from typing import Final

from reconciler.core.manifests import metadata, pod, storage
from reconciler.core.model.objects import JsonObject
from reconciler.core.model.spec import Fleet, Service

BLIND_DEADLINE_SECONDS: Final = 7200
"""Without a lock the size of the download is not known; Kubernetes' 600 s report Failed in the middle of it."""

_SLOW_BYTES_PER_SECOND: Final = 20_000_000
_START_SECONDS: Final = 900


def deployment(wanted: Service, fleet: Fleet) -> JsonObject:
    """Return the Deployment of a service. `replicas` is left out where an autoscaler owns the number."""
    spec: dict[str, object] = {
        "progressDeadlineSeconds": deadline_seconds(wanted),
        "selector": {"matchLabels": metadata.selector(wanted)},
        "strategy": strategy(wanted),
        "template": pod.template(wanted, fleet),
    }
    replicas = _replicas(wanted)
    if replicas is not None:
        spec["replicas"] = replicas
    if wanted.revision_history_limit is not None:
        spec["revisionHistoryLimit"] = wanted.revision_history_limit
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": metadata.metadata(wanted, metadata.name(wanted)),
        "spec": spec,
    }


def strategy(wanted: Service) -> JsonObject:
    """Return the whole strategy: one half owned makes a later Recreate an error of the API server.

    A new pod cannot start while the old one holds its GPU or its claim, so a single one is recreated and several are
    exchanged in place; without either, the new pod comes first.
    """
    most = wanted.autoscaling.maximum if wanted.autoscaling else wanted.replicas
    exclusive = wanted.gpu is not None or (wanted.cache.persistent and wanted.cache.access_mode != "ReadWriteMany")
    if exclusive and most <= 1:
        return {"type": "Recreate"}
    rolling = {"maxSurge": 0, "maxUnavailable": 1} if exclusive else {"maxSurge": 1, "maxUnavailable": 0}
    return {"type": "RollingUpdate", "rollingUpdate": rolling}


def deadline_seconds(wanted: Service) -> int:
    """Return how long a rollout may take, from the files' sizes where all are known; loading is counted too."""
    sizes = [file.size for model in storage.downloads(wanted) for file in storage.files(model)]
    if not all(sizes):
        return BLIND_DEADLINE_SECONDS
    return _START_SECONDS + sum(sizes) // _SLOW_BYTES_PER_SECOND + pod.startup_seconds(wanted)


def _replicas(wanted: Service) -> int | None:
    if wanted.suspend:
        return 0
    return None if wanted.autoscaling else wanted.replicas
