"""Manifests as YAML documents."""

from reconciler.cli.answer import Rendering
from reconciler.cli.output import text
from reconciler.core.rules import yamltext


def render(value: Rendering) -> str:
    """Return the manifests as one stream; or where they were written to."""
    if value.written_to:
        return text.render(value)
    return yamltext.dump(value.manifests)
