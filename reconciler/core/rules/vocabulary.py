"""The words that we put on objects. Once released they never change: selectors and inventories stand on them."""

from typing import Final

MANAGER: Final = "llmkube-reconciler"
"""Our field manager in server-side apply, and the value of app.kubernetes.io/managed-by."""

SERVICE_NAME: Final = "inference.llmkube.dev/service-name"
"""The only label in selectors."""
SERVICE: Final = "inference.llmkube.dev/service"
MODEL: Final = "inference.llmkube.dev/model"

SOURCE: Final = "gitops.llmkube.dev/source"
"""Annotation: the file that asks for the object, without its line, which moves at every edit."""
FULL_NAME: Final = "gitops.llmkube.dev/service"
"""Annotation: the service's name, where it is too long for the label."""
PRUNE: Final = "gitops.llmkube.dev/prune"
"""Annotation of a claim: `keep` or `delete`, told to whoever finds it after its spec has gone."""
ADOPT: Final = "gitops.llmkube.dev/adopt"
"""Annotation that a person puts on a live object to hand it over: the cluster's name, or `true`."""
PAUSED_UNTIL: Final = "gitops.llmkube.dev/paused-until"
"""Annotation that a person puts on a live object: no writes to it before this RFC 3339 time."""
REPOSITORY: Final = "gitops.llmkube.dev/repository"
PATH: Final = "gitops.llmkube.dev/path"

APPLYSET_ID: Final = "applyset.kubernetes.io/id"
APPLYSET_PART_OF: Final = "applyset.kubernetes.io/part-of"
APPLYSET_TOOLING: Final = "applyset.kubernetes.io/tooling"
APPLYSET_GROUP_KINDS: Final = "applyset.kubernetes.io/contains-group-kinds"
APPLYSET_NAMESPACES: Final = "applyset.kubernetes.io/additional-namespaces"
"""KEP-3659, with the names that kubectl ships (k8s.io/kubectl/pkg/cmd/apply/applyset.go)."""

TOOLING: Final = "llmkube-reconciler/v1"
