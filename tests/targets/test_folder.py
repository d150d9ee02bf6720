from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from builders import service
from reconciler import pipeline
from reconciler.core.model.change import Action, HoldReason
from reconciler.core.model.objects import JsonObject, Key, key_of
from reconciler.core.model.outcome import Outcome
from reconciler.core.model.spec import Service
from reconciler.core.rules import vocabulary
from reconciler.errors import TargetError
from reconciler.targets.folder import FolderTarget
from targets import contract


@dataclass
class FolderStage:
    """A folder of manifests, and an editor that somebody else has open in it."""

    root: Path
    namespace: str = "llm"
    elsewhere: str = "other"
    closed: str = "closed"

    def target(self) -> FolderTarget:
        return FolderTarget(self.root)

    def read(self, key: Key) -> JsonObject | None:
        path = self.path(key)
        return yaml.safe_load(path.read_text(encoding="utf-8")) if path.exists() else None

    def put(self, manifest: JsonObject) -> None:
        path = self.path(key_of(manifest))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(yaml.safe_dump(manifest), encoding="utf-8")

    def edit(self, key: Key, change: Callable[[dict[str, Any]], None]) -> None:
        found = dict(self.read(key) or {})
        change(found)
        self.put(found)

    def path(self, key: Key) -> Path:
        return self.root / key.namespace / f"{key.kind.lower()}-{key.name}.yaml"


@pytest.fixture
def stage(tmp_path: Path) -> FolderStage:
    found = FolderStage(tmp_path / "manifests")
    found.root.mkdir()
    (found.root / found.closed).write_text("a file where a namespace's folder would be", encoding="utf-8")
    return found


class TestFolderKeepsTheContract(contract.Contract):
    """The folder is a target like any other."""


def _tick(stage: FolderStage, *services: Service) -> Outcome:
    return contract.tick(stage.target(), contract.desired(stage, *services))


def _errors(stage: FolderStage, *services: Service) -> dict[str, str]:
    target = stage.target()
    outcome = pipeline.carry_out(contract.propose(target, contract.desired(stage, *services)), target, contract.Never())
    return {result.change.key.kind: result.error for result in outcome.results if result.error}


def _files(stage: FolderStage) -> list[str]:
    return sorted(
        path.relative_to(stage.root).as_posix()
        for path in stage.root.rglob("*")
        if path.is_file() and path.name != "closed"
    )


WANTED = service()
DEPLOYMENT = Key("apps", "Deployment", "llm", "llama")


def test_an_object_is_a_file_named_by_namespace_kind_and_name(stage: FolderStage) -> None:
    _tick(stage, WANTED)
    assert _files(stage) == [
        "llm/configmap-llmkube-contract.yaml",
        "llm/deployment-llama.yaml",
        "llm/service-llama.yaml",
    ]


def test_nothing_runs_in_a_folder(stage: FolderStage) -> None:
    outcome = _tick(stage, WANTED)
    assert not outcome.observed.runs
    assert outcome.health.services == {}


def test_an_unchanged_file_keeps_its_inode(stage: FolderStage) -> None:
    _tick(stage, WANTED)
    before = {name: (stage.root / name).stat().st_ino for name in _files(stage)}
    _tick(stage, WANTED)
    assert {name: (stage.root / name).stat().st_ino for name in _files(stage)} == before


def test_a_file_is_exchanged_whole_so_that_a_reader_sees_the_old_or_the_new(stage: FolderStage) -> None:
    _tick(stage, WANTED)
    with stage.path(DEPLOYMENT).open(encoding="utf-8") as reader:
        _tick(stage, replace(WANTED, replicas=7))
        assert "replicas: 1\n" in reader.read()
    assert "replicas: 7\n" in stage.path(DEPLOYMENT).read_text(encoding="utf-8")
    assert not list(stage.root.rglob("*.part"))


def test_what_a_killed_process_left_half_written_is_not_read(stage: FolderStage) -> None:
    _tick(stage, WANTED)
    (stage.root / "llm" / ".abcdef.part").write_text("kind: Deploy", encoding="utf-8")
    assert set(contract.actions(_tick(stage, WANTED).changes).values()) == {Action.KEEP}


def test_our_own_file_that_is_broken_stops_the_tick(stage: FolderStage) -> None:
    _tick(stage, WANTED)
    path = stage.path(DEPLOYMENT)
    path.write_text(path.read_text(encoding="utf-8") + "  : [", encoding="utf-8")
    with pytest.raises(TargetError, match=r"deployment-llama\.yaml: it bears our label"):
        _tick(stage, WANTED)


def test_our_own_file_with_two_documents_stops_the_tick(stage: FolderStage) -> None:
    _tick(stage, WANTED)
    path = stage.path(DEPLOYMENT)
    path.write_text(f"{path.read_text(encoding='utf-8')}---\n{{}}\n", encoding="utf-8")
    with pytest.raises(TargetError, match="it bears our label"):
        _tick(stage, WANTED)


STRANGE = {
    "text": b"a: [",
    "not-utf-8": b"a: \xff\xfe",
    "list": b"- 1\n",
    "no-name": b"apiVersion: v1\nkind: ConfigMap\nmetadata: {}\n",
    "labels-list": b"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, labels: [x]}\n",
    "namespace-number": b"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: 7}\n",
    "number-keys": b"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {1: b}\n",
    "no-such-day": b"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\nday: 2024-13-45\n",
    "tag": b"!!python/object/apply:os.system ['true']\n",
    "binary": b"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\nx: !!binary aGk=\n",
    "in-itself": b"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\nx: &x [*x]\n",
    "deep": b"[" * 5_000,
    "bomb": b"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\na: &a [1,1,1,1,1,1,1,1,1]\n"
    + b"".join(b"%c: &%c [%s]\n" % (98 + i, 98 + i, b",".join([b"*%c" % (97 + i)] * 9)) for i in range(12)),
    "empty": b"",
}


@pytest.mark.parametrize("case", STRANGE)
def test_a_file_that_is_no_object_of_ours_is_left_alone(stage: FolderStage, case: str) -> None:
    for name in (f"{case}.yaml", f"llm/{case}.yaml"):
        (stage.root / name).parent.mkdir(exist_ok=True)
        (stage.root / name).write_bytes(STRANGE[case])
    _tick(stage, WANTED)
    _tick(stage, service("other"), service("third"), WANTED)
    _tick(stage, WANTED)
    assert (stage.root / f"llm/{case}.yaml").read_bytes() == STRANGE[case]


@pytest.mark.parametrize("case", STRANGE)
def test_a_file_in_our_place_that_is_not_our_object_is_not_overwritten(stage: FolderStage, case: str) -> None:
    stage.path(DEPLOYMENT).parent.mkdir()
    stage.path(DEPLOYMENT).write_bytes(STRANGE[case])
    assert "is there and is not this object" in _errors(stage, WANTED)["Deployment"]
    assert stage.path(DEPLOYMENT).read_bytes() == STRANGE[case]


def test_a_file_that_a_person_moved_stays_where_it_is(stage: FolderStage) -> None:
    _tick(stage, WANTED)
    elsewhere = stage.root / "mine" / "llama.yaml"
    elsewhere.parent.mkdir()
    stage.path(DEPLOYMENT).rename(elsewhere)
    _tick(stage, replace(WANTED, replicas=2))
    assert "replicas: 2\n" in elsewhere.read_text(encoding="utf-8")
    assert not stage.path(DEPLOYMENT).exists()


def test_a_file_that_was_edited_after_the_reading_is_not_removed(stage: FolderStage) -> None:
    kept = service("kept")
    _tick(stage, WANTED, kept)
    target = stage.target()
    proposal = contract.propose(target, contract.desired(stage, kept))
    stage.edit(DEPLOYMENT, lambda found: found["metadata"]["labels"].clear())
    outcome = pipeline.carry_out(proposal, target, contract.Never())
    assert ["was changed meanwhile" in result.error for result in outcome.results if result.error] == [True]
    assert stage.path(DEPLOYMENT).exists()


def test_a_symbolic_link_is_neither_read_nor_written_through(stage: FolderStage, tmp_path: Path) -> None:
    outside = tmp_path / "outside.yaml"
    outside.write_text("precious", encoding="utf-8")
    stage.path(DEPLOYMENT).parent.mkdir()
    stage.path(DEPLOYMENT).symlink_to(outside)
    assert set(_errors(stage, WANTED)) == {"Deployment"}
    assert outside.read_text(encoding="utf-8") == "precious"


def test_a_dangling_link_is_not_written_through(stage: FolderStage, tmp_path: Path) -> None:
    stage.path(DEPLOYMENT).parent.mkdir()
    stage.path(DEPLOYMENT).symlink_to(tmp_path / "nowhere")
    assert set(_errors(stage, WANTED)) == {"Deployment"}
    assert not (tmp_path / "nowhere").exists()


def test_a_folder_that_is_a_link_is_not_followed(stage: FolderStage, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (stage.root / "other").symlink_to(tmp_path / "outside")
    errors = _errors(stage, service(namespace="other"))
    assert set(errors) == {"Deployment", "Service"}
    assert "symbolic link" in errors["Service"]
    assert list((tmp_path / "outside").iterdir()) == []


@pytest.mark.parametrize("namespace", ["..", "../up", "/abs", "a/b", ".git", "A", "a\nb", "-x"])
def test_a_name_that_leads_elsewhere_is_an_error_of_that_object_alone(
    stage: FolderStage, tmp_path: Path, namespace: str
) -> None:
    errors = _errors(stage, service("bad", namespace=namespace), WANTED)
    assert set(errors) == {"Deployment", "Service"}
    assert "no name that a file can bear" in errors["Service"]
    assert stage.path(DEPLOYMENT).exists()
    assert [path.name for path in tmp_path.iterdir()] == ["manifests"]


def test_a_time_that_a_person_wrote_without_quotes_pauses_an_object(stage: FolderStage) -> None:
    _tick(stage, WANTED)
    path = stage.path(DEPLOYMENT)
    text = path.read_text(encoding="utf-8").replace("replicas: 1\n", "replicas: 9\n")
    line = f"annotations:\n    {vocabulary.PAUSED_UNTIL}: 2030-06-01T00:00:00Z\n"
    path.write_text(text.replace("annotations:\n", line, 1), encoding="utf-8")
    assert contract.holds(_tick(stage, WANTED).changes) == {"Deployment/llama": HoldReason.PAUSED}


def test_a_folder_that_is_not_there_yet_is_made(tmp_path: Path) -> None:
    stage = FolderStage(tmp_path / "a" / "b")
    _tick(stage, WANTED)
    assert stage.path(DEPLOYMENT).exists()


def test_a_strangers_parent_holds_everything(stage: FolderStage) -> None:
    stage.put({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "llmkube-contract", "namespace": "llm"}})
    outcome = _tick(stage, WANTED)
    assert set(contract.holds(outcome.changes).values()) == {HoldReason.INVENTORY}
    assert _files(stage) == ["llm/configmap-llmkube-contract.yaml"]


def test_a_parents_file_that_holds_something_else_stops_the_tick_before_any_object(stage: FolderStage) -> None:
    path = stage.root / "llm" / "configmap-llmkube-contract.yaml"
    path.parent.mkdir()
    path.write_text("not ours", encoding="utf-8")
    with pytest.raises(TargetError, match="is there and is not this object"):
        _tick(stage, WANTED)
    assert _files(stage) == ["llm/configmap-llmkube-contract.yaml"]
