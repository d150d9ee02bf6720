from cluster.conftest import ROOT
from cluster.team import Reconciler, Repository
from controlplane.fixtures import Fleet, Kubectl

NODES = ROOT / "tests" / "controlplane" / "example-nodes.yaml"

SERVICES = (
    "gemma-9b-eks",
    "llama-13b",
    "llama-3.1-8b",
    "llama-70b",
    "mistral-7b-aks",
    "qwen-7b-gke",
    "smollm2-135m",
)


def test_the_example_repository_goes_from_push_to_ready(
    reconciler: Reconciler, repository: Repository, kubectl: Kubectl, fleet: Fleet
) -> None:
    fleet.only(NODES)
    revision = repository.push_folder(ROOT / "example-repo")

    answer = reconciler.sync()
    assert answer.exit_code == 0
    assert answer.held == {}
    reconciler.await_phase("Ready", *SERVICES)

    assert reconciler.status()["source"]["applied"] == revision
    pods = {
        pod["metadata"]["labels"]["inference.llmkube.dev/service"]: pod["spec"]["nodeName"]
        for pod in kubectl.get("pods")["items"]
    }
    assert sorted(pods) == list(SERVICES)
    assert pods["mistral-7b-aks"].startswith("gpupool")
    assert pods["qwen-7b-gke"].startswith("gpu-l4-spot")
    assert pods["gemma-9b-eks"].startswith("eks-a10g-spot")
    assert pods["llama-70b"].startswith("on-premises")
