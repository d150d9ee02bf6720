"""The Job that fills a cache before the first pod needs it."""

import hashlib
import json

from reconciler.core.manifests import download, metadata, pod, storage
from reconciler.core.model.objects import JsonObject
from reconciler.core.model.spec import Fleet, Service


def job(wanted: Service, fleet: Fleet) -> JsonObject | None:
    """Return the Job; None where the model does not ask for it, or where no claim would keep what it brings.

    A Job's template cannot change, so its name hashes it: another model is another Job.
    """
    container = download.container(wanted)
    persistent = wanted.cache.claim or storage.owns_claim(wanted)
    if not wanted.model.prefetch or container is None or not persistent:
        return None
    labels = {"app.kubernetes.io/component": "prefetch", "app.kubernetes.io/instance": metadata.name(wanted)}
    template = {"metadata": {"labels": labels}, "spec": pod.job_spec(wanted, fleet, container)}
    digest = hashlib.sha256(json.dumps(template, sort_keys=True).encode()).hexdigest()[:8]
    name = f"{metadata.name(wanted)[:45].rstrip('-')}-prefetch-{digest}"
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": metadata.metadata(wanted, name),
        "spec": {"backoffLimit": 6, "template": template},
    }
