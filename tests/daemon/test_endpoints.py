import http.client
import socket
from collections.abc import Iterator
from contextlib import closing

import pytest

from reconciler.daemon.endpoints import Endpoints, Listen, Probes
from reconciler.daemon.webhook import MAX_BODY_BYTES, Webhook
from reconciler.errors import UsageError
from reconciler.telemetry import Metrics

SECRET = "hush"  # noqa: S105 # a test's


class World:
    def __init__(self) -> None:
        self.probes = Probes(patience_seconds=60.0)
        self.metrics = Metrics()
        self.rung = 0
        self.port = 0

    def ring(self) -> None:
        self.rung += 1

    def ask(self, method: str, path: str, body: bytes | None = None, **headers: str) -> tuple[int, str]:
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)) as connection:
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, path, body, named)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()

    def send(self, request: bytes) -> int:
        """Send what no honest client would, and return the status."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=10) as connection:
            connection.sendall(request)
            return int(connection.recv(100).split()[1])


@pytest.fixture
def world() -> Iterator[World]:
    world = World()
    with Endpoints(Listen("", 0), world.probes, world.metrics, Webhook(SECRET, world.ring)) as endpoints:
        world.port = endpoints.port
        yield world


def test_the_kubelet_is_told_of_life_and_readiness(world: World) -> None:
    assert world.ask("GET", "/healthz")[0] == 200
    assert world.ask("GET", "/readyz")[0] == 503
    world.probes.observed()
    assert world.ask("GET", "/readyz")[0] == 200
    world.probes.stopping()
    assert world.ask("GET", "/readyz")[0] == 503


def test_a_loop_that_stands_still_is_not_alive(world: World) -> None:
    world.probes._patience_seconds = 0.0  # noqa: SLF001 # time, made short
    assert world.ask("GET", "/healthz")[0] == 503


def test_prometheus_gets_our_numbers_alone(world: World) -> None:
    world.metrics.ticks.labels("ok").inc()
    status, text = world.ask("GET", "/metrics")
    assert status == 200
    assert 'llmkube_ticks_total{result="ok"} 1.0' in text
    assert "python_gc" not in text


@pytest.mark.parametrize(("method", "path"), [("GET", "/"), ("GET", "/webhook"), ("POST", "/"), ("POST", "/metrics")])
def test_nothing_else_is_there(world: World, method: str, path: str) -> None:
    assert world.ask(method, path)[0] == 404


def test_a_genuine_webhook_rings(world: World) -> None:
    assert world.ask("POST", "/webhook", b"{}", X_Gitlab_Token=SECRET)[0] == 202
    assert world.rung == 1


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        (b"Content-Length: 2\r\n", 401),
        (b"Content-Length: 2\r\nX-Gitlab-Token: wrong\r\n", 401),
        (b"X-Gitlab-Token: hush\r\n", 411),
        (b"Content-Length: -1\r\nX-Gitlab-Token: hush\r\n", 411),
        (b"Transfer-Encoding: chunked\r\nContent-Length: 2\r\nX-Gitlab-Token: hush\r\n", 411),
        (b"Content-Length: %d\r\nX-Gitlab-Token: hush\r\n" % (MAX_BODY_BYTES + 1), 413),
        (b"Content-Length: %s\r\nX-Gitlab-Token: hush\r\n" % (b"9" * 5000), 413),
    ],
)
def test_a_bad_webhook_is_refused(world: World, headers: bytes, status: int) -> None:
    assert world.send(b"POST /webhook HTTP/1.1\r\nHost: x\r\n" + headers + b"\r\n{}") == status
    assert world.rung == 0


def test_without_a_secret_there_is_no_webhook() -> None:
    world = World()
    with Endpoints(Listen("127.0.0.1", 0), world.probes, world.metrics, None) as endpoints:
        world.port = endpoints.port
        assert world.ask("POST", "/webhook", b"{}", X_Gitlab_Token="")[0] == 404


def test_an_address_in_use_is_named(world: World) -> None:
    with pytest.raises(UsageError, match=f":{world.port}: cannot listen there"):
        Endpoints(Listen("", world.port), world.probes, world.metrics, None)


def test_without_an_address_nothing_listens() -> None:
    world = World()
    with Endpoints(None, world.probes, world.metrics, None) as endpoints:
        assert endpoints.port == 0
