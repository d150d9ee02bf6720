"""`llmkube run` as its users have it: a process, a remote that people push to, signals, and no warning before them."""

import hashlib
import hmac
import http.client
import json
import random
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
import yaml

import git_server
from commands import Done, Llmkube, service
from daemons import Daemon, command_lines, free_port, until

TOKEN = "ghp_verysecretindeed0123456789"  # noqa: S105  # the secret that must not be seen
HOOK_SECRET = "hush-hush-hush"  # noqa: S105  # a test's
REPORTS = "llmkube-status/default"


@pytest.fixture
def llmkube(tmp_path: Path) -> Llmkube:
    return Llmkube(tmp_path)


@pytest.fixture
def remote(tmp_path: Path) -> git_server.Remote:
    return git_server.make_remote(tmp_path / "remote")


@pytest.fixture
def run(tmp_path: Path, remote: git_server.Remote) -> Iterator[Callable[..., Daemon]]:
    with ExitStack() as stack:

        def start(*arguments: str, repo: str = "", env: dict[str, str] | None = None) -> Daemon:
            common = ("--repo", repo or remote.url, "--target", "dir:out", "--interval", "0.3")
            return stack.enter_context(Daemon(*common, *arguments, cwd=tmp_path, env=env))

        yield start


def fleet(count: int, context: int = 4096) -> dict[str, str]:
    text = (service(f"m{number}") for number in range(count))
    return {
        f"m{number}/llm.yaml": said.replace("4096", str(context))
        for number, said in zip(range(count), text, strict=True)
    }


def tree(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def is_whole(folder: Path) -> bool:
    """Every file is one manifest, and no part of one lies about."""
    for path in folder.rglob("*"):
        assert not path.name.endswith(".part"), path
        assert path.is_dir() or yaml.safe_load(path.read_text(encoding="utf-8"))["metadata"]["name"]
    return True


def undisturbed(llmkube: Llmkube, remote: git_server.Remote) -> dict[str, bytes]:
    """Return what a sync into an empty folder writes."""
    folder = llmkube.folder / "undisturbed"
    done = llmkube("sync", "--repo", remote.url, "--target", f"dir:{folder}", "--no-report")
    assert done.code == 0, done.stderr
    return tree(folder)


def get(port: int, path: str) -> tuple[int, str]:
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=10)) as connection:
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
        except OSError:
            return 0, ""
        return answer.status, answer.read().decode()


def reported(remote: git_server.Remote) -> str:
    """Return the commit that the report says was observed."""
    if not remote.log(REPORTS):
        return ""
    return str(json.loads(remote.files(REPORTS)["status.json"])["source"]["revision"])


def test_two_pushes_are_each_applied_and_reported(
    run: Callable[..., Daemon], remote: git_server.Remote, tmp_path: Path
) -> None:
    first = remote.commit({"a.llm.yaml": service("a", 1)})
    daemon = run()
    until(lambda: reported(remote) == first)
    assert (tmp_path / "out/default/deployment-a.yaml").is_file()

    second = remote.commit({"a.llm.yaml": service("a", 2)})
    until(lambda: reported(remote) == second)
    assert "1,1" in (tmp_path / "out/default/deployment-a.yaml").read_text(encoding="utf-8")

    third = remote.commit({"b.llm.yaml": service("b")})
    until(lambda: reported(remote) == third)
    assert (tmp_path / "out/default/deployment-b.yaml").is_file()

    assert daemon.terminate() == 0
    for revision in (first, second, third):
        assert daemon.has_said(f"observed main@{revision[:8]}")
    assert len(remote.log(REPORTS)) == 3
    assert daemon.has_said("update Deployment/default/a")
    assert "Traceback" not in daemon.said


def test_a_quiet_tick_says_nothing_and_writes_nothing(
    run: Callable[..., Daemon], remote: git_server.Remote, tmp_path: Path
) -> None:
    remote.commit({"a.llm.yaml": service("a")})
    port = free_port()
    daemon = run("--listen", f"127.0.0.1:{port}")
    daemon.wait_for("report ")
    before, said = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*")}, len(daemon.lines)

    def ticks() -> int:
        lines = get(port, "/metrics")[1].splitlines()
        return sum(int(float(line.split()[-1])) for line in lines if line.startswith("llmkube_ticks_total"))

    begun = ticks()
    until(lambda: ticks() >= begun + 3)
    assert daemon.lines[said:] == []
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*")} == before
    assert len(remote.log(REPORTS)) == 1
    assert daemon.terminate() == 0


def test_a_broken_spec_is_said_once_and_the_others_go_on(
    run: Callable[..., Daemon], remote: git_server.Remote, tmp_path: Path
) -> None:
    remote.commit({"a.llm.yaml": service("a"), "b.llm.yaml": service("b")})
    daemon = run()
    daemon.wait_for("report ")
    broken = remote.commit({"a.llm.yaml": service("a", 1).replace("gpuCount", "gpuCounts")})
    until(lambda: reported(remote) == broken)
    later = remote.commit({"c.llm.yaml": service("c")})
    until(lambda: reported(remote) == later)
    assert (tmp_path / "out/default/deployment-a.yaml").is_file()
    assert (tmp_path / "out/default/deployment-c.yaml").is_file()
    assert daemon.terminate() == 0
    (told,) = (line for line in daemon.lines if "gpuCounts" in line)
    assert "WARNING a.llm.yaml:18:5: error: unknown field `gpuCounts`; did you mean `gpuCount`?" in told


def test_a_repository_that_is_empty_at_first_is_served_once_it_is_not(
    run: Callable[..., Daemon], remote: git_server.Remote
) -> None:
    daemon = run("--log-format", "json")
    daemon.wait_for("no commits yet")
    head = remote.commit({"a.llm.yaml": service("a")})
    until(lambda: reported(remote) == head)
    assert daemon.terminate() == 0
    lines = [json.loads(line) for line in daemon.lines]
    assert {"time", "level", "message"} <= set(lines[0])
    assert {line["level"] for line in lines} == {"error", "info"}
    assert "Traceback" not in daemon.said


def test_the_kubelet_prometheus_and_the_git_server_are_answered(
    run: Callable[..., Daemon], remote: git_server.Remote
) -> None:
    remote.commit({"a.llm.yaml": service("a")})
    port = free_port()
    # an hour: whatever comes soon was asked for
    daemon = run("--listen", f"127.0.0.1:{port}", "--interval", "3600", env={"LLMKUBE_WEBHOOK_SECRET": HOOK_SECRET})
    until(lambda: get(port, "/readyz")[0] == 200)
    assert get(port, "/healthz") == (200, "ok\n")
    assert get(port, "/nonsense")[0] == 404
    status, metrics = get(port, "/metrics")
    assert status == 200
    assert 'llmkube_services{phase="Rendered"} 1.0' in metrics
    assert 'llmkube_ticks_total{result="ok"} 1.0' in metrics

    head = remote.commit({"b.llm.yaml": service("b")})
    body = b'{"ref": "refs/heads/main"}'

    def post(secret: str) -> int:
        signed = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
        with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=10)) as connection:
            connection.request("POST", "/webhook", body, {"X-Hub-Signature-256": f"sha256={signed}"})
            return connection.getresponse().status

    assert post("guessed") == 401
    assert reported(remote) != head
    assert post(HOOK_SECRET) == 202
    until(lambda: reported(remote) == head)
    assert daemon.terminate() == 0
    assert HOOK_SECRET not in daemon.said


def test_a_stop_in_mid_tick_leaves_whole_files_and_a_restart_converges(
    run: Callable[..., Daemon], remote: git_server.Remote, llmkube: Llmkube, tmp_path: Path
) -> None:
    head = remote.commit(fleet(300))
    daemon = run()
    out = tmp_path / "out"
    until(lambda: len(list(out.rglob("deployment-*.yaml"))) > 5)
    asked = time.monotonic()
    assert daemon.terminate() == 0
    assert time.monotonic() - asked < 5
    written = len(list(out.rglob("deployment-*.yaml")))
    assert written < 300, "the tick was over before the signal came"
    assert is_whole(out)
    assert daemon.has_said("stopping after the effect in progress")
    assert remote.log(REPORTS) == [], "a report of half a tick costs the time that is left"

    again = run()
    until(lambda: again.has_said("report ") and reported(remote) == head)
    assert again.terminate() == 0
    assert tree(out) == undisturbed(llmkube, remote)
    assert json.loads(remote.files(REPORTS)["status.json"])["source"]["applied"] == head


def test_a_stop_while_a_slow_remote_is_asked_ends_in_time(
    run: Callable[..., Daemon], remote: git_server.Remote
) -> None:
    remote.commit({"a.llm.yaml": service("a")})
    with git_server.GitHttpServer(remote.bare.parent) as server:
        daemon = run(repo=f"{server.url}/remote.git")
        daemon.wait_for("report ")
        server.settings.delay_seconds = 60.0
        asked = len(server.requests)
        until(lambda: len(server.requests) > asked)
        began = time.monotonic()
        assert daemon.terminate() == 0
        assert time.monotonic() - began < 5


def test_a_stop_while_a_push_hangs_ends_in_time(
    run: Callable[..., Daemon], remote: git_server.Remote, llmkube: Llmkube
) -> None:
    head = remote.commit({"a.llm.yaml": service("a")})
    remote.hook("pre-receive", 'touch "$GIT_DIR/reached"\nsleep 60')
    daemon = run()
    until((remote.bare / "reached").exists)
    began = time.monotonic()
    assert daemon.terminate() == 0
    assert time.monotonic() - began < 5
    assert daemon.has_said("the report could not be written: ")
    assert remote.log(REPORTS) == []
    (remote.bare / "hooks" / "pre-receive").unlink()
    assert llmkube("sync", "--repo", remote.url, "--target", "dir:out").code == 0
    assert reported(remote) == head


def test_a_writer_who_is_faster_loses_nothing_and_takes_nothing(
    run: Callable[..., Daemon], remote: git_server.Remote, llmkube: Llmkube
) -> None:
    remote.commit({"a.llm.yaml": service("a")})
    assert llmkube("sync", "--repo", remote.url, "--target", "dir:out").code == 0
    # the first push of a report finds that somebody else's came in between: the hook is that somebody
    remote.hook(
        "pre-receive",
        'test -e "$GIT_DIR/done" && exit 0\n'
        'touch "$GIT_DIR/done"\n'
        "unset GIT_QUARANTINE_PATH GIT_OBJECT_DIRECTORY GIT_ALTERNATE_OBJECT_DIRECTORIES\n"
        "export GIT_AUTHOR_NAME=B GIT_AUTHOR_EMAIL=b@example.org\n"
        "export GIT_COMMITTER_NAME=B GIT_COMMITTER_EMAIL=b@example.org\n"
        f'commit=$(git commit-tree -p {REPORTS} -m "the other one" "{REPORTS}^{{tree}}")\n'
        f'git update-ref "refs/heads/{REPORTS}" "$commit"',
    )
    git_server.git("config", "receive.denyNonFastForwards", "true", cwd=remote.bare)
    (remote.bare / "done").touch()
    head = remote.commit({"a.llm.yaml": service("a", 1)})
    (remote.bare / "done").unlink()
    daemon = run()
    until(lambda: reported(remote) == head)
    assert daemon.terminate() == 0
    subjects = [line.partition(" ")[2] for line in remote.log(REPORTS)]
    assert len(subjects) == 3
    assert subjects[0].startswith("status: main@")
    assert subjects[1] == "the other one"
    assert "could not be written" not in daemon.said


def test_a_token_is_sent_and_seen_nowhere(
    run: Callable[..., Daemon], remote: git_server.Remote, tmp_path: Path
) -> None:
    first = remote.commit({"a.llm.yaml": service("a")})
    basic = git_server.basic("x-access-token", TOKEN)
    settings = git_server.HttpSettings(authorizations=(basic,))
    with git_server.GitHttpServer(remote.bare.parent, settings) as server:
        repo, seen = f"{server.url}/remote.git", list[str]()

        def looked() -> bool:
            seen.extend(command_lines())
            return reported(remote) == first

        daemon = run("--log-level", "debug", repo=repo, env={"LLMKUBE_GIT_TOKEN": TOKEN})
        until(looked)
        settings.authorizations = ("changed",)
        daemon.wait_for("authentication failed")
        assert daemon.terminate() == 0
    assert any("ls-remote" in line or "fetch" in line for line in seen), "git was never seen at work"
    everything = "\n".join([daemon.said, *seen, *remote.files(REPORTS).values(), *remote.log(REPORTS)])
    everything += "".join(content.decode() for content in tree(tmp_path / "out").values())
    for secret in (TOKEN, basic.partition(" ")[2]):
        assert secret not in everything


@pytest.mark.parametrize("how", ["environment", "file"])
def test_a_sync_over_http_proves_itself_by_a_token(
    llmkube: Llmkube, remote: git_server.Remote, tmp_path: Path, how: str
) -> None:
    remote.commit({"a.llm.yaml": service("a")})
    (tmp_path / "token").write_text(f"{TOKEN}\n", encoding="utf-8")
    (tmp_path / "wrong").write_text("ghp_wrongbutsecret0123456789", encoding="utf-8")
    settings = git_server.HttpSettings(authorizations=(git_server.basic("x-access-token", TOKEN),))
    with git_server.GitHttpServer(remote.bare.parent, settings) as server:
        sync = ("sync", "--repo", f"{server.url}/remote.git", "--target", "dir:out")

        def attempt(name: str) -> Done:
            if how == "file":
                return llmkube(*sync, "--token-file", name)
            return llmkube(*sync, env={"LLMKUBE_GIT_TOKEN": (tmp_path / name).read_text(encoding="utf-8").strip()})

        refused = attempt("wrong")
        assert (refused.code, refused.stdout) == (2, "")
        assert refused.stderr.count("\n") == 1
        assert "authentication failed; is the token right" in refused.stderr
        assert "wrongbutsecret" not in refused.stderr
        done = attempt("token")
        assert (done.code, done.stderr) == (0, "")
        assert TOKEN not in done.stdout
    assert len(remote.log(REPORTS)) == 1


def test_a_kill_at_any_moment_is_made_good_by_the_next_start(
    run: Callable[..., Daemon], remote: git_server.Remote, llmkube: Llmkube, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    head = remote.commit(fleet(120))
    moments = [random.uniform(0.2, 1.6) for _ in range(5)]  # noqa: S311  # no secret; pytest-randomly seeds it
    for number, moment in enumerate(moments):
        if number:
            head = remote.commit(fleet(120, context=4096 * (number + 1)))
        daemon = run("--max-rollouts", "1000")
        due = time.monotonic() + moment
        until(lambda due=due: time.monotonic() > due)
        daemon.kill()
    last = run("--max-rollouts", "1000")
    until(lambda: reported(remote) == head and last.has_said("observed"))
    assert last.terminate() == 0
    assert is_whole(out)
    assert tree(out) == undisturbed(llmkube, remote)
