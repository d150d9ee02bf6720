"""The options that several commands share: one spelling, one help text, one place where they become values."""

from collections.abc import Callable
from typing import Any, Protocol, TypeVar

import click

Decorated = TypeVar("Decorated", bound=Callable[..., Any] | click.Command)


class Decorator(Protocol):
    """Adds options to a command."""

    def __call__(self, function: Decorated, /) -> Decorated:
        """Return the command with the options."""
        ...


def setting(flag: str, *names: str, **given: Any) -> Decorator:
    """Return an option that LLMKUBE_<FLAG> in the environment sets as well, its default shown."""
    variable = f"LLMKUBE_{flag.strip('-').replace('-', '_').upper()}"
    shown = bool(given.get("default"))
    return click.option(flag, *names, envvar=variable, show_envvar=True, show_default=shown, **given)


def _all(*decorators: Decorator) -> Decorator:
    def decorate(function: Decorated, /) -> Decorated:
        for decorator in reversed(decorators):
            function = decorator(function)
        return function

    return decorate


specs: Decorator = _all(
    setting("--path", default="", metavar="FOLDER", help="Read specs below this folder only."),
    setting(
        "--include",
        multiple=True,
        metavar="GLOB",
        help="Read files of this pattern too, such as '**/*.yaml'. May be repeated.",
    ),
    setting(
        "--ignore-other-kinds",
        is_flag=True,
        help="Pass over documents of other kinds, as a Flux or Argo repository has them.",
    ),
    setting("--namespace", default="", metavar="NAME", help="For specs that name none; else the fleet's."),
    setting(
        "--allowed-namespace",
        "allowed_namespaces",
        multiple=True,
        metavar="NAME",
        help="Refuse specs of other namespaces; git cannot widen this. May be repeated.",
    ),
    setting(
        "--allowed-registry",
        "allowed_registries",
        multiple=True,
        metavar="PREFIX",
        help="Refuse images from elsewhere, such as ghcr.io/ggml-org. May be repeated.",
    ),
)

repository: Decorator = _all(
    setting("--repo", default="", metavar="URL", help="The git repository of specs."),
    setting("--branch", default="", metavar="NAME", help="Its branch; else the remote's own default."),
    setting(
        "--token-file",
        default="",
        metavar="FILE",
        help="File with the password or token for --repo; LLMKUBE_GIT_TOKEN holds it in the environment.",
    ),
)

cluster: Decorator = setting(
    "--cluster-name",
    default="default",
    metavar="NAME",
    help="Names this cluster: its inventory, and its branch llmkube-status/NAME.",
)

reports: Decorator = _all(
    cluster,
    setting("--report-url", default="", metavar="URL", help="Where reports go; else to --repo."),
)

target: Decorator = _all(
    setting(
        "--target",
        default="dir:rendered",
        metavar="dir:PATH|cluster",
        help="What to compare with and write to: a folder of manifests, or the cluster of the kubeconfig or the pod.",
    ),
    setting("--context", default="", metavar="NAME", help="The kubeconfig's context, for a cluster."),
    setting(
        "--inventory-namespace",
        default="llmkube-system",
        metavar="NAME",
        help="Where the inventory's ConfigMap lives. It must exist.",
    ),
)

guards: Decorator = _all(
    setting(
        "--max-deletions",
        default=None,
        type=click.IntRange(min=0),
        help="Hold deletions when more services than this, and over half of all, would go (default 2, or the fleet's).",
    ),
    setting(
        "--max-rollouts",
        default=None,
        type=click.IntRange(min=1),
        help="Let so many services restart at once; others follow (default 10, or the fleet's).",
    ),
    click.option("--allow-delete", type=click.IntRange(min=0), help="Let N services be deleted this time."),
    click.option("--allow-rollout", type=click.IntRange(min=0), help="Let N services restart this time."),
)


def output(*formats: str) -> Decorator:
    """Return the --output option with these formats, the first being the default."""
    return setting("--output", default=formats[0], type=click.Choice(formats), help="How the result is printed.")
