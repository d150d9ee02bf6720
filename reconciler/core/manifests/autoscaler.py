"""The HorizontalPodAutoscaler: it owns the number of replicas from then on."""

from typing import Final

from reconciler.core.manifests import metadata
from reconciler.core.model.objects import JsonObject
from reconciler.core.model.spec import Fleet, Service

_DEFAULT_METRIC: Final = {
    "type": "Pods",
    "pods": {
        "metric": {"name": "llamacpp:requests_processing"},
        "target": {"type": "AverageValue", "averageValue": "2"},
    },
}
"""LLMKube's default. llama.cpp exports no measure of its KV cache."""

_COOLDOWN_SECONDS: Final = 300
"""A pod that loads reports nothing; without patience the autoscaler takes that for idleness."""


def autoscaler(wanted: Service, _fleet: Fleet) -> JsonObject | None:
    """Return the autoscaler; None where replicas are fixed, and while the service is suspended."""
    if wanted.autoscaling is None or wanted.suspend:
        return None
    name = metadata.name(wanted)
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": metadata.metadata(wanted, name),
        "spec": {
            "behavior": {"scaleDown": {"stabilizationWindowSeconds": _COOLDOWN_SECONDS}},
            "maxReplicas": wanted.autoscaling.maximum,
            "metrics": list(wanted.autoscaling.metrics) or [_DEFAULT_METRIC],
            "minReplicas": wanted.autoscaling.minimum,
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": name},
        },
    }
