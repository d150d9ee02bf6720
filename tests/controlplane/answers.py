"""What a fake pod answers through `kubectl port-forward`: one HTTP exchange on standard input and output."""

from __future__ import annotations

import json
import sys

METRICS = """\
# TYPE llamacpp:requests_processing gauge
llamacpp:requests_processing 0
# TYPE llamacpp:requests_deferred gauge
llamacpp:requests_deferred 0
"""


def answer(target: str) -> tuple[str, str, str]:
    """Status line, content type and body for a path, as llama-server gives them once it has loaded."""
    path = target.split("?", maxsplit=1)[0]
    if path in {"/health", "/v1/health"}:
        return "200 OK", "application/json", json.dumps({"status": "ok"})
    if path == "/metrics":
        return "200 OK", "text/plain; version=0.0.4", METRICS
    error = {"error": {"code": 404, "message": "File Not Found", "type": "not_found_error"}}
    return "404 Not Found", "application/json", json.dumps(error)


def main() -> None:
    request = sys.stdin.buffer.readline().decode("latin-1").split()
    while sys.stdin.buffer.readline().strip():
        pass  # no answer depends on a header
    status, kind, body = answer(request[1] if len(request) > 1 else "/")
    head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    sys.stdout.buffer.write((head + body).encode())
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
