import hashlib
from pathlib import Path

import pytest

from git_server import Remote, git
from reconciler.core.model.source import Commit, Report
from reconciler.errors import SourceError, UsageError
from reconciler.repository.local import LocalSource


def fingerprint(folder: Path) -> dict[str, tuple[str, int]]:
    """Path -> content and time of change, of every file."""
    return {
        str(path): (hashlib.sha256(path.read_bytes()).hexdigest(), path.stat().st_mtime_ns)
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_reading_leaves_the_clone_byte_for_byte_as_it_was(remote: Remote) -> None:
    first = remote.commit({"llm.yaml": "a: 1\n"}, "one")
    head = remote.commit({"llm.yaml": "a: 2\n"}, "two")
    remote.write({"llm.yaml": "a: not committed\n", "new": "x"})
    before = fingerprint(remote.clone)
    source = LocalSource(str(remote.clone))
    new, old = source.snapshot(), source.at("HEAD~1")
    assert (new.branch, new.revision, old.revision) == ("main", head, first)
    assert list(source.read(new.entries).values()) == [b"a: 2\n"]
    assert source.commits(first, head) == (Commit(head, "two"),)
    assert source.previous() is None
    assert not source.publish(Report({}, "x")).written
    assert fingerprint(remote.clone) == before


def test_a_clone_is_found_from_a_folder_inside_it(remote: Remote) -> None:
    head = remote.commit({"a/b/llm.yaml": "a: 1\n", "c": "x"})
    source = LocalSource(str(remote.clone / "a" / "b"), path="a")
    assert source.snapshot().revision == head
    assert [entry.path for entry in source.snapshot().entries] == ["a/b/llm.yaml"]


def test_a_bare_repository_and_a_linked_worktree_are_clones_too(remote: Remote, tmp_path: Path) -> None:
    head = remote.commit({"a": "1"})
    git("worktree", "add", "--quiet", "--detach", str(tmp_path / "linked"), cwd=remote.clone)
    assert LocalSource(str(remote.bare)).snapshot().revision == head
    linked = LocalSource(str(tmp_path / "linked")).snapshot()
    assert (linked.revision, linked.branch) == (head, "HEAD")


def test_a_clone_without_a_commit_says_so(remote: Remote) -> None:
    with pytest.raises(SourceError, match="no commits yet; make a first one"):
        LocalSource(str(remote.clone)).snapshot()


def test_a_folder_that_is_no_clone_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="neither this folder nor one above it is a git repository"):
        LocalSource(str(tmp_path))


@pytest.mark.parametrize("revision", ["nope", "-x", "HEAD~9"])
def test_a_revision_that_is_not_there_is_refused(remote: Remote, revision: str) -> None:
    remote.commit({"a": "1"})
    with pytest.raises(UsageError):
        LocalSource(str(remote.clone)).at(revision)


def test_what_a_clones_configuration_would_start_is_not_started(remote: Remote, tmp_path: Path) -> None:
    head = remote.commit({"a": "1"})
    program = tmp_path / "program"
    program.write_text(f"#!/bin/sh\ntouch {tmp_path}/started\n", encoding="utf-8")
    program.chmod(0o755)
    for key in ("core.fsmonitor", "gpg.program", "core.pager", "core.sshCommand", "diff.external"):
        git("config", key, str(program), cwd=remote.clone)
    git("config", "log.showSignature", "true", cwd=remote.clone)
    source = LocalSource(str(remote.clone))
    source.snapshot()
    source.commits("", head)
    assert not (tmp_path / "started").exists()
