"""Guards, trailers and strangers, from a push to what stands in the folder."""

from pathlib import Path

import pytest

import git_server
from commands import Done, Llmkube, service


class Fleet:
    """A remote with models, and a folder that it is synced to."""

    def __init__(self, llmkube: Llmkube, remote: git_server.Remote) -> None:
        self.llmkube = llmkube
        self.remote = remote
        self.folder = llmkube.folder / "out"

    def push(self, *names: str, message: str = "change", **texts: str) -> None:
        for old in self.remote.clone.glob("*.llm.yaml"):
            old.unlink()
        files = {f"{name}.llm.yaml": service(name) for name in names}
        self.remote.commit({"keep.txt": message, **files, **texts}, message)

    def sync(self, *arguments: str) -> Done:
        return self.llmkube("sync", "--repo", self.remote.url, "--target", f"dir:{self.folder}", *arguments)

    @property
    def deployments(self) -> set[str]:
        return {path.stem.removeprefix("deployment-") for path in self.folder.rglob("deployment-*.yaml")}


@pytest.fixture
def fleet(llmkube: Llmkube, remote: git_server.Remote) -> Fleet:
    return Fleet(llmkube, remote)


def test_what_left_git_is_pruned(fleet: Fleet) -> None:
    fleet.push("a", "b", "c")
    fleet.sync()
    fleet.push("a", "b")
    done = fleet.sync()
    assert done.code == 0
    assert fleet.deployments == {"a", "b"}


def test_many_deletions_are_held_until_a_commit_allows_them(fleet: Fleet) -> None:
    fleet.push("a", "b", "c", "d", "e")
    fleet.sync()
    fleet.push("a", "b")
    held = fleet.sync()
    assert held.code == 1
    assert "Llmkube-Allow: delete=3" in held.stdout
    assert fleet.deployments == {"a", "b", "c", "d", "e"}
    fleet.push("a", "b", message="let them go\n\nLlmkube-Allow: delete=3")
    assert fleet.sync().code == 0
    assert fleet.deployments == {"a", "b"}


def test_a_trailer_of_an_earlier_commit_counts_until_all_is_applied(fleet: Fleet) -> None:
    fleet.push("a", "b", "c", "d", "e")
    fleet.sync()
    fleet.push("a", "b", message="let them go\n\nLlmkube-Allow: delete=3")
    fleet.push("a", "b", message="something else")
    assert fleet.sync().code == 0
    assert fleet.deployments == {"a", "b"}
    fleet.push("a", "b", "c", "d", "e")
    fleet.sync()
    fleet.push("a", "b")
    assert fleet.sync().code == 1


def test_a_flag_allows_them_too(fleet: Fleet) -> None:
    fleet.push("a", "b", "c", "d", "e")
    fleet.sync()
    fleet.push("a", "b")
    assert fleet.sync("--allow-delete", "3").code == 0
    assert fleet.deployments == {"a", "b"}


def test_the_last_service_goes_only_with_leave(fleet: Fleet) -> None:
    fleet.push("a")
    fleet.sync()
    fleet.push()
    assert fleet.sync().code == 1
    assert fleet.deployments == {"a"}
    fleet.push(message="close the shop\n\nLlmkube-Allow: delete=1")
    fleet.sync()
    assert fleet.deployments == set()


def test_a_broken_file_deletes_nothing_anywhere(fleet: Fleet) -> None:
    fleet.push("a", "b", "c")
    fleet.sync()
    fleet.push("a", **{"c.llm.yaml": "kind: ["})
    done = fleet.sync()
    assert done.code == 1
    assert fleet.deployments == {"a", "b", "c"}
    assert "nothing is deleted while not all specs can be read" in done.stdout


def test_somebody_elses_object_is_left_alone_and_reported(fleet: Fleet) -> None:
    theirs = "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: a\n  namespace: default\nspec: {}\n"
    (fleet.folder / "theirs").mkdir(parents=True)
    (fleet.folder / "theirs" / "a.yaml").write_text(theirs, encoding="utf-8")
    fleet.push("a", "b")
    done = fleet.sync()
    assert done.code == 1
    assert "it is there and not ours" in done.stdout
    assert (fleet.folder / "theirs" / "a.yaml").read_text(encoding="utf-8") == theirs
    assert "b" in fleet.deployments
    readme = fleet.remote.files("llmkube-status/default")["README.md"]
    assert "Held" in readme
    assert "gitops.llmkube.dev/adopt" in readme


def test_another_repository_may_not_take_the_inventory(fleet: Fleet, tmp_path: Path) -> None:
    fleet.push("a")
    fleet.sync()
    other = git_server.make_remote(tmp_path / "other")
    other.commit({"llm.yaml": service("z")})
    done = fleet.llmkube("sync", "--repo", other.url, "--target", f"dir:{fleet.folder}")
    assert done.code == 1
    assert "belongs to repository" in done.stdout
    assert fleet.deployments == {"a"}


def test_a_suspended_fleet_is_left_as_it_is(fleet: Fleet) -> None:
    fleet.push("a")
    fleet.sync()
    suspended = (
        "apiVersion: gitops.llmkube.dev/v1alpha1\nkind: Fleet\nmetadata:\n  name: f\n"
        "spec:\n  suspend:\n    reason: freeze before the launch\n"
    )
    fleet.push("a", "b", **{"fleet.yaml": suspended})
    done = fleet.sync()
    assert done.code == 1
    assert "freeze before the launch" in done.stdout
    assert fleet.deployments == {"a"}


def test_a_broken_fleet_changes_nothing(fleet: Fleet) -> None:
    good = "apiVersion: gitops.llmkube.dev/v1alpha1\nkind: Fleet\nspec:\n  namespace: llm\n"
    fleet.push("a", "b", **{"fleet.yaml": good})
    fleet.sync()
    before = {path: path.read_bytes() for path in fleet.folder.rglob("*.yaml")}
    fleet.push("a", "b", "c", **{"fleet.yaml": good.replace("namespace", "namespaces")})
    done = fleet.sync()
    assert done.code == 1
    assert "it stays as it is, since the fleet has errors: fleet.yaml:4" in done.stdout
    assert {path: path.read_bytes() for path in fleet.folder.rglob("*.yaml")} == before
    assert "2 services: 2 Invalid" in fleet.remote.files("llmkube-status/default")["README.md"]
