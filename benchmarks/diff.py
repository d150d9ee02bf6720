"""How long `llmkube diff --from --to` takes with one changed file, interpreter start included.

    python benchmarks/diff.py [SERVICES ...] [--runs N]

Prints the median and the fastest of the runs in seconds, for an edit and for a deletion (which needs every file).
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

import corpus

_GIT: Final = (
    *("git", "-c", "user.name=Bench", "-c", "user.email=bench@example.com", "-c", "gc.auto=0"),
    *("-c", "commit.gpgsign=false"),
)


def main() -> None:
    """Measure each size."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("services", nargs="*", type=int, default=[1_000, 10_000])
    options.add_argument("--runs", type=int, default=5)
    given = options.parse_args()
    print(f"{'services':>8}  {'change':8}  {'median':>7}  {'fastest':>7}")
    for services in given.services:
        with tempfile.TemporaryDirectory() as folder:
            _prepare(Path(folder), services)
            for change, revisions in (("edit", ("first", "edited")), ("deletion", ("first", "deleted"))):
                runs = given.runs if change == "edit" else 1
                _seconds(Path(folder), *revisions)
                seconds = [_seconds(Path(folder), *revisions) for _ in range(runs)]
                middle, fastest = statistics.median(seconds), min(seconds)
                print(f"{services:>8}  {change:8}  {middle:>7.2f}  {fastest:>7.2f}", flush=True)


def _prepare(folder: Path, services: int) -> None:
    """Make a packed clone, as a checkout in CI is, with one commit for each change."""
    corpus.write(folder, services)
    _git(folder, "init", "--quiet", "--initial-branch=main")
    _commit(folder, "first")
    path = min(folder.rglob("llm.yaml"))
    path.write_text(path.read_text(encoding="utf-8").replace("contextSize: ", "contextSize: 1"), encoding="utf-8")
    _commit(folder, "edited")
    _git(folder, "reset", "--quiet", "--hard", "first")
    path.unlink()
    _commit(folder, "deleted")
    _git(folder, "repack", "-adq")


def _commit(folder: Path, tag: str) -> None:
    _git(folder, "add", "--all")
    _git(folder, "commit", "--quiet", "--message", tag)
    _git(folder, "tag", tag)


def _git(folder: Path, *arguments: str) -> None:
    subprocess.run([*_GIT, *arguments], cwd=folder, check=True)


def _seconds(folder: Path, before: str, after: str) -> float:
    command = [sys.executable, "-m", "reconciler", "diff", "--from", before, "--to", after]
    # with bytecode, as an installed package has it
    foreign = ("LLMKUBE_", "GIT_", "PYTHONDONTWRITEBYTECODE")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    started = time.perf_counter()
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, check=False)
    seconds = time.perf_counter() - started
    if done.returncode != 1:
        raise SystemExit(f"{' '.join(command)}: {done.returncode}: {done.stderr.decode()[-500:]}")
    return seconds


if __name__ == "__main__":
    main()
