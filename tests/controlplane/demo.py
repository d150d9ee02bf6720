"""The demo on a Kubernetes on loopback: from `git push` to Ready pods, with the report printed.

It runs git, kubectl and the installed llmkube, echoes each command, and fails when a promised result is absent. llmkube
has the rights that deploy/ gives it and no others; kubectl is the administrator's.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

if __name__ == "__main__":  # run as a file: the folder above is the one to import from
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from controlplane import build, cluster, components

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT: Final = Path(__file__).resolve().parents[2]
NODES: Final = Path(__file__).resolve().parent / "example-nodes.yaml"
SYSTEM: Final = "llmkube-system"
ACCOUNT: Final = "llmkube-reconciler"

_GIT: Final = {
    # a repository of its own: no identity, hook, signature or template of whoever runs this
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_AUTHOR_NAME": "A Model Owner",
    "GIT_AUTHOR_EMAIL": "owner@example.com",
    "GIT_COMMITTER_NAME": "A Model Owner",
    "GIT_COMMITTER_EMAIL": "owner@example.com",
}


class BrokenPromiseError(Exception):
    """A command ended otherwise than promised, or did not say what it should."""


@dataclass(frozen=True, slots=True)
class Stage:
    """Where commands run, and with what environment each program does."""

    cluster: cluster.Cluster
    folder: Path
    environments: Mapping[str, Mapping[str, str]]

    def run(self, line: str, *, code: int = 0, says: tuple[str, ...] = (), lacks: str = "") -> str:
        """Echo a command, run it in the stage's folder, and hold it to its exit code and words."""
        _say(f"$ {line}", style="1")
        found = self._ran(shlex.split(line))
        _say(found.stdout.rstrip("\n"))
        if found.returncode != code:
            raise BrokenPromiseError(f"exit code {found.returncode} where {code} was promised: {line}")
        for text in says:
            if text not in found.stdout:
                raise BrokenPromiseError(f"{text!r} is not in what was said by: {line}")
        if lacks and lacks in found.stdout:
            raise BrokenPromiseError(f"{lacks!r} is in what was said by: {line}")
        return found.stdout

    def give_token(self, line: str, account: Path) -> None:
        """Echo a command that prints a token, and write that token's kubeconfig; a secret is not shown."""
        _say(f"$ {line}", style="1")
        found = self._ran(shlex.split(line))
        if found.returncode != 0:
            raise BrokenPromiseError(f"{found.stdout.strip()}: {line}")
        place = self.cluster.place
        account.touch(mode=0o600)
        account.write_text(components.kubeconfig(place.server, place.certificate.read_bytes(), found.stdout.strip()))

    def _ran(self, words: list[str]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            words,
            cwd=self.folder,
            env={**os.environ, **self.environments.get(words[0], {})},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )

    def edit(self, path: str, old: str, new: str) -> None:
        """Replace the one place of a text in a file of the stage's."""
        _say(f"$ sed -i 's/{old}/{new}/' {path}", style="1")
        file = self.folder / path
        text = file.read_text()
        if text.count(old) != 1:
            raise BrokenPromiseError(f"{path} has {text.count(old)} places with {old!r}")
        file.write_text(text.replace(old, new))


def perform(stage: Stage) -> None:
    """Show the main job; BrokenPromiseError when it does not come out as promised."""
    _prepare(stage)
    _bring_up(stage)
    _grow(stage)
    _undo_a_hand(stage)
    _prune(stage)
    _step("What the reconciler reports, in git")
    stage.run("git -C remote.git log --format=%s llmkube-status/demo")
    stage.run("git -C remote.git show llmkube-status/demo:README.md", says=("llama-70b", "Ready"), lacks="smollm2")
    _step("The demo kept its promises; the cluster goes now. `make cluster` starts one that stays.")


def _prepare(stage: Stage) -> None:
    _step("A cluster with the nodes that example-repo speaks of")
    labels = "kubernetes.azure.com/agentpool,cloud.google.com/gke-accelerator,eks.amazonaws.com/capacityType"
    stage.run(f"kubectl get nodes -L {labels}", says=("gpupool-0", "on-premises-0"))
    _step("The reconciler's rights, and a namespace for models: it never creates one")
    stage.run("kubectl apply --server-side -k deploy/kustomize/base", says=(f"serviceaccount/{ACCOUNT}",))
    stage.run("kubectl create namespace llm")
    stage.give_token(f"kubectl create token -n {SYSTEM} {ACCOUNT}", Path(stage.environments["llmkube"]["KUBECONFIG"]))
    _step("A team's repository of model specs, and its remote")
    stage.run("git init --quiet --bare --initial-branch=main remote.git")
    stage.run("git -C work init --quiet --initial-branch=main")
    stage.run("git -C work add .")
    stage.run('git -C work commit --quiet --message "models: serve seven models"')
    stage.run("git -C work push --quiet ../remote.git main")


def _bring_up(stage: Stage) -> None:
    _step("The first sync: seven models, each where its spec wants it")
    stage.run("llmkube sync", says=("create    Deployment/llm/llama-70b", "15 created"))
    stage.run("kubectl wait -n llm --for=condition=Available deployment --all --timeout=60s")
    stage.run("kubectl get pods -n llm -o custom-columns=POD:.metadata.name,STATUS:.status.phase,NODE:.spec.nodeName")
    _step("The second one finds nothing to do, and reports them Ready")
    stage.run("llmkube sync", says=("nothing to do",))
    stage.run("llmkube status", says=("llm/llama-70b       Ready",), lacks="Pending")
    gpus = r"GPUS:.spec.containers[0].resources.limits.nvidia\.com/gpu"
    selector = "inference.llmkube.dev/service-name=llama-70b"
    columns = f"POD:.metadata.name,{gpus},ARGUMENTS:.spec.containers[0].args"
    stage.run(
        f"kubectl get pods -n llm -l {selector} -o 'custom-columns={columns}'", says=(" 4 ", "--tensor-split 1,1,1,1")
    )


def _grow(stage: Stage) -> None:
    _step("A model grows from one GPU to two: commit, push, look, sync")
    stage.edit("work/models/llama-3.1-8b/llm.yaml", "gpuCount: 1", "gpuCount: 2")
    stage.run('git -C work commit --quiet --all --message "llama-3.1-8b: use two GPUs"')
    stage.run("git -C work push --quiet ../remote.git main")
    stage.run("llmkube diff", code=1, says=("--tensor-split", "pods restart"))
    stage.run("llmkube sync", says=("update    Deployment/llm/llama-3-1-8b", "1 updated"))
    stage.run("kubectl rollout status -n llm deployment/llama-3-1-8b --timeout=60s")


def _undo_a_hand(stage: Stage) -> None:
    _step("Somebody scales a model by hand: that is reported, and undone")
    stage.run("kubectl scale -n llm deployment/llama-13b --replicas=2")
    stage.run("llmkube diff", code=1, says=("spec.replicas 2 -> 1", "taken back: spec.replicas (kubectl)"))
    stage.run("llmkube sync", says=("update    Deployment/llm/llama-13b",))
    stage.run("kubectl rollout status -n llm deployment/llama-13b --timeout=60s")


def _prune(stage: Stage) -> None:
    _step("A model leaves git: what it consisted of leaves the cluster, and nothing else does")
    stage.run("git -C work rm --quiet models/smollm2-135m/llm.yaml")
    stage.run('git -C work commit --quiet --message "smollm2-135m: retire"')
    stage.run("git -C work push --quiet ../remote.git main")
    stage.run("llmkube sync", says=("delete    Deployment/llm/smollm2-135m", "2 deleted"))
    stage.run("kubectl get deployments -n llm", says=("gemma-9b-eks", "llama-70b"), lacks="smollm2")
    stage.run("llmkube status", lacks="Pending")


def _step(text: str) -> None:
    _say(f"\n# {text}", style="1")


def _say(text: str, style: str = "") -> None:
    if text:
        sys.stdout.write(f"\033[{style}m{text}\033[0m\n" if style and sys.stdout.isatty() else f"{text}\n")
        sys.stdout.flush()


def _stage(running: cluster.Cluster, folder: Path) -> Stage:
    shutil.copytree(ROOT / "example-repo", folder / "work")
    (folder / "deploy").symlink_to(ROOT / "deploy")
    programs = {"PATH": f"{sysconfig.get_path('scripts')}{os.pathsep}{os.environ['PATH']}"}
    kubectl = {"KUBECONFIG": str(running.kubeconfig), "KUBECACHEDIR": str(folder / "kubectl-cache")}
    llmkube = {
        "KUBECONFIG": str(folder / "reconciler.kubeconfig"),
        "LLMKUBE_REPO": str(folder / "remote.git"),
        "LLMKUBE_CLUSTER_NAME": "demo",
        "LLMKUBE_TARGET": "cluster",
    }
    return Stage(running, folder, {"git": _GIT, "kubectl": {**programs, **kubectl}, "llmkube": {**programs, **llmkube}})


def main() -> int:
    started = time.monotonic()
    try:
        with cluster.start(NODES) as running, tempfile.TemporaryDirectory(prefix="llmkube-demo-") as folder:
            perform(_stage(running, Path(folder)))
    except BrokenPromiseError as error:
        build.say(f"demo: {error}")
        return 1
    except (build.UnavailableError, cluster.StartError) as error:
        build.say(str(error))
        return 1
    build.say(f"{time.monotonic() - started:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
