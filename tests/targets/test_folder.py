from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from targets import contract

from reconciler.core.model.objects import JsonObject, Key, key_of
from reconciler.targets.folder import FolderTarget


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
