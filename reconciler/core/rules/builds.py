"""Where builds of llama.cpp differ in what we render. None stands for a build that the image's tag does not tell."""

from typing import Final

RENDERED: Final = (
    "--alias",
    "--batch-size",
    "--cache-ram",
    "--cache-type-k",
    "--cache-type-v",
    "--cpu-moe",
    "--ctx-size",
    "--embedding",
    "--fit",
    "--flash-attn",
    "--host",
    "--jinja",
    "--kv-unified",
    "--metrics",
    "--mmproj",
    "--model",
    "--n-cpu-moe",
    "--n-gpu-layers",
    "--no-jinja",
    "--no-kv-offload",
    "--no-warmup",
    "--override-kv",
    "--override-tensor",
    "--parallel",
    "--pooling",
    "--port",
    "--reasoning-budget",
    "--reasoning-budget-message",
    "--reranking",
    "--rope-scale",
    "--rope-scaling",
    "--spec-draft-model",
    "--spec-draft-n-max",
    "--spec-draft-p-min",
    "--spec-type",
    "--split-mode",
    "--tensor-split",
    "--threads",
    "--ubatch-size",
    "--yarn-orig-ctx",
)
"""Every flag that we render, in our spelling: what an author's own arguments may stand in for."""

_FIT: Final = 7407
"""--fit came with #16653, on by default."""

_ALL_LAYERS: Final = 7407
"""`all` is taken by --n-gpu-layers; before it, a number above any model's layers says the same."""


_DRAFT_NAMES: Final = 9093
"""#22397 took --draft-max and its like away; --spec-draft-… and --spec-type stand in their place."""


def has_draft_names(build: int | None) -> bool:
    """Tell whether speculative decoding is asked for by --spec-type and --spec-draft-…; before, by --draft-…."""
    return build is None or build >= _DRAFT_NAMES


def has_fit(build: int | None) -> bool:
    """Tell whether llama-server has --fit, and so must be told not to."""
    return build is None or build >= _FIT


def all_layers(build: int | None) -> str:
    """Return the value of --n-gpu-layers that means every layer; 99 would leave 28 of a 126-layer model on the CPU."""
    return "all" if build is None or build >= _ALL_LAYERS else "999"
