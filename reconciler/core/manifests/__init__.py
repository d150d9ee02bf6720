"""From one service to its Kubernetes objects. Pure: of spec, fleet and renderer version, never of live state."""

from typing import Final

from reconciler.core.manifests import autoscaler, cache, deployment, disruption, monitor, network, prefetch, service
from reconciler.core.model.objects import JsonObject
from reconciler.core.model.spec import Fleet, Service

RENDERER_VERSION: Final = 1
"""Raised when the same spec gives other objects; part of every cache key."""

_BUILDERS: Final = (
    cache.claim,
    service.service,
    network.policy,
    disruption.budget,
    prefetch.job,
    deployment.deployment,
    autoscaler.autoscaler,
    monitor.pod_monitor,
)


def build(wanted: Service, fleet: Fleet) -> tuple[JsonObject, ...]:
    """Return the objects of one service in apply order: what a pod waits for comes before it."""
    objects = (builder(wanted, fleet) for builder in _BUILDERS)
    return tuple(found for found in objects if found is not None)
