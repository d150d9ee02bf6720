"""Where a pod could run: labels, taints and devices, as the scheduler weighs them. What is taken already is not known.

Source: https://kubernetes.io/docs/concepts/scheduling-eviction/assign-pod-node/ and taint-and-toleration/
"""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

from reconciler.core.model.objects import JsonObject
from reconciler.core.model.observed import Node
from reconciler.core.model.review import Fit, Place
from reconciler.core.model.spec import Pool
from reconciler.core.rules import quantities

POOL_LABELS: Final = (
    "cloud.google.com/gke-nodepool",
    "eks.amazonaws.com/nodegroup",
    "alpha.eksctl.io/nodegroup-name",
    "karpenter.sh/nodepool",
    "kubernetes.azure.com/agentpool",
    "agentpool",
    "node.kubernetes.io/pool",
)
"""Labels by which the clouds name the pool of a node; a node without any stands for itself."""

_ANYWHERE: Final = frozenset(
    {
        "kubernetes.io/arch",
        "kubernetes.io/hostname",
        "kubernetes.io/os",
        "node.kubernetes.io/instance-type",
        "topology.kubernetes.io/region",
        "topology.kubernetes.io/zone",
    }
)
"""Labels that every node bears and no declared pool needs to name: nothing is known of them."""


def nodes(live: Iterable[Node]) -> tuple[Place, ...]:
    """Return the nodes that take pods, named by their pool where a cloud's label tells it."""
    return tuple(
        Place(
            _pool_of(node),
            node.labels,
            node.taints,
            {name: number for name, said in node.allocatable.items() if (number := quantities.parse(said)) is not None},
            whole=True,
        )
        for node in live
        if node.schedulable
    )


def pools(declared: Iterable[Pool]) -> tuple[Place, ...]:
    """Return the pools of a fleet that may have nodes."""
    return tuple(
        Place(pool.name, pool.labels, pool.taints, {pool.gpu_resource: Decimal(pool.gpu_count)}, whole=False)
        for pool in declared
        if pool.max_nodes != 0
    )


def fit(pod: JsonObject, places: Sequence[Place]) -> Fit:
    """Return which places can take the pod (its spec); with none, the one reason that a person can act on."""
    allowed = [place for place in places if _matches(pod, place)]
    noun = "node" if places and places[0].whole else "pool"
    if not allowed:
        return Fit((), f"no {noun} has {_wanted_labels(pod, places)}")
    asked = requests(pod)
    large = [place for place in allowed if not _lacking(asked, place)]
    if not large:
        which = "" if len(allowed) == len(places) else " that its labels allow"
        return Fit((), _too_small(asked, allowed, f"{noun}{which}"))
    open_ = [place for place in large if not _untolerated(pod, place)]
    if not open_:
        taints = sorted({_spoken(taint) for place in large for taint in _untolerated(pod, place)})
        many = f"{noun}s" if len(large) > 1 else noun
        return Fit((), f"the {many} that could take it: taint {', '.join(taints)} is not tolerated")
    return Fit(tuple(sorted({place.name for place in open_})))


def requests(pod: JsonObject) -> Mapping[str, Decimal]:
    """Return what a node must have free for the pod: its containers together, or its largest init container."""
    together: dict[str, Decimal] = {}
    for container in pod.get("containers") or ():
        for name, number in _asked(container).items():
            together[name] = together.get(name, Decimal(0)) + number
    for container in pod.get("initContainers") or ():
        for name, number in _asked(container).items():
            together[name] = max(together.get(name, Decimal(0)), number)
    return together


def is_device(resource: str) -> bool:
    """Tell whether a resource is an extended one, which only nodes with such devices offer."""
    return "/" in resource


def _asked(container: JsonObject) -> dict[str, Decimal]:
    said = container.get("resources") or {}
    whole = {**(said.get("limits") or {}), **(said.get("requests") or {})}
    return {name: number for name, text in whole.items() if (number := quantities.parse(text)) is not None}


def _pool_of(node: Node) -> str:
    return next((node.labels[label] for label in POOL_LABELS if node.labels.get(label)), node.name)


def _lacking(asked: Mapping[str, Decimal], place: Place) -> list[str]:
    """Return the resources of which the place has too little. Of what a pool does not declare, nothing is known."""
    return [
        name
        for name, number in asked.items()
        if number > place.offers.get(name, Decimal(0)) and (place.whole or is_device(name))
    ]


def _too_small(asked: Mapping[str, Decimal], allowed: Sequence[Place], noun: str) -> str:
    lacking = {name for place in allowed for name in _lacking(asked, place)}
    everywhere = [name for name in lacking if all(name in _lacking(asked, place) for place in allowed)]
    name = min(everywhere or lacking, key=lambda found: (not is_device(found), found))
    most = max(place.offers.get(name, Decimal(0)) for place in allowed)
    offers = f"the largest {noun} offers {_number(name, most)}" if most else f"no {noun} offers any"
    return f"needs {_number(name, asked[name])} {name}, {offers}"


def _number(resource: str, value: Decimal) -> str:
    """Return an amount as people write it: bytes in Gi, else no exponent and no trailing zeros."""
    if resource in {"memory", "ephemeral-storage"}:
        return f"{value / 2**30:.1f}Gi"
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _matches(pod: JsonObject, place: Place) -> bool:
    selected = all(_has(place, name, (value,)) for name, value in (pod.get("nodeSelector") or {}).items())
    terms = _required(pod)
    return selected and (not terms or any(_term(term, place) for term in terms))


def _required(pod: JsonObject) -> Sequence[JsonObject]:
    affinity = (pod.get("affinity") or {}).get("nodeAffinity") or {}
    required = affinity.get("requiredDuringSchedulingIgnoredDuringExecution") or {}
    found: Sequence[JsonObject] = required.get("nodeSelectorTerms") or ()
    return found


def _term(term: JsonObject, place: Place) -> bool:
    return all(_expression(found, place) for found in term.get("matchExpressions") or ())


def _expression(expression: JsonObject, place: Place) -> bool:
    name, values = expression["key"], expression.get("values") or ()
    if name not in place.labels and name in _ANYWHERE and not place.whole:
        return True
    found = place.labels.get(name)
    operator = str(expression.get("operator"))
    answers = {
        "In": found in values,
        "NotIn": found not in values,
        "Exists": found is not None,
        "DoesNotExist": found is None,
    }
    return answers[operator] if operator in answers else _compares(found, operator, values)


def _compares(found: str | None, operator: str, values: Sequence[str]) -> bool:
    one, other = quantities.parse(found or ""), quantities.parse(values[0] if values else "")
    if one is None or other is None:
        return False
    return one > other if operator == "Gt" else one < other


def _has(place: Place, name: str, values: Sequence[str]) -> bool:
    if name not in place.labels and name in _ANYWHERE and not place.whole:
        return True
    return place.labels.get(name) in values


def _wanted_labels(pod: JsonObject, places: Sequence[Place]) -> str:
    selector: Mapping[str, str] = pod.get("nodeSelector") or {}
    missing = [
        f"{name}={value}"
        for name, value in sorted(selector.items())
        if not any(_has(place, name, (value,)) for place in places)
    ]
    if missing:
        return f"the label {', '.join(missing)}"
    if selector and not any(all(_has(place, name, (value,)) for name, value in selector.items()) for place in places):
        return f"all of the labels {', '.join(f'{name}={value}' for name, value in sorted(selector.items()))}"
    keys = sorted({str(found["key"]) for term in _required(pod) for found in term.get("matchExpressions") or ()})
    return f"the labels that its required affinity asks for ({', '.join(keys)})"


def _untolerated(pod: JsonObject, place: Place) -> list[JsonObject]:
    tolerations = pod.get("tolerations") or ()
    return [
        taint
        for taint in place.taints
        if taint.get("effect") in {"NoSchedule", "NoExecute"}
        and not any(_tolerates(toleration, taint) for toleration in tolerations)
    ]


def _tolerates(toleration: JsonObject, taint: JsonObject) -> bool:
    if toleration.get("effect") and toleration["effect"] != taint.get("effect"):
        return False
    key = toleration.get("key")
    if not key:
        return bool(toleration.get("operator") == "Exists")
    if key != taint.get("key"):
        return False
    if toleration.get("operator") == "Exists":
        return True
    return bool((toleration.get("value") or "") == (taint.get("value") or ""))


def _spoken(taint: Any) -> str:
    value = f"={taint['value']}" if taint.get("value") else ""
    return f"{taint['key']}{value}:{taint['effect']}"
