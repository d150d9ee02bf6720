"""The corpus is the same everywhere and has the faults that it says, and the measuring works."""

import subprocess
import sys
from pathlib import Path

import pytest

from commands import ROOT, Llmkube

BENCHMARKS = ROOT / "benchmarks"


@pytest.fixture
def written(tmp_path: Path) -> Path:
    folder = tmp_path / "corpus"
    command = [sys.executable, str(BENCHMARKS / "corpus.py"), str(folder), "300"]
    subprocess.run(command, check=True, cwd=tmp_path)
    return folder


def content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_corpus_is_the_same_each_time(written: Path, tmp_path: Path) -> None:
    for seed, same in (("1", True), ("2", False)):
        again = tmp_path / f"again-{seed}"
        command = [sys.executable, str(BENCHMARKS / "corpus.py"), str(again), "300", seed]
        subprocess.run(command, check=True, env={"PYTHONHASHSEED": "7"})
        assert (content(again) == content(written)) is same


def test_the_corpus_is_valid_but_for_one_in_a_hundred(written: Path, tmp_path: Path) -> None:
    done = Llmkube(tmp_path)("validate", str(written), "--output", "json")
    assert done.code == 1
    problems = done.json()["problems"]
    assert {problem["severity"] for problem in problems} == {"error"}
    assert len({problem["path"] for problem in problems}) == 3


def test_the_benchmark_measures_every_command(tmp_path: Path) -> None:
    command = [sys.executable, str(BENCHMARKS / "run.py"), "--services", "20", "--runs", "1"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    rows = [line.split("|")[1].strip() for line in done.stdout.splitlines() if line.startswith("| ")]
    assert [row.partition(",")[0].partition(" (")[0] for row in rows] == [
        "seconds",
        "start-up",
        "validate",
        "render",
        "sync",
        "sync",
        "sync",
        "diff of two revisions",
    ]
