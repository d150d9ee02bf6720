"""The PodMonitor: llama-server's own metrics for a Prometheus operator."""

from reconciler.core.manifests import metadata
from reconciler.core.model.objects import JsonObject
from reconciler.core.model.spec import Fleet, Service


def pod_monitor(wanted: Service, fleet: Fleet) -> JsonObject | None:
    """Return the PodMonitor; None where neither the service nor the fleet asks for one."""
    if not (wanted.pod_monitor or fleet.pod_monitor):
        return None
    endpoint: dict[str, object] = {"path": "/metrics", "port": "http"}
    key = _api_key(wanted)
    if key is not None:
        endpoint["authorization"] = {"credentials": {"key": key["key"], "name": key["name"]}}
    return {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PodMonitor",
        "metadata": metadata.metadata(wanted, metadata.name(wanted)),
        "spec": {
            "podMetricsEndpoints": [endpoint],
            "selector": {"matchLabels": metadata.selector(wanted)},
        },
    }


def _api_key(wanted: Service) -> JsonObject | None:
    """Return the Secret's key that holds the server's API key, without which /metrics answers 401; None without one."""
    for item in wanted.pod.env:
        if item["name"] == "LLAMA_API_KEY":
            found: JsonObject | None = (item.get("valueFrom") or {}).get("secretKeyRef")
            return found
    return None
