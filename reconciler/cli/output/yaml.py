"""Manifests as YAML documents."""

from typing import Any, Final

import yaml

from reconciler.cli.answer import Rendering

_DUMPER: Final = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


def render(value: Rendering) -> str:
    """Return the manifests as one stream; "" when they were written to a folder."""
    if value.written_to:
        return ""
    return "".join(f"---\n{dump(manifest)}" for manifest in value.manifests)


def dump(manifest: Any) -> str:
    """Return one document, keys sorted, in block style."""
    text: str = yaml.dump(manifest, Dumper=_DUMPER, sort_keys=True, allow_unicode=True, width=1000)
    return text
