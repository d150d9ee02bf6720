from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from controlplane import build

if TYPE_CHECKING:
    from collections.abc import Mapping

SCRIPT = Path(build.__file__)
TESTS = SCRIPT.parents[1]

# what stands behind -o is what to write; a second makes two builds overlap
GO = """\
import sys, time
from pathlib import Path
output = Path(sys.argv[sys.argv.index("-o") + 1])
with Path(__file__).with_name("calls").open("a") as calls:
    calls.write(f"{output.name}\\n")
time.sleep(0.2)
output.write_text("built")
"""


def program(folder: Path, name: str, code: str) -> None:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!{sys.executable} -I\n{code}")
    (folder / name).chmod(0o755)


def programs(folder: Path, version: str = "v1.36.3", *, without: str = "") -> Path:
    for name in build.PACKAGES.keys() - {without}:
        program(folder, name, f"print('Kubernetes {version}')\n")
    return folder


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Mapping[str, str]:
    """An environment with no programs, no Go and an empty cache."""
    monkeypatch.delenv("KUBEBUILDER_ASSETS", raising=False)
    monkeypatch.setenv("PATH", "")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return os.environ


def ignore(line: str) -> None:
    del line


@pytest.mark.usefixtures("bare")
def test_programs_at_hand_come_before_those_on_the_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(programs(tmp_path / "path")))
    assert build.binaries(ignore).etcd == tmp_path / "path" / "etcd"
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(programs(tmp_path / "assets")))
    assert build.binaries(ignore).etcd == tmp_path / "assets" / "etcd"


@pytest.mark.usefixtures("bare")
def test_assets_are_completed_from_the_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(programs(tmp_path / "assets", without="kwok")))
    monkeypatch.setenv("PATH", str(programs(tmp_path / "path")))
    found = build.binaries(ignore)
    assert (found.kube_scheduler.parent.name, found.kwok.parent.name) == ("assets", "path")


@pytest.mark.usefixtures("bare")
def test_programs_of_two_kubernetes_versions_are_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    programs(tmp_path / "path", "v1.36.3")
    program(tmp_path / "path", "kube-apiserver", "print('Kubernetes v1.34.1')\n")
    monkeypatch.setenv("PATH", str(tmp_path / "path"))
    said: list[str] = []
    with pytest.raises(build.UnavailableError):
        build.binaries(said.append)
    assert said == ["programs at hand are left alone: their Kubernetes versions differ (v1.34, v1.36)"]


@pytest.mark.usefixtures("bare")
def test_without_programs_and_go_one_line_says_what_would_help() -> None:
    with pytest.raises(build.UnavailableError, match=r"\Ano Kubernetes .* install Go .* KUBEBUILDER_ASSETS .*\Z"):
        build.binaries(ignore)


@pytest.mark.usefixtures("bare")
def test_a_build_that_fails_says_why_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(tmp_path / "go", "go", "import sys\nsys.exit('go: no such host')\n")
    monkeypatch.setenv("PATH", str(tmp_path / "go"))
    with pytest.raises(build.UnavailableError, match=r"`go build .*` failed \(go: no such host\)"):
        build.binaries(ignore)
    assert not build.cache_folder().exists()


def test_two_at_once_build_once(tmp_path: Path, bare: Mapping[str, str]) -> None:
    program(tmp_path / "go", "go", GO)
    environment = {**bare, "PATH": str(tmp_path / "go")}
    command = [sys.executable, str(SCRIPT)]
    both = [subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    said = [process.communicate()[1] for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert (tmp_path / "go" / "calls").read_text().split() == list(build.PACKAGES)
    assert sum("waiting for it" in each for each in said) == 1
    assert sum("[5/5] kwok built in " in each for each in said) == 1


@pytest.mark.parametrize(("ci", "status", "outcome"), [("false", 0, "1 skipped"), ("true", 1, "1 error")])
def test_a_test_without_a_cluster_is_skipped_and_in_ci_fails(
    tmp_path: Path, bare: Mapping[str, str], ci: str, status: int, outcome: str
) -> None:
    (tmp_path / "test_it.py").write_text("def test_it(control_plane): pass\n")
    command = [sys.executable, "-m", "pytest", "-p", "controlplane.fixtures", "-rs", "-q", "test_it.py"]
    environment = {**bare, "CI": ci, "PYTHONPATH": str(TESTS)}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == status, done.stdout
    assert outcome in done.stdout
    assert "install Go" in done.stdout
