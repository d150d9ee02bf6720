"""What is live, read with as few calls as there are kinds."""

from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

from reconciler.core.model.objects import JsonObject, Key
from reconciler.core.model.observed import Inventory, Node
from reconciler.core.model.plan import Ownership, Plan
from reconciler.core.rules import inventory, vocabulary
from reconciler.targets.cluster import kinds
from reconciler.targets.cluster.api import THREADS, Api, ApiError
from reconciler.targets.cluster.kinds import Resource

_FORBIDDEN: Final = 403
_NOT_FOUND: Final = 404

_FEW: Final = 8
"""Up to so many unknown objects of one collection are asked for by name; more are found by one LIST of it."""


@dataclass(frozen=True, slots=True)
class Live:
    """The live objects, the namespaces they may be in, and whether we may list across all namespaces."""

    objects: Mapping[Key, JsonObject]
    namespaces: tuple[str, ...]
    everywhere: bool


def read_parent(api: Api, owner: Ownership) -> Inventory | None:
    """Return what the inventory's parent says, None when there is none yet."""
    found = api.find(kinds.path(Key("", "ConfigMap", owner.namespace, owner.name)))
    return inventory.read(found) if found is not None else None


def read_live(api: Api, plan: Plan, owner: Ownership, parent: Inventory | None) -> Live:
    """Return all members of the inventory, and whatever else stands where the plan wants to put something."""
    hinted = parent.group_kinds if parent else ()
    wanted_kinds = {*kinds.ALWAYS, *hinted, *(kinds.group_kind(planned.key) for planned in plan.objects)}
    hinted_namespaces = {*parent.namespaces, owner.namespace} if parent else set()
    namespaces = tuple(sorted(hinted_namespaces | {planned.key.namespace for planned in plan.objects}))
    selector = f"{vocabulary.APPLYSET_PART_OF}={owner.applyset}"
    objects: dict[Key, JsonObject] = {}
    everywhere = True
    for name in sorted(wanted_kinds):
        resource = kinds.resource(name)
        if resource is None:
            continue
        found, across = _list_kind(api, resource, namespaces, selector, across=everywhere)
        everywhere = everywhere and across
        objects |= {_key(name, item): _complete(name, resource, item) for item in found}
    objects |= _strangers(api, plan, objects)
    return Live(objects, namespaces, everywhere)


def read_pods(api: Api, namespaces: Iterable[str], *, everywhere: bool) -> tuple[JsonObject, ...]:
    """Return the pods of model services."""
    paths = ["/api/v1/pods"] if everywhere else [f"/api/v1/namespaces/{name}/pods" for name in namespaces]
    return tuple(pod for path in paths for pod in api.list(path, vocabulary.SERVICE_NAME))


def read_nodes(api: Api) -> tuple[Node, ...]:
    """Return the cluster's nodes by name; none where we may not see them, which only the report is poorer for."""
    try:
        found = api.list("/api/v1/nodes")
    except ApiError as error:
        if error.status == _FORBIDDEN:
            return ()
        raise
    return tuple(sorted((_node(item) for item in found), key=lambda node: node.name))


def _list_kind(
    api: Api, resource: Resource, namespaces: tuple[str, ...], selector: str, *, across: bool
) -> tuple[tuple[JsonObject, ...], bool]:
    """Return the kind's members, and whether one LIST across namespaces was allowed."""
    try:
        if across:
            return api.list(f"{resource.base}/{resource.plural}", selector), True
    except ApiError as error:
        if error.status == _NOT_FOUND and resource.optional:
            return (), True
        if error.status != _FORBIDDEN:
            raise
    try:
        found = [
            item
            for namespace in namespaces
            for item in api.list(f"{resource.base}/namespaces/{namespace}/{resource.plural}", selector)
        ]
    except ApiError as error:
        if error.status == _NOT_FOUND and resource.optional:
            return (), across
        raise
    return tuple(found), False


def _strangers(api: Api, plan: Plan, members: Mapping[Key, JsonObject]) -> dict[Key, JsonObject]:
    """Return the objects that stand in the plan's way without being members."""
    unknown: dict[str, list[Key]] = {}
    for planned in plan.objects:
        if planned.key not in members:
            unknown.setdefault(kinds.collection(planned.key), []).append(planned.key)
    with ThreadPoolExecutor(THREADS) as pool:
        groups = pool.map(lambda item: _stand_there(api, *item), unknown.items())
        return {key: found for group in groups for key, found in group}


def _stand_there(api: Api, collection: str, keys: list[Key]) -> list[tuple[Key, JsonObject]]:
    if len(keys) <= _FEW:
        answers = ((key, _find(api, key)) for key in keys)
        return [(key, found) for key, found in answers if found is not None]
    wanted = {key.name: key for key in keys}
    name = kinds.group_kind(keys[0])
    resource = kinds.resource(name)
    if resource is None:
        return []
    return [
        (wanted[item["metadata"]["name"]], _complete(name, resource, item))
        for item in _list_or_none(api, collection, resource)
        if item["metadata"]["name"] in wanted
    ]


def _find(api: Api, key: Key) -> JsonObject | None:
    return api.find(kinds.path(key))


def _list_or_none(api: Api, collection: str, resource: Resource) -> tuple[JsonObject, ...]:
    try:
        return api.list(collection)
    except ApiError as error:
        if error.status == _NOT_FOUND and resource.optional:
            return ()
        raise


def _key(name: str, item: JsonObject) -> Key:
    kind, _, group = name.partition(".")
    metadata = item["metadata"]
    return Key(group, kind, metadata.get("namespace", ""), metadata["name"])


def _complete(name: str, resource: Resource, item: JsonObject) -> JsonObject:
    """Return a list's item with the apiVersion and kind that lists leave out."""
    version = f"{resource.group}/{resource.version}" if resource.group else resource.version
    return {"apiVersion": version, "kind": name.partition(".")[0], **item}


def _node(item: JsonObject) -> Node:
    status = item.get("status") or {}
    ready = any(
        found.get("type") == "Ready" and found.get("status") == "True" for found in status.get("conditions") or ()
    )
    return Node(
        name=item["metadata"]["name"],
        labels=item["metadata"].get("labels") or {},
        taints=tuple(item["spec"].get("taints") or ()),
        allocatable=status.get("allocatable") or {},
        schedulable=not item["spec"].get("unschedulable", False),
        ready=ready,
    )
