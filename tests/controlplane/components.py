"""How each of the five programs is called: pure, from a place and ports to argument lists."""

from __future__ import annotations

import json
import secrets
import sys
from base64 import b64encode
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

    from controlplane.build import Binaries

HERE: Final = Path(__file__).resolve().parent
LOOPBACK: Final = "127.0.0.1"
MASTERS: Final = "system:masters"

# Users that a test may bind roles to; who has no binding has no rights. More at `start(users=...)`.
USERS: Final = ("alice", "bob")

# What each program of ours is known as. The scheduler has the rights it has in real clusters; the controller manager
# would need one account a controller for that, which costs seconds at every start.
_SYSTEM: Final = (
    ("admin", MASTERS),
    ("system:kube-controller-manager", MASTERS),
    ("system:kube-scheduler", ""),
    ("kwok", MASTERS),
)


@dataclass(frozen=True, slots=True)
class Ports:
    etcd: int
    apiserver: int
    kubelet: int


@dataclass(frozen=True, slots=True)
class Place:
    """The folder of one cluster, and what stands where in it."""

    folder: Path
    ports: Ports

    @property
    def server(self) -> str:
        return f"https://{LOOPBACK}:{self.ports.apiserver}"

    @property
    def kubelet(self) -> str:
        return f"https://{LOOPBACK}:{self.ports.kubelet}"

    @property
    def certificate(self) -> Path:
        """The certificate that the API server signs for itself as it starts, with its authority."""
        return self.folder / "certificates" / "apiserver.crt"

    @property
    def certificate_key(self) -> Path:
        return self.folder / "certificates" / "apiserver.key"

    @property
    def account_key(self) -> Path:
        return self.folder / "service-accounts.key"

    @property
    def tokens(self) -> Path:
        return self.folder / "tokens.csv"

    @property
    def audit_log(self) -> Path:
        """One JSON object a line; audit.yaml says of which requests."""
        return self.folder / "audit.log"

    def kubeconfig(self, user: str) -> Path:
        return self.folder / f"{user.replace(':', '-')}.kubeconfig"


def etcd(place: Place, binaries: Binaries) -> list[str]:
    url = f"http://{LOOPBACK}:{place.ports.etcd}"
    return [
        str(binaries.etcd),
        f"--data-dir={place.folder / 'etcd'}",
        "--unsafe-no-fsync",  # nothing here outlives the process, so nothing need reach a disk
        f"--listen-client-urls={url}",
        f"--advertise-client-urls={url}",
        f"--listen-peer-urls=http://{LOOPBACK}:0",
        "--log-level=warn",
    ]


def apiserver(place: Place, binaries: Binaries) -> list[str]:
    return [
        str(binaries.kube_apiserver),
        f"--etcd-servers=http://{LOOPBACK}:{place.ports.etcd}",
        f"--bind-address={LOOPBACK}",
        f"--advertise-address={LOOPBACK}",
        "--endpoint-reconciler-type=none",  # it would refuse a loopback address, once a second
        f"--secure-port={place.ports.apiserver}",
        f"--cert-dir={place.certificate.parent}",
        "--authorization-mode=RBAC",
        f"--token-auth-file={place.tokens}",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-account-key-file={place.account_key}",
        f"--service-account-signing-key-file={place.account_key}",
        "--service-cluster-ip-range=10.96.0.0/16",
        "--allow-privileged=true",
        "--kubelet-preferred-address-types=InternalIP",
        "--profiling=false",
        f"--audit-policy-file={HERE / 'audit.yaml'}",
        f"--audit-log-path={place.audit_log}",
    ]


def controller_manager(place: Place, binaries: Binaries) -> list[str]:
    return [
        str(binaries.kube_controller_manager),
        f"--kubeconfig={place.kubeconfig('system:kube-controller-manager')}",
        # the node lifecycle controller stays: it takes away the not-ready taint that admission puts on a new node
        "--controllers=*,-node-ipam-controller,-node-route-controller",
        "--leader-elect=false",
        f"--service-account-private-key-file={place.account_key}",
        f"--root-ca-file={place.certificate}",
        "--kube-api-qps=500",
        "--kube-api-burst=1000",
        "--secure-port=0",
    ]


def scheduler(place: Place, binaries: Binaries) -> list[str]:
    return [
        str(binaries.kube_scheduler),
        f"--kubeconfig={place.kubeconfig('system:kube-scheduler')}",
        "--leader-elect=false",
        "--secure-port=0",
    ]


def kwok(place: Place, binaries: Binaries) -> list[str]:
    stages = sorted(HERE.glob("stages/*.yaml"))
    return [
        str(binaries.kwok),
        f"--kubeconfig={place.kubeconfig('kwok')}",
        "--manage-all-nodes",
        "--node-lease-duration-seconds=40",
        # the API server asks a node's kubelet for logs and port-forwards; KWOK answers for all of them at one port
        f"--node-ip={LOOPBACK}",
        f"--node-port={place.ports.kubelet}",
        f"--server-address={LOOPBACK}:{place.ports.kubelet}",
        f"--tls-cert-file={place.certificate}",
        f"--tls-private-key-file={place.certificate_key}",
        "--cidr=10.128.0.0/9",
        *(f"--config={path}" for path in (*stages, place.folder / "kubelet.json")),
    ]


def kubelet(place: Place) -> str:
    """KWOK's configuration of what `kubectl logs` and `port-forward` answer: the same for every pod."""
    files = {log.stem: str(place.folder / log.name) for log in logs()}
    previous = {"previousLogsFile": files.pop("previous")}
    by_container = [{"containers": [name], "logsFile": file, **previous} for name, file in files.items()]
    by_container.append({"logsFile": files["llama-server"], **previous})  # what else containers may be called
    command = [sys.executable, "-I", str(HERE / "answers.py")]
    documents = (
        _document("ClusterLogs", {"logs": by_container}),
        _document("ClusterPortForward", {"forwards": [{"command": command}]}),
    )
    return "\n---\n".join(json.dumps(document) for document in documents)


def logs() -> tuple[Path, ...]:
    """What containers say: one file a container name, and `previous` for what any of them said before it crashed."""
    return tuple(sorted(HERE.glob("logs/*.log")))


def as_container_log(text: str) -> str:
    """Those lines as a container runtime writes them, each with a time and a stream; F says that the line is full."""
    return "".join(
        f"2026-01-01T00:00:{i % 60:02}.000000000Z stdout F {line}\n" for i, line in enumerate(text.splitlines())
    )


def _document(kind: str, spec: dict[str, Any]) -> dict[str, Any]:
    return {"apiVersion": "kwok.x-k8s.io/v1alpha1", "kind": kind, "metadata": {"name": "all"}, "spec": spec}


def tokens(users: Iterable[str]) -> dict[tuple[str, str], str]:
    """Mint a token for each of our programs and users: (user, group) -> token. The group may be empty."""
    return {who: secrets.token_urlsafe(24) for who in (*_SYSTEM, *((user, "") for user in users))}


def token_file(minted: dict[tuple[str, str], str]) -> str:
    return "".join(f'{token},{user},{user},"{group}"\n' for (user, group), token in minted.items())


def kubeconfig(server: str, certificate: bytes, token: str, namespace: str = "default") -> str:
    """A kubeconfig as JSON, which every reader of YAML reads."""
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "test",
        "clusters": [
            {
                "name": "test",
                "cluster": {"server": server, "certificate-authority-data": b64encode(certificate).decode()},
            }
        ],
        "users": [{"name": "test", "user": {"token": token}}],
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test", "namespace": namespace}}],
    }
    return json.dumps(config, indent=2) + "\n"


def elliptic_key() -> str:
    """A new P-256 private key as PEM, to sign service account tokens with.

    Written out by hand, since the standard library makes no keys: SEC 1's ECPrivateKey, a version, the secret number
    and the curve. The public point may be left out, and Go computes it.
    """
    order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
    secret = (secrets.randbelow(order - 1) + 1).to_bytes(32, "big")
    curve = bytes.fromhex("06082a8648ce3d030107")  # object identifier 1.2.840.10045.3.1.7
    body = b"\x02\x01\x01" + b"\x04\x20" + secret + b"\xa0" + bytes([len(curve)]) + curve
    encoded = b64encode(b"\x30" + bytes([len(body)]) + body).decode()
    lines = [encoded[start : start + 64] for start in range(0, len(encoded), 64)]
    return "\n".join(["-----BEGIN EC PRIVATE KEY-----", *lines, "-----END EC PRIVATE KEY-----", ""])
