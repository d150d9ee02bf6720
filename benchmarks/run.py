"""Time the command line as people run it: whole processes, start-up included.

    python benchmarks/run.py [--services N] [--runs N]

Needs git and the installed package, and nothing else.
"""

import argparse
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import corpus

IDENTITY = {
    "GIT_AUTHOR_NAME": "Bench",
    "GIT_AUTHOR_EMAIL": "bench@example.org",
    "GIT_COMMITTER_NAME": "Bench",
    "GIT_COMMITTER_EMAIL": "bench@example.org",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_CONFIG_NOSYSTEM": "1",
}
CLEAN = {name: value for name, value in os.environ.items() if not name.startswith(("LLMKUBE_", "GIT_"))} | IDENTITY


@dataclass
class Bench:
    """A corpus in a clone, and its remote."""

    folder: Path
    services: int
    pushes: int = 0

    @property
    def clone(self) -> Path:
        """Where the corpus is edited."""
        return self.folder / "clone"

    @property
    def remote(self) -> Path:
        """What --repo names."""
        return self.folder / "remote.git"

    def prepare(self) -> None:
        """Write the corpus, and push it in one commit."""
        corpus.write(self.clone, self.services)
        git("init", "--quiet", "--bare", "--initial-branch=main", str(self.remote), cwd=self.folder)
        git("init", "--quiet", "--initial-branch=main", cwd=self.clone)
        git("add", "--all", cwd=self.clone)
        git("commit", "--quiet", "--message", "corpus", cwd=self.clone)
        git("push", "--quiet", str(self.remote), "main", cwd=self.clone)

    def change_one(self) -> None:
        """Commit and push another context size of the first service."""
        self.pushes += 1
        path = next(path for path in sorted(self.clone.rglob("llm.yaml")) if "contextSize: " in path.read_text("utf-8"))
        lines = path.read_text("utf-8").splitlines()
        changed = [f"  contextSize: {4096 + 256 * self.pushes}" if "contextSize: " in line else line for line in lines]
        path.write_text("\n".join(changed) + "\n", encoding="utf-8")
        git("commit", "--quiet", "--all", "--message", "one change", cwd=self.clone)
        git("push", "--quiet", str(self.remote), "main", cwd=self.clone)

    def sync(self, name: str) -> float:
        """Sync to a folder and a cluster of this name; return the seconds."""
        where = ("--repo", str(self.remote), "--target", f"dir:{self.folder / name}", "--cluster-name", name)
        return timed("sync", *where)


def git(*arguments: str, cwd: Path) -> None:
    """Run git, with nobody's settings."""
    subprocess.run(["git", *arguments], cwd=cwd, env=CLEAN, check=True)


def timed(*arguments: str) -> float:
    """Return the seconds that one llmkube took. It may find problems or changes; it may not fail."""
    began = time.perf_counter()
    command = [sys.executable, "-m", "reconciler", *arguments]
    done = subprocess.run(command, env=CLEAN, capture_output=True, text=True, check=False)
    took = time.perf_counter() - began
    if done.returncode not in {0, 1}:
        sys.exit(f"llmkube {' '.join(arguments)} ended with {done.returncode}: {done.stderr}")
    return took


def measures(bench: Bench, runs: int) -> Iterator[tuple[str, list[float]]]:
    """Yield what was measured, and its seconds, run by run."""

    def repeat(once: Callable[[int], float]) -> list[float]:
        return [once(number) for number in range(runs)]

    def after_a_change(_number: int) -> float:
        bench.change_one()
        return bench.sync("first-0")

    revisions = ("--from", "HEAD~1", "--to", "HEAD")
    yield "start-up (--version)", repeat(lambda _: timed("--version"))
    yield "validate", repeat(lambda _: timed("validate", str(bench.clone)))
    yield "render", repeat(lambda _: timed("render", str(bench.clone)))
    yield "sync, the first", repeat(lambda number: bench.sync(f"first-{number}"))
    yield "sync, nothing to do", repeat(lambda _: bench.sync("first-0"))
    yield "sync, one file changed", repeat(after_a_change)
    yield (
        "diff of two revisions, one file changed",
        repeat(lambda _: timed("diff", "--repo", str(bench.clone), *revisions)),
    )


def main() -> None:
    """Measure and print a table in Markdown."""
    parser = argparse.ArgumentParser(description="Time llmkube on a generated fleet.")
    parser.add_argument("--services", type=int, default=1_000)
    parser.add_argument("--runs", type=int, default=5)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="llmkube-bench-") as folder:
        bench = Bench(Path(folder), asked.services)
        bench.prepare()
        print(
            f"{asked.services} services, {os.cpu_count()} cores, Python {platform.python_version()}, {asked.runs} runs"
        )
        print("\n| seconds | median | min | max |\n|---|---|---|---|")
        for what, seconds in measures(bench, asked.runs):
            figures = (statistics.median(seconds), min(seconds), max(seconds))
            print(f"| {what} | {' | '.join(f'{figure:.2f}' for figure in figures)} |", flush=True)


if __name__ == "__main__":
    main()
