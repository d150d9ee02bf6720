"""Whose an object is, as its labels and annotations say."""

from collections.abc import Mapping

from reconciler.core.model.objects import JsonObject, Key, ServiceId
from reconciler.core.model.plan import Ownership
from reconciler.core.rules import vocabulary


def is_ours(live: JsonObject, owner: Ownership | None) -> bool:
    """Tell whether a live object is a member of our inventory; without an ownership (two revisions) all are."""
    return owner is None or labels_of(live).get(vocabulary.APPLYSET_PART_OF) == owner.applyset


def handed_over(live: JsonObject, owner: Ownership | None) -> bool:
    """Tell whether someone annotated a stranger's object so that we take it."""
    said = annotations_of(live).get(vocabulary.ADOPT)
    return owner is not None and said in {"true", owner.cluster}


def labels_of(live: JsonObject) -> Mapping[str, str]:
    """Return an object's labels, none being an empty mapping."""
    found: Mapping[str, str] = live["metadata"].get("labels") or {}
    return found


def annotations_of(live: JsonObject) -> Mapping[str, str]:
    """Return an object's annotations, none being an empty mapping."""
    found: Mapping[str, str] = live["metadata"].get("annotations") or {}
    return found


def service_of(key: Key, live: JsonObject) -> ServiceId:
    """Return the service that a live object says it belongs to; its own name where it does not say."""
    name = annotations_of(live).get(vocabulary.FULL_NAME) or labels_of(live).get(vocabulary.SERVICE_NAME, key.name)
    return ServiceId(key.namespace, name)
