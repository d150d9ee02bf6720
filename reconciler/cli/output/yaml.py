"""Manifests as YAML documents."""

from reconciler.cli.answer import Rendering
from reconciler.core.rules import yamltext


def render(value: Rendering) -> str:
    """Return the manifests as one stream; "" when they were written to a folder."""
    if value.written_to:
        return ""
    return yamltext.dump(value.manifests)
