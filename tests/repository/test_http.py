import base64
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from git_server import GitHttpServer, HttpSettings, Remote, basic, make_remote
from reconciler.core.model.source import Report
from reconciler.errors import SourceError
from reconciler.repository.address import Credentials
from reconciler.repository.store import GitSource

Opened = Callable[..., GitSource]
Commands = list[tuple[str, ...]]
TOKEN = "ghp_verysecretindeed0123456789"  # noqa: S105 # the secret that must not be seen


@pytest.fixture
def remote(tmp_path: Path) -> Remote:
    remote = make_remote(tmp_path / "served")
    remote.commit({"llm.yaml": "a: 1\n"}, "first")
    return remote


@pytest.fixture
def server(remote: Remote) -> Iterator[GitHttpServer]:
    with GitHttpServer(remote.bare.parent) as server:
        yield server


def guarded(server: GitHttpServer) -> GitHttpServer:
    server.settings.authorizations = (basic("x-access-token", TOKEN), f"Bearer {TOKEN}", basic("ada", TOKEN))
    return server


def test_a_public_repository_is_read_and_written(remote: Remote, server: GitHttpServer, opened: Opened) -> None:
    source = opened(f"{server.url}/remote.git")
    assert list(source.read(source.snapshot().entries).values()) == [b"a: 1\n"]
    assert source.publish(Report({"README.md": b"x"}, "status\n")).error == ""
    assert len(remote.log("llmkube-status/default")) == 1


def test_an_unchanged_branch_costs_two_requests(server: GitHttpServer, opened: Opened) -> None:
    source = opened(f"{server.url}/remote.git")
    source.snapshot()
    server.requests.clear()
    source.snapshot()
    assert server.requests == [
        "GET /remote.git/info/refs?service=git-upload-pack",
        "POST /remote.git/git-upload-pack",
    ]


@pytest.mark.parametrize("username", ["x-access-token", ""])
def test_a_token_opens_the_repository_and_stands_in_no_argument(
    server: GitHttpServer, opened: Opened, commands: Commands, username: str
) -> None:
    source = opened(f"{guarded(server).url}/remote.git", credentials=Credentials(token=TOKEN, username=username))
    assert source.snapshot().entries
    assert source.publish(Report({"README.md": b"x"}, "status\n")).written
    assert TOKEN not in repr(commands)
    assert base64.b64encode(TOKEN.encode()).decode()[:12] not in repr(commands)


def test_a_token_file_is_read_anew_each_time(server: GitHttpServer, opened: Opened, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("stale\n", encoding="utf-8")
    source = opened(f"{guarded(server).url}/remote.git", credentials=Credentials(token_file=str(file)))
    with pytest.raises(SourceError, match="authentication failed"):
        source.snapshot()
    file.write_text(f"{TOKEN}\n", encoding="utf-8")
    assert source.snapshot().entries


def test_a_password_in_the_url_is_used_and_never_shown(
    server: GitHttpServer, opened: Opened, commands: Commands
) -> None:
    address = guarded(server).url.replace("http://", f"http://ada:{TOKEN}@")
    source = opened(f"{address}/remote.git")
    assert source.snapshot().url == f"{server.url}/remote.git"
    assert TOKEN not in repr(commands)


def test_a_wrong_token_is_said_to_be_wrong_and_not_shown(server: GitHttpServer, opened: Opened) -> None:
    source = opened(f"{guarded(server).url}/remote.git", credentials=Credentials(token="wrong-but-secret"))  # noqa: S106
    with pytest.raises(SourceError) as caught:
        source.snapshot()
    assert "authentication failed" in str(caught.value)
    assert "wrong-but-secret" not in repr(caught.value) + str(caught.value.__cause__)


def test_no_token_is_an_authentication_failure_and_asks_nobody(server: GitHttpServer, opened: Opened) -> None:
    with pytest.raises(SourceError, match="authentication failed"):
        opened(f"{guarded(server).url}/remote.git").snapshot()


def test_a_redirect_is_refused_and_its_target_never_asked(
    remote: Remote, server: GitHttpServer, opened: Opened
) -> None:
    with GitHttpServer(remote.bare.parent, HttpSettings(redirect=server.url)) as redirecting:
        source = opened(f"{redirecting.url}/remote.git", credentials=Credentials(token=TOKEN))
        with pytest.raises(SourceError, match="it redirects elsewhere, which is refused"):
            source.snapshot()
    assert server.requests == []


def test_a_token_goes_to_its_own_server_alone(remote: Remote, server: GitHttpServer, opened: Opened) -> None:
    with GitHttpServer(remote.bare.parent, HttpSettings(authorizations=(basic("x-access-token", TOKEN),))) as other:
        source = opened(
            f"{server.url}/remote.git", report_url=f"{other.url}/remote.git", credentials=Credentials(token=TOKEN)
        )
        source.snapshot()
        assert "authentication failed" in source.publish(Report({"a": b"x"}, "m")).error
        again = opened(
            f"{server.url}/remote.git",
            report_url=f"{other.url}/remote.git",
            report_credentials=Credentials(token=TOKEN),
        )
        assert again.publish(Report({"a": b"x"}, "m")).written


def test_a_server_that_forbids_pushing_leaves_reading_as_it_was(server: GitHttpServer, opened: Opened) -> None:
    server.settings.may_push = False
    source = opened(f"{server.url}/remote.git")
    source.snapshot()
    published = source.publish(Report({"a": b"x"}, "m"))
    assert (published.written, published.revision) == (False, "")
    assert "authentication failed" in published.error
    assert source.snapshot().entries


def test_a_missing_repository_is_said_to_be_missing(server: GitHttpServer, opened: Opened) -> None:
    with pytest.raises(SourceError, match=r"absent\.git: there is no repository, or none that may be seen"):
        opened(f"{server.url}/absent.git").snapshot()


def test_a_server_that_is_gone_cannot_be_reached(opened: Opened, tmp_path: Path) -> None:
    with GitHttpServer(tmp_path) as server:
        url = server.url
    with pytest.raises(SourceError, match="the server cannot be reached"):
        opened(f"{url}/remote.git").snapshot()


def test_a_server_that_never_answers_is_given_up(server: GitHttpServer, opened: Opened) -> None:
    server.settings.delay_seconds = 60.0
    started = time.monotonic()
    with pytest.raises(SourceError, match="git did not finish in time"):
        opened(f"{server.url}/remote.git", timeout_seconds=0.3).snapshot()
    assert time.monotonic() - started < 3.0


def test_waiting_for_a_server_ends_when_the_process_is_to_end(server: GitHttpServer, opened: Opened) -> None:
    class Requested:
        def requested(self) -> bool:
            return bool(server.requests)

    server.settings.delay_seconds = 60.0
    source = opened(f"{server.url}/remote.git")
    source.heed(Requested())
    started = time.monotonic()
    with pytest.raises(SourceError, match="given up, since the process is to end"):
        source.snapshot()
    assert time.monotonic() - started < 3.0
