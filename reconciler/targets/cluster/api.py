"""The Kubernetes API as raw JSON over the official client's connection pool. Its typed models cost more than the calls.

All that goes wrong leaves here as an ApiError with the server's own words, or as a ClusterError when none answered.
"""

import json
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode

import urllib3
from kubernetes import client, config
from kubernetes.config.config_exception import ConfigException
from yaml import YAMLError

from reconciler.core.model.objects import JsonObject
from reconciler.errors import ClusterError, UsageError

APPLY: Final = "application/apply-patch+yaml"
JSON_PATCH: Final = "application/json-patch+json"

_TIMEOUT: Final = urllib3.Timeout(connect=5, read=60)
_ATTEMPTS: Final = 5
_LONGEST_WAIT_SECONDS: Final = 10.0
_BUSY: Final = frozenset({429, 502, 503, 504})

_UNREADABLE: Final = (ConfigException, OSError, YAMLError, AttributeError, LookupError, TypeError, ValueError)
"""What the package raises for a kubeconfig: it takes its shape on trust."""

THREADS: Final = 8
"""Requests in flight at once: what API priority and fairness gives one user without queueing."""


@dataclass(frozen=True, slots=True)
class Cause:
    """One cause of a refusal, as the server names it: `field` is dotted, `reason` a word such as FieldValueInvalid."""

    field: str
    reason: str
    message: str


class ApiError(Exception):
    """The server's no to one request."""

    def __init__(self, status: int, body: JsonObject) -> None:
        self.status = status
        self.reason = str(body.get("reason") or "")
        self.message = str(body.get("message") or f"HTTP {status}")
        details = body.get("details") or {}
        self.causes = tuple(
            Cause(str(found.get("field", "")), str(found.get("reason", "")), str(found.get("message", "")))
            for found in details.get("causes") or ()
        )
        self.retry_after_seconds = float(details.get("retryAfterSeconds") or 0)
        super().__init__(self.message)


class Api:
    """One API server, with the credentials of a kubeconfig or of the pod."""

    def __init__(self, configuration: client.Configuration) -> None:
        configuration.retries = False
        configuration.connection_pool_maxsize = THREADS
        self._configuration = configuration
        self._pool = client.ApiClient(configuration).rest_client.pool_manager
        self.host = str(configuration.host)

    def get(self, path: str, query: Mapping[str, str] | None = None) -> JsonObject:
        """Return the object or list at a path."""
        return self._request("GET", path, query)

    def find(self, path: str) -> JsonObject | None:
        """Return the object at a path; None when the server says that it is not there, and only then."""
        try:
            return self.get(path)
        except ApiError as error:
            if error.status == 404:  # noqa: PLR2004  # not found; a missing kind is told apart by the empty details
                return None
            raise

    def list(self, path: str, selector: str = "") -> tuple[JsonObject, ...]:
        """Return all items of a collection, page by page."""
        query = {"limit": "500", **({"labelSelector": selector} if selector else {})}
        items: list[JsonObject] = []
        while True:
            page = self.get(path, query)
            items.extend(page["items"])
            following = page["metadata"].get("continue")
            if not following:
                return tuple(items)
            query = {**query, "continue": following}

    def patch(self, path: str, body: Any, kind: str, query: Mapping[str, str]) -> JsonObject:
        """Patch the object at a path, `kind` being the patch's content type."""
        return self._request("PATCH", path, query, body, kind)

    def create(self, path: str, body: JsonObject, query: Mapping[str, str]) -> JsonObject:
        """Create an object in the collection at a path."""
        return self._request("POST", path, query, body)

    def delete(self, path: str, body: JsonObject) -> None:
        """Delete the object at a path, with the preconditions in the body."""
        self._request("DELETE", path, None, body)

    def _request(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        body: Any = None,
        content_type: str = "application/json",
    ) -> JsonObject:
        """Send a request, again while the server is busy: every request of ours may be repeated."""
        url = f"{self.host}{path}" + (f"?{urlencode(query)}" if query else "")
        data = None if body is None else json.dumps(body).encode()
        for attempt in range(1, _ATTEMPTS + 1):
            response = self._send(method, url, data, content_type, last=attempt == _ATTEMPTS)
            if response is None:
                time.sleep(min(_LONGEST_WAIT_SECONDS, 0.2 * 2**attempt))
            elif response.status < 300:  # noqa: PLR2004  # HTTP's boundary of success
                return _decoded(response, self.host)
            elif response.status not in _BUSY or attempt == _ATTEMPTS:
                raise ApiError(response.status, _body(response))
            else:
                time.sleep(min(_LONGEST_WAIT_SECONDS, _pause(response, attempt)))
        raise AssertionError("the last attempt returns or raises")

    def _send(
        self, method: str, url: str, data: bytes | None, content_type: str, *, last: bool
    ) -> urllib3.BaseHTTPResponse | None:
        """Return the answer; None when the connection broke and there is another try."""
        headers = {"Accept": "application/json", "Content-Type": content_type, **self._authorization()}
        try:
            response: urllib3.BaseHTTPResponse = self._pool.request(
                method, url, body=data, headers=headers, timeout=_TIMEOUT, retries=False
            )
        except urllib3.exceptions.HTTPError as error:
            if last:
                raise ClusterError(f"the API server at {self.host} does not answer: {_short(error)}") from error
            return None
        if response.status == 401:  # noqa: PLR2004  # unauthorised
            raise ClusterError(f"the API server at {self.host} does not accept our credentials")
        return response

    def _authorization(self) -> dict[str, str]:
        """Return the header, read anew for each request: the token of a pod is replaced every hour."""
        token = self._configuration.get_api_key_with_prefix("authorization")
        if not token:
            token = self._configuration.get_api_key_with_prefix("BearerToken")
        return {"Authorization": token} if token else {}


def connect(context: str) -> Api:
    """Return the API server of a kubeconfig's context ("" for its current one), or of the pod that we run in."""
    configuration = client.Configuration()
    # the package reads KUBECONFIG once, when it is imported
    named = os.environ.get("KUBECONFIG") or None
    try:
        config.load_kube_config(named, context or None, configuration)  # type: ignore[no-untyped-call]  # the package has no types
    except _UNREADABLE as error:
        if context:
            raise UsageError(f"--context {context}: {_short(error)}") from error
        try:
            config.load_incluster_config(client_configuration=configuration)  # type: ignore[no-untyped-call]  # likewise
        except ConfigException as inside:
            raise UsageError(
                f"no cluster: {_short(error)}; set KUBECONFIG, or run in a pod, or use --target dir:PATH"
            ) from inside
    return Api(configuration)


def _decoded(response: urllib3.BaseHTTPResponse, host: str) -> JsonObject:
    try:
        found: JsonObject = json.loads(response.data)
    except ValueError as error:
        raise ClusterError(f"what answers at {host} is no API server: it does not speak JSON") from error
    return found


def _body(response: urllib3.BaseHTTPResponse) -> JsonObject:
    try:
        found = json.loads(response.data)
    except ValueError:
        return {"message": f"HTTP {response.status}: {response.data[:200].decode(errors='replace')}"}
    return found if isinstance(found, dict) else {}


def _pause(response: urllib3.BaseHTTPResponse, attempt: int) -> float:
    said = response.headers.get("Retry-After", "")
    return float(said) if said.isdigit() else 0.2 * 2**attempt


def _short(error: Exception) -> str:
    cause = error.__cause__
    if isinstance(cause, OSError) and cause.strerror:
        return cause.strerror
    return str(error).splitlines()[0][:200] if str(error) else type(error).__name__
