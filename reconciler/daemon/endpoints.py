"""Answer the kubelet, Prometheus and the git server."""

import socket
import threading
import time
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Final, Self

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from reconciler.daemon.webhook import MAX_BODY_BYTES, Webhook, is_signed
from reconciler.errors import UsageError
from reconciler.telemetry import Metrics

_TEXT: Final = "text/plain; charset=utf-8"
# A body of 1 MB each: what all senders together can make us hold.
_AT_ONCE: Final = 8
_SLOWEST_REQUEST_SECONDS: Final = 5.0


@dataclass(frozen=True, slots=True)
class Listen:
    """Where to answer. `host` "" is every address of the machine, as a pod needs; `port` 0 takes a free one."""

    host: str = ""
    port: int = 8080


class Probes:
    """What the kubelet may know of the loop. Written by the loop's thread, read by the server's."""

    def __init__(self, patience_seconds: float) -> None:
        self._patience_seconds = patience_seconds
        self._began = time.monotonic()
        self._observed = False
        self._stopping = False

    def began(self) -> None:
        """Take note that a tick begins."""
        self._began = time.monotonic()

    def observed(self) -> None:
        """Take note that a tick has seen the target."""
        self._observed = True

    def stopping(self) -> None:
        """Take note that no tick will follow."""
        self._stopping = True

    def alive(self) -> bool:
        """Tell whether ticks still begin. False when a restart is the best that is left."""
        return time.monotonic() - self._began < self._patience_seconds

    def ready(self) -> bool:
        """Tell whether a tick has seen the target, and another will."""
        return self._observed and not self._stopping


class Endpoints:
    """The HTTP server, in a thread of its own while the block lasts. Without `listen` there is none."""

    def __init__(self, listen: Listen | None, probes: Probes, metrics: Metrics, webhook: Webhook | None) -> None:
        self._server = _Server(listen, probes, metrics, webhook) if listen else None
        self._thread = threading.Thread(target=self._serve, name="endpoints", daemon=True)

    @property
    def port(self) -> int:
        """The port that answers; 0 when none does."""
        return int(self._server.server_address[1]) if self._server else 0

    def __enter__(self) -> Self:
        if self._server:
            self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._server:
            self._server.shutdown()
            self._server.server_close()
            self._thread.join()

    def _serve(self) -> None:
        if self._server:
            self._server.serve_forever(poll_interval=0.1)


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, listen: Listen, probes: Probes, metrics: Metrics, webhook: Webhook | None) -> None:
        self.probes = probes
        self.metrics = metrics
        self.webhook = webhook
        self.posts = threading.BoundedSemaphore(_AT_ONCE)
        everywhere = not listen.host and socket.has_dualstack_ipv6()
        self.address_family = socket.AF_INET6 if everywhere or ":" in listen.host else socket.AF_INET
        self._dualstack = everywhere
        try:
            super().__init__((listen.host, listen.port), _Handler)
        except OSError as error:
            raise UsageError(f"{listen.host}:{listen.port}: cannot listen there: {error.strerror or error}") from error

    def server_bind(self) -> None:
        if self._dualstack:
            self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        # Not the parent's own: it asks the name service who we are, which nobody wants to know.
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of a client that went away."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    server_version = "llmkube"
    sys_version = ""
    timeout = _SLOWEST_REQUEST_SECONDS

    def do_GET(self) -> None:
        """Answer a probe or a scrape."""
        probes = self.server.probes
        match self.path.partition("?")[0]:
            case "/healthz":
                self._probe(probes.alive())
            case "/readyz":
                self._probe(probes.ready())
            case "/metrics":
                self._send(HTTPStatus.OK, generate_latest(self.server.metrics.registry), CONTENT_TYPE_LATEST)
            case _:
                self._send(HTTPStatus.NOT_FOUND)

    def do_POST(self) -> None:
        """Answer the git server. The connection ends with it: a refused body is left unread."""
        self.close_connection = True
        if self.path.partition("?")[0] != "/webhook" or self.server.webhook is None:
            self._send(HTTPStatus.NOT_FOUND)
            return
        if not self.server.posts.acquire(blocking=False):
            self._send(HTTPStatus.TOO_MANY_REQUESTS)
            return
        try:
            self._send(self._hook(self.server.webhook))
        finally:
            self.server.posts.release()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 # the base class's name
        """Log nothing: a probe every few seconds is no event."""

    def _hook(self, webhook: Webhook) -> HTTPStatus:
        headers = {name.lower(): value for name, value in self.headers.items()}
        length = headers.get("content-length", "")
        if not (length.isascii() and length.isdigit()) or "transfer-encoding" in headers:
            return HTTPStatus.LENGTH_REQUIRED
        if len(length) > len(str(MAX_BODY_BYTES)) or int(length) > MAX_BODY_BYTES:
            return HTTPStatus.REQUEST_ENTITY_TOO_LARGE
        if not is_signed(headers):
            return HTTPStatus.UNAUTHORIZED
        return webhook.answer(headers, self.rfile.read(int(length)))

    def _probe(self, good: object) -> None:
        self._send(
            HTTPStatus.OK if good else HTTPStatus.SERVICE_UNAVAILABLE, b"ok\n" if good else b"not yet, or no more\n"
        )

    def _send(self, status: HTTPStatus, body: bytes = b"", kind: str = _TEXT) -> None:
        body = body or f"{status.phrase}\n".encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
