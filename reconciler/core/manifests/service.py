"""The Service: one stable address for the pods of a model."""

from reconciler.core.manifests import metadata
from reconciler.core.model.objects import JsonObject
from reconciler.core.model.spec import Fleet, Service


def service(wanted: Service, _fleet: Fleet) -> JsonObject:
    """Return the Service. It listens on the endpoint's port and reaches the container by the port's name."""
    port: dict[str, object] = {
        "name": "http",
        "port": wanted.endpoint.port,
        "protocol": "TCP",
        "targetPort": "http",
    }
    if wanted.endpoint.node_port is not None:
        port["nodePort"] = wanted.endpoint.node_port
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata.metadata(wanted, metadata.name(wanted)),
        "spec": {"ports": [port], "selector": metadata.selector(wanted), "type": wanted.endpoint.type},
    }
