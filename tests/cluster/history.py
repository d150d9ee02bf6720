"""What happened between two moments, replayed from the API server: nothing that was true in between is missed."""

import json
from dataclasses import dataclass
from typing import Any

from controlplane.cluster import Cluster

JsonObject = dict[str, Any]

_REPLAY_SECONDS = 1


@dataclass(frozen=True, slots=True)
class Moment:
    """The pods of a namespace as they were at a resource version."""

    cluster: Cluster
    namespace: str
    version: str
    pods: tuple[JsonObject, ...]

    def least_ready(self) -> int:
        """Return the least number of pods that were Ready at once from then until now."""
        ready = {pod["metadata"]["uid"] for pod in self.pods if _is_ready(pod)}
        least = len(ready)
        for event in self._events():
            pod = event["object"]
            if event["type"] != "DELETED" and _is_ready(pod):
                ready.add(pod["metadata"]["uid"])
            else:
                ready.discard(pod["metadata"]["uid"])
            least = min(least, len(ready))
        return least

    @property
    def names(self) -> set[str]:
        """The pods' names."""
        return {pod["metadata"]["name"] for pod in self.pods}

    def _events(self) -> list[JsonObject]:
        path = f"{self.cluster.server}/api/v1/namespaces/{self.namespace}/pods"
        query = f"watch=1&resourceVersion={self.version}&timeoutSeconds={_REPLAY_SECONDS}"
        answer = self.cluster.admin.pool.request("GET", f"{path}?{query}", headers=self.cluster.admin.headers)
        return [json.loads(line) for line in answer.data.splitlines()]


def now(cluster: Cluster, namespace: str) -> Moment:
    """Return this moment."""
    listed = cluster.admin.get(f"/api/v1/namespaces/{namespace}/pods")
    return Moment(cluster, namespace, listed["metadata"]["resourceVersion"], tuple(listed["items"]))


def _is_ready(pod: JsonObject) -> bool:
    conditions = {found["type"]: found["status"] for found in pod["status"].get("conditions", ())}
    return conditions.get("Ready") == "True" and "deletionTimestamp" not in pod["metadata"]
