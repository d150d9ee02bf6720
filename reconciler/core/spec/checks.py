"""What must hold between a service, its neighbours and the pod's policy."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from reconciler.core.model.objects import ServiceId
from reconciler.core.model.problem import Severity
from reconciler.core.model.spec import Service
from reconciler.core.rules import llamacpp, names
from reconciler.core.rules.llamacpp import Flags
from reconciler.core.spec.drafts import Finding, ServiceDraft
from reconciler.core.spec.options import Options

if TYPE_CHECKING:
    from reconciler.core.spec.drafts import Path

_ONE_NODE = {"ReadWriteOnce", "ReadWriteOncePod"}


def service(service: Service, draft: ServiceDraft, options: Options, flags: Flags) -> tuple[Finding, ...]:
    """Return what is wrong with one linked service."""
    return (
        *_name(service),
        *_cache(service, draft),
        *_registry(service, draft, options),
        *_arguments(service, flags),
        *_context(service, flags),
    )


def namespace(key: ServiceId, options: Options) -> tuple[Finding, ...]:
    """Return the error of a document in a namespace that this reconciler may not touch."""
    allowed = options.allowed_namespaces
    if not allowed or key.namespace in allowed:
        return ()
    message = f"the namespace `{key.namespace}` is not allowed here; allowed: {', '.join(allowed)}"
    return (Finding(("metadata", "namespace"), "namespace-not-allowed", message),)


def collisions(services: Sequence[Service], say: Callable[[Service, Finding], None]) -> None:
    """Say which services would get one name for their Kubernetes objects."""
    by_label: dict[tuple[str, str], list[Service]] = {}
    for item in services:
        by_label.setdefault((item.id.namespace, names.dns_label(item.id.name)), []).append(item)
    for (_, label), same in by_label.items():
        for item in same if len(same) > 1 else ():
            other = same[0] if item is not same[0] else same[1]
            message = f"`{item.id.name}` and `{other.id.name}` ({other.origin.path}) both become `{label}`; rename one"
            say(item, Finding(("metadata", "name"), "name-collision", message))


def _name(service: Service) -> tuple[Finding, ...]:
    if names.dns_label(service.id.name):
        return ()
    message = f"nothing of `{service.id.name}` can be part of a DNS name; use letters and digits"
    return (Finding(("metadata", "name"), "bad-value", message),)


def _context(service: Service, flags: Flags) -> tuple[Finding, ...]:
    engine = service.engine
    given = engine.context_size or llamacpp.replaced(engine.extra_args, flags, ("--ctx-size",))
    if service.gpu is None or given:
        return ()
    message = (
        "contextSize is not set: each slot gets 4096 tokens, where llama.cpp would take all that the model was trained"
        " for, and its memory; write contextSize"
    )
    return (Finding(("spec",), "context-size", message, Severity.WARNING),)


def _cache(service: Service, draft: ServiceDraft) -> tuple[Finding, ...]:
    cache, scaling = service.cache, service.autoscaling
    most = scaling.maximum if scaling else service.replicas
    if not cache.persistent or most <= 1 or cache.access_mode not in _ONE_NODE:
        return ()
    if cache.claim and not draft.cache.access_mode:
        return ()  # the claim's own mode is not ours to guess
    path: Path = ("spec", "autoscaling", "maxReplicas") if scaling else ("spec", "replicas")
    message = f"{most} replicas cannot share a {cache.access_mode} cache; use ReadWriteMany, or persistence: Ephemeral"
    return (Finding(path, "cache-access-mode", message),)


def _registry(service: Service, draft: ServiceDraft, options: Options) -> tuple[Finding, ...]:
    allowed = options.allowed_registries
    if not allowed or any(service.image.startswith(f"{registry.rstrip('/')}/") for registry in allowed):
        return ()
    path: Path = ("spec", "image") if draft.image else ("spec",)
    message = f"the image `{service.image}` comes from no allowed registry; allowed: {', '.join(allowed)}"
    return (Finding(path, "registry-not-allowed", message),)


def _arguments(service: Service, flags: Flags) -> tuple[Finding, ...]:
    findings = llamacpp.lint(service.engine.extra_args, flags, service.build)
    return tuple(
        Finding(("spec", "extraArgs", item.index), item.code, item.message, Severity(item.severity))
        for item in findings
    )
