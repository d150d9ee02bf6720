"""The process dies, or a call fails, between any two things that a tick does: the next tick makes it good."""

import shutil
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum, auto
from pathlib import Path
from typing import Any, Final

import pytest

import git_server
from commands import service
from reconciler import pipeline, resources
from reconciler.cache import Cache
from reconciler.core import plan, spec
from reconciler.core.model.change import Result
from reconciler.core.model.objects import JsonObject, key_of
from reconciler.core.model.policy import Allowance, Policy
from reconciler.core.model.source import Published
from reconciler.core.rules import inventory, ownership, yamltext
from reconciler.errors import ReconcilerError, SourceError, TargetError
from reconciler.repository.store import GitSettings, GitSource
from reconciler.targets.folder import FolderTarget

NOW: Final = datetime(2026, 1, 1, tzinfo=UTC)
SYSTEM: Final = "llmkube-system"
STRANGER: Final = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "stranger", "namespace": "default", "labels": {"app.kubernetes.io/name": "stranger"}},
    "spec": {"replicas": 1},
}
BEFORE: Final = {"a.llm.yaml": service("a"), "b.llm.yaml": service("b"), "c.llm.yaml": service("c")}
ELSEWHERE: Final = service("d").replace("  name: d\nspec", "  name: d\n  namespace: other\nspec")
AFTER: Final = {"a.llm.yaml": service("a", 2), "c.llm.yaml": service("c"), "d.llm.yaml": ELSEWHERE}


class KilledError(BaseException):
    """What nothing may catch: the process is gone."""


class Fault(Enum):
    """What becomes of one call."""

    KILLED_BEFORE = auto()
    KILLED_AFTER = auto()
    FAILED = auto()


@dataclass
class Weather:
    """Counts the calls, and lets one of them meet its fault. `at` beyond the last call is fair weather."""

    fault: Fault = Fault.FAILED
    at: int = -1
    calls: int = 0
    writes: int = 0

    def pass_through(self, call: Callable[[], Any], failed: Callable[[], Any]) -> Any:
        hit = self.calls == self.at
        self.calls += 1
        if hit and self.fault is Fault.FAILED:
            return failed()
        if hit and self.fault is Fault.KILLED_BEFORE:
            raise KilledError
        found = call()
        if hit:
            raise KilledError
        return found


class Exposed:
    """A source or a target, every call of which goes through the weather."""

    def __init__(self, inner: Any, weather: Weather, error: type[ReconcilerError]) -> None:
        self._inner = inner
        self._weather = weather
        self._error = error

    def __getattr__(self, name: str) -> Any:
        def call(*arguments: Any) -> Any:
            self._weather.writes += name in {"carry_out", "record"}
            return self._weather.pass_through(
                lambda: getattr(self._inner, name)(*arguments), lambda: self._failed(name, arguments)
            )

        return call

    def _failed(self, name: str, arguments: tuple[Any, ...]) -> Any:
        """Fail as the port says that this call fails: by a value where it is about one thing, else by an error."""
        if name == "carry_out":
            return Result(arguments[0], error="No space left on device")
        if name == "publish":
            return Published("", written=False, error="the server cannot be reached")
        raise self._error("no answer")


class Running:
    def requested(self) -> bool:
        return False


class World:
    """A remote and a folder that can be put back to where they were."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.remote = git_server.make_remote(root / "remote")
        self.out = root / "out"
        self.remote.commit(BEFORE)
        FolderTarget(self.out).write(STRANGER)
        self.tick(Weather())
        (self.remote.clone / "b.llm.yaml").unlink()
        self.head = self.remote.commit(AFTER)
        for part in ("remote/remote.git", "out"):
            shutil.copytree(root / part, root / "saved" / part)

    def put_back(self) -> None:
        for part in ("remote/remote.git", "out"):
            shutil.rmtree(self.root / part)
            shutil.copytree(self.root / "saved" / part, self.root / part)

    def tick(self, weather: Weather) -> Published:
        reader = pipeline.Reader(resources.schemas(), resources.flags(), spec.Options(), Cache("1"))
        policy = Policy(allowance=Allowance(deletions=9))
        with GitSource(GitSettings(url=self.remote.url)) as real:
            source, target = Exposed(real, weather, SourceError), Exposed(FolderTarget(self.out), weather, TargetError)
            proposal = pipeline.propose(source, target, reader, pipeline.Orders("default", SYSTEM, policy, NOW))
            outcome = pipeline.carry_out(proposal, target, Running())
            return pipeline.publish(outcome, source)[1]

    def tree(self) -> dict[str, bytes]:
        return {str(path.relative_to(self.out)): path.read_bytes() for path in self.out.rglob("*") if path.is_file()}

    def live(self) -> list[JsonObject]:
        return [manifest for _, manifest in FolderTarget(self.out)._read()]  # noqa: SLF001  # what stands on the disk


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return World(tmp_path_factory.mktemp("world"))


def covers(world: World) -> bool:
    """Tell whether the inventory names the kind and the namespace of every live object of ours."""
    owner = plan.owner("default", SYSTEM, world.remote.url, "")
    live = world.live()
    parent = next(found for found in live if key_of(found).namespace == SYSTEM)
    known = inventory.read(parent)
    ours = [key_of(found) for found in live if ownership.is_ours(found, owner)]
    wanted = inventory.hints(owner, ours)
    return set(wanted.group_kinds) <= set(known.group_kinds) and set(wanted.namespaces) <= set(known.namespaces)


@pytest.mark.parametrize("fault", list(Fault))
def test_after_any_fault_between_two_calls_a_clean_tick_converges(world: World, fault: Fault) -> None:
    world.put_back()
    fair = Weather()
    assert world.tick(fair).written
    undisturbed = world.tree()
    assert fair.calls > 12, "a tick has a call for each change, and some around them"
    for at in range(fair.calls):
        world.put_back()
        with suppress(KilledError, SourceError, TargetError):
            world.tick(Weather(fault, at))
        assert covers(world), f"call {at}"
        world.tick(Weather())
        assert world.tree() == undisturbed, f"call {at}"
        assert yamltext.dump([STRANGER]).encode() in world.tree().values(), f"call {at}"
        assert world.remote.files("llmkube-status/default")["status.json"].count(world.head) == 2, f"call {at}"
        quiet = Weather()
        assert not world.tick(quiet).written, f"call {at}"
        assert quiet.writes == 0, f"call {at}"
