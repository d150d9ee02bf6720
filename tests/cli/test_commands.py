"""The commands as people and scripts meet them: what stands on stdout, on stderr, and the exit code."""

import json
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest
import yaml

import git_server
from commands import ROOT, Done, Llmkube, service

RELEASE_NOTES = ROOT / "tests" / "data" / "release-notes"
EXAMPLE = ROOT / "example-repo"
COMMANDS = ("validate", "render", "diff", "sync", "run", "status")


def documents(done: Done) -> dict[tuple[str, str], dict]:
    return {(found["kind"], found["metadata"]["name"]): found for found in yaml.safe_load_all(done.stdout) if found}


def keeps(done: Done, schema: str) -> None:
    found = json.loads((ROOT / "specs-schema" / f"{schema}.json").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator(found).validate(done.json())
    assert done.json()["schema"] == f"llmkube.dev/{schema}/v1"


def test_the_version_is_told_without_a_heavy_import(llmkube: Llmkube) -> None:
    heavy = "apscheduler", "git", "jsonschema", "jsonschema_rs", "kubernetes", "loguru", "rich", "yaml"
    code = (
        "import sys; sys.argv = ['llmkube', '--version']\n"
        "from reconciler.cli import main\n"
        "try: main.main()\nexcept SystemExit: pass\n"
        f"print(sorted(set({heavy!r}) & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
    assert llmkube("--version").stdout.startswith("llmkube 0.")


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself_with_an_example(llmkube: Llmkube, command: str) -> None:
    done = llmkube(command, "--help")
    assert done.code == 0
    assert f"  llmkube {command} " in done.stdout
    assert "LLMKUBE_REPO" in done.stdout


def test_the_list_of_commands_names_them_all(llmkube: Llmkube) -> None:
    done = llmkube("--help")
    assert all(f"\n  {command} " in done.stdout for command in COMMANDS)


def test_the_manifests_of_the_release_notes_are_valid(llmkube: Llmkube) -> None:
    done = llmkube("validate", str(RELEASE_NOTES), "--include", "*.yaml")
    assert (done.code, done.stderr) == (0, "")
    assert "2 models, 2 services to serve: valid, 0 errors" in done.stdout


@pytest.mark.parametrize(("name", "gpus", "split"), [("llama-70b", "4", "1,1,1,1"), ("llama-13b", "2", "1,1")])
def test_the_release_notes_services_are_split_over_their_gpus(
    llmkube: Llmkube, name: str, gpus: str, split: str
) -> None:
    found = documents(llmkube("render", str(RELEASE_NOTES), "--include", "*.yaml"))[("Deployment", name)]
    server = found["spec"]["template"]["spec"]["containers"][0]
    assert server["resources"]["limits"] == {"nvidia.com/gpu": gpus}
    arguments = server["args"]
    assert arguments[arguments.index("--tensor-split") + 1] == split
    assert arguments[arguments.index("--split-mode") + 1] == "layer"


def test_validate_answers_machines(llmkube: Llmkube) -> None:
    keeps(llmkube("validate", str(RELEASE_NOTES), "--include", "*.yaml", "--output", "json"), "validate")


def test_validate_fails_on_a_problem_and_names_its_place(llmkube: Llmkube, tmp_path: Path) -> None:
    (tmp_path / "llm.yaml").write_text(service("a", 1).replace("gpuCount", "gpuCounts"), encoding="utf-8")
    done = llmkube("validate")
    assert done.code == 1
    assert "llm.yaml:18:5: error: unknown field `gpuCounts`; did you mean `gpuCount`? " in done.stdout


def test_a_folder_without_specs_is_not_called_valid(llmkube: Llmkube) -> None:
    done = llmkube("validate")
    assert done.code == 2
    assert done.stderr.startswith("llmkube: no spec file here: llm.yaml and *.llm.yaml are read")


def test_strict_takes_a_warning_for_an_error(llmkube: Llmkube, tmp_path: Path) -> None:
    text = service("a").replace("  contextSize", "  image: ghcr.io/ggml-org/llama.cpp:latest\n  contextSize")
    (tmp_path / "llm.yaml").write_text(text, encoding="utf-8")
    assert llmkube("validate").code == 0
    assert llmkube("validate", "--strict").code == 1


def test_a_file_that_is_named_is_read_whatever_it_is_called(llmkube: Llmkube, tmp_path: Path) -> None:
    (tmp_path / "other.txt").write_text(service("a"), encoding="utf-8")
    assert "1 service to serve: valid" in llmkube("validate", "other.txt").stdout


def test_validate_reads_a_revision_of_a_repository(llmkube: Llmkube, remote: git_server.Remote) -> None:
    first = remote.commit({"llm.yaml": service("a")})
    remote.commit({"llm.yaml": "nonsense"})
    assert llmkube("validate", "--repo", remote.url).code == 1
    assert llmkube("validate", "--repo", remote.url, "--revision", first).code == 0


def test_a_revision_without_a_repository_makes_no_sense(llmkube: Llmkube) -> None:
    done = llmkube("validate", "--revision", "main")
    assert (done.code, done.stdout) == (2, "")
    assert done.stderr == "llmkube: --revision needs --repo; a folder has no revisions\n"


def test_render_serves_the_valid_ones_and_tells_of_the_others(llmkube: Llmkube, tmp_path: Path) -> None:
    (tmp_path / "good.llm.yaml").write_text(service("good"), encoding="utf-8")
    (tmp_path / "bad.llm.yaml").write_text(service("bad").replace("metadata", "metadatum"), encoding="utf-8")
    done = llmkube("render")
    assert done.code == 1
    assert ("Deployment", "good") in documents(done)
    assert ("Deployment", "bad") not in documents(done)
    assert "bad.llm.yaml:" in done.stderr


def test_render_writes_a_file_for_each_object(llmkube: Llmkube, tmp_path: Path) -> None:
    done = llmkube("render", str(EXAMPLE), "--output-dir", "out")
    assert done.stdout == "15 manifests written below out\n"
    assert (tmp_path / "out" / "llm" / "deployment-llama-70b.yaml").is_file()


def test_render_answers_machines(llmkube: Llmkube) -> None:
    keeps(llmkube("render", str(EXAMPLE), "--output", "json"), "render")


def test_render_is_the_same_in_every_process(llmkube: Llmkube) -> None:
    one, other = (llmkube("render", str(EXAMPLE), env={"PYTHONHASHSEED": seed}) for seed in ("1", "2"))
    assert one.stdout == other.stdout


def test_a_diff_of_two_revisions_needs_no_target(llmkube: Llmkube, remote: git_server.Remote) -> None:
    remote.commit({"llm.yaml": service("a", 1), "b.llm.yaml": service("b")})
    remote.commit({"llm.yaml": service("a", 2), "b.llm.yaml": service("b") + "# a comment\n"})
    done = llmkube("diff", "--from", "HEAD~1", "--to", "HEAD", cwd=remote.clone)
    assert done.code == 1
    assert "update    Deployment/default/a  (pods restart)" in done.stdout
    assert "args[--tensor-split]: + 1,1" in done.stdout
    assert "Deployment/default/b" not in done.stdout


def test_a_diff_that_finds_nothing_ends_with_zero(llmkube: Llmkube, remote: git_server.Remote) -> None:
    remote.commit({"llm.yaml": service("a")})
    remote.commit({"llm.yaml": "# said differently\n" + service("a")})
    done = llmkube("diff", "--from", "HEAD~1", cwd=remote.clone)
    assert done.code == 0
    assert done.stdout.endswith(": no differences\n")


def test_a_diff_answers_machines(llmkube: Llmkube, remote: git_server.Remote) -> None:
    remote.commit({"llm.yaml": service("a", 1)})
    remote.commit({"llm.yaml": service("a", 2)})
    keeps(llmkube("diff", "--from", "HEAD~1", "--output", "json", cwd=remote.clone), "diff")


def test_a_diff_against_a_folder_writes_nothing(llmkube: Llmkube, remote: git_server.Remote, tmp_path: Path) -> None:
    remote.commit({"llm.yaml": service("a")})
    done = llmkube("diff", "--repo", remote.url, "--target", "dir:out")
    assert done.code == 1
    assert "create    Deployment/default/a" in done.stdout
    assert not (tmp_path / "out").exists()
    assert not [ref for ref in remote.log("main") if "status" in ref]


def test_to_without_from_is_refused(llmkube: Llmkube) -> None:
    done = llmkube("diff", "--to", "HEAD")
    assert done.code == 2
    assert done.stderr.startswith("llmkube: --to needs --from")


def test_a_sync_applies_then_finds_nothing_to_do(llmkube: Llmkube, remote: git_server.Remote) -> None:
    remote.commit({"llm.yaml": service("a")})
    sync = ("sync", "--repo", remote.url, "--target", "dir:out", "--cluster-name", "one")
    first = llmkube(*sync)
    assert first.code == 0
    assert "create    Deployment/default/a" in first.stdout
    assert "2 created, report " in first.stdout
    second = llmkube(*sync)
    assert (second.code, second.stdout.count("\n")) == (0, 1)
    assert second.stdout.endswith(": nothing to do\n")
    assert len(remote.log("llmkube-status/one")) == 1


def test_a_sync_answers_machines(llmkube: Llmkube, remote: git_server.Remote) -> None:
    remote.commit({"llm.yaml": service("a")})
    keeps(llmkube("sync", "--repo", remote.url, "--target", "dir:out", "--output", "json"), "sync")


def test_settings_come_from_the_environment_too(llmkube: Llmkube, remote: git_server.Remote) -> None:
    remote.commit({"models/llm.yaml": service("a"), "llm.yaml": service("b")})
    env = {"LLMKUBE_REPO": remote.url, "LLMKUBE_TARGET": "dir:out", "LLMKUBE_PATH": "models"}
    done = llmkube("sync", env=env)
    assert "Deployment/default/a" in done.stdout
    assert "Deployment/default/b" not in done.stdout


def test_status_tells_the_fleet_and_fails_while_head_is_not_observed(
    llmkube: Llmkube, remote: git_server.Remote
) -> None:
    remote.commit({"llm.yaml": service("a")})
    llmkube("sync", "--repo", remote.url, "--target", "dir:out")
    seen = llmkube("status", "--repo", remote.url)
    assert seen.code == 0
    assert "default/a" in seen.stdout
    assert "Rendered" in seen.stdout
    keeps(llmkube("status", "--repo", remote.url, "--output", "json"), "fleet-status")
    remote.commit({"llm.yaml": service("b")})
    unseen = llmkube("status", "--repo", remote.url)
    assert unseen.code == 1
    assert "is not observed yet" in unseen.stdout


def test_status_without_a_report_says_what_is_missing(llmkube: Llmkube, remote: git_server.Remote) -> None:
    remote.commit({"llm.yaml": service("a")})
    done = llmkube("status", "--repo", remote.url, "--cluster-name", "nowhere")
    assert done.code == 2
    assert "there is no report of cluster 'nowhere' yet" in done.stderr


def test_an_unknown_target_is_refused_in_one_line(llmkube: Llmkube, remote: git_server.Remote) -> None:
    done = llmkube("sync", "--repo", remote.url, "--target", "moon")
    assert (done.code, done.stdout) == (2, "")
    assert done.stderr == "llmkube: --target 'moon' is none; write dir:PATH or cluster\n"


def test_a_missing_repository_is_refused_in_one_line(llmkube: Llmkube) -> None:
    done = llmkube("sync")
    assert done.code == 2
    assert done.stderr == "llmkube: no repository; name it with --repo URL, or in the environment as LLMKUBE_REPO\n"


def test_no_cluster_is_said_in_one_line(llmkube: Llmkube, remote: git_server.Remote, tmp_path: Path) -> None:
    env = {"KUBECONFIG": str(tmp_path / "none"), "HOME": str(tmp_path), "KUBERNETES_SERVICE_HOST": ""}
    done = llmkube("sync", "--repo", remote.url, "--target", "cluster", env=env)
    assert done.code == 2
    assert done.stderr.startswith("llmkube: no cluster: ")
    assert done.stderr.count("\n") == 1


def test_a_reader_that_goes_away_is_no_error() -> None:
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", f"'{sys.executable}' -m reconciler render '{EXAMPLE}' | head -n 1"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
