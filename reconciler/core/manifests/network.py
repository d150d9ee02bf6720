"""The NetworkPolicy: who may ask the model."""

from reconciler.core.manifests import metadata
from reconciler.core.model.objects import JsonObject
from reconciler.core.model.spec import Fleet, Service


def policy(wanted: Service, _fleet: Fleet) -> JsonObject | None:
    """Return the policy that lets the named peers in; None where none are named. Egress stays open for the download."""
    if not wanted.network_policy_from:
        return None
    port = {"port": wanted.endpoint.container_port, "protocol": "TCP"}
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": metadata.metadata(wanted, metadata.name(wanted)),
        "spec": {
            "ingress": [{"from": list(wanted.network_policy_from), "ports": [port]}],
            "podSelector": {"matchLabels": metadata.selector(wanted)},
            "policyTypes": ["Ingress"],
        },
    }
