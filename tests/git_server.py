"""Real git remotes for tests: bare repositories on the disk, and the same behind smart HTTP."""

import base64
import os
import subprocess
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Self

_IDENTITY = {
    "GIT_AUTHOR_NAME": "Ada",
    "GIT_AUTHOR_EMAIL": "ada@example.org",
    "GIT_COMMITTER_NAME": "Ada",
    "GIT_COMMITTER_EMAIL": "ada@example.org",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_CONFIG_NOSYSTEM": "1",
}


def git(*arguments: str, cwd: Path, stdin: bytes = b"") -> str:
    """Run git as a person would, and return what it says."""
    done = subprocess.run(
        ["git", *arguments], cwd=cwd, input=stdin, capture_output=True, check=False, env=os.environ | _IDENTITY
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode("utf-8", "backslashreplace").strip()


@dataclass
class Remote:
    """A bare repository, and a clone that somebody works in."""

    bare: Path
    clone: Path

    @property
    def url(self) -> str:
        return self.bare.as_uri()

    def write(self, files: Mapping[str, str | bytes]) -> None:
        for name, content in files.items():
            path = self.clone / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.encode() if isinstance(content, str) else content)

    def commit(self, files: Mapping[str, str | bytes], message: str = "change", branch: str = "main") -> str:
        """Write, commit and push the files; return the commit's id."""
        self.write(files)
        git("add", "--all", cwd=self.clone)
        git("commit", "--quiet", "--allow-empty", "--message", message, cwd=self.clone)
        git("push", "--quiet", "origin", f"HEAD:refs/heads/{branch}", cwd=self.clone)
        return git("rev-parse", "HEAD", cwd=self.clone)

    def push_elsewhere(self, branch: str, files: Mapping[str, str], message: str) -> str:
        """Commit on top of a branch of the remote without touching the clone; a missing branch begins."""
        parent = self.log(branch)[:1]
        tree = git(
            "mktree",
            cwd=self.bare,
            stdin="".join(
                f"100644 blob {git('hash-object', '-w', '--stdin', cwd=self.bare, stdin=content.encode())}\t{name}\n"
                for name, content in files.items()
            ).encode(),
        )
        parents = [word for line in parent for word in ("-p", line.split()[0])]
        commit = git("commit-tree", tree, *parents, "-m", message, cwd=self.bare)
        git("update-ref", f"refs/heads/{branch}", commit, cwd=self.bare)
        return commit

    def log(self, branch: str) -> list[str]:
        """Return `id subject` of the branch's commits, newest first."""
        if not git("for-each-ref", f"refs/heads/{branch}", cwd=self.bare):
            return []
        return git("log", "--format=%H %s", f"refs/heads/{branch}", cwd=self.bare).splitlines()

    def files(self, branch: str) -> dict[str, str]:
        names = git("ls-tree", "-r", "--name-only", f"refs/heads/{branch}", cwd=self.bare).splitlines()
        return {name: git("show", f"refs/heads/{branch}:{name}", cwd=self.bare) for name in names}

    def hook(self, name: str, script: str) -> None:
        """Install a server-side hook."""
        path = self.bare / "hooks" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
        path.chmod(0o755)


def make_remote(folder: Path, *options: str) -> Remote:
    """Make an empty bare repository, `remote.git`, and a clone of it, in the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    remote = Remote(folder / "remote.git", folder / "clone")
    git("init", "--quiet", "--bare", "--initial-branch=main", *options, str(remote.bare), cwd=folder)
    git("init", "--quiet", "--initial-branch=main", *options, str(remote.clone), cwd=folder)
    git("remote", "add", "origin", str(remote.bare), cwd=remote.clone)
    return remote


@dataclass
class HttpSettings:
    """What the server asks for. `authorizations` are the values accepted; `redirect` sends everybody elsewhere."""

    authorizations: Sequence[str] = ()
    redirect: str = ""
    may_push: bool = True
    delay_seconds: float = 0.0
    released: threading.Event = field(default_factory=threading.Event)


def basic(username: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode()


class GitHttpServer:
    """`git http-backend` behind a small server, for all repositories under a folder."""

    def __init__(self, root: Path, settings: HttpSettings | None = None) -> None:
        self.settings = settings or HttpSettings()
        self.requests: list[str] = []
        self._server = _Server(root, self)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.settings.released.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = False  # closing waits for the requests in flight: no test leaves a thread or a socket behind

    def __init__(self, root: Path, owner: GitHttpServer) -> None:
        self.root = root
        self.owner = owner
        super().__init__(("127.0.0.1", 0), _Handler)


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_GET(self) -> None:
        self._serve(b"")

    def do_POST(self) -> None:
        self._serve(self._body())

    def log_message(self, *_arguments: object) -> None:
        pass

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", "0")))
        chunks = []
        while size := int(self.rfile.readline(), 16):
            chunks.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(chunks)

    def _serve(self, body: bytes) -> None:
        owner, settings = self.server.owner, self.server.owner.settings
        owner.requests.append(f"{self.command} {self.path}")
        settings.released.wait(settings.delay_seconds)
        if settings.redirect:
            self._answer(302, {"Location": settings.redirect + self.path})
        elif settings.authorizations and self.headers.get("Authorization", "") not in settings.authorizations:
            self._answer(401, {"WWW-Authenticate": 'Basic realm="git"'})
        elif not settings.may_push and "git-receive-pack" in self.path:
            self._answer(403, {})
        else:
            self._backend(body)

    def _backend(self, body: bytes) -> None:
        path, _, query = self.path.partition("?")
        environment = _IDENTITY | {
            "PATH": os.environ["PATH"],
            "GIT_PROJECT_ROOT": str(self.server.root),
            "GIT_HTTP_EXPORT_ALL": "1",
            "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": "http.receivepack",
            "GIT_CONFIG_VALUE_0": "true",
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "REQUEST_METHOD": self.command,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(len(body)),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
            "REMOTE_ADDR": "127.0.0.1",
        }
        done = subprocess.run(["git", "http-backend"], input=body, capture_output=True, env=environment, check=False)
        head, _, content = done.stdout.partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode().splitlines() if ": " in line)
        self._answer(int(headers.pop("Status", "200").split()[0]), headers, content)

    def _answer(self, status: int, headers: Mapping[str, str], content: bytes = b"") -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)
