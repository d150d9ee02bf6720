"""Where in a text something stands. Computed only for files that have something to be said about."""

import contextlib
from collections.abc import Collection
from dataclasses import dataclass, field

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from reconciler.core.model.problem import Problem
from reconciler.core.spec.drafts import Finding, Path
from reconciler.core.spec.loading import TooDeepError, compose
from reconciler.core.spec.options import Caps

Place = tuple[int, int]
"""Line and column, from 1."""


def start_of(node: Node) -> Place:
    """Return where a node begins."""
    return node.start_mark.line + 1, node.start_mark.column + 1


def pointer(path: Path) -> str:
    """Return a path as a JSON pointer."""
    return "".join(f"/{str(part).replace('~', '~0').replace('/', '~1')}" for part in path)


@dataclass(slots=True)
class Places:
    """The nodes of one file's documents, composed when first asked for."""

    content: bytes
    caps: Caps
    _roots: list[Node] = field(default_factory=list)

    def problem(self, path: str, document: int, finding: Finding) -> Problem:
        """Return a finding about a document as a problem with its place."""
        line, column = self.find(document, finding.path, at_key=finding.at_key)
        return Problem(path, line, column, pointer(finding.path), finding.code, finding.message, finding.severity)

    def find(self, document: int, path: Path, *, at_key: bool) -> Place:
        """Return where a value, or its key, begins. What is not there is placed at the nearest thing around it."""
        node = self._root(document)
        place = start_of(node) if node else (1, 1)
        for position, part in enumerate(path):
            key, node = _child(node, part)
            if node is None:
                break
            last = position == len(path) - 1
            place = start_of(key) if key is not None and last and at_key else start_of(node)
        return place

    def _root(self, document: int) -> Node | None:
        if not self._roots:
            with contextlib.suppress(yaml.YAMLError, TooDeepError):  # what came before the error is placed all the same
                self._roots.extend(compose(self.content, self.caps))
        return self._roots[document] if document < len(self._roots) else None


def _child(node: Node | None, part: str | int) -> tuple[Node | None, Node | None]:
    """Return key and value of a child; the key is None in a list, and for what a merge brought in."""
    if isinstance(node, SequenceNode):
        fits = isinstance(part, int) and part < len(node.value)
        return None, node.value[part] if fits else None
    if not isinstance(node, MappingNode):
        return None, None
    for key, value in node.value:
        if isinstance(key, ScalarNode) and key.value == part:
            return key, value
    for key, value in node.value:
        if isinstance(key, ScalarNode) and key.value == "<<":
            for source in value.value if isinstance(value, SequenceNode) else [value]:
                found = _child(source, part)
                if found[1] is not None:
                    return found
    return None, None


def paths_to(root: Node, wanted: Collection[Node]) -> dict[Node, Path]:
    """Return node -> path for those of the wanted nodes, keys included, that hang on the root; in one walk."""
    found: dict[Node, Path] = {}
    missing, seen = set(wanted), set[Node]()
    stack: list[tuple[Node, Path]] = [(root, ())]
    while stack and missing:
        node, path = stack.pop()
        if node in missing:
            missing.discard(node)
            found[node] = path
        if node in seen:
            continue
        seen.add(node)
        if isinstance(node, SequenceNode):
            stack += [(child, (*path, index)) for index, child in enumerate(node.value)]
        elif isinstance(node, MappingNode):
            for key, child in node.value:
                here = (*path, key.value) if isinstance(key, ScalarNode) else path
                stack += [(key, here), (child, here)]
    return found
