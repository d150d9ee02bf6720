"""`llmkube diff` and `sync --expect-plan`, from a push to what is printed."""

from pathlib import Path

import git_server
from commands import Llmkube, service


def approve(llmkube: Llmkube, remote: git_server.Remote, *flags: str) -> str:
    done = llmkube("diff", "--repo", remote.url, "--target", "dir:out", "--output", "json", *flags)
    found: str = done.json()["planHash"]
    return found


def test_what_was_approved_is_done(llmkube: Llmkube, remote: git_server.Remote) -> None:
    remote.commit({"llm.yaml": service("a")})
    plan = approve(llmkube, remote)
    assert f"plan {plan}\n" in llmkube("diff", "--repo", remote.url, "--target", "dir:out").stdout
    done = llmkube("sync", "--repo", remote.url, "--target", "dir:out", "--expect-plan", plan)
    assert done.code == 0
    assert "2 created" in done.stdout


def test_another_effect_is_refused_and_nothing_is_written(
    llmkube: Llmkube, remote: git_server.Remote, tmp_path: Path
) -> None:
    remote.commit({"llm.yaml": service("a")})
    plan = approve(llmkube, remote)
    remote.commit({"llm.yaml": service("a", 1)})
    done = llmkube("sync", "--repo", remote.url, "--target", "dir:out", "--expect-plan", plan[:12])
    assert done.code == 1
    assert f"the effect is no longer the approved one: approved {plan[:12]}, now " in done.stdout
    assert not list((tmp_path / "out").rglob("deployment-*"))


def test_the_approved_diff_tells_what_differs(llmkube: Llmkube, remote: git_server.Remote, tmp_path: Path) -> None:
    remote.commit({"llm.yaml": service("a")})
    diff = llmkube("diff", "--repo", remote.url, "--target", "dir:out", "--output", "json")
    (tmp_path / "approved.json").write_text(diff.stdout, encoding="utf-8")
    sync = ("sync", "--repo", remote.url, "--target", "dir:out", "--expect-plan", "approved.json")
    remote.commit({"b.llm.yaml": service("b")})
    done = llmkube(*sync)
    assert done.code == 1
    assert "Deployment/default/b  create: the effect is no longer the approved one: to create it was not in" in (
        done.stdout
    )
    git_server.git("revert", "--no-edit", "HEAD", cwd=remote.clone)
    remote.commit({})
    assert llmkube(*sync).code == 0


def test_what_is_no_plan_is_refused(llmkube: Llmkube, remote: git_server.Remote) -> None:
    remote.commit({"llm.yaml": service("a")})
    done = llmkube("sync", "--repo", remote.url, "--target", "dir:out", "--expect-plan", "abc")
    assert done.code == 2
    assert done.stderr.startswith("llmkube: --expect-plan abc: give the hash that `llmkube diff` printed")


def test_a_diff_of_revisions_has_the_hash_of_a_diff_against_what_the_first_one_rendered(
    llmkube: Llmkube, remote: git_server.Remote
) -> None:
    remote.commit({"llm.yaml": service("a"), "b.llm.yaml": service("b")})
    llmkube("sync", "--repo", remote.url, "--target", "dir:out")
    remote.commit({"llm.yaml": service("a", 1)})
    offline = llmkube("diff", "--from", "HEAD~1", "--output", "json", cwd=remote.clone).json()
    assert offline["planHash"] == approve(llmkube, remote)
    assert offline["review"]["files"] == {"changed": 1, "total": 2}


def test_both_diffs_stand_in_one_report(llmkube: Llmkube, remote: git_server.Remote) -> None:
    remote.commit({"llm.yaml": service("a")})
    remote.commit({"llm.yaml": service("a", 1)})
    flags = ("diff", "--repo", remote.url, "--from", "main~1", "--to", "main", "--target", "dir:out")
    found = llmkube(*flags, "--output", "json").json()
    assert [change["action"] for change in found["changes"] if change["action"] != "keep"] == ["update"]
    assert {change["action"] for change in found["live"]["changes"]} == {"create"}
    assert found["live"]["from"] == "dir:out"
    text = llmkube(*flags).stdout
    assert text.count("\nplan ") == 2


def test_a_target_in_the_environment_does_not_make_a_diff_of_revisions_ask_it(
    llmkube: Llmkube, remote: git_server.Remote
) -> None:
    remote.commit({"llm.yaml": service("a")})
    remote.commit({"llm.yaml": service("a", 1)})
    done = llmkube("diff", "--from", "HEAD~1", cwd=remote.clone, env={"LLMKUBE_TARGET": "cluster"})
    assert done.code == 1


def test_read_only_is_about_a_cluster(llmkube: Llmkube, remote: git_server.Remote) -> None:
    remote.commit({"llm.yaml": service("a")})
    done = llmkube("diff", "--repo", remote.url, "--read-only")
    assert (done.code, done.stderr) == (2, "llmkube: --read-only is about a cluster; add --target cluster\n")
