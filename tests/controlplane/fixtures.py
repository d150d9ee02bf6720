"""What a test asks for to run on a real Kubernetes.

`control_plane`, `namespace` and `kubectl`; `fleet`, `behave` and `volumes` to set its nodes, pods and claims.
"""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sysconfig
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from controlplane import api, build, cluster, nodes, pods

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

    from controlplane import volumes as binder
    from controlplane.api import JsonObject

MARKER: Final = "cluster"
_UNAVAILABLE: Final = pytest.StashKey[str]()


@dataclass(frozen=True, slots=True)
class Kubectl:
    """kubectl as one identity, in one default namespace."""

    cluster: cluster.Cluster
    namespace: str
    kubeconfig: Path

    def __call__(self, *arguments: str, stdin: str | None = None) -> str:
        """Return what it printed; AssertionError with its complaint when it failed."""
        done = self.attempt(*arguments, stdin=stdin)
        assert done.returncode == 0, f"kubectl {' '.join(arguments)}: {done.stderr.strip()}"
        return done.stdout

    def attempt(self, *arguments: str, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
        """The same, for what may fail."""
        return subprocess.run(
            self.command(*arguments), input=stdin, env=self.environment, capture_output=True, text=True, check=False
        )

    def apply(self, *manifests: JsonObject, **options: str) -> str:
        """Server-side apply, as kubectl's field manager; options as `field_manager="me"`."""
        text = "\n---\n".join(json.dumps(manifest) for manifest in manifests)
        flags = (f"--{name.replace('_', '-')}={value}" for name, value in options.items())
        return self("apply", "--server-side", *flags, "-f", "-", stdin=text)

    def get(self, *arguments: str) -> JsonObject:
        """`kubectl get ... -o json`."""
        found: JsonObject = json.loads(self("get", *arguments, "-o", "json"))
        return found

    def as_token(self, token: str) -> Kubectl:
        return replace(self, kubeconfig=self.cluster.kubeconfig_for(token, self.namespace))

    def command(self, *arguments: str) -> list[str]:
        return [str(Path(sysconfig.get_path("scripts")) / "kubectl"), *arguments]

    @property
    def environment(self) -> dict[str, str]:
        # kubectl keeps what it discovers by host and port, and ports come again
        cache = {"KUBECACHEDIR": str(self.cluster.folder / "kubectl-cache")}
        return {**os.environ, "KUBECONFIG": str(self.kubeconfig), **cache}


@dataclass(frozen=True, slots=True)
class Fleet:
    """Which nodes there are, for the length of one test; all fleets' when it does not say."""

    cluster: cluster.Cluster

    def only(self, *fleets: str | Path) -> tuple[str, ...]:
        """Leave the nodes of these fleets alone in the cluster; their names."""
        return self.only_nodes(*(node for fleet in fleets for node in nodes.load(fleet)))

    def only_nodes(self, *wanted: JsonObject) -> tuple[str, ...]:
        live = {node["metadata"]["name"] for node in self.cluster.admin.items("/api/v1/nodes")}
        names = tuple(node["metadata"]["name"] for node in wanted)
        self.cluster.remove_nodes(sorted(live - set(names)))
        self.cluster.create_nodes(node for node in wanted if node["metadata"]["name"] not in live)
        return names


@dataclass(frozen=True, slots=True)
class Behave:
    """Tells the pods that the test's namespace will get what to do; `pods.BEHAVIOURS` has the words."""

    cluster: cluster.Cluster
    namespace: str

    def __call__(self, behaviour: str, **details: str) -> None:
        """Details are `exit_code`, `message` and `load_for` (`2s`)."""
        pods.tell(self.cluster.admin, self.namespace, behaviour, details)

    def pod(self, name: str, behaviour: str | None, **details: str) -> None:
        """Tell a pod that is there already; None makes it Ready again."""
        pods.tell_pod(self.cluster.admin, f"/api/v1/namespaces/{self.namespace}/pods/{name}", behaviour, details)


@pytest.fixture(scope="session")
def control_plane(request: pytest.FixtureRequest) -> Iterator[cluster.Cluster]:
    """One control plane for all tests, with the nodes of every fleet."""
    if (reason := request.config.stash.get(_UNAVAILABLE, None)) is not None:
        give_up = pytest.fail if os.environ.get("CI") == "true" else pytest.skip
        give_up(reason)
    with cluster.start(*nodes.fleets()) as running:
        yield running


@pytest.fixture
def namespace(control_plane: cluster.Cluster) -> Iterator[str]:
    """A new namespace, which goes with everything in it."""
    name = f"test-{secrets.token_hex(4)}"
    path = f"/api/v1/namespaces/{name}"
    control_plane.admin.create("/api/v1/namespaces", {"metadata": {"name": name}})
    api.wait_until("the default account", lambda: control_plane.admin.find(f"{path}/serviceaccounts/default"))
    yield name
    control_plane.volumes.bind(name)
    control_plane.admin.delete(path)
    control_plane.admin.delete(f"{path}/pods", gracePeriodSeconds="0")
    # the next test wants the GPUs that its pods hold; the rest goes in ten seconds or so that nobody need wait for
    api.wait_until(f"no pods in {name}", lambda: not control_plane.admin.items(f"{path}/pods"), 60)


@pytest.fixture
def kubectl(control_plane: cluster.Cluster, namespace: str) -> Kubectl:
    """kubectl as the administrator, in the test's namespace."""
    token = control_plane.user_token("admin")
    return Kubectl(control_plane, namespace, control_plane.kubeconfig_for(token, namespace))


@pytest.fixture
def fleet(control_plane: cluster.Cluster, namespace: str) -> Iterator[Fleet]:
    """Chooses the test's nodes: `fleet.only("gke")`."""
    del namespace  # set up first, so that its pods are gone before the nodes come back
    chosen = Fleet(control_plane)
    yield chosen
    everything = [node for name in nodes.fleets() for node in nodes.load(name)]
    for node in control_plane.admin.items("/api/v1/nodes"):
        if node["spec"].get("unschedulable"):
            control_plane.uncordon(node["metadata"]["name"])
    chosen.only_nodes(*everything)


@pytest.fixture
def behave(control_plane: cluster.Cluster, namespace: str) -> Behave:
    """Tells pods what to do: `behave("crash", exit_code="134")`."""
    return Behave(control_plane, namespace)


@pytest.fixture
def volumes(control_plane: cluster.Cluster) -> binder.Binder:
    """Binds claims by itself; `volumes.leave_waiting(namespace)` for the test that wants them to wait."""
    return control_plane.volumes


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", f"{MARKER}: runs on a real control plane (given by the fixture of that name)")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what needs a cluster, so that `-m "not cluster"` leaves it out."""
    for item in items:
        if "control_plane" in getattr(item, "fixturenames", ()):
            item.add_marker(MARKER)


def pytest_collection_finish(session: pytest.Session) -> None:
    """Build before the first test: minutes of building are no test's time, and their progress is for people to see."""
    if session.config.option.collectonly or not any(item.get_closest_marker(MARKER) for item in session.items):
        return
    with _uncaptured(session.config):
        try:
            build.binaries(build.say)
        except build.UnavailableError as error:
            session.config.stash[_UNAVAILABLE] = str(error)


def _uncaptured(config: pytest.Config) -> AbstractContextManager[Any]:
    capture = config.pluginmanager.getplugin("capturemanager")
    return nullcontext() if capture is None else capture.global_and_fixture_disabled()
