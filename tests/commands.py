"""The installed command, run as a person would run it."""

import functools
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]


@dataclass(frozen=True)
class Done:
    """What a command left behind."""

    code: int
    stdout: str
    stderr: str

    def json(self) -> Any:
        return json.loads(self.stdout)


@dataclass(frozen=True)
class Llmkube:
    """Runs llmkube in a folder, without the caller's own settings."""

    folder: Path

    def __call__(self, *arguments: str, cwd: Path | None = None, env: Mapping[str, str] | None = None) -> Done:
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("LLMKUBE_", "GIT_"))}
        done = subprocess.run(
            [sys.executable, "-m", "reconciler", *arguments],
            cwd=cwd or self.folder,
            env=clean | (env or {}),
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        return Done(done.returncode, done.stdout, done.stderr)


@functools.cache
def demo() -> Done:
    """`make demo` without its set-up, once for all who look at it."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        [str(ROOT / "docs" / "demo" / "demo.sh")],
        env=os.environ | {"PATH": path},
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    return Done(done.returncode, done.stdout, done.stderr)


def service(name: str, gpus: int = 0, extra: str = "") -> str:
    """A Model and an InferenceService of it, as an llm.yaml."""
    accelerator = f"  accelerator:\n    type: nvidia\n    gpuCount: {gpus}\n" if gpus else ""
    return (
        "apiVersion: inference.llmkube.dev/v1alpha1\nkind: Model\n"
        f"metadata:\n  name: {name}\nspec:\n  source: https://example.com/{name}.gguf\n---\n"
        "apiVersion: inference.llmkube.dev/v1alpha1\nkind: InferenceService\n"
        f"metadata:\n  name: {name}\nspec:\n  modelRef:\n    name: {name}\n  contextSize: 4096\n{accelerator}{extra}"
    )
