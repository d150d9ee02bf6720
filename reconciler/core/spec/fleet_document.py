"""The Fleet document as one value."""

from datetime import UTC, datetime

from reconciler.core.model.objects import JsonObject
from reconciler.core.model.spec import Cache, Fleet, Guards, Pool, Suspension
from reconciler.core.spec.drafts import Finding, FleetDraft, Head
from reconciler.core.spec.service_document import cache_request


def read(head: Head, document: JsonObject) -> tuple[FleetDraft | None, tuple[Finding, ...]]:
    """Return the fleet's word that keeps its schema, and what is to be said about it."""
    spec = document.get("spec", {})
    guards = spec.get("guards", {})
    suspension, findings = _suspension(spec.get("suspend"))
    fleet = Fleet(
        namespace=spec.get("namespace", ""),
        kubernetes_version=_version(str(spec.get("kubernetesVersion", ""))),
        images=spec.get("images", {}),
        cache=cache_request(spec["cache"]).over(Cache()) if "cache" in spec else None,
        pools=tuple(_pool(pool) for pool in spec.get("pools", ())),
        guards=Guards(guards.get("maxDeletions"), guards.get("maxRollouts")),
        suspension=suspension,
        openshift=spec.get("openshift", False),
        pod_monitor=spec.get("podMonitor", False),
    )
    return FleetDraft(head, fleet), findings


def _version(text: str) -> tuple[int, int]:
    if not text:
        return Fleet().kubernetes_version
    major, minor, *_ = text.removeprefix("v").split(".")
    return int(major), int(minor)


def _pool(pool: JsonObject) -> Pool:
    price = pool.get("price", {})
    return Pool(
        name=pool["name"],
        gpu=pool.get("gpu", ""),
        gpu_count=int(pool.get("gpuCount", 0)),
        gpu_resource=pool.get("gpuResource", "nvidia.com/gpu"),
        gpu_memory=str(pool.get("gpuMemory", "")),
        max_nodes=pool.get("maxNodes"),
        labels=pool.get("labels", {}),
        taints=tuple(pool.get("taints", ())),
        price_on_demand=str(price.get("onDemand", "")),
        price_spot=str(price.get("spot", "")),
        currency=price.get("currency", "USD"),
    )


def _suspension(suspend: JsonObject | None) -> tuple[Suspension | None, tuple[Finding, ...]]:
    if suspend is None:
        return None, ()
    text = suspend.get("until")
    if text is None:
        return Suspension(suspend["reason"]), ()
    try:
        until = datetime.fromisoformat(text)
    except ValueError:
        message = f"`{text}` is no date of the calendar; write it as 2026-12-24T18:00:00Z"
        return None, (Finding(("spec", "suspend", "until"), "bad-value", message),)
    return Suspension(suspend["reason"], until if until.tzinfo else until.replace(tzinfo=UTC)), ()
