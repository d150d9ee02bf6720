"""Time the command line as people run it: whole processes, start-up included.

    python benchmarks/run.py [--services N] [--runs N]

Needs git and the installed package, and nothing else.
"""

import argparse
import os
import platform
import resource
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


@dataclass(frozen=True)
class Spent:
    """What one process took, its git included: seconds on the clock, and of processors."""

    clock: float
    processors: float


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

    def sync(self, name: str) -> Spent:
        """Sync to a folder and a cluster of this name."""
        where = ("--repo", str(self.remote), "--target", f"dir:{self.folder / name}", "--cluster-name", name)
        return timed("sync", *where)


def git(*arguments: str, cwd: Path) -> None:
    """Run git, with nobody's settings."""
    subprocess.run(["git", *arguments], cwd=cwd, env=CLEAN, check=True)


def timed(*arguments: str) -> Spent:
    """Run one llmkube. It may find problems or changes; it may not fail."""
    command = [sys.executable, "-m", "reconciler", *arguments]
    began, spent = time.perf_counter(), _children()
    done = subprocess.run(command, env=CLEAN, capture_output=True, text=True, check=False)
    took = Spent(time.perf_counter() - began, _children() - spent)
    if done.returncode not in {0, 1}:
        sys.exit(f"llmkube {' '.join(arguments)} ended with {done.returncode}: {done.stderr}")
    return took


def _children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def measures(bench: Bench, runs: int) -> Iterator[tuple[str, list[Spent]]]:
    """Yield what was measured, and what each run took."""

    def repeat(once: Callable[[int], Spent]) -> list[Spent]:
        return [once(number) for number in range(runs)]

    def after_a_change(_number: int) -> Spent:
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
        print("\n| seconds | median | min | max | processors, median |\n|---|---|---|---|---|")
        for what, spent in measures(bench, asked.runs):
            clock = [one.clock for one in spent]
            busy = statistics.median(one.processors for one in spent)
            figures = (statistics.median(clock), min(clock), max(clock), busy)
            print(f"| {what} | {' | '.join(f'{figure:.2f}' for figure in figures)} |", flush=True)


if __name__ == "__main__":
    main()
