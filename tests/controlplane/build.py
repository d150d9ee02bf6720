"""The five programs that a Kubernetes control plane consists of: found on this machine, or built once.

Uses the standard library alone, so that a fresh checkout can warm the cache before it has a virtual environment.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import platform
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Report = Callable[[str], None]

MODULE: Final = Path(__file__).resolve().parent
KUBERNETES: Final = "1.36.3"

# One build step a program: what Go would call it is `v3`, `kube-apiserver`, ...
PACKAGES: Final[Mapping[str, str]] = {
    "etcd": "go.etcd.io/etcd/server/v3",
    "kube-apiserver": "k8s.io/kubernetes/cmd/kube-apiserver",
    "kube-controller-manager": "k8s.io/kubernetes/cmd/kube-controller-manager",
    "kube-scheduler": "k8s.io/kubernetes/cmd/kube-scheduler",
    "kwok": "sigs.k8s.io/kwok/cmd/kwok",
}
_VERSION: Final = "k8s.io/component-base/version"
_STAMPS: Final = {
    # without a version kubectl cannot parse what the server says about itself
    "gitVersion": f"v{KUBERNETES}",
    "gitMajor": KUBERNETES.split(".")[0],
    "gitMinor": KUBERNETES.split(".")[1],
    "gitCommit": "unknown",
    "gitTreeState": "clean",
    "buildDate": "1970-01-01T00:00:00Z",
}
_LDFLAGS: Final = " ".join(["-s", "-w", *(f"-X {_VERSION}.{key}={value}" for key, value in _STAMPS.items())])
FLAGS: Final = ("-trimpath", "-ldflags", _LDFLAGS)
ENVIRONMENT: Final = {"CGO_ENABLED": "0", "GOWORK": "off"}


class UnavailableError(Exception):
    """There are no programs here and none can be built; the message is one line that says what would help."""


@dataclass(frozen=True, slots=True)
class Binaries:
    """Where each program stands."""

    etcd: Path
    kube_apiserver: Path
    kube_controller_manager: Path
    kube_scheduler: Path
    kwok: Path


def binaries(report: Report) -> Binaries:
    """Find the programs, in KUBEBUILDER_ASSETS and then PATH, else in the cache, else build them into it.

    Calls `report` with one line a step. Several processes may call this at once: one builds and the others wait.
    Raises UnavailableError.
    """
    found = _at_hand(os.environ.get("KUBEBUILDER_ASSETS", ""), os.environ.get("PATH", ""), report)
    if found is not None:
        return found
    folder = cache_folder()
    if not folder.is_dir():
        _build_once(folder, report)
    return _named({name: folder / name for name in PACKAGES})


def cache_folder() -> Path:
    """The folder of this build: named for everything that decides what comes out of it."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    recipe = hashlib.sha256()
    for part in (
        (MODULE / "go.mod").read_bytes(),
        (MODULE / "go.sum").read_bytes(),
        repr((sorted(PACKAGES.items()), FLAGS, sorted(ENVIRONMENT.items()))).encode(),
        f"{platform.system()} {platform.machine()}".encode(),
    ):
        recipe.update(hashlib.sha256(part).digest())
    return cache / "llmkube-reconciler" / "controlplane" / recipe.hexdigest()[:16]


def _at_hand(assets: str, path: str, report: Report) -> Binaries | None:
    places = os.pathsep.join(place for place in (assets, path) if place)
    found = {name: which for name in PACKAGES if (which := shutil.which(name, path=places))}
    if found.keys() != PACKAGES.keys():
        return None
    kubernetes = {_minor(found[name]) for name in PACKAGES if name.startswith("kube-")}
    if len(kubernetes) > 1:
        report(f"programs at hand are left alone: their Kubernetes versions differ ({', '.join(sorted(kubernetes))})")
        return None
    return _named({name: Path(place) for name, place in found.items()})


def _minor(program: str) -> str:
    said = subprocess.run([program, "--version"], capture_output=True, text=True, check=False).stdout
    return ".".join(said.strip().removeprefix("Kubernetes ").split(".")[:2])


def _named(paths: Mapping[str, Path]) -> Binaries:
    return Binaries(**{field.name: paths[field.name.replace("_", "-")] for field in fields(Binaries)})


def _build_once(folder: Path, report: Report) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    with (folder.parent / f"{folder.name}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            report("another process builds the control plane; waiting for it")
            fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.is_dir():
            _build(folder, report)


def _build(folder: Path, report: Report) -> None:
    go = shutil.which("go")
    if go is None:
        raise UnavailableError(
            "no Kubernetes control plane here: install Go 1.26 or later (go.mod names the versions), or set"
            f" KUBEBUILDER_ASSETS to a folder with {', '.join(PACKAGES)}"
        )
    partial = folder.with_name(f"{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()
    report(f"building Kubernetes {KUBERNETES} once into {folder}: some six minutes and 3 GB of Go cache on two cores")
    for step, (name, package) in enumerate(PACKAGES.items(), start=1):
        started = time.monotonic()
        _go_build(go, package, partial / name)
        report(f"[{step}/{len(PACKAGES)}] {name} built in {time.monotonic() - started:.0f} s")
    partial.rename(folder)


def _go_build(go: str, package: str, output: Path) -> None:
    done = subprocess.run(
        [go, "build", *FLAGS, "-o", str(output), package],
        cwd=MODULE,
        env={**os.environ, **ENVIRONMENT},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        last = done.stderr.strip().splitlines()[-1:] or ["it said nothing"]
        raise UnavailableError(
            f"no Kubernetes control plane here: `go build {package}` failed ({last[0]}); fix that, or set"
            f" KUBEBUILDER_ASSETS to a folder with {', '.join(PACKAGES)}"
        )


def say(line: str) -> None:
    """Tell the person at the terminal."""
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


def main() -> int:
    started = time.monotonic()
    try:
        found = binaries(say)
    except UnavailableError as error:
        say(str(error))
        return 1
    say(f"control plane programs in {found.kube_apiserver.parent} ({time.monotonic() - started:.1f} s)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
