"""A Model document, both dialects, as one value."""

import re
from typing import Final

from reconciler.core.model.objects import JsonObject
from reconciler.core.model.problem import Severity
from reconciler.core.model.spec import SplitMode, Vendor
from reconciler.core.rules import quantities
from reconciler.core.spec import origins
from reconciler.core.spec.drafts import Finding, GpuRequest, Head, ModelDraft, Path

_VENDORS: Final = {
    "cpu": Vendor.CPU,
    "cuda": Vendor.NVIDIA,
    "rocm": Vendor.AMD,
    "intel": Vendor.INTEL,
    "vulkan": Vendor.AMD,
}
_STRATEGIES: Final = {"pipeline": SplitMode.LAYER}
_RANGE: Final = re.compile(r"([0-9]{1,6})-([0-9]{1,6})")
_GPU: Final[Path] = ("spec", "hardware", "gpu")
_SPLIT: Final[Path] = (*_GPU, "sharding", "layerSplit")
_STRATEGY: Final[Path] = (*_GPU, "sharding", "strategy")


def read(head: Head, document: JsonObject) -> tuple[ModelDraft | None, tuple[Finding, ...]]:
    """Return the Model that keeps its schema, and what is to be said about it; None when it cannot be served."""
    spec = document["spec"]
    source, findings = origins.read(spec)
    gpu, more = _gpu(spec)
    findings += more
    if source is None:
        return None, findings
    tolerations = tuple(spec.get("prefetchTolerations", ()))
    return ModelDraft(head, source, gpu, spec.get("prefetch", False), tolerations), findings


def _gpu(spec: JsonObject) -> tuple[GpuRequest, tuple[Finding, ...]]:
    hardware = spec.get("hardware", {})
    gpu = hardware.get("gpu", {})
    sharding = gpu.get("sharding", {})
    count, path, findings = _count(spec, gpu)
    accelerator = hardware.get("accelerator", "")
    vendor = Vendor(gpu["vendor"]) if "vendor" in gpu else _VENDORS.get(accelerator)
    runtime = gpu.get("runtime", "") or ("vulkan" if accelerator == "vulkan" else "")
    ranges, split_findings = _layer_split(sharding.get("layerSplit", ()))
    strategy = sharding.get("strategy", "layer")
    findings += split_findings + _remarks(spec, count, strategy)
    memory = quantities.parse(gpu["memory"]) if "memory" in gpu else None
    layers = gpu.get("layers", -1)
    request = GpuRequest(
        count=count,
        path=path,
        vendor=vendor,
        vendor_path=(*_GPU, "vendor") if "vendor" in gpu else ("spec", "hardware", "accelerator"),
        enabled=gpu.get("enabled"),
        resource=gpu.get("resourceName", ""),
        taint_key=gpu.get("tolerationKey", ""),
        layers=None if layers < 0 else int(layers),
        split_mode=_STRATEGIES.get(strategy) or SplitMode(strategy),
        layer_split=ranges,
        runtime=runtime,
        claims=tuple(gpu.get("resourceClaims", ())),
        product=gpu.get("product", ""),
        memory=int(memory) if memory is not None else 0,
    )
    return request, findings


def _count(spec: JsonObject, gpu: JsonObject) -> tuple[int | None, Path, tuple[Finding, ...]]:
    notes, shipped = spec.get("gpuCount"), gpu.get("count")
    if notes is not None and shipped is not None and notes != shipped:
        message = f"gpuCount says {notes}, hardware.gpu.count says {shipped}; keep one"
        return int(notes), ("spec", "gpuCount"), (Finding(("spec", "gpuCount"), "gpu-count", message),)
    count = notes if notes is not None else shipped
    path: Path = ("spec", "gpuCount") if notes is not None else (*_GPU, "count")
    return (None if count is None else int(count)), path, ()


def _remarks(spec: JsonObject, count: int | None, strategy: str) -> tuple[Finding, ...]:
    hardware = spec.get("hardware", {})
    gpu = hardware.get("gpu", {})
    findings = []

    def say(path: Path, code: str, message: str, severity: Severity = Severity.WARNING) -> None:
        findings.append(Finding(path, code, message, severity))

    if count and gpu.get("enabled") is False:
        say((*_GPU, "enabled"), "gpu-conflict", f"GPUs are not enabled, yet {count} are asked for; the count is taken")
    if count and hardware.get("accelerator") == "cpu":
        path: Path = ("spec", "hardware", "accelerator")
        say(path, "gpu-conflict", f"the accelerator is cpu, yet {count} GPUs are asked for; the count is taken")
    if gpu.get("layers") == 0:
        say(
            (*_GPU, "layers"),
            "zero-layers",
            "0 keeps every layer on the CPU; LLMKube takes 0 as all, write -1 for that",
        )
    if strategy == "pipeline":
        say(_STRATEGY, "split-mode", "llama.cpp splits by layer here, which is what pipeline means", Severity.NOTE)
    if strategy == "row":
        say(_STRATEGY, "split-mode", "llama.cpp has deprecated the split mode row; use layer")
    if strategy == "tensor":
        say(_STRATEGY, "split-mode", "llama.cpp calls the split mode tensor experimental; layer is the safe one")
    if "resourceClaims" in gpu and "resourceName" in gpu:
        findings.append(
            Finding((*_GPU, "resourceClaims"), "gpu-conflict", "resourceClaims and resourceName exclude each other")
        )
    if strategy not in {"layer", "pipeline"} and "layerSplit" in gpu.get("sharding", {}):
        findings.append(Finding(_SPLIT, "layer-split", f"layerSplit needs the strategy layer, not {strategy}"))
    return tuple(findings)


def _layer_split(texts: tuple[str, ...]) -> tuple[tuple[tuple[int, int], ...], tuple[Finding, ...]]:
    """Return the ranges; they must be contiguous from 0, in order, without gap or overlap."""
    ranges: list[tuple[int, int]] = []
    following = 0
    for index, text in enumerate(texts):
        match = _RANGE.fullmatch(text)
        if match is None:
            return (), (_split_error(index, f"`{text}` is no range of layers; write it as `0-19`"),)
        first, last = int(match[1]), int(match[2])
        if first > last:
            return (), (_split_error(index, f"the range {text} ends before it begins"),)
        if first != following:
            what = "overlaps the range before it" if first < following else "leaves a gap"
            return (), (_split_error(index, f"the range {text} {what}; it must begin at {following}"),)
        ranges.append((first, last))
        following = last + 1
    return tuple(ranges), ()


def _split_error(index: int, message: str) -> Finding:
    return Finding((*_SPLIT, index), "layer-split", message)
