"""From specs to the desired state, as one value with a stable hash."""

import hashlib
import json
from typing import Final

from reconciler.core import manifests
from reconciler.core.model.objects import JsonObject, key_of
from reconciler.core.model.plan import Ownership, Plan, Planned
from reconciler.core.model.source import Snapshot
from reconciler.core.model.spec import Parsed
from reconciler.core.rules import inventory, names, vocabulary

PARENT_KIND: Final = "ConfigMap"


def build(parsed: Parsed, snapshot: Snapshot, ownership: Ownership | None) -> Plan:
    """Return the objects of every valid service, service by service, and in each what a pod waits for first.

    With an ownership every object bears the inventory's label; without one (a mere rendering) none does.
    """
    objects = tuple(
        Planned(key_of(manifest), _stamped(manifest, ownership), service.id)
        for service in parsed.services
        for manifest in manifests.build(service, parsed.fleet)
    )
    return Plan(parsed, snapshot, ownership, objects, _hash(objects))


def owner(cluster: str, namespace: str, repository: str, path: str) -> Ownership:
    """Return the ownership of a cluster's objects; `namespace` is where the inventory's parent lives."""
    name = names.dns_label(f"llmkube-{cluster}")
    applyset = inventory.applyset_id(name, namespace, PARENT_KIND, "")
    return Ownership(cluster, namespace, name, applyset, repository, path)


def _stamped(manifest: JsonObject, ownership: Ownership | None) -> JsonObject:
    if ownership is None:
        return manifest
    metadata = manifest["metadata"]
    labels = {**metadata["labels"], vocabulary.APPLYSET_PART_OF: ownership.applyset}
    return {**manifest, "metadata": {**metadata, "labels": labels}}


def _hash(objects: tuple[Planned, ...]) -> str:
    digest = hashlib.sha256()
    for planned in objects:
        digest.update(json.dumps(planned.manifest, sort_keys=True, separators=(",", ":")).encode())
        digest.update(b"\n")
    return digest.hexdigest()
