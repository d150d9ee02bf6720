"""An InferenceService document, both dialects, as one value."""

import re
from typing import TYPE_CHECKING, Any, Final

from reconciler.core.model.objects import JsonObject
from reconciler.core.model.problem import Severity
from reconciler.core.model.spec import Autoscaling, Endpoint, Pod, Resources, Vendor
from reconciler.core.spec import engine_fields
from reconciler.core.spec.drafts import CacheRequest, Finding, GpuRequest, Head, ServiceDraft

if TYPE_CHECKING:
    from reconciler.core.spec.drafts import Path

_RESERVED: Final = ("inference.llmkube.dev/", "gitops.llmkube.dev/", "applyset.kubernetes.io/")
_SECRET_NAME: Final = re.compile(r"(?:TOKEN|API_?KEY|SECRET|PASSWORD|ACCESS_KEY)$", re.IGNORECASE)
_DO_NOT_DISRUPT: Final = "karpenter.sh/do-not-disrupt"


def read(head: Head, document: JsonObject) -> tuple[ServiceDraft | None, tuple[Finding, ...]]:
    """Return the service that keeps its schema, and what is to be said about it."""
    spec = document["spec"]
    gpu, findings = _gpu(spec)
    autoscaling, more = _autoscaling(spec.get("autoscaling"))
    findings += more + _reserved(spec) + _secrets(spec) + _cache_findings(spec) + engine_fields.findings(spec)
    disruption = spec.get("disruption", {})
    draft = ServiceDraft(
        head=head,
        model=_reference(spec["modelRef"]),
        gpu=gpu,
        image=spec.get("image", ""),
        build=_integer(spec.get("llamaCppBuild")),
        replicas=int(spec.get("replicas", 1)),
        suspend=spec.get("suspend", False),
        engine=engine_fields.read(spec),
        draft_model=_reference(spec.get("speculativeDecoding", {}).get("draftModelRef", "")),
        endpoint=_endpoint(spec),
        cache=cache_request(spec.get("modelCache", {})),
        resources=_resources(spec.get("resources", {})),
        autoscaling=autoscaling,
        pod=_pod(spec),
        revision_history_limit=_integer(spec.get("revisionHistoryLimit")),
        drain_seconds=int(spec.get("rolloutPolicy", {}).get("idleTimeoutSeconds", 300)),
        max_unavailable=str(disruption.get("maxUnavailable", "")),
        pod_monitor=spec.get("monitoring", {}).get("podMonitor"),
        network_policy_from=tuple(spec.get("networkPolicy", {}).get("from", ())),
        skip_model_init=spec.get("skipModelInit", False),
    )
    return draft, findings


def cache_request(cache: JsonObject) -> CacheRequest:
    """Return what a `modelCache`, or a fleet's `cache`, says."""
    persistence, prune = cache.get("persistence"), cache.get("prune")
    return CacheRequest(
        persistent=None if persistence is None else persistence == "Cached",
        claim=cache.get("claimName", ""),
        size=str(cache.get("size", "")),
        storage_class=cache.get("storageClass", ""),
        access_mode=cache.get("accessMode", ""),
        delete=None if prune is None else prune == "delete",
    )


def _reference(value: Any) -> str:
    return value if isinstance(value, str) else str(value["name"])


def _integer(value: Any) -> int | None:
    return None if value is None else int(value)


def _gpu(spec: JsonObject) -> tuple[GpuRequest, tuple[Finding, ...]]:
    accelerator, resources = spec.get("accelerator", {}), spec.get("resources", {})
    notes, shipped = accelerator.get("gpuCount"), resources.get("gpu")
    path: Path = ("spec", "accelerator", "gpuCount") if notes is not None else ("spec", "resources", "gpu")
    vendor = Vendor(accelerator["type"]) if "type" in accelerator else None
    count = _integer(notes if notes is not None else shipped)
    sharing = resources.get("gpuSharing", {})
    findings: list[Finding] = []
    if notes is not None and shipped is not None and notes != shipped:
        message = f"accelerator.gpuCount says {notes}, resources.gpu says {shipped}; keep one"
        findings.append(Finding(path, "gpu-count", message))
    if vendor is Vendor.CPU and count:
        findings.append(
            Finding(path, "gpu-conflict", f"the accelerator is cpu, yet {count} GPUs are asked for; drop one")
        )
    partitioned = sharing.get("mode") == "partitioned"
    if partitioned and "profile" not in sharing:
        where: Path = ("spec", "resources", "gpuSharing", "profile")
        findings.append(Finding(where, "missing-field", "a partitioned GPU needs a profile such as 1g.24gb"))
    profile = sharing.get("profile", "") if partitioned else ""
    request = GpuRequest(
        count=count, path=path, vendor=vendor, vendor_path=("spec", "accelerator", "type"), mig_profile=profile
    )
    return request, tuple(findings)


def _endpoint(spec: JsonObject) -> Endpoint:
    endpoint = spec.get("endpoint", {})
    port = int(endpoint.get("port", 8080))
    return Endpoint(
        port=port,
        container_port=int(spec.get("containerPort", port)),
        path=endpoint.get("path", Endpoint().path),
        type=endpoint.get("type", "ClusterIP"),
        node_port=_integer(endpoint.get("nodePort")),
    )


def _resources(resources: JsonObject) -> Resources:
    return Resources(
        cpu=str(resources.get("cpu", "")),
        memory=str(resources.get("hostMemory", resources.get("memory", ""))),
        ephemeral_storage=str(resources.get("ephemeralStorage", "")),
    )


def _pod(spec: JsonObject) -> Pod:
    annotations = dict(spec.get("podAnnotations", {}))
    if spec.get("disruption", {}).get("protectAlways"):
        annotations[_DO_NOT_DISRUPT] = "true"
    priority = spec.get("priority", "normal")
    return Pod(
        tolerations=tuple(spec.get("tolerations", ())),
        node_selector=spec.get("nodeSelector", {}),
        affinity=spec.get("affinity", {}),
        topology_spread=tuple(spec.get("topologySpreadConstraints", ())),
        labels=spec.get("podLabels", {}),
        annotations=annotations,
        env=tuple(spec.get("env", ())),
        volumes=tuple(spec.get("extraVolumes", ())),
        volume_mounts=tuple(spec.get("extraVolumeMounts", ())),
        image_pull_secrets=tuple(spec.get("imagePullSecrets", ())),
        runtime_class=spec.get("runtimeClassName", ""),
        priority_class=spec.get("priorityClassName", "" if priority == "normal" else f"llmkube-{priority}"),
        pod_security_context=spec.get("podSecurityContext"),
        security_context=spec.get("securityContext"),
        probes=spec.get("probeOverrides", {}),
    )


def _reserved(spec: JsonObject) -> tuple[Finding, ...]:
    return tuple(
        Finding(("spec", field, key), "reserved-key", f"`{key}` belongs to the reconciler; take it out", at_key=True)
        for field in ("podLabels", "podAnnotations")
        for key in spec.get(field, {})
        if key.startswith(_RESERVED)
    )


def _secrets(spec: JsonObject) -> tuple[Finding, ...]:
    message = "a secret must not stand in git: take it from a Secret with valueFrom.secretKeyRef"
    return tuple(
        Finding(("spec", "env", index, "value"), "secret-in-env", message, Severity.WARNING)
        for index, variable in enumerate(spec.get("env", ()))
        if variable.get("value") and _SECRET_NAME.search(variable["name"])
    )


def _cache_findings(spec: JsonObject) -> tuple[Finding, ...]:
    cache = spec.get("modelCache", {})
    path: Path = ("spec", "modelCache", "claimName")
    if "claimName" in cache and cache.get("persistence") == "Ephemeral":
        return (Finding(path, "cache-conflict", "an ephemeral cache has no claim; drop claimName or persistence"),)
    unused = [
        name for name in ("size", "storageClass", "accessMode", "prune") if "claimName" in cache and name in cache
    ]
    return tuple(
        Finding(
            ("spec", "modelCache", name),
            "no-effect",
            f"`{name}` has no effect: the claim `{cache['claimName']}` exists already",
            Severity.NOTE,
            at_key=True,
        )
        for name in unused
        if name != "accessMode"
    )


def _autoscaling(autoscaling: JsonObject | None) -> tuple[Autoscaling | None, tuple[Finding, ...]]:
    if autoscaling is None:
        return None, ()
    where: Path = ("spec", "autoscaling")
    minimum, maximum = int(autoscaling.get("minReplicas", 1)), int(autoscaling["maxReplicas"])
    findings: list[Finding] = []
    if minimum > maximum:
        message = f"minReplicas {minimum} is more than maxReplicas {maximum}"
        findings.append(Finding((*where, "minReplicas"), "autoscaling", message))
    metrics = []
    for index, metric in enumerate(autoscaling.get("metrics", ())):
        target = _target(metric)
        if target is None:
            message = "a Pods metric needs targetAverageValue; a Resource metric that, or targetAverageUtilization"
            findings.append(Finding((*where, "metrics", index), "autoscaling", message))
        elif metric["type"] == "Pods":
            metrics.append({"type": "Pods", "pods": {"metric": {"name": metric["name"]}, "target": target}})
        else:
            metrics.append({"type": "Resource", "resource": {"name": metric["name"], "target": target}})
    return Autoscaling(minimum, maximum, tuple(metrics)), tuple(findings)


def _target(metric: JsonObject) -> JsonObject | None:
    value, percent = metric.get("targetAverageValue"), metric.get("targetAverageUtilization")
    if (value is None) == (percent is None):
        return None
    if percent is None:
        return {"type": "AverageValue", "averageValue": str(value)}
    return {"type": "Utilization", "averageUtilization": int(percent)} if metric["type"] == "Resource" else None
