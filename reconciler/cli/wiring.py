"""From options to the shells: the only place that knows which source and target stand behind the ports."""

import glob
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from reconciler import __version__, cache, pipeline, resources
from reconciler.core import manifests, spec
from reconciler.core.model.policy import Allowance, Policy
from reconciler.core.model.source import Snapshot
from reconciler.core.model.spec import Parsed
from reconciler.errors import UsageError
from reconciler.ports import Remote, Source, Target


class NeverStop:
    """A stop that no one asks for: a command ends by Ctrl-C, which git and Kubernetes survive as they do a crash."""

    def requested(self) -> bool:
        """Return False."""
        return False


def reader(**given: Any) -> pipeline.Reader:
    """Return what reads specs, as the shared options say. A file that is named is read, whatever it is called."""
    named = (glob.escape(path.as_posix()) for path in given.get("paths", ()) if path.is_file())
    options = spec.Options(
        include=(*given["include"], *named),
        ignore_other_kinds=given["ignore_other_kinds"],
        path=given["path"].removeprefix("./").strip("/"),
        namespace=given["namespace"],
        allowed_namespaces=tuple(given["allowed_namespaces"]),
        allowed_registries=tuple(given["allowed_registries"]),
    )
    version = f"{__version__} {manifests.RENDERER_VERSION} {options}"
    return pipeline.Reader(resources.schemas(), resources.flags(), options, cache.Cache(version))


def require_files(parsed: Parsed) -> None:
    """Refuse to call a place valid in which there is nothing to check: a wrong folder would pass in CI."""
    if parsed.files == 0 and not parsed.problems:
        raise UsageError("no spec file here: llm.yaml and *.llm.yaml are read, others with --include '**/*.yaml'")


@contextmanager
def at_revision(**given: Any) -> Iterator[tuple[Source, Snapshot]]:
    """Yield the source of PATHs or of --repo, and its files (at --revision)."""
    with _specs(**given) as source:
        revision = given["revision"]
        if not revision:
            yield source, source.snapshot()
            return
        if not given["repo"]:
            raise UsageError("--revision needs --repo; a folder has no revisions")
        yield source, source.at(revision)


def repository(**given: Any) -> AbstractContextManager[Remote]:
    """Return the git repository that --repo names, from which and to which a tick goes."""
    from reconciler.repository.address import Credentials  # noqa: PLC0415  # git is slow to import
    from reconciler.repository.store import GitSettings, GitSource  # noqa: PLC0415  # likewise

    if not given["repo"]:
        raise UsageError("no repository; name it with --repo URL, or in the environment as LLMKUBE_REPO")
    return GitSource(
        GitSettings(
            url=_address(given["repo"]),
            branch=given["branch"],
            path=given.get("path", "").removeprefix("./").strip("/"),
            cluster_name=given.get("cluster_name", "default"),
            report_url=_address(given.get("report_url", "")),
            credentials=Credentials(os.environ.get("LLMKUBE_GIT_TOKEN", ""), given.get("token_file", "")),
        )
    )


def clone(**given: Any) -> AbstractContextManager[Any]:
    """Return the clone whose revisions are compared: --repo where it is a folder, else the current folder's."""
    from reconciler.repository.local import LocalSource  # noqa: PLC0415  # git is slow to import

    where = given["repo"] or "."
    if not Path(where).is_dir():
        return repository(**given)
    return nullcontext(LocalSource(where, given["path"].removeprefix("./").strip("/")))


def target(**given: Any) -> Target:
    """Return the target that --target names."""
    kind, _, where = given["target"].partition(":")
    if kind == "dir" and where:
        from reconciler.targets.folder import FolderTarget  # noqa: PLC0415  # only what this run needs

        return FolderTarget(Path(where))
    if given["target"] == "cluster":
        from reconciler.targets.cluster import connect  # noqa: PLC0415  # kubernetes takes most of a second to import

        return connect(given["context"], read_only=given.get("read_only", False))
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


def _specs(**given: Any) -> AbstractContextManager[Any]:
    if given["repo"]:
        return repository(**given)
    from reconciler.repository.folder import FolderSource  # noqa: PLC0415  # only what this run needs

    return nullcontext(FolderSource(tuple(str(path) for path in given["paths"]) or (".",)))


def _address(said: str) -> str:
    """Return a folder as the URL that git would take it for, and everything else as it is."""
    return Path(said).resolve().as_uri() if said and Path(said).is_dir() else said
