import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from reconciler.errors import SourceError
from reconciler.repository import git
from reconciler.repository.address import Credentials, parse
from reconciler.repository.git import GitError, GitRunner


@pytest.fixture
def store(tmp_path: Path) -> GitRunner:
    runner = GitRunner(tmp_path / "store")
    runner.run("init", "--quiet", "--bare")
    return runner


def test_what_goes_in_and_out_at_once_may_be_large(store: GitRunner) -> None:
    content = os.urandom(1_000_000)
    blob = store.run("hash-object", "-w", "--stdin", stdin=content).strip()
    asked = (blob + b"\n") * 20
    answer = store.run("cat-file", "--batch", stdin=asked)
    assert len(answer) == 20 * (len(content) + len(blob) + len(b" blob 1000000\n\n"))


def test_input_that_git_does_not_want_is_no_fault(store: GitRunner) -> None:
    assert store.run("--version", stdin=b"x" * 1_000_000).startswith(b"git version")


def test_a_failure_tells_command_and_cause_in_one_line(store: GitRunner) -> None:
    with pytest.raises(GitError) as caught:
        store.run("cat-file", "-p", "nope")
    assert str(caught.value) == "git cat-file: Not a valid object name nope"
    assert caught.value.status == 128


def test_git_may_not_be_there(store: GitRunner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(SourceError, match="git is not installed, or not in PATH"):
        store.run("--version")


def test_a_machine_without_git_is_told_so_in_one_line() -> None:
    program = (
        "from reconciler.errors import SourceError\ntry:\n"
        " import reconciler.repository.store\nexcept SourceError as e:\n print(e)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], env={"PATH": "/nowhere"}, capture_output=True, text=True, check=True
    )
    assert done.stdout == "git is not installed, or not in PATH\n"


def test_without_an_address_no_transport_is_allowed(store: GitRunner, tmp_path: Path) -> None:
    with pytest.raises(GitError, match="transport 'file' not allowed"):
        store.run("ls-remote", str(tmp_path / "store"))


def test_only_the_addresss_own_transport_is_allowed(store: GitRunner, tmp_path: Path) -> None:
    remote = parse("https://example.org/a.git", Credentials())
    with pytest.raises(GitError, match="not allowed"):
        store.run("ls-remote", (tmp_path / "store").as_uri(), address=remote)


def test_more_than_the_bound_is_not_kept(store: GitRunner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(git, "OUTPUT_LIMIT_BYTES", 100_000)
    blob = store.run("hash-object", "-w", "--stdin", stdin=b"x" * 200_000).decode().strip()
    with pytest.raises(SourceError, match="more than 100000 bytes of output; is the tree a bomb"):
        store.run("cat-file", "blob", blob)


def test_a_tree_bomb_ends_in_an_error_and_not_in_memory(store: GitRunner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(git, "OUTPUT_LIMIT_BYTES", 5_000_000)
    blob = store.run("hash-object", "-w", "--stdin", stdin=b"x").decode().strip()
    tree = store.run("mktree", stdin=f"100644 blob {blob}\tf\n".encode()).decode().strip()
    for _ in range(9):
        lines = "".join(f"040000 tree {tree}\td{number}\n" for number in range(10))
        tree = store.run("mktree", stdin=lines.encode()).decode().strip()
    with pytest.raises(SourceError, match="is the tree a bomb"):
        store.run("ls-tree", "-r", "-z", "-l", "--full-tree", tree)


def test_what_takes_too_long_is_ended_with_all_it_started(tmp_path: Path) -> None:
    runner = GitRunner(tmp_path, timeout_seconds=0.3)
    started = time.monotonic()
    with pytest.raises(GitError, match="git did not finish in time"):
        runner.run("-c", f"alias.nap=!echo $$ > {tmp_path}/pid; sleep 60", "nap")
    assert time.monotonic() - started < 5.0
    pid = int((tmp_path / "pid").read_text(encoding="utf-8"))
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_a_users_configuration_and_hooks_are_not_heard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".gitconfig").write_text("[user]\n\tname = Ada\n", encoding="utf-8")
    monkeypatch.setenv("HOME", str(tmp_path))
    listed = GitRunner(tmp_path / "store").run("config", "--list").decode()
    assert "user.name" not in listed
    assert "core.hookspath=/dev/null" in listed
