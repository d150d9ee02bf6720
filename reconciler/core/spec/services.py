"""A service as the renderer needs it: its draft, its Model and the fleet's defaults, settled."""

from dataclasses import dataclass, replace

from reconciler.core.model.objects import ServiceId
from reconciler.core.model.problem import Severity
from reconciler.core.model.spec import Cache, Engine, Fleet, Gpu, Model, Origin, Service, Vendor
from reconciler.core.rules import llamacpp
from reconciler.core.spec import gpus
from reconciler.core.spec.drafts import Finding, GpuRequest, ModelDraft, ServiceDraft


@dataclass(frozen=True, slots=True)
class LinkedModel:
    """A Model with its settled id, and what it says about GPUs."""

    model: Model
    request: GpuRequest


def linked_model(key: ServiceId, origin: Origin, draft: ModelDraft) -> LinkedModel:
    """Return the Model of a draft. Its own `gpu` is what a service that says nothing would get."""
    gpu = gpus.settle(draft.gpu, GpuRequest())
    model = Model(key, origin, draft.source, gpu, draft.prefetch, draft.prefetch_tolerations)
    return LinkedModel(model, draft.gpu)


def settle(  # noqa: PLR0913, PLR0917  # a service is made of all of these
    key: ServiceId, origin: Origin, draft: ServiceDraft, linked: LinkedModel, partner: LinkedModel | None, fleet: Fleet
) -> tuple[Service, tuple[Finding, ...]]:
    """Return the service, and what is to be said about how its Model and itself agree."""
    gpu = gpus.settle(linked.request, draft.gpu)
    findings = gpus.service_findings(linked.request, draft.gpu, gpu)
    image = draft.image or _image(gpu, fleet)
    build = draft.build or llamacpp.build_of(image)
    service = Service(
        id=key,
        origin=origin,
        model=linked.model,
        gpu=gpu,
        image=image,
        build=build,
        replicas=draft.replicas,
        suspend=draft.suspend,
        engine=_engine(draft.engine, partner),
        endpoint=draft.endpoint,
        cache=draft.cache.over(fleet.cache or Cache()),
        resources=draft.resources,
        autoscaling=draft.autoscaling,
        pod=draft.pod,
        revision_history_limit=draft.revision_history_limit,
        drain_seconds=draft.drain_seconds,
        max_unavailable=draft.max_unavailable,
        pod_monitor=fleet.pod_monitor if draft.pod_monitor is None else draft.pod_monitor,
        network_policy_from=draft.network_policy_from,
        skip_model_init=draft.skip_model_init,
    )
    return service, findings + _image_findings(draft, gpu)


def _engine(engine: Engine, partner: LinkedModel | None) -> Engine:
    if engine.speculative is None or partner is None:
        return engine
    return replace(engine, speculative=replace(engine.speculative, draft=partner.model))


def _image(gpu: Gpu | None, fleet: Fleet) -> str:
    vendor, runtime = (gpu.vendor, gpu.runtime) if gpu else (Vendor.CPU, "")
    return fleet.images.get(llamacpp.image_key(vendor, runtime)) or llamacpp.default_image(vendor, runtime)


def _image_findings(draft: ServiceDraft, gpu: Gpu | None) -> tuple[Finding, ...]:
    image = draft.image
    findings = []

    def warn(code: str, message: str) -> None:
        findings.append(Finding(("spec", "image"), code, message, Severity.WARNING))

    if not image:
        return ()
    if image.startswith(llamacpp.OLD_REGISTRY):
        warn("image-moved", f"{llamacpp.OLD_REGISTRY} is no longer built; write {llamacpp.REGISTRY}")
    if not llamacpp.is_pinned(image):
        default = llamacpp.default_image(gpu.vendor if gpu else Vendor.CPU, gpu.runtime if gpu else "")
        warn("image-unpinned", f"`{image}` changes under its name; pin a build, such as {default}")
    if gpu and llamacpp.is_cpu_image(image):
        wanted = llamacpp.default_image(gpu.vendor, gpu.runtime)
        warn("image-without-gpu", f"this image has no GPU backend and would run on the CPU; write {wanted}")
    return tuple(findings)
