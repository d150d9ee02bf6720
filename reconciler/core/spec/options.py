"""How a repository is read: which files, which namespace, and how much of hostile input is borne."""

from dataclasses import dataclass, field
from typing import Final

GROUP: Final = "inference.llmkube.dev"
FLEET_GROUP: Final = "gitops.llmkube.dev"
API_VERSION: Final = f"{GROUP}/v1alpha1"
FLEET_API_VERSION: Final = f"{FLEET_GROUP}/v1alpha1"
MARKS: Final = (GROUP.encode(), FLEET_GROUP.encode())
"""A file without these bytes holds nothing of ours."""


@dataclass(frozen=True, slots=True)
class Caps:
    """Limits of one file. Each is far above what people write, and low enough that a bomb costs no second.

    `bytes`: the API server takes objects of about 1 MiB at most. `scan_bytes`: where other kinds are ignored, a file
    up to this size is searched for our group's name, and larger ones are not read. `depth`: a pod spec nests about
    15 deep. `nodes`: scalars, lists and mappings, each alias counted as often as it is used.
    `problems`: what is said about one file; who has more mends these first.
    """

    bytes: int = 1 << 20
    scan_bytes: int = 16 << 20
    documents: int = 1_000
    depth: int = 64
    nodes: int = 100_000
    problems: int = 100


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line says about reading specs.

    `path` is a folder (or one file) of the repository, "" for all. `namespace` is for documents that name none; "" asks
    the fleet, then takes "default". Empty allow-lists allow everything; a registry is a host or `host/path`.
    """

    include: tuple[str, ...] = ()
    ignore_other_kinds: bool = False
    path: str = ""
    namespace: str = ""
    allowed_namespaces: tuple[str, ...] = ()
    allowed_registries: tuple[str, ...] = ()
    caps: Caps = field(default_factory=Caps)
