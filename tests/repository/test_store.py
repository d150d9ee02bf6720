import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from git_server import Remote, git, make_remote
from reconciler.core.model.source import EXECUTABLE, REGULAR, SUBMODULE, SYMLINK, Commit
from reconciler.errors import SourceError, UsageError
from reconciler.repository.folder import FolderSource
from reconciler.repository.local import LocalSource
from reconciler.repository.store import GitSettings, GitSource

if TYPE_CHECKING:
    from reconciler.ports import Source

Opened = Callable[..., GitSource]
Commands = list[tuple[str, ...]]


def verbs(commands: Commands) -> list[str]:
    return [command[0] for command in commands]


def test_an_empty_repository_is_told_from_a_missing_branch(source: GitSource) -> None:
    with pytest.raises(SourceError, match="the repository has no commits yet; push a first one"):
        source.snapshot()


def test_a_missing_branch_is_named_with_those_that_exist(remote: Remote, opened: Opened) -> None:
    remote.commit({"a": "1"})
    remote.commit({"a": "2"}, branch="staging")
    with pytest.raises(UsageError, match="there is no branch prod; the branches are: main, staging"):
        opened(remote.url, branch="prod").snapshot()


def test_a_head_that_names_no_branch_is_explained(remote: Remote, opened: Opened) -> None:
    remote.commit({"a": "1"}, branch="trunk")
    with pytest.raises(UsageError, match="its HEAD names no branch that exists; the branches are: trunk"):
        opened(remote.url).snapshot()


def test_a_repository_with_reports_alone_has_no_commits_yet(remote: Remote, source: GitSource) -> None:
    remote.push_elsewhere("llmkube-status/default", {"README.md": "x"}, "status")
    with pytest.raises(SourceError, match="no commits yet"):
        source.snapshot()


def test_a_missing_repository_is_said_to_be_missing(tmp_path: Path, opened: Opened) -> None:
    with pytest.raises(SourceError, match=r"nowhere\.git: there is no repository"):
        opened((tmp_path / "nowhere.git").as_uri()).snapshot()


def test_a_repository_that_was_empty_is_read_after_the_first_push(remote: Remote, source: GitSource) -> None:
    with pytest.raises(SourceError):
        source.snapshot()
    head = remote.commit({"llm.yaml": "a: 1\n"})
    assert source.snapshot().revision == head


def test_a_snapshot_names_branch_revision_and_files(remote: Remote, source: GitSource) -> None:
    head = remote.commit({"b/llm.yaml": "b: 1\n", "a.yaml": "a: 1\n"})
    snapshot = source.snapshot()
    assert (snapshot.url, snapshot.branch, snapshot.revision) == (remote.url, "main", head)
    assert [(entry.path, entry.size, entry.mode) for entry in snapshot.entries] == [
        ("a.yaml", 5, REGULAR),
        ("b/llm.yaml", 5, REGULAR),
    ]


def test_an_unchanged_branch_costs_one_ls_remote_and_nothing_else(
    remote: Remote, source: GitSource, commands: Commands
) -> None:
    remote.commit({"llm.yaml": "a: 1\n"})
    first = source.snapshot()
    commands.clear()
    assert source.snapshot() is first
    assert source.previous() is None
    assert verbs(commands) == ["ls-remote"]


def test_a_changed_branch_costs_one_ls_remote_one_fetch_one_listing_and_one_read(
    remote: Remote, source: GitSource, commands: Commands
) -> None:
    remote.commit({f"{number}/llm.yaml": f"n: {number}\n" for number in range(1000)})
    before = {entry.blob for entry in source.snapshot().entries}
    remote.commit({"7/llm.yaml": "n: seven\n"})
    commands.clear()
    new = [entry for entry in source.snapshot().entries if entry.blob not in before]
    assert source.read(new) == {new[0].blob: b"n: seven\n"}
    assert verbs(commands) == ["ls-remote", "fetch", "rev-parse", "ls-tree", "cat-file"]


def test_a_branch_forced_back_is_followed(remote: Remote, source: GitSource) -> None:
    first = remote.commit({"llm.yaml": "a: 1\n"})
    remote.commit({"llm.yaml": "a: 2\n"})
    source.snapshot()
    git("push", "--quiet", "--force", "origin", f"{first}:refs/heads/main", cwd=remote.clone)
    assert source.snapshot().revision == first


def test_only_the_path_is_listed_and_names_stay_whole(remote: Remote, opened: Opened) -> None:
    remote.commit({"prod/llm.yaml": "a", "prod-old/llm.yaml": "b", "llm.yaml": "c"})
    assert [entry.path for entry in opened(remote.url, path="./prod/").snapshot().entries] == ["prod/llm.yaml"]


def test_a_path_that_holds_nothing_lists_nothing(remote: Remote, opened: Opened) -> None:
    remote.commit({"llm.yaml": "c"})
    assert opened(remote.url, path="nowhere").snapshot().entries == ()


def test_links_submodules_and_modes_are_listed_as_they_are(remote: Remote, source: GitSource) -> None:
    remote.write({"run.sh": "true\n"})
    (remote.clone / "run.sh").chmod(0o755)
    (remote.clone / "link").symlink_to("/etc/passwd")
    git("add", "--all", cwd=remote.clone)
    git("update-index", "--add", "--cacheinfo", f"160000,{'1' * 40},module", cwd=remote.clone)
    git("commit", "--quiet", "--message", "odd", cwd=remote.clone)
    git("push", "--quiet", "origin", "HEAD:main", cwd=remote.clone)
    entries = source.snapshot().entries
    assert {entry.path: entry.mode for entry in entries} == {"link": SYMLINK, "module": SUBMODULE, "run.sh": EXECUTABLE}
    assert sorted(source.read(entries).values()) == [b"/etc/passwd", b"true\n"]


def test_odd_names_are_listed_in_a_form_that_can_be_printed(remote: Remote, source: GitSource) -> None:
    remote.commit({"ü.yaml": "1"})
    Path(os.fsdecode(os.fsencode(remote.clone) + b"/\xff\n\x1b[31m.yaml")).write_bytes(b"2")
    git("add", "--all", cwd=remote.clone)
    git("commit", "--quiet", "--message", "odd", cwd=remote.clone)
    git("push", "--quiet", "origin", "HEAD:main", cwd=remote.clone)
    entries = source.snapshot().entries
    assert [entry.path for entry in entries] == [r"\xff\n\x1b[31m.yaml", "ü.yaml"]
    assert source.read(entries)[entries[0].blob] == b"2"


def test_contents_of_every_kind_come_back_byte_for_byte(remote: Remote, source: GitSource) -> None:
    contents = [b"", b"\n", b"no newline", b"\0\xff" * 50_000, b"\xef\xbb\xbfa: 1\r\n"]
    remote.commit({f"{number}.bin": content for number, content in enumerate(contents)})
    entries = source.snapshot().entries
    read = source.read(entries)
    assert [read[entry.blob] for entry in entries] == contents


def test_reading_nothing_starts_nothing(source: GitSource, commands: Commands) -> None:
    assert source.read(()) == {}
    assert commands == []


def test_commits_are_read_newest_first_with_their_trailers(remote: Remote, source: GitSource) -> None:
    first = remote.commit({"a": "1"}, "one")
    second = remote.commit({"a": "2"}, "two: ü\n\nBody: not a trailer\n\nmore\n\nLlmkube-Allow: delete=3\nCc: a\n  b")
    third = remote.commit({"a": "3"}, "three\n\nLlmkube-Allow: rollout=9")
    source.snapshot()
    assert source.commits(first, third) == (
        Commit(third, "three", (("Llmkube-Allow", "rollout=9"),)),
        Commit(second, "two: ü", (("Llmkube-Allow", "delete=3"), ("Cc", "a b"))),
    )


def test_no_commit_stands_between_a_revision_and_itself(remote: Remote, source: GitSource) -> None:
    head = remote.commit({"a": "1"})
    source.snapshot()
    assert source.commits(head, head) == ()


@pytest.mark.parametrize("since", ["", "0" * 40])
def test_a_past_that_is_unknown_is_not_trusted(remote: Remote, source: GitSource, since: str) -> None:
    remote.commit({"a": "1"}, "one")
    head = remote.commit({"a": "2"}, "two")
    source.snapshot()
    assert source.commits(since, head) == (Commit(head, "two"),)


def test_a_rewritten_branch_has_no_past(remote: Remote, source: GitSource) -> None:
    old = remote.commit({"a": "1"}, "one")
    source.snapshot()
    git("commit", "--quiet", "--amend", "--message", "other", cwd=remote.clone)
    git("push", "--quiet", "--force", "origin", "HEAD:main", cwd=remote.clone)
    head = source.snapshot().revision
    assert source.commits(old, head) == (Commit(head, "other"),)


def test_history_beyond_the_first_fetch_follows_when_it_is_asked_for(remote: Remote, opened: Opened) -> None:
    ids = [remote.commit({"a": str(number)}, str(number)) for number in range(5)]
    source = opened(remote.url, depth=2)
    source.snapshot()
    assert [commit.revision for commit in source.commits(ids[0], ids[-1])] == ids[:0:-1]


def test_a_revision_is_found_by_branch_tag_id_and_steps(remote: Remote, source: GitSource) -> None:
    first = remote.commit({"a": "1"})
    git("push", "--quiet", "origin", f"{first}:refs/tags/v1", cwd=remote.clone)
    second = remote.commit({"a": "2"})
    other = remote.commit({"a": "3"}, branch="other")
    names = {
        "main": second,
        "HEAD": second,
        "v1": first,
        first: first,
        first[:8]: first,
        "main~1": first,
        "other": other,
    }
    assert {name: source.at(name).revision for name in names} == names
    assert source.at("v1").entries[0].size == 1


def test_steps_back_go_beyond_the_first_fetch(remote: Remote, opened: Opened) -> None:
    ids = [remote.commit({"a": str(number)}) for number in range(5)]
    source = opened(remote.url, depth=1)
    assert source.at("HEAD~4").revision == ids[0]
    assert source.at(ids[2]).revision == ids[2]


@pytest.mark.parametrize("name", ["nope", "f" * 40, "main~99"])
def test_an_unknown_revision_is_named(remote: Remote, source: GitSource, name: str) -> None:
    remote.commit({"a": "1"})
    with pytest.raises(UsageError, match="no such revision"):
        source.at(name)


@pytest.mark.parametrize("name", ["--upload-pack=touch x", "-x", "", "a\nb", "a..b"])
def test_a_revision_that_git_could_take_for_an_option_is_refused(
    source: GitSource, commands: Commands, name: str
) -> None:
    with pytest.raises(UsageError, match="is not a revision"):
        source.at(name)
    assert commands == []


def test_a_store_that_is_kept_serves_the_next_start(remote: Remote, opened: Opened, tmp_path: Path) -> None:
    first = remote.commit({"a": "1"})
    directory = str(tmp_path / "store")
    opened(remote.url, directory=directory).snapshot()
    (tmp_path / "store" / "refs" / "llmkube" / "source.lock").touch()
    second = remote.commit({"a": "2"})
    source = opened(remote.url, directory=directory)
    assert source.snapshot().revision == second
    assert len(source.commits(first, second)) == 1


def test_a_private_store_is_private_and_goes_with_its_source(remote: Remote) -> None:
    remote.commit({"a": "1"})
    made: list[Path] = []
    with GitSource(GitSettings(url=remote.url)) as source:
        source.snapshot()
        made.append(source._runner.directory)  # noqa: SLF001 # what is left on the disk is the point
        assert made[0].stat().st_mode & 0o777 == 0o700
    assert not made[0].exists()


def test_a_repository_of_sha256_ids_is_read_and_written(tmp_path: Path, opened: Opened) -> None:
    remote = make_remote(tmp_path / "long", "--object-format=sha256")
    head = remote.commit({"a": "1"})
    source = opened(remote.url)
    assert source.snapshot().revision == head
    assert len(head) == 64
    assert list(source.read(source.snapshot().entries).values()) == [b"1"]


def test_a_remote_of_another_owner_is_read_all_the_same(
    remote: Remote, source: GitSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    head = remote.commit({"a": "1"})
    # git's own switch for its own tests of this: only root could give the folder away
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    with pytest.raises(AssertionError, match="dubious ownership"):
        git("ls-remote", remote.url, cwd=remote.clone.parent)
    assert source.snapshot().revision == head


def test_a_path_is_an_address_too(remote: Remote, opened: Opened) -> None:
    head = remote.commit({"a": "1"})
    assert opened(str(remote.bare)).snapshot().revision == head


def test_what_the_environment_says_of_another_repository_is_not_heard(
    remote: Remote, opened: Opened, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    head = remote.commit({"a": "1"})
    monkeypatch.setenv("GIT_DIR", str(tmp_path))
    monkeypatch.setenv("GIT_NAMESPACE", "other")
    monkeypatch.setenv("GIT_CONFIG_PARAMETERS", "'protocol.file.allow=never'")
    assert opened(remote.url).snapshot().revision == head


def test_a_server_side_tree_with_a_git_folder_in_it_is_refused(remote: Remote, source: GitSource) -> None:
    blob = git("hash-object", "-w", "--stdin", cwd=remote.bare, stdin=b"x")
    inner = git("mktree", cwd=remote.bare, stdin=f"100644 blob {blob}\tconfig\n".encode())
    tree = git("mktree", cwd=remote.bare, stdin=f"040000 tree {inner}\t.git\n".encode())
    commit = git("commit-tree", tree, "-m", "hostile", cwd=remote.bare)
    git("update-ref", "refs/heads/main", commit, cwd=remote.bare)
    with pytest.raises(SourceError, match="hasDotgit"):
        source.snapshot()


def test_a_kept_store_that_broke_is_made_anew(remote: Remote, opened: Opened, tmp_path: Path) -> None:
    head = remote.commit({"a": "1"})
    store = tmp_path / "store"
    opened(remote.url, directory=str(store)).snapshot()
    for path in [path for path in (store / "objects").rglob("*") if path.is_file()]:
        path.unlink()
    assert opened(remote.url, directory=str(store)).snapshot().revision == head


def test_a_directory_that_holds_something_else_is_left_alone(remote: Remote, tmp_path: Path) -> None:
    (tmp_path / "home" / "work").mkdir(parents=True)
    with pytest.raises(UsageError, match="home: not empty, and no store of ours"):
        GitSource(GitSettings(url=remote.url, directory=str(tmp_path / "home")))


def test_a_directory_that_cannot_be_made_is_named(remote: Remote, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="file/store: cannot be the store: Not a directory"):
        GitSource(GitSettings(url=remote.url, directory=str(tmp_path / "file" / "store")))


def test_a_folders_url_may_be_percent_encoded(tmp_path: Path, opened: Opened) -> None:
    remote = make_remote(tmp_path / "a folder")
    head = remote.commit({"a": "1"})
    assert "%20" in remote.url
    assert opened(remote.url).snapshot().revision == head


def test_every_source_keeps_the_port(remote: Remote, source: GitSource) -> None:
    """The type checker reads this one; running it says only that the names are there."""
    remote.commit({"a": "1"})
    sources: tuple[Source, ...] = (source, LocalSource(str(remote.clone)), FolderSource([str(remote.clone)]))
    assert [len(each.snapshot().entries) for each in sources] == [1, 1, 1]
