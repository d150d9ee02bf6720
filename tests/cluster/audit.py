"""What the ServiceAccount asked the API server, as the server's audit log has it."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from controlplane.cluster import Cluster

JsonObject = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Request:
    """One request. `kind` is group and resource, `deployments.apps`; `dry` tells a dry run."""

    verb: str
    group: str
    resource: str
    namespace: str
    name: str
    status: int
    dry: bool

    @property
    def writes(self) -> bool:
        """Whether it was to change something."""
        return self.verb not in {"get", "list", "watch"} and not self.dry


@dataclass(frozen=True, slots=True)
class Log:
    """The log from a moment on."""

    cluster: Cluster
    start: int = 0

    def requests(self) -> tuple[Request, ...]:
        """Return the requests since the log's moment."""
        with self.cluster.place.audit_log.open("rb") as file:
            file.seek(self.start)
            return tuple(_requests(file.read().decode()))


def now(cluster: Cluster) -> Log:
    """Return the log from now on."""
    return Log(cluster, cluster.place.audit_log.stat().st_size)


def _requests(text: str) -> Iterator[Request]:
    for line in text.splitlines():
        event: JsonObject = json.loads(line)
        of = event.get("objectRef")
        if of is not None:
            yield Request(
                verb=event["verb"],
                group=of.get("apiGroup", ""),
                resource=of["resource"],
                namespace=of.get("namespace", ""),
                name=of.get("name", ""),
                status=event["responseStatus"]["code"],
                dry="dryRun=All" in event["requestURI"],
            )
