"""Whose word about GPUs counts: the InferenceService's over the Model's, and what follows for the pod."""

from typing import Final

from reconciler.core.model.problem import Severity
from reconciler.core.model.spec import Fleet, Gpu, Vendor
from reconciler.core.rules import llamacpp
from reconciler.core.spec.drafts import Finding, GpuRequest

_RESOURCES: Final = {
    Vendor.NVIDIA: "nvidia.com/gpu",
    Vendor.AMD: "amd.com/gpu",
    Vendor.INTEL: "gpu.intel.com/i915",
}
_DRI: Final = "devic.es/dri-render"
"""What LLMKube asks for on AMD with the Vulkan backend: the generic device plugin's render node."""

_DRA_VERSION: Final = (1, 34)
"""The first Kubernetes where resource.k8s.io/v1 is on by default."""


def settle(model: GpuRequest, service: GpuRequest) -> Gpu | None:
    """Return the GPUs of a pod, None for CPU. A vendor, or `enabled`, without any count means one GPU."""
    count = _count(model, service)
    vendor = service.vendor or model.vendor or Vendor.NVIDIA
    if service.vendor is Vendor.CPU and service.count is None:
        return None
    if vendor is Vendor.CPU and (count or model.claims):
        vendor = Vendor.NVIDIA
    if not count and not (model.claims and service.count is None):
        return None
    resource = _resource(vendor, model, service.mig_profile)
    return Gpu(
        vendor=vendor,
        count=count,
        resource=resource,
        taint_key=model.taint_key or (_RESOURCES[vendor] if service.mig_profile else resource),
        layers=model.layers,
        split_mode=model.split_mode,
        layer_split=model.layer_split,
        runtime=model.runtime,
        claims=model.claims,
        product=model.product,
        memory=model.memory,
    )


def _count(model: GpuRequest, service: GpuRequest) -> int:
    if service.count is not None:
        return service.count
    if model.count is not None:
        return model.count
    if model.claims or model.enabled is False:
        return 0
    asked = (service.vendor or model.vendor or Vendor.CPU) is not Vendor.CPU
    return 1 if asked or model.enabled or service.mig_profile else 0


def _resource(vendor: Vendor, model: GpuRequest, mig_profile: str) -> str:
    if model.resource:
        return model.resource
    if mig_profile:
        return f"nvidia.com/mig-{mig_profile}"
    if vendor is Vendor.AMD and model.runtime == llamacpp.VULKAN:
        return _DRI
    return _RESOURCES[vendor]


def service_findings(model: GpuRequest, service: GpuRequest, gpu: Gpu | None) -> tuple[Finding, ...]:
    """Return what is to be said to the service's author about both requests."""
    findings = []
    if service.count is not None and model.count is not None and service.count != model.count:
        what = f"{service.count} GPUs are used" if service.count else "the service runs on the CPU"
        message = f"the Model says {model.count} GPUs, this says {service.count}: {what}"
        findings.append(Finding(service.path, "gpu-count-conflict", message, Severity.WARNING))
    if service.vendor is Vendor.CPU and service.count is None and model.count:
        message = f"the Model says {model.count} GPUs, this says cpu: the service runs on the CPU"
        findings.append(Finding(service.vendor_path, "gpu-count-conflict", message, Severity.WARNING))
    elif service.vendor and model.vendor not in (None, Vendor.CPU, service.vendor) and gpu:
        message = f"the Model says {model.vendor}, this says {service.vendor}: {service.vendor} is used"
        findings.append(Finding(service.vendor_path, "gpu-vendor-conflict", message, Severity.WARNING))
    if gpu and service.count is not None and model.layer_split and len(model.layer_split) != gpu.count:
        message = f"the Model's layerSplit has {len(model.layer_split)} ranges, this asks for {gpu.count} GPUs"
        findings.append(Finding(service.path, "layer-split", message))
    if service.mig_profile and gpu and gpu.vendor is not Vendor.NVIDIA:
        message = f"a MIG profile is NVIDIA's; the GPU here is {gpu.vendor}'s"
        findings.append(Finding(("spec", "resources", "gpuSharing", "profile"), "gpu-conflict", message))
    return tuple(findings)


def model_findings(model: GpuRequest, fleet: Fleet) -> tuple[Finding, ...]:
    """Return what is to be said to the Model's author."""
    findings = []
    at = ("spec", "hardware", "gpu")
    if model.count is not None and model.layer_split and len(model.layer_split) != model.count:
        message = f"layerSplit has {len(model.layer_split)} ranges for {model.count} GPUs; write one for each"
        findings.append(Finding((*at, "sharding", "layerSplit"), "layer-split", message))
    if model.claims and fleet.kubernetes_version < _DRA_VERSION:
        version = ".".join(str(part) for part in fleet.kubernetes_version)
        message = f"resourceClaims need Kubernetes 1.34; the fleet's kubernetesVersion is {version}"
        findings.append(Finding((*at, "resourceClaims"), "kubernetes-version", message))
    return tuple(findings)
