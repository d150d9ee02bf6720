"""Let a git server ask for an earlier tick. Who it is is proved before anything is read into what it says."""

import hashlib
import hmac
import threading
import time
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Final

MAX_BODY_BYTES: Final = 1_000_000
# A burst of pushes is one poll anyhow; this bounds what a replayed request can cost.
BURST: Final = 10
PER_SECOND: Final = 0.5
# Header -> what stands before the hexadecimal HMAC-SHA256 of the body: GitHub, Bitbucket, Gitea and Forgejo.
_SIGNATURES: Final = {"x-hub-signature-256": "sha256=", "x-hub-signature": "sha256=", "x-gitea-signature": ""}
_GITLAB: Final = "x-gitlab-token"


class Webhook:
    """One secret, and what to do when somebody proves to know it. The payload is not even parsed."""

    def __init__(self, secret: str, trigger: Callable[[], None], clock: Callable[[], float] = time.monotonic) -> None:
        self._secret = secret.encode()
        self._trigger = trigger
        self._clock = clock
        self._lock = threading.Lock()
        self._allowance = float(BURST)
        self._counted = clock()

    def answer(self, headers: Mapping[str, str], body: bytes) -> HTTPStatus:
        """Trigger a tick when the request is genuine. Header names are in lower case."""
        if not is_genuine(self._secret, headers, body):
            return HTTPStatus.UNAUTHORIZED
        if not self._allowed():
            return HTTPStatus.TOO_MANY_REQUESTS
        self._trigger()
        return HTTPStatus.ACCEPTED

    def _allowed(self) -> bool:
        """Count genuine requests only: nobody without the secret can use up the allowance of those who have it."""
        with self._lock:
            now = self._clock()
            self._allowance = min(float(BURST), self._allowance + (now - self._counted) * PER_SECOND)
            self._counted = now
            if self._allowance < 1.0:
                return False
            self._allowance -= 1.0
            return True


def is_signed(headers: Mapping[str, str]) -> bool:
    """Tell whether there is a signature at all. Without one the body is not even read."""
    return _GITLAB in headers or any(name in headers for name in _SIGNATURES)


def is_genuine(secret: bytes, headers: Mapping[str, str], body: bytes) -> bool:
    """Tell whether the sender knows the secret. Each signature that is there must be right; compared in constant time.

    GitLab sends the secret itself. Source: https://docs.gitlab.com/user/project/integrations/webhooks/
    """
    if not secret or not is_signed(headers):
        return False
    expected = hmac.new(secret, body, hashlib.sha256).hexdigest()
    checks = [
        hmac.compare_digest(headers[name].encode(), f"{prefix}{expected}".encode())
        for name, prefix in _SIGNATURES.items()
        if name in headers and not headers[name].startswith("sha1=")
    ]
    checks += [hmac.compare_digest(headers[_GITLAB].encode(), secret)] if _GITLAB in headers else []
    return bool(checks) and all(checks)
