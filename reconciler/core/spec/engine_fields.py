"""The fields of an InferenceService that become arguments of llama-server."""

from typing import TYPE_CHECKING, Any, Final

from reconciler.core.model.objects import JsonObject
from reconciler.core.model.spec import Engine, Mode, Rope, Speculative
from reconciler.core.spec.drafts import Finding

if TYPE_CHECKING:
    from reconciler.core.spec.drafts import Path

_TYPES: Final = {"draft": "draft-simple", "mtp": "draft-mtp", "disabled": "none"}
_WITH_DRAFT: Final = {"draft-simple", "draft-eagle3", "draft-dflash", "draft-dspark"}
"""The kinds that read a second model; draft-mtp may, the others draft by themselves."""


def read(spec: JsonObject) -> Engine:
    """Return what the service says about llama-server; the draft model is linked later."""
    return Engine(
        mode=Mode(spec.get("mode", "chat")),
        context_size=_integer(spec, "contextSize"),
        parallel_slots=_integer(spec, "parallelSlots"),
        batch_size=_integer(spec, "batchSize"),
        ubatch_size=_integer(spec, "uBatchSize"),
        flash_attention=spec.get("flashAttention"),
        jinja=spec.get("jinja"),
        cache_type_k=spec.get("cacheTypeCustomK", spec.get("cacheTypeK", "")),
        cache_type_v=spec.get("cacheTypeCustomV", spec.get("cacheTypeV", "")),
        rope=_rope(spec.get("ropeScaling")),
        cpu_moe=spec.get("moeCPUOffload", False),
        cpu_moe_layers=_integer(spec, "moeCPULayers"),
        no_kv_offload=spec.get("noKvOffload", False),
        no_warmup=spec.get("noWarmup", False),
        tensor_overrides=tuple(spec.get("tensorOverrides", ())),
        metadata_overrides=tuple(spec.get("metadataOverrides", ())),
        speculative=_speculative(spec.get("speculativeDecoding")),
        reasoning_budget=_integer(spec, "reasoningBudget"),
        reasoning_budget_message=spec.get("reasoningBudgetMessage", ""),
        bind_address=spec.get("bindAddress", Engine().bind_address),
        extra_args=tuple(spec.get("extraArgs", ())),
    )


def findings(spec: JsonObject) -> tuple[Finding, ...]:
    """Return what is wrong with these fields beyond their schema."""
    speculative = spec.get("speculativeDecoding", {})
    kind = _TYPES.get(speculative.get("type", "none"), speculative.get("type", "none"))
    path: Path = ("spec", "speculativeDecoding")
    if kind in _WITH_DRAFT and "draftModelRef" not in speculative and "draftModel" not in speculative:
        message = f"the kind {kind} needs a draft model: name a Model in draftModelRef"
        return (Finding((*path, "draftModelRef"), "missing-field", message),)
    if "draftModelRef" in speculative and kind not in _WITH_DRAFT | {"draft-mtp"}:
        message = f"the kind {kind} reads no draft model; take draftModelRef out, or use draft-simple"
        return (Finding((*path, "draftModelRef"), "speculative", message),)
    return ()


def _integer(spec: JsonObject, name: str) -> int | None:
    value = spec.get(name)
    return None if value is None else int(value)


def _number(value: Any) -> str:
    return "" if value is None else str(value)


def _rope(rope: JsonObject | None) -> Rope | None:
    if rope is None:
        return None
    return Rope(rope["type"], _number(rope.get("factor")), _integer(rope, "originalContext"))


def _speculative(speculative: JsonObject | None) -> Speculative | None:
    if speculative is None:
        return None
    kind = str(speculative["type"])
    n_max = _integer(speculative, "nDraftMax")
    return Speculative(_TYPES.get(kind, kind), None, n_max, _number(speculative.get("pMin")))
