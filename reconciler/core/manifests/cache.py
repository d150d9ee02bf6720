"""The claim that keeps a service's models across pods."""

from reconciler.core.manifests import metadata, storage
from reconciler.core.model.objects import JsonObject
from reconciler.core.model.spec import Fleet, Service
from reconciler.core.rules import vocabulary


def claim(wanted: Service, _fleet: Fleet) -> JsonObject | None:
    """Return the cache claim; None where the cache is ephemeral or somebody else's claim."""
    if not storage.owns_claim(wanted):
        return None
    described = metadata.metadata(wanted, storage.claim_name(wanted))
    prune = {vocabulary.PRUNE: "delete" if wanted.cache.delete else "keep"}
    spec: dict[str, object] = {
        "accessModes": [wanted.cache.access_mode],
        "resources": {"requests": {"storage": wanted.cache.size}},
    }
    if wanted.cache.storage_class:
        spec["storageClassName"] = wanted.cache.storage_class
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {**described, "annotations": {**_annotations(described), **prune}},
        "spec": spec,
    }


def _annotations(described: JsonObject) -> JsonObject:
    annotations: JsonObject = described["annotations"]
    return annotations
