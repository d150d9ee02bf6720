"""Text and schemas in, specs and problems out: select the files, parse each, link them all."""

from reconciler.core.spec.drafts import File
from reconciler.core.spec.link import link
from reconciler.core.spec.narrow import differing, related
from reconciler.core.spec.options import Caps, Options
from reconciler.core.spec.parse import parse_file
from reconciler.core.spec.schemas import Schemas
from reconciler.core.spec.select import Selection, select

__all__ = [
    "Caps",
    "File",
    "Options",
    "Schemas",
    "Selection",
    "differing",
    "link",
    "parse_file",
    "related",
    "select",
]
