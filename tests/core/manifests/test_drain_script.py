"""The script that a pod runs before it ends, in real shells, all at once since each of them waits."""

import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from builders import service
from reconciler.core import manifests
from reconciler.core.manifests import pod
from reconciler.core.model.spec import Fleet

SHELLS = {"sh": ["/bin/sh"], "bash": ["bash", "--posix"]}
KEY = "s3cret-one"
SECONDS = 6


@dataclass
class Ended:
    code: int
    seconds: float


class _Handler(BaseHTTPRequestHandler):
    busy_until: float

    def do_GET(self) -> None:
        allowed = self.headers.get("Authorization") == f"Bearer {KEY}"
        busy = "true" if time.monotonic() < self.busy_until else "false"
        body = f'[{{"id":0,"is_processing": false}},{{"id":1,"is_processing": {busy}}}]'.encode()
        self.send_response(200 if allowed and self.path == "/slots" else 401)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_arguments: object) -> None:
        """Say nothing."""


@contextmanager
def _server(busy_seconds: float) -> Iterator[int]:
    handler = type("Handler", (_Handler,), {"busy_until": time.monotonic() + busy_seconds})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()


def _drain(shell: list[str], port: int) -> subprocess.Popen[str]:
    environment = {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "DRAIN_SECONDS": str(SECONDS),
        "LLAMA_PORT": str(port),
        "LLAMA_API_KEY": f"{KEY},another",
    }
    return subprocess.Popen([*shell, "-c", pod.DRAIN], env=environment, text=True, stdout=subprocess.DEVNULL)


@pytest.fixture(scope="module")
def ended() -> dict[tuple[str, str], Ended]:
    """Return how each shell ended before a server that is idle, finishes soon, is always busy, or is gone."""
    found: dict[tuple[str, str], Ended] = {}
    with _server(0) as idle, _server(4) as finishing, _server(600) as busy:
        begun = time.monotonic()
        ports = {"idle": idle, "finishing": finishing, "busy": busy, "gone": 1}
        running = {
            (name, shell): _drain(command, port) for name, port in ports.items() for shell, command in SHELLS.items()
        }
        while len(found) < len(running):
            for case, process in running.items():
                if case not in found and (code := process.poll()) is not None:
                    found[case] = Ended(code, time.monotonic() - begun)
            time.sleep(0.05)
    return found


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("server", ["idle", "gone"])
def test_a_server_that_is_idle_or_gone_is_not_waited_for(
    ended: dict[tuple[str, str], Ended], server: str, shell: str
) -> None:
    assert ended[server, shell].code == 0
    assert 3 <= ended[server, shell].seconds < SECONDS


@pytest.mark.parametrize("shell", SHELLS)
def test_a_server_is_waited_for_until_its_last_request_is_done(ended: dict[tuple[str, str], Ended], shell: str) -> None:
    assert ended["finishing", shell].code == 0
    assert 4 <= ended["finishing", shell].seconds < SECONDS + 1


@pytest.mark.parametrize("shell", SHELLS)
def test_a_server_that_is_always_busy_is_not_waited_for_longer_than_said(
    ended: dict[tuple[str, str], Ended], shell: str
) -> None:
    assert ended["busy", shell].code == 0
    assert SECONDS - 1 <= ended["busy", shell].seconds < SECONDS + 3


def test_the_grace_period_is_longer_than_the_drain_and_its_last_look() -> None:
    deployment = next(
        found for found in manifests.build(service(drain_seconds=100), Fleet()) if found["kind"] == "Deployment"
    )
    template = deployment["spec"]["template"]["spec"]
    assert template["terminationGracePeriodSeconds"] >= 100 + 6 + 15
    environment = {item["name"]: item["value"] for item in template["containers"][0]["env"]}
    assert (environment["DRAIN_SECONDS"], environment["LLAMA_PORT"]) == ("100", "8080")
