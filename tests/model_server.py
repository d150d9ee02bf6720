"""A small server of model files on loopback, which can be made to fail in the ways that real ones do."""

import hashlib
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final

CONTENT: Final = bytes(range(256)) * 400
SHA256: Final = hashlib.sha256(CONTENT).hexdigest()


@dataclass
class Request:
    path: str
    range: str
    authorization: str
    headers: dict[str, str]


@dataclass
class ModelServer:
    """What was asked of it, and where it is. Paths say how it answers: `/404/…`, `/break/…`, `/plain/…`."""

    port: int = 0
    requests: list[Request] = field(default_factory=list)
    asked: Counter[str] = field(default_factory=Counter)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def paths(self) -> list[str]:
        return [request.path for request in self.requests]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    told: ModelServer

    def do_GET(self) -> None:
        told = self.told
        told.requests.append(
            Request(self.path, self.headers.get("Range", ""), self.headers.get("Authorization", ""), dict(self.headers))
        )
        told.asked[self.path] += 1
        how = self.path.split("/")[1]
        first = told.asked[self.path] == 1
        if how.isdigit() and (int(how) < 500 or first):
            self._end(int(how))
        elif how == "redirect":
            self._end(302, Location=f"http://localhost:{told.port}/cdn/model")
        elif how == "file-redirect":
            self._end(302, Location="file:///etc/passwd")
        else:
            self._send(how, first=first)

    def _send(self, how: str, *, first: bool) -> None:
        start = 0
        asked = self.headers.get("Range", "")
        if asked and how != "plain":
            start = int(asked.removeprefix("bytes=").rstrip("-"))
            if start >= len(CONTENT):
                self._end(416)
                return
        body = CONTENT[start:]
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(CONTENT) - 1}/{len(CONTENT)}")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if how == "break" and first:
            self.wfile.write(body[: len(body) // 2])
            self.wfile.flush()
            self.close_connection = True
            return
        if how == "slow":
            for at in range(0, len(body), len(body) // 8):
                self.wfile.write(body[at : at + len(body) // 8])
                time.sleep(0.1)
            return
        self.wfile.write(body)

    def _end(self, status: int, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_arguments: object) -> None:
        """Say nothing: what was asked is in `requests`."""


@contextmanager
def serving() -> Iterator[ModelServer]:
    """Serve until the end of the block."""
    told = ModelServer()
    handler = type("Handler", (_Handler,), {"told": told})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        told.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield told
        finally:
            server.shutdown()
            thread.join()
