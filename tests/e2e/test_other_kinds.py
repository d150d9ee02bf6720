"""A repository that Flux reads already: our objects are served, the rest is passed over without a word."""

from pathlib import Path

import pytest
import yaml

import git_server
from commands import ROOT, Done, Llmkube

FLUX = ROOT / "tests" / "data" / "flux"
MODELS = "kubernetes/apps/ai/llmkube/models"
OURS = {"llama-3-2-3b", "nomic-embed", "qwen3-coder"}


class Cluster:
    """The Flux repository on a remote, and the folder that it is synced to."""

    def __init__(self, folder: Path) -> None:
        self.remote = git_server.make_remote(folder / "remote")
        self.out = folder / "out"
        self._llmkube = Llmkube(folder)
        files = {str(path.relative_to(FLUX)): path.read_bytes() for path in FLUX.rglob("*") if path.is_file()}
        self.remote.commit(files)

    def sync(self) -> Done:
        reading = ("--include", "**/*.yaml", "--ignore-other-kinds")
        return self._llmkube("sync", "--repo", self.remote.url, "--target", f"dir:{self.out}", *reading)

    def objects(self) -> set[tuple[str, str]]:
        found = (yaml.safe_load(path.read_text(encoding="utf-8")) for path in self.out.rglob("*.yaml"))
        return {(manifest["kind"], manifest["metadata"]["name"]) for manifest in found}


@pytest.fixture
def cluster(tmp_path: Path) -> Cluster:
    return Cluster(tmp_path)


def test_our_objects_are_served_and_of_the_rest_nothing_is_said(cluster: Cluster) -> None:
    done = cluster.sync()
    assert (done.code, done.stderr) == (0, "")
    deployments = {name for kind, name in cluster.objects() if kind == "Deployment"}
    assert deployments == OURS
    kinds = {kind for kind, _ in cluster.objects()}
    assert kinds == {
        "ConfigMap",  # the inventory
        "Deployment",
        "HorizontalPodAutoscaler",
        "Job",
        "PersistentVolumeClaim",
        "Service",
    }
    again = cluster.sync()
    assert (again.code, again.stderr) == (0, "")
    assert again.stdout.endswith(": nothing to do\n")


def test_what_a_latest_spec_says_is_in_its_deployment(cluster: Cluster) -> None:
    cluster.sync()
    text = (cluster.out / "ai" / "deployment-llama-3-2-3b.yaml").read_text(encoding="utf-8")
    pod = yaml.safe_load(text)["spec"]["template"]
    server = pod["spec"]["containers"][0]
    arguments = server["args"]
    said = {"--ctx-size": "32768", "--parallel": "4", "--cache-type-k": "q8_0", "--slot-prompt-similarity": "0.3"}
    assert {flag: arguments[arguments.index(flag) + 1] for flag in said} == said
    assert "--jinja" in arguments
    assert server["resources"]["limits"]["nvidia.com/gpu"] == "1"
    assert pod["spec"]["runtimeClassName"] == "nvidia"
    assert pod["spec"]["nodeSelector"] == {"kubernetes.io/hostname": "talos-gpu-0"}
    assert pod["metadata"]["annotations"]["reloader.stakater.com/auto"] == "true"


def test_what_left_the_repository_is_pruned_as_from_any_other(cluster: Cluster) -> None:
    cluster.sync()
    before = cluster.objects()
    (cluster.remote.clone / MODELS / "qwen-coder.yaml").unlink()
    cluster.remote.commit({})
    done = cluster.sync()
    assert (done.code, done.stderr) == (0, "")
    assert before - cluster.objects() == {("Deployment", "qwen3-coder"), ("Service", "qwen3-coder")}
    assert not cluster.objects() - before


def test_a_helm_template_that_names_our_group_is_a_problem_and_stops_the_pruning(cluster: Cluster) -> None:
    cluster.sync()
    before = cluster.objects()
    (cluster.remote.clone / MODELS / "qwen-coder.yaml").unlink()
    template = "{{- range .Values.models }}\napiVersion: inference.llmkube.dev/v1alpha1\nkind: Model\n{{- end }}\n"
    cluster.remote.commit({"charts/models/templates/model.yaml": template})
    done = cluster.sync()
    assert done.code == 1
    assert done.stderr.startswith("charts/models/templates/model.yaml:1:")
    assert done.stderr.count("\n") == 1
    assert cluster.objects() == before
