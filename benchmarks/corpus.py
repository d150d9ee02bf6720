"""A fleet to measure with: services of both dialects, all vendors, many shapes, and one in a hundred with a fault.

    python benchmarks/corpus.py FOLDER [SERVICES [SEED]]

The same seed gives the same bytes, on every machine.
"""

import random
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

HEADS: Final = (
    "apiVersion: inference.llmkube.dev/v1alpha1\nkind: {kind}\nmetadata:\n  name: {name}\n  namespace: {space}\n"
)
NAMESPACES: Final = ("chat", "code", "embeddings", "research", "staging")
FAMILIES: Final = ("llama-3.1", "qwen3", "mistral-small", "gemma-3", "phi-4", "deepseek-r1")
SIZES: Final = ("1b", "8b", "13b", "32b", "70b")
GPUS: Final = (0, 0, 1, 1, 1, 2, 2, 4, 8)
VENDORS: Final = ("nvidia", "nvidia", "nvidia", "amd", "intel")
ONE_IN: Final = 100
"""How often a service has a fault."""

FAULTS: Final[tuple[Callable[[str], str], ...]] = (
    lambda text: text.replace("contextSize:", "contextSizes:"),
    lambda text: text.replace("replicas: ", "replicas: -"),
    lambda text: text.replace("kind: InferenceService", "kind: InferenceServic"),
    lambda text: f"{text}  x: [1\n",
)


@dataclass(frozen=True)
class Shape:
    """What chance has decided about one service."""

    name: str
    namespace: str
    gpus: int
    vendor: str
    replicas: int
    context: int
    cached: bool
    spot: bool


def texts(services: int, seed: int = 1) -> dict[str, str]:
    """Return path -> content of every file of the corpus."""
    chance = random.Random(seed)  # noqa: S311  # the same every time is the point
    found = {"fleet.yaml": _fleet()}
    for number in range(services):
        shape = _shape(number, chance)
        write = chance.choice((_release_notes, _shipped))
        text = write(shape)
        if number % ONE_IN == ONE_IN // 2:
            text = chance.choice(FAULTS)(text)
        found[f"{shape.namespace}/{shape.name}/llm.yaml"] = text
    return found


def write(folder: Path, services: int, seed: int = 1) -> None:
    """Write the corpus below the folder."""
    for path, text in texts(services, seed).items():
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")


def _shape(number: int, chance: random.Random) -> Shape:
    gpus = chance.choice(GPUS)
    return Shape(
        name=f"{chance.choice(FAMILIES)}-{chance.choice(SIZES)}-{number}",
        namespace=chance.choice(NAMESPACES),
        gpus=gpus,
        vendor=chance.choice(VENDORS) if gpus else "",
        replicas=chance.choice((1, 1, 1, 2, 3)),
        context=chance.choice((4096, 8192, 16384, 32768)),
        cached=chance.random() < 0.5,  # noqa: PLR2004  # every second one
        spot=chance.random() < 0.3,  # noqa: PLR2004  # and every third of those with GPUs
    )


def _fleet() -> str:
    return "apiVersion: gitops.llmkube.dev/v1alpha1\nkind: Fleet\nmetadata:\n  name: corpus\nspec:\n  namespace: chat\n"


def _release_notes(shape: Shape) -> str:
    lines = [HEADS.format(kind="Model", name=shape.name, space=shape.namespace), "spec:\n  source:\n"]
    lines += [f"    huggingFace:\n      repo: example/{shape.name}-GGUF\n      filename: {shape.name}-q4_k_m.gguf\n"]
    lines += ["---\n", HEADS.format(kind="InferenceService", name=shape.name, space=shape.namespace)]
    lines += [f"spec:\n  modelRef:\n    name: {shape.name}\n"]
    if shape.gpus:
        lines += [f"  accelerator:\n    type: {shape.vendor}\n    gpuCount: {shape.gpus}\n"]
    return "".join([*lines, *_common(shape)])


def _shipped(shape: Shape) -> str:
    lines = [HEADS.format(kind="Model", name=shape.name, space=shape.namespace)]
    lines += [f"spec:\n  source: https://example.com/{shape.name}.gguf\n  format: gguf\n"]
    if shape.gpus:
        lines += [
            f"  hardware:\n    gpu:\n      enabled: true\n      count: {shape.gpus}\n      vendor: {shape.vendor}\n"
        ]
    lines += ["---\n", HEADS.format(kind="InferenceService", name=shape.name, space=shape.namespace)]
    return "".join([*lines, f"spec:\n  modelRef: {shape.name}\n", *_common(shape)])


def _common(shape: Shape) -> list[str]:
    lines = [f"  replicas: {shape.replicas}\n  contextSize: {shape.context}\n"]
    lines += ['  resources:\n    cpu: "4"\n    memory: 8Gi\n']
    if shape.cached and shape.replicas == 1:
        lines += ["  modelCache:\n    persistence: Cached\n"]
    else:
        lines += ["  modelCache:\n    persistence: Ephemeral\n"]
    if shape.gpus and shape.spot:
        lines += ["  tolerations:\n    - key: cloud.google.com/gke-spot\n      operator: Exists\n"]
        lines += ['  nodeSelector:\n    cloud.google.com/gke-spot: "true"\n']
    return lines


if __name__ == "__main__":
    write(Path(sys.argv[1]), *map(int, sys.argv[2:]))
