"""The command line of llama-server: explicit and complete, each flag in the spelling that the image's build knows."""

from typing import Final

from reconciler.core.manifests import storage
from reconciler.core.model.spec import Engine, Gpu, Mode, Service, SplitMode
from reconciler.core.rules import builds, quantities, sharding

SLOTS: Final = 4
"""llama.cpp's own default of parallel requests, written out so that a new build cannot change it."""

CONTEXT_PER_SLOT: Final = 4096
"""Tokens. Without it llama.cpp takes the model's whole training context, and with it all of a GPU's memory."""

CACHE_RAM_MIB: Final = 2048
"""Host memory for cached prompts. llama.cpp's own 8192 MiB gets a pod of usual size killed."""

Arguments = list[tuple[str, ...]]


def arguments(wanted: Service) -> list[str]:
    """Return the arguments in a stable order; the author's `extraArgs` come last and replace ours of the same flag."""
    ours = [
        *_identity(wanted),
        *_capacity(wanted),
        *_placement(wanted),
        *_tuning(wanted.engine),
        *_speculation(wanted),
        *_mode(wanted.engine),
        ("--metrics",),
    ]
    replaced = wanted.engine.replaces
    kept = (item for group in ours if group[0] not in replaced for item in group)
    return [*kept, *wanted.engine.extra_args]


def _identity(wanted: Service) -> Arguments:
    return [
        ("--model", storage.model_path(wanted)),
        ("--alias", wanted.id.name),
        ("--host", wanted.engine.bind_address),
        ("--port", str(wanted.endpoint.container_port)),
    ]


def _capacity(wanted: Service) -> Arguments:
    engine = wanted.engine
    slots = engine.parallel_slots or SLOTS
    context = engine.context_size or slots * CONTEXT_PER_SLOT
    threads = quantities.whole_cores(wanted.resources.cpu)
    found: Arguments = [("--threads", str(threads))] if threads else []
    found += [("--ctx-size", str(context)), ("--parallel", str(slots))]
    if engine.parallel_slots is None and "--parallel" not in engine.replaces:
        # the slots share one context, so that a single long request may use all of what the author asked for
        found.append(("--kv-unified",))
    cache_ram = CACHE_RAM_MIB if engine.mode is Mode.CHAT else 0
    found.append(("--cache-ram", str(cache_ram)))
    return found


def _placement(wanted: Service) -> Arguments:
    gpu = wanted.gpu
    if gpu is None:
        return []
    layers = builds.all_layers(wanted.build) if gpu.layers is None else str(gpu.layers)
    found: Arguments = [("--n-gpu-layers", layers), *_split(gpu)]
    if builds.has_fit(wanted.build):
        # it gives up silently once layers or split are set; all is set here, so it must not try
        found.append(("--fit", "off"))
    return found


def _split(gpu: Gpu) -> Arguments:
    if gpu.count <= 1:
        return []
    split = sharding.tensor_split(gpu)
    found: Arguments = [("--split-mode", gpu.split_mode.value)]
    if gpu.split_mode is not SplitMode.NONE:
        found.append(("--tensor-split", ",".join(map(str, split))))
    return found


def _tuning(engine: Engine) -> Arguments:
    found: Arguments = []
    if engine.rope is not None:
        found.append(("--rope-scaling", engine.rope.type))
        found += _valued("--rope-scale", engine.rope.factor)
        found += _valued("--yarn-orig-ctx", engine.rope.original_context)
    if engine.flash_attention is not None:
        found.append(("--flash-attn", "on" if engine.flash_attention else "off"))
    if engine.jinja is not None:
        found.append(("--jinja",) if engine.jinja else ("--no-jinja",))
    found += _valued("--cache-type-k", engine.cache_type_k)
    found += _valued("--cache-type-v", engine.cache_type_v)
    found += [("--cpu-moe",)] if engine.cpu_moe else []
    found += _valued("--n-cpu-moe", engine.cpu_moe_layers)
    found += [("--no-kv-offload",)] if engine.no_kv_offload else []
    found += [("--override-tensor", ",".join(engine.tensor_overrides))] if engine.tensor_overrides else []
    found += _valued("--batch-size", engine.batch_size)
    found += _valued("--ubatch-size", engine.ubatch_size)
    found += [("--no-warmup",)] if engine.no_warmup else []
    found += _valued("--reasoning-budget", engine.reasoning_budget)
    found += _valued("--reasoning-budget-message", engine.reasoning_budget_message)
    found += [("--override-kv", ",".join(engine.metadata_overrides))] if engine.metadata_overrides else []
    return found


def _speculation(wanted: Service) -> Arguments:
    found: Arguments = []
    if wanted.model.source.mmproj is not None:
        found.append(("--mmproj", storage.mmproj_path(wanted)))
    speculative = wanted.engine.speculative
    if speculative is None:
        return found
    named = builds.has_draft_names(wanted.build)
    if named:
        found.append(("--spec-type", speculative.type))
    if speculative.draft is not None:
        found.append(("--spec-draft-model" if named else "--model-draft", storage.path_in(speculative.draft)))
    found += _valued("--spec-draft-n-max" if named else "--draft-max", speculative.n_max)
    found += _valued("--spec-draft-p-min" if named else "--draft-p-min", speculative.p_min)
    return found


def _mode(engine: Engine) -> Arguments:
    if engine.mode is Mode.EMBEDDING:
        return [("--embedding",), ("--pooling", "last")]
    if engine.mode is Mode.RERANK:
        return [("--reranking",), ("--embedding",), ("--pooling", "rank")]
    return []


def _valued(flag: str, value: str | int | None) -> Arguments:
    return [] if value is None or value == "" else [(flag, str(value))]
