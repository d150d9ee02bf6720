"""The options that several commands share: one spelling, one help text, one place where they become values."""

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

import click

Decorated = TypeVar("Decorated", bound=Callable[..., Any])
Decorator = Callable[[Decorated], Decorated]

_SHOWN: Final[Mapping[str, Any]] = {"show_default": True, "show_envvar": True}


def _all(*decorators: Any) -> Any:
    def decorate(function: Any) -> Any:
        for decorator in reversed(decorators):
            function = decorator(function)
        return function

    return decorate


specs: Any = _all(
    click.option("--path", default="", metavar="FOLDER", help="Read specs below this folder only.", **_SHOWN),
    click.option(
        "--include",
        multiple=True,
        metavar="GLOB",
        help="Read files of this pattern too, such as '**/*.yaml'. May be repeated.",
        **_SHOWN,
    ),
    click.option(
        "--ignore-other-kinds",
        is_flag=True,
        help="Pass over documents of other kinds, as a Flux or Argo repository has them.",
        **_SHOWN,
    ),
    click.option(
        "--namespace", default="", metavar="NAME", help="For specs that name none; else the fleet's.", **_SHOWN
    ),
    click.option(
        "--allowed-namespace",
        "allowed_namespaces",
        multiple=True,
        metavar="NAME",
        help="Refuse specs of other namespaces; git cannot widen this. May be repeated.",
        **_SHOWN,
    ),
    click.option(
        "--allowed-registry",
        "allowed_registries",
        multiple=True,
        metavar="PREFIX",
        help="Refuse images from elsewhere, such as ghcr.io/ggml-org. May be repeated.",
        **_SHOWN,
    ),
)

repository: Any = _all(
    click.option("--repo", default="", metavar="URL", help="The git repository of specs.", **_SHOWN),
    click.option("--branch", default="", metavar="NAME", help="Its branch; else the remote's own default.", **_SHOWN),
    click.option(
        "--token-file",
        default="",
        metavar="FILE",
        help="File with the password or token for --repo; LLMKUBE_GIT_TOKEN holds it in the environment.",
        **_SHOWN,
    ),
)

reports: Any = _all(
    click.option(
        "--cluster-name",
        default="default",
        metavar="NAME",
        help="Names this cluster: its inventory, and its branch llmkube-status/NAME.",
        **_SHOWN,
    ),
    click.option("--report-url", default="", metavar="URL", help="Where reports go; else to --repo.", **_SHOWN),
)

target: Any = _all(
    click.option(
        "--target",
        default="dir:rendered",
        metavar="dir:PATH|cluster",
        help="What to compare with and write to: a folder of manifests, or the cluster of the kubeconfig or the pod.",
        **_SHOWN,
    ),
    click.option("--context", default="", metavar="NAME", help="The kubeconfig's context, for a cluster.", **_SHOWN),
    click.option(
        "--inventory-namespace",
        default="llmkube-system",
        metavar="NAME",
        help="Where the inventory's ConfigMap lives. It must exist.",
        **_SHOWN,
    ),
)

guards: Any = _all(
    click.option(
        "--max-deletions",
        default=None,
        type=click.IntRange(min=0),
        help="Hold deletions when more services than this, and over half of all, would go.  [default: 2]",
        show_envvar=True,
    ),
    click.option(
        "--max-rollouts",
        default=None,
        type=click.IntRange(min=1),
        help="Let so many services restart at once; others follow.  [default: 10]",
        show_envvar=True,
    ),
    click.option("--allow-delete", type=click.IntRange(min=0), help="Let N services be deleted this time."),
    click.option("--allow-rollout", type=click.IntRange(min=0), help="Let N services restart this time."),
)


def output(*formats: str) -> Any:
    """Return the --output option with these formats, the first being the default."""
    return click.option(
        "--output", default=formats[0], type=click.Choice(formats), help="How the result is printed.", **_SHOWN
    )
