"""A stand-in for the comment API of GitHub and GitLab, on loopback: as much of both as a sticky comment needs."""

import json
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

ME = "github-actions[bot]"


@dataclass
class Comments:
    """Comments by id, and what was asked of the API: method and path."""

    token: str = "s3cret-token"  # noqa: S105  # of nothing
    bodies: dict[int, dict[str, Any]] = field(default_factory=dict)
    requests: list[tuple[str, str]] = field(default_factory=list)

    def add(self, body: str, author: str = ME) -> int:
        found = 1 + max(self.bodies, default=0)
        self.bodies[found] = {"id": found, "body": body, "user": {"login": author}, "author": {"username": author}}
        return found

    def __enter__(self) -> Self:
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"


def _handler(comments: Comments) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            query = parse_qs(urlsplit(self.path).query)
            page, size = int(query["page"][0]), int(query["per_page"][0])
            self._answer(200, list(comments.bodies.values())[(page - 1) * size : page * size])

        def do_POST(self) -> None:
            self._answer(201, {"id": comments.add(self._body())})

        def do_PATCH(self) -> None:
            which = int(self.path.rpartition("/")[2])
            comments.bodies[which]["body"] = self._body()
            self._answer(200, {})

        do_PUT = do_PATCH  # noqa: N815  # the base class looks for this name

        def _body(self) -> str:
            said: str = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["body"]
            return said

        def _answer(self, status: int, value: object) -> None:
            comments.requests.append((self.command, urlsplit(self.path).path))
            given = {self.headers.get("Authorization"), self.headers.get("PRIVATE-TOKEN")}
            if not given & {f"Bearer {comments.token}", comments.token}:
                status, value = 401, {}
            data = json.dumps(value).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_arguments: object) -> None:
            pass

    return Handler
