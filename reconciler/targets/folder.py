"""A folder of manifests as a target: reading is observing, writing is applying, removing is pruning.

One file an object, `<namespace>/<kind>-<name>.yaml`, and the inventory's parent beside them. Nothing runs in it.
"""

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import yaml

from reconciler.core.model.change import Action, Change, Result
from reconciler.core.model.objects import JsonObject, Key, key_of
from reconciler.core.model.observed import Inventory, Observed
from reconciler.core.model.plan import Ownership, Plan
from reconciler.core.rules import inventory, vocabulary, yamltext
from reconciler.errors import TargetError

_CLUSTER_SCOPED: Final = "_cluster"
_SAFE: Final = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?")

_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class FolderTarget:
    """Keeps the Target port with the files below one folder, which is made when the first object is written."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._places: dict[Key, Path] = {}

    def observe(self, plan: Plan) -> Observed:
        """Return the manifests below the folder. A file that is no manifest is left alone, and not read as one."""
        live = dict(self._read(plan))
        parent = live.pop(_parent_key(plan.ownership), None) if plan.ownership else None
        return Observed(live=live, inventory=inventory.read(parent) if parent else None, runs=False)

    def carry_out(self, change: Change) -> Result:
        """Write or remove the file of one object."""
        try:
            if change.action is Action.DELETE:
                path = self._place(change.key)
                _part(path).unlink(missing_ok=True)
                path.unlink(missing_ok=True)
                return Result(change)
            if change.desired is not None:
                self.write(change.desired)
        except OSError as error:
            return Result(change, error=f"{error.strerror}: {error.filename}")
        return Result(change, live=change.desired)

    def record(self, wanted: Inventory, plan: Plan) -> None:
        """Write the inventory's parent, when it says something new."""
        if plan.ownership is None:
            return
        parent = inventory.parent(wanted, plan.ownership)
        try:
            self.write(parent)
        except OSError as error:
            raise TargetError(f"{error.filename}: {error.strerror}") from error

    def _read(self, plan: Plan) -> Iterator[tuple[Key, JsonObject]]:
        self._places.clear()
        wanted = {self._place(planned.key): planned.manifest for planned in plan.objects}
        for path in sorted(self._root.rglob("*.yaml")):
            if path.is_symlink() or any(part.startswith(".") for part in path.relative_to(self._root).parts):
                continue
            manifest = _manifest(path, wanted.get(path))
            if manifest is not None:
                key = key_of(manifest)
                self._places[key] = path
                yield key, manifest

    def _place(self, key: Key) -> Path:
        """Return the file of an object: where it was found, else where it would be put."""
        if key in self._places:
            return self._places[key]
        name = f"{key.kind.lower()}-{key.name}"
        for part in (key.namespace, name):
            if part and not _SAFE.fullmatch(part):
                raise TargetError(f"{key}: {part!r} is no name that a file can bear")
        return self._root / (key.namespace or _CLUSTER_SCOPED) / f"{name}.yaml"

    def write(self, manifest: JsonObject) -> None:
        """Write one object's file. In one step: a reader, or a crash, sees the old one or the new one.

        What a kill in mid-write leaves has a name that follows from the object's: the next write takes it over.
        """
        key = key_of(manifest)
        path = self._place(key)
        text = yamltext.dump([manifest])
        if path.exists() and path.read_text(encoding="utf-8") == text:
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        part = _part(path)
        try:
            part.unlink(missing_ok=True)
            with part.open("x", encoding="utf-8") as file:
                file.write(text)
            part.replace(path)
        except OSError:
            with contextlib.suppress(OSError):
                part.unlink()
            raise
        self._places[key] = path


def _part(path: Path) -> Path:
    return path.with_name(f".{path.name}.part")


def _parent_key(ownership: Ownership) -> Key:
    return Key("", "ConfigMap", ownership.namespace, ownership.name)


def _manifest(path: Path, wanted: JsonObject | None) -> JsonObject | None:
    """Return the one Kubernetes object of a file, None when it holds something else.

    A file that reads as we would write it now is not parsed: that is all of them in a quiet tick. One that bears our
    label and cannot be read stops the tick: what we could not read is not absent.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise TargetError(f"{path}: {error.strerror}") from error
    if wanted is not None and content == yamltext.dump([wanted]).encode():
        return wanted
    try:
        found = yaml.load(content, Loader=_LOADER)  # noqa: S506  # both are safe loaders, the C one when it is there
    except yaml.YAMLError as error:
        if vocabulary.APPLYSET_PART_OF.encode() in content:
            raise TargetError(f"{path}: it bears our label and is no YAML any more; restore or delete it") from error
        return None
    return found if _is_object(found) else None


def _is_object(found: Any) -> bool:
    if not isinstance(found, dict) or not isinstance(found.get("metadata"), dict):
        return False
    named = (found.get("apiVersion"), found.get("kind"), found["metadata"].get("name"))
    return all(isinstance(part, str) and part for part in named)
