"""Which live objects are known to be as desired, so that nothing has to be asked about them again."""

import hashlib
import json
from collections import OrderedDict
from typing import Final

from reconciler.core.model.objects import JsonObject

_MOST: Final = 200_000
"""Verdicts kept: 32 bytes each, and more objects than one reconciler should ever have."""


class Verdicts:
    """Remembers pairs of live and desired object that a dry run showed to be equal.

    An object's resourceVersion changes with its status, a few times a minute for a Deployment that starts; so the key
    is made of uid, generation and body without status.
    """

    def __init__(self) -> None:
        self._known: OrderedDict[bytes, None] = OrderedDict()

    def clean(self, live: JsonObject, desired: JsonObject) -> bool:
        """Tell whether this very pair was seen to be equal."""
        return _digest(live, desired) in self._known

    def learn(self, live: JsonObject, desired: JsonObject) -> None:
        """Remember that the pair is equal."""
        self._known[_digest(live, desired)] = None
        while len(self._known) > _MOST:
            self._known.popitem(last=False)


def _digest(live: JsonObject, desired: JsonObject) -> bytes:
    metadata = {name: value for name, value in live["metadata"].items() if name != "resourceVersion"}
    metadata["managedFields"] = [
        {name: value for name, value in entry.items() if name != "time"}
        for entry in metadata.get("managedFields") or ()
        if entry.get("subresource") != "status"
    ]
    body = {name: value for name, value in live.items() if name not in {"metadata", "status"}}
    text = json.dumps([metadata, body, desired], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).digest()
