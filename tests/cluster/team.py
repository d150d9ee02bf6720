"""A team with a repository of specs on a bare remote, and the reconciler that follows it into the test's cluster."""

import json
import os
import shutil
import subprocess
import sysconfig
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from controlplane import api
from controlplane.cluster import Cluster
from reconciler.cli.main import cli

JsonObject = dict[str, Any]

SYNC_SECONDS = 30

_GIT = {
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_AUTHOR_NAME": "A Model Owner",
    "GIT_AUTHOR_EMAIL": "owner@example.com",
    "GIT_COMMITTER_NAME": "A Model Owner",
    "GIT_COMMITTER_EMAIL": "owner@example.com",
}


@dataclass(frozen=True, slots=True)
class Repository:
    """A bare remote, and the clone that the team edits. `files` are path -> text."""

    remote: Path
    clone: Path

    def push(self, files: Mapping[str, str], message: str = "models: change") -> str:
        """Write those files, commit and push; return the commit."""
        for path, text in files.items():
            file = self.clone / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        return self._publish(message)

    def push_folder(self, folder: Path) -> str:
        """Copy a folder's files, commit and push; return the commit."""
        shutil.copytree(folder, self.clone, dirs_exist_ok=True)
        return self._publish("models: serve them")

    def remove(self, *paths: str, message: str = "models: remove") -> str:
        """Delete those files, commit and push; return the commit."""
        for path in paths:
            (self.clone / path).unlink()
        return self._publish(message)

    def reported(self, cluster_name: str, path: str) -> str:
        """Return a file of the status branch."""
        return _git(self.remote, "show", f"llmkube-status/{cluster_name}:{path}")

    def head(self, cluster_name: str) -> str:
        """Return the status branch's head."""
        return _git(self.remote, "rev-parse", f"llmkube-status/{cluster_name}").strip()

    def has_report(self, cluster_name: str) -> bool:
        """Tell whether the status branch is there yet."""
        return bool(_git(self.remote, "for-each-ref", f"refs/heads/llmkube-status/{cluster_name}"))

    def _publish(self, message: str) -> str:
        _git(self.clone, "add", "--all")
        _git(self.clone, "commit", "--quiet", "--message", message)
        _git(self.clone, "push", "--quiet", "origin", "main")
        return _git(self.clone, "rev-parse", "HEAD").strip()


def repository(folder: Path) -> Repository:
    """Make an empty remote and a clone below a folder."""
    remote, clone = folder / "remote.git", folder / "clone"
    _git(folder, "init", "--quiet", "--bare", "--initial-branch=main", str(remote))
    _git(folder, "init", "--quiet", "--initial-branch=main", str(clone))
    _git(clone, "remote", "add", "origin", str(remote))
    return Repository(remote, clone)


@dataclass(frozen=True, slots=True)
class Answer:
    """What `llmkube ... --output json` said, and its exit code."""

    exit_code: int
    document: JsonObject

    def change(self, kind: str, name: str) -> JsonObject:
        """Return the one change of an object."""
        (found,) = (
            change
            for change in self.document["changes"]
            if (change["object"]["kind"], change["object"]["name"]) == (kind, name)
        )
        return dict(found)

    def paths(self, kind: str, name: str) -> list[str]:
        """Return the fields in which an object differs."""
        return [field["path"] for field in self.change(kind, name)["fields"]]

    @property
    def done(self) -> list[tuple[str, str, str]]:
        """What was written: action, kind and name of each object."""
        return [
            (change["action"], change["object"]["kind"], change["object"]["name"])
            for change in self.document["changes"]
            if change["done"]
        ]

    @property
    def held(self) -> dict[str, str]:
        """Object -> why it is held."""
        return {
            f"{change['object']['kind']}/{change['object']['name']}": change["hold"]["reason"]
            for change in self.document["changes"]
            if change["hold"]
        }

    @property
    def errors(self) -> list[str]:
        """What went wrong, change by change."""
        return [change["error"] for change in self.document["changes"] if change["error"]]


@dataclass(frozen=True, slots=True)
class Reconciler:
    """The installed llmkube with the rights of its ServiceAccount, for one repository, namespace and cluster name."""

    cluster: Cluster
    repository: Repository
    namespace: str
    cluster_name: str
    kubeconfig: Path

    def sync(self, *flags: str) -> Answer:
        """Do one tick in this process."""
        return self._answer("sync", *self.where, *flags)

    def diff(self, *flags: str) -> Answer:
        """Ask what a tick would do."""
        return self._answer("diff", *self.where, *flags)

    def said(self, command: str, *flags: str) -> str:
        """Return what a command prints for people."""
        return self._invoke(command, *self.where, *flags)[1]

    def rendered(self) -> list[JsonObject]:
        """Return what the team's clone renders, without the inventory's label."""
        where = ("--namespace", self.namespace, "--output", "json", str(self.repository.clone))
        return list(json.loads(self._invoke("render", *where)[1])["manifests"])

    def process(self, command: str, *flags: str) -> subprocess.CompletedProcess[str]:
        """Run the installed program."""
        program = str(Path(sysconfig.get_path("scripts")) / "llmkube")
        return subprocess.run(
            [program, command, *self.where, *flags],
            env={**os.environ, **self.environment},
            capture_output=True,
            text=True,
            check=False,
        )

    def at(self, kubeconfig: Path) -> "Reconciler":
        """Return the same with another kubeconfig."""
        return replace(self, kubeconfig=kubeconfig)

    def status(self) -> JsonObject:
        """Return the last report's status.json."""
        found: JsonObject = json.loads(self.repository.reported(self.cluster_name, "status.json"))
        return found

    def service(self, name: str) -> JsonObject:
        """Return one service of the last report."""
        (found,) = (service for service in self.status()["services"] if service["name"] == name)
        return dict(found)

    def await_phase(self, phase: str, *services: str, flags: tuple[str, ...] = ()) -> Answer:
        """Tick until the report shows those services in that phase; return the last tick's answer."""

        seen: dict[str, str] = {}

        def look() -> Answer | None:
            answer = self.sync(*flags)
            seen.update({service["name"]: service["phase"] for service in self.status()["services"]})
            return answer if all(seen.get(name) == phase for name in services) else None

        try:
            return api.wait_until(f"all {phase}", look, SYNC_SECONDS)
        except AssertionError as error:
            raise AssertionError(f"{error}; {seen}") from None

    @property
    def environment(self) -> dict[str, str]:
        return {"KUBECONFIG": str(self.kubeconfig)}

    @property
    def where(self) -> tuple[str, ...]:
        """The options that every command takes."""
        return (
            *("--repo", str(self.repository.remote)),
            *("--target", "cluster"),
            *("--cluster-name", self.cluster_name),
            *("--namespace", self.namespace),
        )

    def _answer(self, *arguments: str) -> Answer:
        exit_code, output = self._invoke(*arguments, "--output", "json")
        return Answer(exit_code, json.loads(output))

    def _invoke(self, *arguments: str) -> tuple[int, str]:
        ran = CliRunner().invoke(cli, arguments, env=self.environment, standalone_mode=False)
        if ran.exception is not None:
            raise ran.exception
        return int(ran.return_value), ran.stdout


def _git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(folder), *arguments], env={**os.environ, **_GIT}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"git {' '.join(arguments)}: {done.stderr.strip()}"
    return done.stdout
