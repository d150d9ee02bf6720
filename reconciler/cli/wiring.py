"""From options to the shells: the only place that knows which source and target stand behind the ports."""

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from reconciler import cache, pipeline, resources
from reconciler.core import spec
from reconciler.core.model.policy import Allowance, Policy
from reconciler.errors import UsageError
from reconciler.ports import Target


def reader(**given: Any) -> pipeline.Reader:
    """Return what reads specs, as the shared options say."""
    options = spec.Options(
        include=tuple(given["include"]),
        ignore_other_kinds=given["ignore_other_kinds"],
        path=given["path"].strip("/").removeprefix("./"),
        namespace=given["namespace"],
        allowed_namespaces=tuple(given["allowed_namespaces"]),
        allowed_registries=tuple(given["allowed_registries"]),
    )
    return pipeline.Reader(resources.schemas(), resources.flags(), options, cache.SpecCache())


def source(**given: Any) -> Any:
    """Return the git repository that the options name."""
    from reconciler.repository.store import GitSettings, GitSource  # noqa: PLC0415  # git is slow to import

    if not given["repo"]:
        raise UsageError("no repository; name it with --repo URL or LLMKUBE_REPO")
    return GitSource(
        GitSettings(
            url=given["repo"],
            branch=given["branch"],
            path=given.get("path", ""),
            cluster_name=given.get("cluster_name", "default"),
            report_url=given.get("report_url", ""),
            token=token(given.get("token_file", "")),
        )
    )


def token(file: str) -> str:
    """Return the token for the repository: the file's content, else the environment's, else ""."""
    if not file:
        return os.environ.get("LLMKUBE_GIT_TOKEN", "")
    try:
        return Path(file).read_text(encoding="utf-8").strip()
    except OSError as error:
        raise UsageError(f"--token-file {file}: {error.strerror}") from error


def target(**given: Any) -> Target:
    """Return the target that --target names."""
    kind, _, where = given["target"].partition(":")
    if kind == "dir" and where:
        from reconciler.targets.folder import FolderTarget  # noqa: PLC0415  # only what this run needs

        return FolderTarget(Path(where))
    if given["target"] == "cluster":
        from reconciler.targets.cluster import connect  # noqa: PLC0415  # kubernetes takes most of a second to import

        return connect(given["context"])
    raise UsageError(f"--target {given['target']!r} is none; write dir:PATH or cluster")


def orders(**given: Any) -> pipeline.Orders:
    """Return what a tick is asked to do, now."""
    flags = (("delete", given.get("allow_delete")), ("rollout", given.get("allow_rollout")))
    said = tuple(f"--allow-{name} {count}" for name, count in flags if count is not None)
    return pipeline.Orders(
        cluster=given.get("cluster_name", "default"),
        inventory_namespace=given.get("inventory_namespace", "llmkube-system"),
        policy=Policy(
            max_deletions=given.get("max_deletions"),
            max_rollouts=given.get("max_rollouts"),
            allowance=Allowance(given.get("allow_delete"), given.get("allow_rollout"), said),
        ),
        now=datetime.now(UTC),
    )


class NeverStop:
    """A stop that no one asks for: a command ends by Ctrl-C, which git and Kubernetes survive as they do a crash."""

    def requested(self) -> bool:
        """Return False."""
        return False
