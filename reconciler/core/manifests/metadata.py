"""Names, labels and selectors: the same for every kind."""

from reconciler.core.model.objects import JsonObject
from reconciler.core.model.spec import Service
from reconciler.core.rules import names, vocabulary


def name(wanted: Service) -> str:
    """Return the DNS-1035 name that the Deployment and the Service bear."""
    return names.dns_label(wanted.id.name)


def selector(wanted: Service) -> dict[str, str]:
    """Return what selects the pods. It never changes while the service lives."""
    return {vocabulary.SERVICE_NAME: names.label_value(wanted.id.name)}


def labels(wanted: Service) -> dict[str, str]:
    """Return the labels of every object of the service, and of its pods."""
    return {
        "app.kubernetes.io/component": "inference",
        "app.kubernetes.io/instance": name(wanted),
        "app.kubernetes.io/managed-by": vocabulary.MANAGER,
        "app.kubernetes.io/name": "llama-server",
        vocabulary.MODEL: names.label_value(wanted.model.id.name),
        vocabulary.SERVICE: names.label_value(wanted.id.name),
        vocabulary.SERVICE_NAME: names.label_value(wanted.id.name),
    }


def metadata(wanted: Service, object_name: str) -> dict[str, JsonObject | str]:
    """Return the metadata of one object of the service."""
    annotations = {vocabulary.SOURCE: wanted.origin.path}
    if names.label_value(wanted.id.name) != wanted.id.name:
        annotations[vocabulary.FULL_NAME] = wanted.id.name
    return {
        "name": object_name,
        "namespace": wanted.id.namespace,
        "labels": labels(wanted),
        "annotations": annotations,
    }
