"""Fake nodes as data: `fleet/*.yaml` has pools of them, labelled and tainted as the clouds do it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import yaml

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    JsonObject = dict[str, Any]

FOLDER: Final = Path(__file__).resolve().parent / "fleet"

# Labels that the kubelet gives to every node; a pool may say otherwise.
_KUBELET_LABELS: Final = {"kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64"}


class FleetError(Exception):
    """There is no such fleet."""


def fleets() -> tuple[str, ...]:
    return tuple(sorted(path.stem for path in FOLDER.glob("*.yaml")))


def load(fleet: str | Path) -> tuple[JsonObject, ...]:
    """The nodes of a fleet, by its name or by the path of a file like those in `fleet/`."""
    path = fleet if isinstance(fleet, Path) else FOLDER / f"{fleet}.yaml"
    if not path.is_file():
        raise FleetError(f"{fleet}: no such fleet; there are {', '.join(fleets())}")
    pools = yaml.safe_load(path.read_text())["pools"]
    return tuple(
        node(f"{pool['name']}-{number}", pool["allocatable"], pool.get("labels", {}), pool.get("taints", ()))
        for pool in pools
        for number in range(pool.get("count", 1))
    )


def node(
    name: str, allocatable: JsonObject, labels: dict[str, str], taints: Iterable[dict[str, str]] = ()
) -> JsonObject:
    """A node that KWOK brings to life. Quantities may be numbers."""
    amounts = {"pods": "110", **{resource: str(amount) for resource, amount in allocatable.items()}}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": {**_KUBELET_LABELS, "kubernetes.io/hostname": name, **labels}},
        "spec": {"taints": list(taints)},
        "status": {"allocatable": amounts, "capacity": amounts},
    }


def ready(live: Iterable[JsonObject], names: Collection[str]) -> bool:
    """Whether each of those nodes is Ready, and pods without tolerations for its condition can be placed on it."""
    return set(names) <= {node["metadata"]["name"] for node in live if _is_ready(node)}


def _is_ready(node: JsonObject) -> bool:
    conditions = {each["type"]: each["status"] for each in node["status"].get("conditions", ())}
    taints = {taint["key"] for taint in node["spec"].get("taints", ())}
    return conditions.get("Ready") == "True" and "node.kubernetes.io/not-ready" not in taints
