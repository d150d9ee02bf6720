from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from git_server import Remote, git, make_remote
from reconciler.core.model.source import Report
from reconciler.errors import UsageError
from reconciler.repository.store import GitSettings, GitSource

Opened = Callable[..., GitSource]
Commands = list[tuple[str, ...]]
STATUS = "llmkube-status/default"


def report(text: str = "all good", message: str = "status: main@1a2b3c4d\n\nObserved-Commit: 1a2b3c4d\n") -> Report:
    return Report({"README.md": text.encode(), "services/llm/a.yaml": b"phase: Ready\n"}, message)


@pytest.fixture
def remote(tmp_path: Path) -> Remote:
    remote = make_remote(tmp_path / "served")
    remote.commit({"llm.yaml": "a: 1\n"}, "first")
    return remote


def subjects(remote: Remote, branch: str = STATUS) -> list[str]:
    return [line.partition(" ")[2] for line in remote.log(branch)]


def test_a_report_becomes_a_branch_of_its_own(remote: Remote, source: GitSource) -> None:
    source.snapshot()
    published = source.publish(report())
    assert (published.written, published.error) == (True, "")
    assert remote.log(STATUS) == [f"{published.revision} status: main@1a2b3c4d"]
    assert remote.files(STATUS) == {"README.md": "all good", "services/llm/a.yaml": "phase: Ready"}
    assert subjects(remote, "main") == ["first"]


def test_an_equal_report_makes_no_commit_and_starts_nothing(source: GitSource, commands: Commands) -> None:
    source.snapshot()
    first = source.publish(report())
    commands.clear()
    again = source.publish(report(message="another message"))
    assert (again.written, again.error, again.revision) == (False, "", first.revision)
    assert commands == []


def test_an_equal_report_after_a_restart_makes_no_commit(remote: Remote, opened: Opened) -> None:
    first = opened(remote.url)
    first.snapshot()
    first.publish(report())
    second = opened(remote.url)
    second.snapshot()
    assert not second.publish(report()).written
    assert len(remote.log(STATUS)) == 1


def test_a_changed_report_stands_on_the_one_before(remote: Remote, source: GitSource) -> None:
    source.snapshot()
    source.publish(report())
    source.publish(Report({"README.md": b"one less"}, "second\n"))
    assert subjects(remote) == ["second", "status: main@1a2b3c4d"]
    assert remote.files(STATUS) == {"README.md": "one less"}


def test_the_commit_names_the_program_and_keeps_the_message(remote: Remote, opened: Opened) -> None:
    source = opened(remote.url, author_name="Robot <x>", author_email="robot@example.org")
    source.publish(report())
    said = git("log", "-1", "--format=%an <%ae> %cn%n%B", STATUS, cwd=remote.bare)
    assert said == "Robot x <robot@example.org> Robot x\nstatus: main@1a2b3c4d\n\nObserved-Commit: 1a2b3c4d"


def test_the_previous_report_is_read_back_as_it_was_written(remote: Remote, source: GitSource, opened: Opened) -> None:
    source.publish(report())
    assert opened(remote.url).previous() == report()


def test_the_previous_report_is_read_once_for_as_long_as_it_stands(
    remote: Remote, source: GitSource, opened: Opened, commands: Commands
) -> None:
    source.publish(report())
    reader = opened(remote.url)
    reader.snapshot()
    reader.previous()
    commands.clear()
    reader.snapshot()
    reader.previous()
    assert [command[0] for command in commands] == ["ls-remote"]


def test_a_report_that_another_wrote_is_seen_at_the_next_snapshot(remote: Remote, source: GitSource) -> None:
    source.snapshot()
    source.publish(report())
    remote.push_elsewhere(STATUS, {"README.md": "by another"}, "another")
    source.snapshot()
    previous = source.previous()
    assert previous is not None
    assert previous.files == {"README.md": b"by another"}


def test_publishing_does_not_wake_the_reader_of_the_source(source: GitSource) -> None:
    before = source.snapshot()
    source.publish(report())
    assert source.snapshot() is before


def test_a_second_writer_between_build_and_push_loses_nothing(remote: Remote, opened: Opened) -> None:
    others = iter(["other one", "other two"])

    def interfere() -> None:
        if subject := next(others, ""):
            remote.push_elsewhere(STATUS, {"README.md": subject}, subject)

    source = opened(remote.url, before_push=interfere)
    source.snapshot()
    published = source.publish(report())
    assert (published.written, published.error) == (True, "")
    assert subjects(remote) == ["status: main@1a2b3c4d", "other two", "other one"]
    assert remote.files(STATUS)["README.md"] == "all good"


def test_a_second_writer_of_the_same_report_leaves_nothing_to_write(remote: Remote, opened: Opened) -> None:
    def interfere() -> None:
        if not remote.log(STATUS):
            remote.push_elsewhere(STATUS, {"README.md": "same"}, "by another")

    source = opened(remote.url, before_push=interfere)
    assert not source.publish(Report({"README.md": b"same"}, "ours\n")).written
    assert subjects(remote) == ["by another"]


def test_a_writer_who_always_wins_ends_the_attempts(remote: Remote, opened: Opened) -> None:
    pushed: list[str] = []

    def interfere() -> None:
        pushed.append(remote.push_elsewhere(STATUS, {"README.md": str(len(pushed))}, str(len(pushed))))

    published = opened(remote.url, before_push=interfere).publish(report())
    assert (published.written, len(pushed)) == (False, 5)
    assert "others pushed in each of 5 attempts" in published.error
    assert published.revision == pushed[-1]


def test_a_branch_that_somebody_deleted_is_begun_anew(remote: Remote, source: GitSource) -> None:
    source.publish(report())
    git("update-ref", "-d", f"refs/heads/{STATUS}", cwd=remote.bare)
    source.snapshot()
    assert source.publish(report("again")).written
    assert len(remote.log(STATUS)) == 1


def test_a_hook_that_refuses_is_quoted_and_nothing_is_raised(remote: Remote, source: GitSource) -> None:
    remote.hook("pre-receive", "echo 'reports are not welcome' >&2; exit 1")
    source.snapshot()
    published = source.publish(report())
    assert (published.written, published.revision) == (False, "")
    assert "reports are not welcome" in published.error
    assert "\n" not in published.error


def test_a_remote_that_is_gone_is_an_error_in_the_answer(remote: Remote, source: GitSource) -> None:
    source.snapshot()
    remote.bare.rename(remote.bare.with_name("gone"))
    published = source.publish(report())
    assert not published.written
    assert "there is no repository" in published.error


def test_a_long_history_is_squashed_into_the_newest_report(remote: Remote, opened: Opened) -> None:
    source = opened(remote.url, squash_beyond=3)
    for number in range(5):
        assert source.publish(report(str(number), f"report {number}\n")).written
    assert subjects(remote) == ["report 4", "report 3"]


def test_where_squashing_is_refused_the_history_goes_on(remote: Remote, opened: Opened) -> None:
    git("config", "receive.denyNonFastForwards", "true", cwd=remote.bare)
    source = opened(remote.url, squash_beyond=1)
    for number in range(3):
        assert source.publish(report(str(number), f"report {number}\n")).written
    assert subjects(remote) == ["report 2", "report 1", "report 0"]


def test_reports_may_go_to_another_repository(remote: Remote, opened: Opened, tmp_path: Path) -> None:
    reports = make_remote(tmp_path / "elsewhere")
    source = opened(remote.url, report_url=reports.url, cluster_name="prod")
    source.snapshot()
    assert source.previous() is None
    assert source.publish(report()).written
    assert subjects(reports, "llmkube-status/prod") == ["status: main@1a2b3c4d"]
    assert remote.log("llmkube-status/prod") == []
    assert source.previous() == report()


@pytest.mark.parametrize("path", ["../x", "a/../b", "/x", ".git/config", "a/.GIT/x", "a\nb", "a//b", ""])
def test_a_report_cannot_leave_its_tree(source: GitSource, path: str) -> None:
    published = source.publish(Report({path: b"x"}, "m"))
    assert not published.written
    assert "is not a path that a report may have" in published.error


def test_odd_names_and_contents_of_a_report_survive(remote: Remote, source: GitSource, opened: Opened) -> None:
    files = {'a "b" \\ ü.txt': b"done\nM 100644 inline x\n\0\xff", "empty": b"", "x.gitignore": b"data 5\n"}
    written = Report(files, "subject: ü\n\nfrom nowhere\n")
    assert source.publish(written).error == ""
    assert opened(remote.url).previous() == written


def test_reports_must_not_go_where_specs_come_from(remote: Remote) -> None:
    with pytest.raises(UsageError, match="reports must not go to the branch that specs come from"):
        GitSource(GitSettings(url=remote.url, branch="main", status_branch="main"))


def test_a_changed_report_costs_four_commands(source: GitSource, commands: Commands) -> None:
    source.snapshot()
    source.publish(report("0"))
    commands.clear()
    source.publish(report("1"))
    assert [command[0] for command in commands] == ["rev-list", "fast-import", "rev-parse", "push"]


def test_reports_elsewhere_are_looked_at_once_a_tick(
    source: GitSource, opened: Opened, tmp_path: Path, commands: Commands
) -> None:
    reports = make_remote(tmp_path / "elsewhere")
    url = source.snapshot().url
    writer = opened(url, report_url=reports.url)
    writer.snapshot()
    writer.publish(report())
    commands.clear()
    writer.snapshot()
    writer.previous()
    writer.publish(report())
    assert [command[0] for command in commands] == ["ls-remote", "ls-remote"]


def test_a_push_whose_answer_was_lost_is_found_to_stand(remote: Remote, opened: Opened) -> None:
    remote.hook("post-receive", "sleep 30")
    published = opened(remote.url, timeout_seconds=3.0).publish(report())
    assert published.error == ""
    assert [published.revision] == [line.split()[0] for line in remote.log(STATUS)]


def test_of_two_writers_at_once_neither_loses_a_report(remote: Remote, opened: Opened) -> None:
    def write(name: str) -> list[str]:
        source = opened(remote.url)
        source.snapshot()
        return [source.publish(Report({"README.md": f"{name}{n}".encode()}, f"{name}{n}\n")).error for n in range(4)]

    with ThreadPoolExecutor(2) as pool:
        errors = list(pool.map(write, ["a", "b"]))
    assert errors == [[""] * 4] * 2
    assert sorted(subjects(remote)) == ["a0", "a1", "a2", "a3", "b0", "b1", "b2", "b3"]
    assert [subject for subject in subjects(remote) if "a" in subject] == ["a3", "a2", "a1", "a0"]
