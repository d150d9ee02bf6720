"""The script of the download container, run by real shells against a real server."""

import os
import shutil
import signal
import subprocess
import sysconfig
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from builders import model, service
from model_server import CONTENT, SHA256, ModelServer, serving
from reconciler.core.manifests import download, pod
from reconciler.core.model.spec import Fetch, ModelFile, ModelSource
from reconciler.core.rules import causes

SHELLS = {"sh": ["/bin/sh"], "bash": ["bash", "--posix"]}
TOKEN = {"HF_TOKEN": "t0p-s3cret\n"}

pytestmark = pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")


@dataclass
class Cache:
    """A cache volume, and the shell that the script runs in."""

    root: Path
    shell: list[str]

    def start(self, *files: str, **environment: str) -> subprocess.Popen[str]:
        settings = {
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "HOME": str(self.root),
            "MODELS": str(self.root / "models"),
            "FILES": "\n".join(files),
            "RETRY_SECONDS": "0",
            **environment,
        }
        return subprocess.Popen(
            [*self.shell, "-c", download.SCRIPT],
            env=settings,
            cwd=self.root,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )

    def run(self, *files: str, **environment: str) -> tuple[int, str]:
        """Return the exit code, and all that was said."""
        running = self.start(*files, **environment)
        out, err = running.communicate(timeout=60)
        return running.returncode, out + err

    def path(self, name: str) -> Path:
        return self.root / "models" / "key" / name

    def names(self) -> list[str]:
        return sorted(path.name for path in self.path("x").parent.glob("*"))


@pytest.fixture(params=SHELLS)
def cache(request: pytest.FixtureRequest, tmp_path: Path) -> Cache:
    (tmp_path / "models").mkdir()
    return Cache(tmp_path, SHELLS[request.param])


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with serving() as found:
        yield found


def _line(url: str, name: str = "a.gguf", sha256: str = SHA256, size: int = len(CONTENT)) -> str:
    return f"key {url} {name} {sha256 or '-'} {size}"


@pytest.mark.parametrize("script", [download.SCRIPT, pod.DRAIN], ids=["download", "drain"])
def test_shellcheck_has_nothing_to_say(script: str) -> None:
    shellcheck = Path(sysconfig.get_path("scripts")) / "shellcheck"
    done = subprocess.run([shellcheck, "--shell=sh", "-"], input=script, text=True, capture_output=True, check=False)
    assert done.stdout == ""


def test_a_file_is_fetched_checked_and_renamed_into_place(cache: Cache, server: ModelServer) -> None:
    code, said = cache.run(_line(f"{server.url}/model"))
    assert (code, said) == (0, f"downloading a.gguf\na.gguf is complete, {len(CONTENT)} bytes\n")
    assert cache.path("a.gguf").read_bytes() == CONTENT
    assert cache.names() == [".lock", "a.gguf"]


def test_a_cached_file_is_not_asked_for_again(cache: Cache, server: ModelServer) -> None:
    cache.run(_line(f"{server.url}/model"))
    server.requests.clear()
    assert cache.run(_line(f"{server.url}/model")) == (0, "a.gguf is in the cache\n")
    assert server.requests == []


def test_what_is_there_already_is_not_fetched_twice(cache: Cache, server: ModelServer) -> None:
    cache.path("x").parent.mkdir()
    cache.path("a.gguf.part").write_bytes(CONTENT[:1000])
    code, _ = cache.run(_line(f"{server.url}/model"))
    assert code == 0
    assert [request.range for request in server.requests] == ["bytes=1000-"]
    assert cache.path("a.gguf").read_bytes() == CONTENT


def test_a_broken_connection_goes_on_where_it_broke(cache: Cache, server: ModelServer) -> None:
    code, _ = cache.run(_line(f"{server.url}/break/model"))
    assert code == 0
    assert [request.range for request in server.requests] == ["", f"bytes={len(CONTENT) // 2}-"]
    assert cache.path("a.gguf").read_bytes() == CONTENT


def test_a_server_that_cannot_resume_is_asked_for_the_whole_file(cache: Cache, server: ModelServer) -> None:
    cache.path("x").parent.mkdir()
    cache.path("a.gguf.part").write_bytes(b"x" * 1000)
    code, _ = cache.run(_line(f"{server.url}/plain/model"))
    assert code == 0
    assert cache.path("a.gguf").read_bytes() == CONTENT


def test_a_file_that_was_complete_but_not_yet_renamed_is_taken(cache: Cache, server: ModelServer) -> None:
    cache.path("x").parent.mkdir()
    cache.path("a.gguf.part").write_bytes(CONTENT)
    assert cache.run(_line(f"{server.url}/model"))[0] == 0
    assert cache.path("a.gguf").read_bytes() == CONTENT


def test_another_file_of_that_name_is_not_taken_for_complete(cache: Cache, server: ModelServer) -> None:
    cache.path("x").parent.mkdir()
    cache.path("a.gguf.part").write_bytes(b"x" * (len(CONTENT) + 5))
    assert cache.run(_line(f"{server.url}/model", sha256="", size=0))[0] == 0
    assert cache.path("a.gguf").read_bytes() == CONTENT


def test_a_server_that_is_busy_is_asked_again(cache: Cache, server: ModelServer) -> None:
    assert cache.run(_line(f"{server.url}/503/model"))[0] == 0
    assert server.paths == ["/503/model", "/503/model"]


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_refusal_is_told_at_once_with_its_status(cache: Cache, server: ModelServer, status: int) -> None:
    code, said = cache.run(_line(f"{server.url}/{status}/model"))
    assert code == 1
    assert f"download failed: a.gguf: HTTP {status}\n" in said
    assert str(status) in causes.known(said)
    assert len(server.requests) == 1
    assert not cache.path("a.gguf").exists()


def test_a_source_that_does_not_answer_is_told(cache: Cache) -> None:
    code, said = cache.run(_line("http://127.0.0.1:1/model"))
    assert code == 1
    assert "download failed: a.gguf: the source does not answer (curl 7)\n" in said
    assert causes.known(said) == "download failed: the source does not answer"


def test_a_file_of_another_size_is_not_kept(cache: Cache, server: ModelServer) -> None:
    code, said = cache.run(_line(f"{server.url}/model", size=5))
    assert code == 1
    assert f"download failed: a.gguf: {len(CONTENT)} bytes where 5 were expected\n" in said
    assert cache.names() == [".lock"]


def test_a_file_of_another_sha256_is_not_kept(cache: Cache, server: ModelServer) -> None:
    code, said = cache.run(_line(f"{server.url}/model", sha256="0" * 64))
    assert code == 1
    assert f"download failed: a.gguf: its sha256 is not {'0' * 64}\n" in said
    assert causes.known(said) == "the downloaded file's sha256 is not the one in the spec"
    assert cache.names() == [".lock"]


def test_a_full_volume_is_told(cache: Cache, server: ModelServer) -> None:
    cache.path("x").parent.mkdir()
    cache.path("a.gguf.part").symlink_to("/dev/full")
    code, said = cache.run(_line(f"{server.url}/model"))
    assert code == 1
    assert causes.known(said) == "no space left on the cache volume"


def test_a_volume_that_cannot_be_written_is_told(cache: Cache, server: ModelServer) -> None:
    (cache.root / "models" / "key").write_text("a file where a folder would be", encoding="utf-8")
    code, said = cache.run(_line(f"{server.url}/model"))
    assert code == 1
    assert causes.known(said) == "the cache volume cannot be written"


def test_all_files_are_fetched_in_order(cache: Cache, server: ModelServer) -> None:
    lines = [_line(f"{server.url}/{name}", name) for name in ("b.gguf", "a.gguf", "c.gguf")]
    assert cache.run(*lines)[0] == 0
    assert server.paths == ["/b.gguf", "/a.gguf", "/c.gguf"]


def test_an_error_of_one_file_ends_it(cache: Cache, server: ModelServer) -> None:
    code, _ = cache.run(_line(f"{server.url}/404/a", "a"), _line(f"{server.url}/b", "b"))
    assert code == 1
    assert server.paths == ["/404/a"]


@pytest.mark.parametrize(
    "hostile",
    [
        "$(touch${IFS}pwned)",
        "`touch${IFS}pwned`",
        ";touch${IFS}pwned;",
        "|touch${IFS}pwned",
        "&&touch${IFS}pwned",
        "'touch${IFS}pwned'",
        '";touch${IFS}pwned;"',
        "$HF_TOKEN",
        "{a,b}[1-3]",
        "-o",
        "--config",
        "*",
        "~",
        "%s%n",
        "a\\nb",
    ],
)
def test_a_hostile_name_or_address_is_a_name_and_an_address(cache: Cache, server: ModelServer, hostile: str) -> None:
    code, said = cache.run(_line(f"{server.url}/{hostile}", hostile), **TOKEN)
    assert code == 0, said
    assert len(server.requests) == 1
    assert cache.path(hostile).read_bytes() == CONTENT
    assert sorted(path.name for path in cache.root.iterdir()) == ["models"]


def test_an_address_is_no_option(cache: Cache, server: ModelServer) -> None:
    code, _ = cache.run(_line(f"--output={cache.root}/pwned"))
    assert code == 1
    assert not (cache.root / "pwned").exists()
    assert server.requests == []


@pytest.mark.parametrize("address", ["file:///etc/passwd", "gopher://127.0.0.1/", "{server}/file-redirect"])
def test_only_http_is_spoken(cache: Cache, server: ModelServer, address: str) -> None:
    code, said = cache.run(_line(address.format(server=server.url), sha256="", size=0))
    assert code == 1
    assert "download failed: a.gguf: an address or a redirect that is not followed" in said
    assert not cache.path("a.gguf").exists()


def test_the_hugging_face_token_reaches_its_host_and_no_other(cache: Cache, server: ModelServer) -> None:
    code, _ = cache.run(_line("https://huggingface.co/redirect/model"), **TOKEN, HF_ENDPOINT=f"{server.url}/")
    assert code == 0
    assert [(request.path, request.authorization) for request in server.requests] == [
        ("/redirect/model", "Bearer t0p-s3cret"),
        ("/cdn/model", ""),
    ]


def test_another_host_gets_no_token(cache: Cache, server: ModelServer) -> None:
    assert cache.run(_line(f"{server.url}/model"), **TOKEN, AWS_ACCESS_KEY_ID="id")[0] == 0
    assert [request.authorization for request in server.requests] == [""]


def test_a_token_cannot_bring_options_of_its_own(cache: Cache, server: ModelServer) -> None:
    token = f'x"\noutput = "{cache.root}/pwned'
    cache.run(_line("https://huggingface.co/model"), HF_TOKEN=token, HF_ENDPOINT=server.url)
    assert not (cache.root / "pwned").exists()


def test_s3_requests_are_signed_and_follow_no_redirect(cache: Cache, server: ModelServer) -> None:
    keys = {"AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "key", "AWS_SESSION_TOKEN": "session"}
    place = {"AWS_ENDPOINT_URL": server.url, "AWS_REGION": "eu-west-1"}
    assert cache.run(_line("s3://bucket/a/model.gguf"), **keys, **place)[0] == 0
    (request,) = server.requests
    assert request.path == "/bucket/a/model.gguf"
    assert request.authorization.startswith("AWS4-HMAC-SHA256 Credential=id/")
    assert "/eu-west-1/s3/aws4_request" in request.authorization
    assert {name.lower(): value for name, value in request.headers.items()}["x-amz-security-token"] == "session"
    assert cache.run(_line("s3://redirect/model", "b"), **keys, **place)[0] == 1


def test_a_token_stands_in_no_argument_list(cache: Cache, server: ModelServer) -> None:
    running = cache.start(_line("https://huggingface.co/slow/model"), **TOKEN, HF_ENDPOINT=server.url)
    seen: set[str] = set()
    while running.poll() is None:
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                seen.add(path.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
            except OSError:
                continue
        time.sleep(0.02)
    running.communicate()
    assert running.returncode == 0
    assert any(line.startswith("curl ") for line in seen)
    assert not any("t0p-s3cret" in line for line in seen)


@pytest.mark.skipif(shutil.which("flock") is None, reason="flock is not installed")
def test_pods_that_share_a_cache_fetch_a_file_once(cache: Cache, server: ModelServer) -> None:
    running = [cache.start(_line(f"{server.url}/slow/model")) for _ in range(4)]
    said = [process.communicate(timeout=60)[0] for process in running]
    assert [process.returncode for process in running] == [0, 0, 0, 0]
    assert server.paths == ["/slow/model"]
    assert sum("is in the cache by now" in text for text in said) == 3
    assert cache.path("a.gguf").read_bytes() == CONTENT


def test_a_process_that_was_killed_leaves_what_the_next_goes_on_with(cache: Cache, server: ModelServer) -> None:
    running = cache.start(_line(f"{server.url}/slow/model"))
    while not (cache.path("a.gguf.part").exists() and cache.path("a.gguf.part").stat().st_size):
        time.sleep(0.02)
    os.killpg(running.pid, signal.SIGKILL)
    running.communicate()
    assert not cache.path("a.gguf").exists()
    assert cache.run(_line(f"{server.url}/slow/model"))[0] == 0
    assert cache.path("a.gguf").read_bytes() == CONTENT


def test_the_container_hands_every_file_over_by_environment() -> None:
    files = (ModelFile("https://e.example.com/a.gguf", "a.gguf", "A" * 64, 7), ModelFile("s3://b/$x", "b.gguf"))
    wanted = service(model=model("m", source=ModelSource(Fetch.HTTP, files)))
    container = download.container(wanted)
    assert container is not None
    assert container["command"] == ["/bin/sh", "-c", download.SCRIPT]
    (said,) = (item["value"] for item in container["env"] if item["name"] == "FILES")
    first, second = said.split("\n")
    assert first.split(" ")[1:] == ["https://e.example.com/a.gguf", "a.gguf", "a" * 64, "7"]
    assert second.split(" ")[1:] == ["s3://b/$x", "b.gguf", "-", "0"]
