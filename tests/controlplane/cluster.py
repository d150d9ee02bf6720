"""A real Kubernetes control plane on loopback, with fake nodes. `python tests/controlplane/cluster.py` starts one."""

from __future__ import annotations

import argparse
import json
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Final

if __name__ == "__main__":  # run as a file: the folder above is the one to import from
    sys.path[0] = str(Path(__file__).resolve().parents[1])

import urllib3

from controlplane import api, build, components, nodes, pods, volumes

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from controlplane.api import JsonObject

START_SECONDS: Final = 60  # a busy machine; an idle one takes a few
ATTEMPTS: Final = 3  # another process may take a port between our asking for it and a program's use of it
COLLISION: Final = "address already in use"


class StartError(Exception):
    """A program of the control plane ended or did not become ready; the message has the end of its log."""


@dataclass(frozen=True, slots=True)
class Cluster:
    """A running control plane. Everything of it stands in `folder` and goes with it."""

    place: components.Place
    supervisor: subprocess.Popen[bytes]
    tokens: dict[tuple[str, str], str] = field(repr=False)
    admin: api.Api
    volumes: volumes.Binder

    @property
    def folder(self) -> Path:
        return self.place.folder

    @property
    def server(self) -> str:
        return self.place.server

    @property
    def kubeconfig(self) -> Path:
        """The administrator's."""
        return self.place.kubeconfig("admin")

    def user_token(self, user: str) -> str:
        """The token of one of the users that the cluster was started with."""
        return next(token for (name, _), token in self.tokens.items() if name == user)

    def service_account_token(self, namespace: str, name: str) -> str:
        """A token as the kubelet would mount it; the account must exist."""
        path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{name}/token"
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": 3600}}
        token: str = self.admin.create(path, body)["status"]["token"]
        return token

    def kubeconfig_for(self, token: str, namespace: str = "default") -> Path:
        """Write a kubeconfig for that token, readable by its owner alone."""
        with tempfile.NamedTemporaryFile("w", suffix=".kubeconfig", dir=self.folder, delete=False) as file:
            file.write(components.kubeconfig(self.server, self.place.certificate.read_bytes(), token, namespace))
        return Path(file.name)

    def api_for(self, token: str) -> api.Api:
        return api.Api(self.server, token, self.admin.pool)

    def add_nodes(self, *fleets: str | Path) -> tuple[str, ...]:
        """Create the nodes of those fleets, by name (`gke`) or path, and wait until they are Ready; their names."""
        return self.create_nodes([node for fleet in fleets for node in nodes.load(fleet)])

    def create_nodes(self, wanted: Iterable[JsonObject]) -> tuple[str, ...]:
        names = tuple(self.admin.create("/api/v1/nodes", node)["metadata"]["name"] for node in wanted)
        api.wait_until("nodes are Ready", lambda: nodes.ready(self.admin.items("/api/v1/nodes"), names), START_SECONDS)
        return names

    def remove_nodes(self, names: Iterable[str]) -> None:
        for name in names:
            self.admin.delete(f"/api/v1/nodes/{name}")

    def cordon(self, name: str) -> None:
        self.admin.merge(f"/api/v1/nodes/{name}", {"spec": {"unschedulable": True}})

    def uncordon(self, name: str) -> None:
        self.admin.merge(f"/api/v1/nodes/{name}", {"spec": {"unschedulable": None}})

    def stop(self) -> None:
        """Kill every program and remove the folder; no grace, since nothing of it is kept."""
        self.volumes.stop()
        _end(self.supervisor, self.folder)


@contextmanager
def start(*fleets: str | Path, users: Iterable[str] = components.USERS) -> Iterator[Cluster]:
    """Run a control plane with the nodes of those fleets for the length of a `with`.

    Builds the programs when they are not there, which takes minutes. Raises
    build.UnavailableError, nodes.FleetError and StartError.
    """
    wanted = [node for fleet in fleets for node in nodes.load(fleet)]  # a wrong name shows before anything starts
    cluster = _boot(build.binaries(build.say), tuple(users))
    try:
        cluster.create_nodes(wanted)
        yield cluster
    finally:
        cluster.stop()


def _boot(binaries: build.Binaries, users: tuple[str, ...]) -> Cluster:
    for attempt in range(1, ATTEMPTS + 1):
        try:
            return _attempt(binaries, users)
        except StartError as error:
            if attempt == ATTEMPTS or COLLISION not in str(error):
                raise
    raise AssertionError("unreachable")


def _attempt(binaries: build.Binaries, users: tuple[str, ...]) -> Cluster:
    place = components.Place(Path(tempfile.mkdtemp(prefix="llmkube-cluster-")), _free_ports())
    minted = components.tokens(users)
    _write(place.account_key, components.elliptic_key())
    _write(place.tokens, components.token_file(minted))
    _write(place.folder / "kubelet.json", components.kubelet(place))
    for log in components.logs():
        _write(place.folder / log.name, components.as_container_log(log.read_text()))
    supervisor = subprocess.Popen(
        [sys.executable, "-I", str(components.HERE / "supervisor.py"), str(place.folder)],
        stdin=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        _order(supervisor, "etcd", components.etcd(place, binaries))
        _order(supervisor, "kube-apiserver", components.apiserver(place, binaries))
        admin = _await_ready(place, minted["admin", components.MASTERS])
        for (user, _), token in minted.items():
            _write(place.kubeconfig(user), components.kubeconfig(place.server, place.certificate.read_bytes(), token))
        _order(supervisor, "kube-controller-manager", components.controller_manager(place, binaries))
        _order(supervisor, "kube-scheduler", components.scheduler(place, binaries))
        _order(supervisor, "kwok", components.kwok(place, binaries))
        _await_controllers(place, admin)
        pods.install(admin)
        return Cluster(place, supervisor, minted, admin, volumes.start(admin))
    except BaseException:
        _end(supervisor, place.folder)
        raise


def _free_ports() -> components.Ports:
    with socket.socket() as etcd, socket.socket() as apiserver, socket.socket() as kubelet:
        for listener in (etcd, apiserver, kubelet):
            listener.bind((components.LOOPBACK, 0))
        return components.Ports(*(listener.getsockname()[1] for listener in (etcd, apiserver, kubelet)))


def _write(path: Path, text: str) -> None:
    path.touch(mode=0o600)
    path.write_text(text)


def _order(supervisor: subprocess.Popen[bytes], name: str, argv: list[str]) -> None:
    assert supervisor.stdin is not None
    supervisor.stdin.write(json.dumps({"name": name, "argv": argv}).encode() + b"\n")
    supervisor.stdin.flush()


def _await_ready(place: components.Place, token: str) -> api.Api:
    """Wait for /readyz. The certificate is read anew each time: it appears, and grows, while the server starts."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        _refuse_ended(place)
        with suppress(OSError, urllib3.exceptions.HTTPError, api.ApiError):
            admin = api.connect(place.server, token, place.certificate)
            if admin.pool.request("GET", f"{place.server}/readyz", headers=admin.headers).data == b"ok":
                return admin
        time.sleep(api.POLL_SECONDS)
    raise StartError(_ends(place, "kube-apiserver", f"not ready within {START_SECONDS} s"))


def _await_controllers(place: components.Place, admin: api.Api) -> None:
    """Wait until the controllers run and KWOK plays kubelet.

    Pods are refused in a namespace whose default account is not there yet.
    """
    deadline = time.monotonic() + START_SECONDS
    while not (_has_account(admin) and _plays_kubelet(place, admin)):
        _refuse_ended(place)
        if time.monotonic() > deadline:
            raise StartError(_ends(place, "kube-controller-manager", f"or kwok not ready within {START_SECONDS} s"))
        time.sleep(api.POLL_SECONDS)
    _refuse_ended(place)  # what answered may be the process that took KWOK's port


def _has_account(admin: api.Api) -> bool:
    return admin.find("/api/v1/namespaces/default/serviceaccounts/default") is not None


def _plays_kubelet(place: components.Place, admin: api.Api) -> bool:
    with suppress(urllib3.exceptions.HTTPError):
        return admin.pool.request("GET", f"{place.kubelet}/healthz").status == HTTPStatus.OK
    return False


def _refuse_ended(place: components.Place) -> None:
    for ended in sorted(place.folder.glob("*.exit")):
        raise StartError(_ends(place, ended.stem, f"ended with status {ended.read_text().strip()}"))


def _ends(place: components.Place, name: str, what: str) -> str:
    log = (place.folder / f"{name}.log").read_text(errors="replace").splitlines()
    return "\n".join([f"{name} {what}; the end of its log:", *log[-15:]])


def _end(supervisor: subprocess.Popen[bytes], folder: Path) -> None:
    assert supervisor.stdin is not None
    with suppress(BrokenPipeError):
        supervisor.stdin.close()
    try:
        supervisor.wait(10)
    except subprocess.TimeoutExpired:
        supervisor.kill()  # its programs die with it
        supervisor.wait()
    shutil.rmtree(folder, ignore_errors=True)  # left over only when the supervisor was killed


def main() -> int:
    parser = argparse.ArgumentParser(description="Run a Kubernetes control plane with fake nodes until Ctrl-C.")
    parser.add_argument(
        "--nodes",
        metavar="FLEET",
        action="append",
        help=f"a fleet of fake nodes, again for more (default: all of {', '.join(nodes.fleets())})",
    )
    wanted = parser.parse_args().nodes or nodes.fleets()
    started = time.monotonic()
    try:
        with start(*wanted) as cluster:
            build.say(f"Kubernetes {build.KUBERNETES} at {cluster.server}, {time.monotonic() - started:.1f} s")
            sys.stdout.write(f"export KUBECONFIG={cluster.kubeconfig}\n")
            sys.stdout.flush()
            build.say("try: kubectl get nodes -L nvidia.com/gpu.product; kubectl apply -f FILE; kubectl get pods -A")
            build.say("Ctrl-C removes everything.")
            with suppress(KeyboardInterrupt):
                cluster.supervisor.wait()
    except (build.UnavailableError, StartError, nodes.FleetError) as error:
        build.say(str(error))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
