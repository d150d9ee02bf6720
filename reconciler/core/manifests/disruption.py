"""The PodDisruptionBudget: how many pods a drained node may take at once."""

from reconciler.core.manifests import metadata
from reconciler.core.model.objects import JsonObject
from reconciler.core.model.spec import Fleet, Service


def budget(wanted: Service, _fleet: Fleet) -> JsonObject | None:
    """Return the budget; None where none is asked for."""
    said = wanted.max_unavailable
    if not said:
        return None
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": metadata.metadata(wanted, metadata.name(wanted)),
        "spec": {
            "maxUnavailable": int(said) if said.isdigit() else said,
            "selector": {"matchLabels": metadata.selector(wanted)},
        },
    }
