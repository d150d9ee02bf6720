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

_PODS: Final = Resource("", "v1", "pods")

_FEW: Final = 8
"""Up to so many unknown objects of one collection are asked for by name; more are found by one LIST of it."""


@dataclass(frozen=True, slots=True)
class Live:
    """The live objects, the namespaces that were read, and whether we may list across all of them.

    `unread` maps a namespace that we may not read to the server's words. It is read whole or not at all, so that
    nothing in it is taken for absent.
    """

    objects: Mapping[Key, JsonObject]
    namespaces: tuple[str, ...]
    unread: Mapping[str, str]
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
    unread: dict[str, str] = {}
    everywhere = True
    for name in sorted(wanted_kinds):
        resource = kinds.resource(name)
        if resource is None:
            continue
        items = _list_everywhere(api, resource, selector) if everywhere else None
        everywhere = items is not None
        if items is None:
            items, refused = _list_each(api, resource, (each for each in namespaces if each not in unread), selector)
            unread |= refused
        objects |= {_key(name, item): _complete(name, resource, item) for item in items}
    objects = {key: found for key, found in objects.items() if key.namespace not in unread}
    readable = tuple(planned.key for planned in plan.objects if planned.key.namespace not in unread)
    objects |= _strangers(api, readable, objects)
    return Live(objects, tuple(each for each in namespaces if each not in unread), unread, everywhere)


def read_pods(api: Api, live: Live) -> tuple[JsonObject, ...]:
    """Return the pods of model services; none of a namespace where we may not see them."""
    pods = _list_everywhere(api, _PODS, vocabulary.SERVICE_NAME) if live.everywhere else None
    if pods is not None:
        return pods
    return _list_each(api, _PODS, live.namespaces, vocabulary.SERVICE_NAME)[0]


def read_nodes(api: Api) -> tuple[Node, ...]:
    """Return the cluster's nodes by name; none where we may not see them, which only the report is poorer for."""
    try:
        found = api.list("/api/v1/nodes")
    except ApiError as error:
        if error.status == _FORBIDDEN:
            return ()
        raise
    return tuple(sorted((_node(item) for item in found), key=lambda node: node.name))


def _list_everywhere(api: Api, resource: Resource, selector: str) -> tuple[JsonObject, ...] | None:
    """Return the kind's members in all namespaces, None when we may not ask for all of them at once."""
    try:
        return api.list(f"{resource.base}/{resource.plural}", selector)
    except ApiError as error:
        if error.status == _NOT_FOUND and resource.optional:
            return ()
        if error.status == _FORBIDDEN:
            return None
        raise


def _list_each(
    api: Api, resource: Resource, namespaces: Iterable[str], selector: str
) -> tuple[tuple[JsonObject, ...], dict[str, str]]:
    """Return the kind's members namespace by namespace, and what the server said of those that we may not read."""
    found: list[JsonObject] = []
    refused: dict[str, str] = {}
    for namespace in namespaces:
        try:
            found += api.list(f"{resource.base}/namespaces/{namespace}/{resource.plural}", selector)
        except ApiError as error:
            if error.status == _FORBIDDEN:
                refused[namespace] = error.message
            elif error.status != _NOT_FOUND or not resource.optional:
                raise
    return tuple(found), refused


def _strangers(api: Api, planned: Iterable[Key], members: Mapping[Key, JsonObject]) -> dict[Key, JsonObject]:
    """Return the objects that stand in the plan's way without being members."""
    unknown: dict[str, list[Key]] = {}
    for key in planned:
        if key not in members:
            unknown.setdefault(kinds.collection(key), []).append(key)
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
