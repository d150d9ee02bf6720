"""Raw JSON to and from the API server, for what the tests and fixtures do themselves."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, TypeVar
from urllib.parse import urlencode

import urllib3

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    JsonObject = dict[str, Any]

POLL_SECONDS: Final = 0.05
NOT_FOUND: Final = 404

Seen = TypeVar("Seen")


class ApiError(Exception):
    """The API server refused; `status` is the HTTP status."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"{status}: {message}")
        self.status = status


@dataclass(frozen=True, slots=True)
class Api:
    """One identity at one API server. Paths begin at the root: `/api/v1/nodes`."""

    server: str
    token: str = field(repr=False)
    pool: urllib3.PoolManager = field(repr=False)

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}

    def get(self, path: str, **query: str) -> JsonObject:
        return self.send("GET", path, query=query)

    def items(self, path: str, **query: str) -> tuple[JsonObject, ...]:
        return tuple(self.get(path, **query)["items"])

    def find(self, path: str) -> JsonObject | None:
        """Return the object, or None when there is none."""
        try:
            return self.get(path)
        except ApiError as error:
            if error.status == NOT_FOUND:
                return None
            raise

    def create(self, path: str, body: JsonObject) -> JsonObject:
        return self.send("POST", path, body)

    def merge(self, path: str, body: JsonObject) -> JsonObject:
        """Merge-patch: null removes a field."""
        return self.send("PATCH", path, body, kind="application/merge-patch+json")

    def delete(self, path: str, **query: str) -> JsonObject | None:
        """Delete the object or the collection; None when it was gone already."""
        try:
            return self.send("DELETE", path, query=query)
        except ApiError as error:
            if error.status == NOT_FOUND:
                return None
            raise

    def send(
        self,
        method: str,
        path: str,
        body: JsonObject | None = None,
        *,
        query: dict[str, str] | None = None,
        kind: str = "application/json",
    ) -> JsonObject:
        response = self.pool.request(
            method,
            f"{self.server}{path}" + (f"?{urlencode(query)}" if query else ""),
            body=None if body is None else json.dumps(body).encode(),
            headers={**self.headers, "Content-Type": kind},
            retries=False,
        )
        answer: JsonObject = json.loads(response.data) if response.data else {}
        if response.status >= 400:
            raise ApiError(response.status, answer.get("message", ""))
        return answer


def connect(server: str, token: str, certificate: Path) -> Api:
    pool = urllib3.PoolManager(
        ca_certs=str(certificate), maxsize=4, timeout=urllib3.Timeout(connect=5, read=30), retries=False
    )
    return Api(server, token, pool)


def wait_until(what: str, look: Callable[[], Seen | None], seconds: float = 20) -> Seen:
    """Look again and again until there is something to see, and return it; AssertionError when time is up."""
    deadline = time.monotonic() + seconds
    while True:
        seen = look()
        if seen:
            return seen
        if time.monotonic() > deadline:
            raise AssertionError(f"{what}: not within {seconds:g} s")
        time.sleep(POLL_SECONDS)
