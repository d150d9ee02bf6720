"""The PodMonitor: llama-server's own metrics for a Prometheus operator."""

from reconciler.core.manifests import metadata
from reconciler.core.model.objects import JsonObject
from reconciler.core.model.spec import Fleet, Service


def pod_monitor(wanted: Service, fleet: Fleet) -> JsonObject | None:
    """Return the PodMonitor; None where neither the service nor the fleet asks for one."""
    if not (wanted.pod_monitor or fleet.pod_monitor):
        return None
    return {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PodMonitor",
        "metadata": metadata.metadata(wanted, metadata.name(wanted)),
        "spec": {
            "podMetricsEndpoints": [{"path": "/metrics", "port": "http"}],
            "selector": {"matchLabels": metadata.selector(wanted)},
        },
    }
