"""The volume provisioner that is missing on loopback: it gives waiting claims volumes that hold nothing."""

from __future__ import annotations

import threading
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import urllib3

from controlplane import api

if TYPE_CHECKING:
    from collections.abc import Iterator

    JsonObject = dict[str, Any]

PROVISIONER: Final = "test.llmkube.dev/binder"
POLL_SECONDS: Final = 0.2
SELECTED_NODE: Final = "volume.kubernetes.io/selected-node"

# As clouds have them: the default waits for a pod, so that the disk is where the pod is.
CLASSES: Final = {"standard": "WaitForFirstConsumer", "immediate": "Immediate"}


@dataclass(frozen=True, slots=True)
class Binder:
    """Binds claims from a thread of its own, and removes the volumes of claims that are gone."""

    admin: api.Api
    waiting: set[str] = field(default_factory=set)  # namespaces whose claims are left alone
    ended: threading.Event = field(default_factory=threading.Event)

    def leave_waiting(self, namespace: str) -> None:
        self.waiting.add(namespace)

    def bind(self, namespace: str) -> None:
        """Bind what waits in that namespace from now on, which is how every namespace begins."""
        self.waiting.discard(namespace)

    @contextmanager
    def paused(self, namespace: str) -> Iterator[None]:
        self.leave_waiting(namespace)
        try:
            yield
        finally:
            self.bind(namespace)

    def stop(self) -> None:
        self.ended.set()

    def run(self) -> None:
        while not self.ended.wait(POLL_SECONDS):
            # the cluster may be going down, and what failed for another reason is tried again at once
            with suppress(api.ApiError, urllib3.exceptions.HTTPError):
                self._round()

    def _round(self) -> None:
        for claim in self.admin.items("/api/v1/persistentvolumeclaims"):
            if claim["metadata"]["namespace"] not in self.waiting and _wants_volume(claim):
                with suppress(api.ApiError):  # made in the round before, and not bound yet
                    self.admin.create("/api/v1/persistentvolumes", volume(claim))
        for live in self.admin.items("/api/v1/persistentvolumes"):
            ours = live["metadata"].get("annotations", {}).get("pv.kubernetes.io/provisioned-by") == PROVISIONER
            if ours and live.get("status", {}).get("phase") == "Released":
                self.admin.delete(f"/api/v1/persistentvolumes/{live['metadata']['name']}")


def start(admin: api.Api) -> Binder:
    """Create the storage classes and begin to bind."""
    for name, mode in CLASSES.items():
        admin.create("/apis/storage.k8s.io/v1/storageclasses", _storage_class(name, mode))
    binder = Binder(admin)
    threading.Thread(target=binder.run, name="volume binder", daemon=True).start()
    return binder


def volume(claim: JsonObject) -> JsonObject:
    """A volume for that claim alone, of just the size and access that it asks for."""
    metadata, spec = claim["metadata"], claim["spec"]
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {
            "name": f"pvc-{metadata['uid']}",
            "annotations": {"pv.kubernetes.io/provisioned-by": PROVISIONER},
        },
        "spec": {
            "capacity": {"storage": spec["resources"]["requests"]["storage"]},
            "accessModes": spec["accessModes"],
            "volumeMode": spec.get("volumeMode", "Filesystem"),
            "storageClassName": spec["storageClassName"],
            "persistentVolumeReclaimPolicy": "Delete",
            "claimRef": {key: metadata[key] for key in ("namespace", "name", "uid")},
            # NFS may be mounted anywhere and many times, and no controller attaches it to a node first
            "nfs": {"server": "nothing.invalid", "path": f"/{metadata['uid']}"},
        },
    }


def _wants_volume(claim: JsonObject) -> bool:
    mode = CLASSES.get(claim["spec"].get("storageClassName", ""))
    selected = SELECTED_NODE in claim["metadata"].get("annotations", {})
    unbound = "volumeName" not in claim["spec"] and "deletionTimestamp" not in claim["metadata"]
    return unbound and (mode == "Immediate" or (mode is not None and selected))


def _storage_class(name: str, mode: str) -> JsonObject:
    default = "true" if mode == "WaitForFirstConsumer" else "false"
    return {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {"name": name, "annotations": {"storageclass.kubernetes.io/is-default-class": default}},
        "provisioner": PROVISIONER,
        "volumeBindingMode": mode,
        "reclaimPolicy": "Delete",
        "allowVolumeExpansion": True,
    }
