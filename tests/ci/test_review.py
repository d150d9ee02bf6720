"""deploy/ci run here, with the variables that GitHub Actions and GitLab CI set."""

import os
import re
import subprocess
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

import git_server
from commands import ROOT, Done, service
from comment_api import Comments

CI = ROOT / "deploy" / "ci"
SCRIPTS = sysconfig.get_path("scripts")
MARK = "<!-- llmkube-diff -->"


@dataclass
class Request:
    """A checkout of a request against main, and the API of the place that it lies in."""

    clone: Path
    base: str
    comments: Comments
    folder: Path

    def head(self, **files: str) -> None:
        for name, text in files.items():
            (self.clone / f"{name}.llm.yaml").write_text(text, encoding="utf-8")
        git_server.git("add", "--all", cwd=self.clone)
        git_server.git("commit", "--quiet", "--allow-empty", "--message", "head", cwd=self.clone)

    def github(self, *, fork: bool = False, **more: str) -> Done:
        said = {
            "GITHUB_ACTIONS": "true",
            "GITHUB_API_URL": self.comments.url,
            "GITHUB_BASE_REF": "main",
            "GITHUB_EVENT_NAME": "pull_request",
            "GITHUB_HEAD_REF": "topic",
            "GITHUB_OUTPUT": str(self.folder / "output"),
            "GITHUB_REPOSITORY": "team/models",
            "GITHUB_STEP_SUMMARY": str(self.folder / "summary"),
            "GITHUB_TOKEN": self.comments.token,
            "LLMKUBE_BASE_SHA": self.base,
            "LLMKUBE_HEAD_REPO": "stranger/models" if fork else "team/models",
            "LLMKUBE_REQUEST": "7",
        }
        return self._run(**said | more)

    def gitlab(self, *, fork: bool = False, **more: str) -> Done:
        return self._run(
            CI_API_V4_URL=f"{self.comments.url}/api/v4",
            CI_COMMIT_SHA=git_server.git("rev-parse", "HEAD", cwd=self.clone),
            CI_MERGE_REQUEST_DIFF_BASE_SHA=self.base,
            CI_MERGE_REQUEST_IID="3",
            CI_MERGE_REQUEST_PROJECT_ID="12",
            CI_MERGE_REQUEST_SOURCE_PROJECT_ID="99" if fork else "12",
            GITLAB_CI="true",
            LLMKUBE_GITLAB_TOKEN=self.comments.token,
            **more,
        )

    def _run(self, **variables: str) -> Done:
        ours = ("LLMKUBE_", "GIT", "CI")
        clean = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
        path = f"{SCRIPTS}{os.pathsep}{os.environ['PATH']}"
        done = subprocess.run(
            [str(CI / "review.sh")],
            cwd=self.clone,
            env={**clean, "PATH": path, **variables},
            capture_output=True,
            text=True,
            check=False,
        )
        return Done(done.returncode, done.stdout, done.stderr)


@pytest.fixture
def request_(tmp_path: Path) -> Iterator[Request]:
    remote = git_server.make_remote(tmp_path / "remote")
    base = remote.commit({"a.llm.yaml": service("a", 1)})
    with Comments() as comments:
        yield Request(remote.clone, base, comments, tmp_path)


def test_a_pull_request_gets_annotations_a_summary_and_one_comment(request_: Request) -> None:
    request_.head(a=service("a", 2))
    done = request_.github()
    assert (done.code, done.stderr) == (0, "")
    assert re.search(r"^::notice title=llmkube plan [0-9a-f]{12}::services: 1 changed", done.stdout, re.MULTILINE)
    summary = (request_.folder / "summary").read_text(encoding="utf-8")
    assert summary.startswith(MARK)
    assert (request_.folder / "output").read_text(encoding="utf-8") == "changed=1\ninvalid=0\n"
    (comment,) = request_.comments.bodies.values()
    assert comment["body"] == summary
    assert ("POST", "/repos/team/models/issues/7/comments") in request_.comments.requests


def test_the_comment_is_updated_in_place_among_many_others(request_: Request) -> None:
    for number in range(150):
        request_.comments.add(f"remark {number}", "somebody")
    forged = request_.comments.add(f"{MARK}\nall is well", "somebody")
    request_.head(a=service("a", 2))
    request_.github()
    request_.head(a=service("a", 4))
    request_.github()
    ours = [found for found in request_.comments.bodies.values() if found["body"].startswith(MARK)]
    assert [found["id"] for found in ours] == [forged, forged + 1]
    assert "1 x 4 nvidia.com/gpu" in ours[1]["body"]
    assert ("PATCH", f"/repos/team/models/issues/comments/{forged + 1}") in request_.comments.requests


def test_a_request_that_changes_nothing_gets_no_comment_unless_it_had_one(request_: Request) -> None:
    request_.head(a=service("a", 1) + "# a remark\n")
    assert request_.github().code == 0
    assert request_.comments.bodies == {}
    mine = request_.comments.add(f"{MARK}\nold")
    request_.github()
    assert "no service changes" in request_.comments.bodies[mine]["body"]


@pytest.mark.parametrize(("fail_on", "changed", "invalid"), [("invalid", 0, 1), ("changes", 1, 1), ("never", 0, 0)])
def test_the_exit_code_is_as_chosen(request_: Request, fail_on: str, changed: int, invalid: int) -> None:
    request_.head()
    assert request_.github(LLMKUBE_FAIL_ON=fail_on).code == 0
    request_.head(a=service("a", 2))
    assert request_.github(LLMKUBE_FAIL_ON=fail_on).code == changed
    request_.head(a=service("a", 2).replace("gpuCount", "gpuCounts"))
    done = request_.github(LLMKUBE_FAIL_ON=fail_on)
    assert done.code == invalid
    assert done.stdout.count("::error file=a.llm.yaml,line=18,col=5,title=unknown-field::") == 1


def test_a_fork_is_reviewed_offline_and_writes_nowhere(request_: Request) -> None:
    request_.head(a=service("a", 2))
    for done in (
        request_.github(fork=True, LLMKUBE_CI_TARGET="cluster", LLMKUBE_CI_REPO="https://example.invalid/x.git"),
        request_.gitlab(fork=True, LLMKUBE_CI_TARGET="cluster", LLMKUBE_CI_REPO="https://example.invalid/x.git"),
    ):
        assert done.code == 0
        assert "services: 1 changed" in done.stdout
        assert "comes from a fork" in done.stderr
    assert request_.comments.requests == []


def test_the_event_that_gives_secrets_to_strangers_is_refused(request_: Request) -> None:
    request_.head(a=service("a", 2))
    done = request_.github(GITHUB_EVENT_NAME="pull_request_target")
    assert done.code == 2
    assert "never on pull_request_target" in done.stderr


def test_commits_that_came_to_main_since_are_not_the_requests(request_: Request) -> None:
    git_server.git("checkout", "--quiet", "-b", "topic", cwd=request_.clone)
    request_.head(b=service("b"))
    git_server.git("checkout", "--quiet", "main", cwd=request_.clone)
    request_.head(c=service("c"))
    request_.base = git_server.git("rev-parse", "HEAD", cwd=request_.clone)
    git_server.git("checkout", "--quiet", "topic", cwd=request_.clone)
    request_.github()
    (comment,) = request_.comments.bodies.values()
    assert "default/b" in comment["body"]
    assert "default/c" not in comment["body"]


def test_a_merge_request_gets_one_note_updated_in_place(request_: Request) -> None:
    request_.head(a=service("a", 2))
    first = request_.gitlab()
    assert first.code == 0
    assert "~ default/a  pods restart" in first.stdout
    request_.head(a=service("a", 4))
    request_.gitlab()
    (note,) = request_.comments.bodies.values()
    assert "1 x 4 nvidia.com/gpu" in note["body"]
    assert ("PUT", "/api/v4/projects/12/merge_requests/3/notes/1") in request_.comments.requests


def test_a_comment_that_cannot_be_written_fails_no_job(request_: Request) -> None:
    request_.head(a=service("a", 2))
    request_.comments.token = "another"  # noqa: S105  # of nothing
    done = request_.github(GITHUB_TOKEN="wrong")  # noqa: S106  # likewise
    assert done.code == 0
    assert "the comment could not be written" in done.stderr
    assert "wrong" not in done.stdout + done.stderr


def test_the_scripts_are_plain_shell_without_a_trap(tmp_path: Path) -> None:
    del tmp_path
    done = subprocess.run(
        [str(Path(SCRIPTS) / "shellcheck"), "--shell=sh", *map(str, sorted(CI.glob("*.sh")))],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == ""


def test_no_strangers_word_is_part_of_the_actions_script() -> None:
    action = yaml.safe_load((CI / "action.yml").read_text(encoding="utf-8"))
    for step in action["runs"]["steps"]:
        assert "${{" not in step["run"]
        assert set(re.findall(r"LLMKUBE_\w+", (CI / "review.sh").read_text(encoding="utf-8"))) >= {
            name for name in step["env"] if name.startswith("LLMKUBE_") and name != "LLMKUBE_REQUEST"
        }


def test_the_gitlab_template_runs_the_script() -> None:
    template = yaml.safe_load((CI / "gitlab-ci.yml").read_text(encoding="utf-8"))
    job = template["llmkube-review"]
    assert job["script"][-1] == '"$LLMKUBE_CI/review.sh"'
    assert (ROOT / job["variables"]["LLMKUBE_CI"] / "review.sh").is_file()


def test_the_hook_of_pre_commit_starts_for_specs_and_runs_the_command(request_: Request) -> None:
    (hook,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))
    pattern = re.compile(hook["files"])
    assert all(pattern.search(path) for path in ("llm.yaml", "a/llm.yml", "a/b.llm.yaml", "fleet.yaml"))
    assert not any(pattern.search(path) for path in ("ollm.yaml", "a/values.yaml", "llm.yaml.bak", "myfleet.yaml"))
    command = [str(Path(SCRIPTS) / "llmkube"), *hook["entry"].split()[1:]]
    assert subprocess.run(command, cwd=request_.clone, capture_output=True, check=False).returncode == 0
