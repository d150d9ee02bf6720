"""A folder of manifests as a target: reading is observing, writing is applying, removing is pruning.

One file an object, `<namespace>/<kind>-<name>.yaml`, and the inventory's parent beside them. Nothing runs in it.
"""

import contextlib
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import yaml

from reconciler.core.model.change import Action, Change, Result
from reconciler.core.model.objects import JsonObject, Key, key_of
from reconciler.core.model.observed import Inventory, Observed
from reconciler.core.model.plan import Ownership, Plan
from reconciler.core.rules import inventory, ownership, yamltext
from reconciler.errors import TargetError

_CLUSTER_SCOPED: Final = "_cluster"
_SAFE: Final = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?")

_MOST_NODES: Final = 100_000
"""Scalars, lists and mappings of one file, aliases counted as often as they are used: more is a bomb."""

_Base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Loader(_Base):  # type: ignore[misc]  # the C loader has no types
    """Reads times as the text that they are, as JSON does."""

    yaml_implicit_resolvers: Final = {
        first: [(tag, pattern) for tag, pattern in found if not tag.endswith(":timestamp")]
        for first, found in _Base.yaml_implicit_resolvers.items()
    }


class FolderTarget:
    """Keeps the Target port with the files below one folder, which is made when the first object is written."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._places: dict[Key, Path] = {}

    def observe(self, plan: Plan) -> Observed:
        """Return the manifests below the folder that are planned or ours. All other files are left alone."""
        found = dict(self._read(plan.ownership))
        parent = found.pop(_parent_key(plan.ownership), None) if plan.ownership else None
        planned = {wanted.key for wanted in plan.objects}
        live = {
            key: manifest
            for key, manifest in found.items()
            if key in planned or ownership.is_ours(manifest, plan.ownership)
        }
        return Observed(live=live, inventory=inventory.read(parent) if parent else None, runs=False)

    def carry_out(self, change: Change) -> Result:
        """Write or remove the file of one object; not when it is another than the one that was judged."""
        try:
            self._check(change)
            if change.action is Action.DELETE:
                path = self._place(change.key)
                _part(path).unlink(missing_ok=True)
                path.unlink(missing_ok=True)
                self._places.pop(change.key, None)
                return Result(change)
            if change.desired is not None:
                self.write(change.desired)
        except TargetError as error:
            return Result(change, error=str(error))
        except OSError as error:
            return Result(change, error=f"{error.strerror}: {error.filename}")
        return Result(change, live=change.desired)

    def record(self, wanted: Inventory, plan: Plan) -> None:
        """Write the inventory's parent, when it says something new."""
        if plan.ownership is None:
            return
        parent = inventory.parent(wanted, plan.ownership)
        try:
            self._check_place(_parent_key(plan.ownership))
            self.write(parent)
        except OSError as error:
            raise TargetError(f"{error.filename}: {error.strerror}") from error

    def write(self, manifest: JsonObject) -> None:
        """Write one object's file. In one step: a reader, or a crash, sees the old one or the new one.

        What a kill in mid-write leaves has a name that follows from the object's: the next write takes it over.
        """
        key = key_of(manifest)
        path = self._place(key)
        content = yamltext.dump([manifest]).encode()
        if path.is_file() and not path.is_symlink() and path.read_bytes() == content:
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        part = _part(path)
        try:
            part.unlink(missing_ok=True)
            with part.open("xb") as file:
                file.write(content)
            part.replace(path)
        except OSError:
            with contextlib.suppress(OSError):
                part.unlink()
            raise
        self._places[key] = path

    def _check(self, change: Change) -> None:
        if change.live is None:
            self._check_place(change.key)
        elif change.key in self._places and _object_in(self._places[change.key], None) != change.live:
            raise TargetError(f"{self._places[change.key]} was changed meanwhile; the next tick judges it anew")

    def _check_place(self, key: Key) -> None:
        """A file that we did not read as this object is somebody else's, whatever it holds."""
        path = self._place(key)
        if key not in self._places and os.path.lexists(path):
            raise TargetError(f"{path} is there and is not this object; move it away")

    def _read(self, owner: Ownership | None) -> Iterator[tuple[Key, JsonObject]]:
        self._places.clear()
        for path in sorted(self._root.rglob("*.yaml")):
            hidden = any(part.startswith(".") for part in path.relative_to(self._root).parts)
            if hidden or path.is_symlink() or not path.is_file():
                continue
            manifest = _object_in(path, owner)
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
        folder = self._root / (key.namespace or _CLUSTER_SCOPED)
        if folder.is_symlink():
            raise TargetError(f"{folder} is a symbolic link, which is not followed; make it a folder")
        return folder / f"{name}.yaml"


def _part(path: Path) -> Path:
    return path.with_name(f".{path.name}.part")


def _parent_key(owner: Ownership) -> Key:
    return Key("", "ConfigMap", owner.namespace, owner.name)


def _object_in(path: Path, owner: Ownership | None) -> JsonObject | None:
    """Return the one Kubernetes object of a file, None when it holds something else or is gone.

    A file that bears our set's id and cannot be read so stops the tick: what we could not read is not absent.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise TargetError(f"{path}: {error.strerror}") from error
    manifest = _manifest(content)
    if manifest is None and owner is not None and owner.applyset.encode() in content:
        raise TargetError(f"{path}: it bears our label and is not one Kubernetes object any more; restore or delete it")
    return manifest


def _manifest(content: bytes) -> JsonObject | None:
    try:
        found = yaml.load(content, Loader=_Loader)  # noqa: S506  # a safe loader, the C one where it is there
        return found if _is_object(found) and _is_json(found) else None
    except (yaml.YAMLError, ValueError, RecursionError):
        return None


def _is_object(found: Any) -> bool:
    if not isinstance(found, dict) or not isinstance(found.get("metadata"), dict):
        return False
    metadata = found["metadata"]
    named = (found.get("apiVersion"), found.get("kind"), metadata.get("name"), metadata.get("namespace", "-"))
    texts = (metadata.get(name) or {} for name in ("labels", "annotations"))
    return all(isinstance(part, str) and part for part in named) and all(
        isinstance(text, dict) and all(isinstance(value, str) for value in text.values()) for text in texts
    )


def _is_json(found: Any) -> bool:
    """Tell whether a value is plain JSON of bearable size; an anchor may stand in itself, or be a bomb."""
    waiting, seen = [found], 0
    while waiting:
        value = waiting.pop()
        seen += 1
        if seen + len(waiting) > _MOST_NODES:
            return False
        if isinstance(value, dict):
            if not all(isinstance(name, str) for name in value):
                return False
            waiting.extend(value.values())
        elif isinstance(value, list):
            waiting.extend(value)
        elif not (value is None or isinstance(value, str | int | float)):
            return False
    return True
