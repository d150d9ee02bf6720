"""YAML as JSON values, under caps: one C-parsed load, and the place of what it refuses.

Scalars are read as Kubernetes and YAML 1.2 agree on: `true` and `false` alone are booleans (`yes`, `on` stay text),
a date or `12:30` is text, `0644` is octal. Keys are their text. A null is a field left out, as the API server sees it.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from reconciler.core.spec.options import Caps
from reconciler.core.spec.scalars import NotANumberError, plain, tagged

_PLAIN: Final = "plain"
_TEXT: Final = "tag:yaml.org,2002:str"
_MERGE: Final = "tag:yaml.org,2002:merge"
_SEQUENCE: Final = "tag:yaml.org,2002:seq"
_MAPPING: Final = "tag:yaml.org,2002:map"
_OPENERS: Final = re.compile(rb"[\[{]|[-?][ \t]")
_SAFE_DEPTH: Final = 1_000
"""Five times as deep was composed without harm, a hundred times as deep broke the process (PyYAML 6.0.3, measured)."""


class _Resolver:
    """What PyYAML asks about tags, answered without its regular expressions: scalars are resolved later, and cached."""

    def resolve(self, kind: type[Node], _value: object, implicit: tuple[bool, bool] | None) -> str:
        if kind is ScalarNode:
            return _PLAIN if implicit and implicit[0] else _TEXT
        return _SEQUENCE if kind is SequenceNode else _MAPPING

    def descend_resolver(self, parent: object, index: object) -> None:
        pass

    def ascend_resolver(self) -> None:
        pass


class PureLoader(_Resolver, yaml.reader.Reader, yaml.scanner.Scanner, yaml.parser.Parser, yaml.composer.Composer):
    """PyYAML without its C part: the same answers, about 15 times as slowly."""

    def __init__(self, stream: bytes) -> None:
        yaml.reader.Reader.__init__(self, stream)
        yaml.scanner.Scanner.__init__(self)
        yaml.parser.Parser.__init__(self)
        yaml.composer.Composer.__init__(self)

    def dispose(self) -> None:
        """Do nothing: there is no C memory to give back."""


def _loader() -> Any:
    """Return the fastest loader there is; the types of both are PyYAML's secret."""
    if not yaml.__with_libyaml__:
        return PureLoader
    parser = yaml.cyaml.CParser  # type: ignore[attr-defined]  # the stubs hide it
    return type("FastLoader", (_Resolver, parser), {})


FastLoader: Final[Any] = _loader()


class TooDeepError(Exception):
    """The text nests deeper than any parser should follow."""


def compose(content: bytes, caps: Caps, kind: Any = FastLoader) -> Iterator[Node]:
    """Yield the root node of each document. yaml.YAMLError, or TooDeepError, when the text is none.

    Composing recurses in C, where depth is the machine's stack: text that could nest deep is measured first.
    `kind` is one of the two loaders.
    """
    if len(_OPENERS.findall(content)) > _SAFE_DEPTH:
        _measure(content, caps)
    loader = kind(content)
    try:
        while loader.check_node():
            yield loader.get_node()
    finally:
        loader.dispose()


def _measure(content: bytes, caps: Caps) -> None:
    depth = 0
    loader = FastLoader(content)
    while loader.check_event():
        event = loader.get_event()
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > caps.depth:
                raise TooDeepError(*_line_and_column(event))
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


def _line_and_column(event: Any) -> tuple[int, int]:
    return event.start_mark.line, event.start_mark.column


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with a node."""

    node: Node
    code: str
    message: str


class _OverCapError(Exception):
    pass


@dataclass(slots=True)
class Builder:
    """Makes JSON values of nodes, and counts what it makes over the documents of one file."""

    caps: Caps
    faults: list[Fault] = field(default_factory=list)
    _count: int = 0
    _sizes: dict[Node, int] = field(default_factory=dict)
    _values: dict[Node, Any] = field(default_factory=dict)

    def build(self, root: Node) -> Any:
        """Return the value of a document; None when a cap stopped it. What is wrong with it is in `faults`."""
        try:
            return self._value(root, 1)
        except _OverCapError:
            return None

    def _value(self, node: Any, depth: int) -> Any:
        self._count += 1
        if type(node) is ScalarNode:
            return self._scalar(node)
        if node in self._sizes:
            return self._alias(node)
        if self._count > self.caps.nodes:
            self._stop(node, "too-many-nodes", f"the file holds more than {self.caps.nodes:,} values; split it")
        if depth > self.caps.depth:
            self._stop(node, "too-deep", f"this nests deeper than {self.caps.depth} levels")
        before = self._count
        self._sizes[node] = -1
        if type(node) is SequenceNode:
            value: Any = self._sequence(node, depth)
        else:
            value = self._mapping(node, depth)
        if self._count > self.caps.nodes:
            self._stop(node, "too-many-nodes", f"the file holds more than {self.caps.nodes:,} values; split it")
        self._sizes[node] = self._count - before
        self._values[node] = value
        return value

    def _alias(self, node: Node) -> Any:
        size = self._sizes[node]
        if size < 0:
            self._stop(node, "alias-loop", "an alias inside what it stands for never ends")
        self._count += size
        if self._count > self.caps.nodes:
            message = f"aliases unfold to more than {self.caps.nodes:,} values; write out what is meant"
            self._stop(node, "alias-bomb", message)
        return self._values[node]

    def _stop(self, node: Node, code: str, message: str) -> None:
        self.faults.append(Fault(node, code, message))
        raise _OverCapError

    def _fault(self, node: Node, code: str, message: str) -> None:
        if len(self.faults) <= self.caps.problems:  # one more than is shown tells that there are more
            self.faults.append(Fault(node, code, message))

    def _scalar(self, node: ScalarNode) -> Any:
        tag = node.tag
        if tag == _TEXT:
            return node.value
        try:
            return plain(node.value) if tag == _PLAIN else tagged(tag, node.value)
        except NotANumberError as error:
            self._fault(node, "bad-number", str(error))
        except KeyError:
            self._tag_fault(node)
        return node.value

    def _tag_fault(self, node: Node) -> None:
        tag = str(node.tag).replace("tag:yaml.org,2002:", "!!")
        self._fault(node, "yaml-tag", f"the tag `{tag}` is not read; write plain text, numbers, lists and mappings")

    def _sequence(self, node: SequenceNode, depth: int) -> list[Any]:
        if node.tag != _SEQUENCE:
            self._tag_fault(node)
        return [self._value(item, depth + 1) for item in node.value]

    def _mapping(self, node: MappingNode, depth: int) -> dict[str, Any]:
        if node.tag != _MAPPING:
            self._tag_fault(node)
        result: dict[str, Any] = {}
        seen: set[str] = set()
        merged: list[Node] = []
        for key, item in node.value:
            if type(key) is not ScalarNode:
                self._fault(key, "bad-key", "a list or a mapping cannot be a key; write text")
                continue
            text: str = key.value
            if text == "<<" and key.tag in (_PLAIN, _MERGE):
                merged.append(item)
                continue
            if text in seen:
                self._fault(key, "duplicate-key", f"`{text}` stands here twice; keep one")
                continue
            seen.add(text)
            value = self._value(item, depth + 1)
            if value is not None:
                result[text] = value
        return self._merge(result, seen, merged, depth) if merged else result

    def _merge(self, result: dict[str, Any], seen: set[str], merged: list[Node], depth: int) -> dict[str, Any]:
        for node in merged:
            for source in node.value if type(node) is SequenceNode else [node]:
                value = self._value(source, depth + 1)
                if not isinstance(value, dict):
                    self._fault(source, "bad-merge", "`<<` merges a mapping, or a list of mappings")
                    continue
                for key, item in value.items():
                    if key not in seen:
                        result.setdefault(key, item)
        return result
