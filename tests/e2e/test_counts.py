"""What one tick costs: counted, not timed."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import git_server
from commands import service
from reconciler import pipeline, resources
from reconciler.cache import Cache
from reconciler.core import spec
from reconciler.core.model.change import Change, Result
from reconciler.core.model.observed import Inventory
from reconciler.core.model.outcome import Outcome
from reconciler.core.model.plan import Plan
from reconciler.core.model.policy import Policy
from reconciler.core.model.source import Published
from reconciler.repository.store import GitSettings, GitSource, Hooks
from reconciler.targets.folder import FolderTarget

NOW = datetime(2026, 1, 1, tzinfo=UTC)
SERVICES = 1_000


class CountingCache(Cache[spec.File]):
    """Counts what it had to have made."""

    made = 0

    def get(self, blob: str, path: str, make: Callable[[], spec.File]) -> spec.File:
        def counted() -> spec.File:
            self.made += 1
            return make()

        return super().get(blob, path, counted)


class CountingTarget(FolderTarget):
    """Counts what it was asked to write."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.writes: list[str] = []

    def carry_out(self, change: Change) -> Result:
        self.writes.append(f"{change.action} {change.key}")
        return super().carry_out(change)

    def record(self, wanted: Inventory, plan: Plan) -> None:
        self.writes.append("record")
        super().record(wanted, plan)


class Running:
    def requested(self) -> bool:
        return False


@dataclass
class Fleet:
    """One process's pieces, and what they were asked."""

    source: GitSource
    target: CountingTarget
    cache: CountingCache
    commands: list[tuple[str, ...]] = field(default_factory=list)

    def tick(self) -> tuple[Outcome, Published]:
        self.commands.clear()
        self.target.writes.clear()
        self.cache.made = 0
        reader = pipeline.Reader(resources.schemas(), resources.flags(), spec.Options(), self.cache)
        orders = pipeline.Orders("default", "llmkube-system", Policy(), NOW)
        proposal = pipeline.propose(self.source, self.target, reader, orders)
        outcome = pipeline.carry_out(proposal, self.target, Running())
        published = pipeline.publish(outcome, self.source, {}, NOW).published
        return outcome, published

    @property
    def verbs(self) -> Counter[str]:
        return Counter(command[0] for command in self.commands)


@contextmanager
def opened(url: str, folder: Path) -> Iterator[Fleet]:
    commands: list[tuple[str, ...]] = []
    hooks = Hooks(on_command=lambda arguments, _seconds: commands.append(arguments))
    with GitSource(GitSettings(url=url), hooks) as source:
        yield Fleet(source, CountingTarget(folder), CountingCache("1"), commands)


def states(folder: Path) -> dict[str, tuple[int, int]]:
    """Path -> (inode, time of the last write) of every file."""
    found = ((path, path.stat()) for path in folder.rglob("*") if path.is_file())
    return {str(path): (status.st_ino, status.st_mtime_ns) for path, status in found}


def test_a_tick_costs_what_changed_and_not_what_is_there(tmp_path: Path) -> None:
    remote = git_server.make_remote(tmp_path / "remote")
    remote.commit({f"models/m{number}/llm.yaml": service(f"m{number}") for number in range(SERVICES)})
    with opened(remote.url, tmp_path / "out") as fleet:
        outcome, _ = fleet.tick()
        assert fleet.cache.made == len(outcome.plan.parsed.services) == SERVICES
        assert fleet.verbs["cat-file"] == 1

        before, reports = states(tmp_path), remote.log("llmkube-status/default")
        _, published = fleet.tick()
        assert fleet.verbs == {"ls-remote": 1}
        assert (fleet.cache.made, fleet.target.writes, published.written) == (0, [], False)
        assert states(tmp_path) == before
        assert remote.log("llmkube-status/default") == reports

        changed = service("m7").replace("contextSize: 4096", "contextSize: 8192")
        remote.commit({"models/m7/llm.yaml": changed})
        _, published = fleet.tick()
        assert fleet.cache.made == 1
        asked = {verb: fleet.verbs[verb] for verb in ("ls-remote", "fetch", "cat-file", "push")}
        assert asked == {"ls-remote": 1, "fetch": 1, "cat-file": 1, "push": 1}
        assert [write for write in fleet.target.writes if write != "record"] == ["update Deployment/default/m7"]
        assert published.written


def test_a_restart_reads_everything_once_and_writes_nothing(tmp_path: Path) -> None:
    remote = git_server.make_remote(tmp_path / "remote")
    remote.commit({f"m{number}.llm.yaml": service(f"m{number}") for number in range(20)})
    with opened(remote.url, tmp_path / "out") as fleet:
        fleet.tick()
    with opened(remote.url, tmp_path / "out") as fleet:
        _, published = fleet.tick()
        asked = {verb: fleet.verbs[verb] for verb in ("ls-remote", "push", "fast-import")}
        assert asked == {"ls-remote": 1, "push": 0, "fast-import": 0}
        assert (fleet.cache.made, fleet.target.writes, published.written) == (20, [], False)
