"""Writes to the API server, and the dry runs that come before them."""

import time
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any, Final

from reconciler.core.model.change import Action, Change
from reconciler.core.model.objects import JsonObject, Key
from reconciler.core.model.observed import Refusal, RefusalReason
from reconciler.core.rules import adoption, fields, vocabulary
from reconciler.errors import ClusterError
from reconciler.targets.cluster import kinds, refusals
from reconciler.targets.cluster.api import APPLY, JSON_PATCH, THREADS, Api, ApiError

HANDOVER: Final = f"{vocabulary.MANAGER}-handover"
"""Holds the number of replicas while an autoscaler takes over from git; without it 4 would fall to 1."""

_CONFLICT: Final = 409
_NOT_FOUND: Final = 404
_DELETE_ATTEMPTS: Final = 4
_GONE_SECONDS: Final = 90.0
_PROBE_SUFFIX: Final = "-llmkube-dry-run"


class Writer:
    """Carries out changes by server-side apply, under one field manager."""

    def __init__(self, api: Api) -> None:
        self._api = api

    def dry_run(
        self, objects: Iterable[tuple[Key, JsonObject]], live: Mapping[Key, JsonObject]
    ) -> tuple[Mapping[Key, JsonObject], Mapping[Key, Refusal]]:
        """Return the server's answer to each object, or its refusal. Nothing is written."""
        answers: dict[Key, JsonObject] = {}
        refused: dict[Key, Refusal] = {}
        with ThreadPoolExecutor(THREADS) as pool:
            asked = pool.map(lambda item: (item[0], self._ask(item[0], item[1], live.get(item[0]))), objects)
            for key, answer in asked:
                if isinstance(answer, Refusal):
                    refused[key] = answer
                else:
                    answers[key] = answer
        return answers, refused

    def carry_out(self, change: Change) -> JsonObject | None:
        """Do the change; return the object after it, None when it was deleted. ApiError when the server says no."""
        if change.action is Action.DELETE:
            self._delete(change)
            return None
        if change.desired is None:
            return change.live
        if change.action is Action.REPLACE:
            self._delete(change)
            self._await_gone(change.key)
            return self._apply(change.key, change.desired, force=False)
        if change.live is not None:
            self._prepare(change, change.live)
        # a new object must not be forced upon one that somebody else created in the meantime
        return self._apply(change.key, change.desired, force=change.live is not None)

    def _ask(self, key: Key, manifest: JsonObject, live: JsonObject | None) -> JsonObject | Refusal:
        try:
            answer = self._apply(key, manifest, force=live is not None, dry=True)
        except ApiError as error:
            refusal = refusals.read(key.kind, error)
            if live is None or refusal.reason is not RefusalReason.IMMUTABLE:
                return refusal
            return replace(refusal, recreatable=self._fresh(key, manifest) is not None)
        if live is None or not adoption.joins(live):
            return answer
        fresh = self._fresh(key, manifest)
        return answer if fresh is None else adoption.remaining(answer, fresh, live)

    def _fresh(self, key: Key, manifest: JsonObject) -> JsonObject | None:
        """Return the object as the server would make it anew, asked by a dry-run create under another name.

        None when it would not.
        """
        metadata = {**manifest["metadata"], "name": f"{key.name[:40]}{_PROBE_SUFFIX}"}
        try:
            return self._api.create(
                kinds.collection(key),
                {**manifest, "metadata": metadata},
                {"dryRun": "All", "fieldManager": vocabulary.MANAGER, "fieldValidation": "Strict"},
            )
        except ApiError:
            return None

    def _apply(self, key: Key, manifest: JsonObject, *, force: bool, dry: bool = False) -> JsonObject:
        query = {"fieldManager": vocabulary.MANAGER, "fieldValidation": "Strict"}
        if force:
            query["force"] = "true"
        if dry:
            query["dryRun"] = "All"
        return self._api.patch(kinds.path(key), manifest, APPLY, query)

    def _prepare(self, change: Change, live: JsonObject) -> None:
        """Do what must come before an apply: take over an adopted object's fields, hand over its replicas."""
        desired = change.desired or {}
        if adoption.joins(live):
            moved = adoption.moved(live)
            if moved is not None:
                self._api.patch(kinds.path(change.key), _managed_fields(live, moved), JSON_PATCH, {})
        if adoption.leaves_replicas(live, desired):
            body = {
                "apiVersion": desired["apiVersion"],
                "kind": change.key.kind,
                "metadata": {"name": change.key.name, "namespace": change.key.namespace},
                "spec": {"replicas": live["spec"]["replicas"]},
            }
            self._api.patch(kinds.path(change.key), body, APPLY, {"fieldManager": HANDOVER, "force": "true"})

    def _delete(self, change: Change) -> None:
        """Delete exactly the object that was judged: the same uid, and still ours when its version moved on."""
        live = change.live
        for _ in range(_DELETE_ATTEMPTS):
            if live is None:
                return
            try:
                self._api.delete(kinds.path(change.key), _delete_options(live))
            except ApiError as error:
                if error.status == _NOT_FOUND:
                    return
                if error.status != _CONFLICT:
                    raise
                live = self._same(change, live)
            else:
                return
        raise ApiError(_CONFLICT, {"message": "it changes faster than it can be deleted; the next tick tries again"})

    def _same(self, change: Change, judged: JsonObject) -> JsonObject | None:
        """Return the object as it is now, when nothing but its status or bookkeeping moved; None when it is gone."""
        found = self._api.find(kinds.path(change.key))
        if found is None:
            return None
        if found["metadata"]["uid"] != judged["metadata"]["uid"] or not fields.same(found, judged):
            raise ApiError(_CONFLICT, {"message": "it was changed meanwhile; the next tick judges it anew"})
        return found

    def _await_gone(self, key: Key) -> None:
        end = time.monotonic() + _GONE_SECONDS
        while self._api.find(kinds.path(key)) is not None:
            if time.monotonic() > end:
                raise ClusterError(f"{key} is being deleted and still there; the next tick goes on")
            time.sleep(0.2)


def _delete_options(live: JsonObject) -> dict[str, Any]:
    metadata = live["metadata"]
    return {
        "apiVersion": "v1",
        "kind": "DeleteOptions",
        "preconditions": {"uid": metadata["uid"], "resourceVersion": metadata["resourceVersion"]},
        # a Job's own default would orphan its pods
        "propagationPolicy": "Background",
    }


def _managed_fields(live: JsonObject, moved: list[JsonObject]) -> list[JsonObject]:
    return [
        {"op": "test", "path": "/metadata/resourceVersion", "value": live["metadata"]["resourceVersion"]},
        {"op": "replace", "path": "/metadata/managedFields", "value": moved},
    ]
