"""One file: bytes and schemas in, drafts and problems out. Places are sought only where there is something to say."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode

from reconciler.core.model.problem import Problem, Severity
from reconciler.core.spec import fleet_document, model_document, service_document
from reconciler.core.spec.drafts import Draft, File, Finding, Head, Path
from reconciler.core.spec.explain import explain, nearest
from reconciler.core.spec.loading import Builder, TooDeepError, compose
from reconciler.core.spec.options import API_VERSION, FLEET_API_VERSION, FLEET_GROUP, GROUP, MARKS, Options
from reconciler.core.spec.places import Places, paths_to, pointer, start_of
from reconciler.core.spec.schemas import Schemas

_READERS: Final[dict[str, Callable[[Head, Any], tuple[Draft | None, tuple[Finding, ...]]]]] = {
    "Model": model_document.read,
    "InferenceService": service_document.read,
    "Fleet": fleet_document.read,
}
_API_VERSIONS: Final = {"Model": API_VERSION, "InferenceService": API_VERSION, "Fleet": FLEET_API_VERSION}
_OPERATOR_KINDS: Final = frozenset({"ModelRouter", "ModelPool", "GPUQuota", "LoRAAdapter", "FederatedCluster"})
_CONTROL: Final = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_UTF16: Final = (b"\xff\xfe", b"\xfe\xff")


@dataclass(slots=True)
class _Reading:
    """What has been read of one file so far."""

    path: str
    content: bytes
    schemas: Schemas
    options: Options
    problems: list[Problem] = field(default_factory=list)
    named: list[Head] = field(default_factory=list)
    drafts: list[Draft] = field(default_factory=list)
    places: Places = field(init=False)

    def __post_init__(self) -> None:
        self.places = Places(self.content, self.options.caps)

    def say(self, place: tuple[int, int], code: str, message: str, at: str = "") -> None:
        self.problems.append(Problem(self.path, *place, at, code, message))

    def file(self) -> File:
        keep = self.content if self.drafts else b""
        cap = self.options.caps.problems
        problems = sorted(self.problems)
        if len(problems) > cap:
            message = f"only {cap} problems of this file are shown; mend them to see the others"
            problems = [Problem(self.path, 0, 0, "", "too-many-problems", message), *problems[:cap]]
        return File(self.path, tuple(problems), tuple(self.named), tuple(self.drafts), keep)


def parse_file(path: str, content: bytes, schemas: Schemas, options: Options) -> File:
    """Return what the file says by itself. Never raises on its content, whatever that is.

    Where other kinds are ignored, a document, or an unreadable file, without our groups' names in it is passed over.
    """
    if options.ignore_other_kinds and not _is_marked(content):
        return File(path)
    reading = _Reading(path, content, schemas, options)
    if _is_text(reading):
        _read_documents(reading)
    return reading.file()


def _is_marked(content: bytes) -> bool:
    if content.startswith(_UTF16):
        return any(mark.decode().encode(code) in content for mark in MARKS for code in ("utf-16-le", "utf-16-be"))
    return any(mark in content for mark in MARKS)


def _is_text(reading: _Reading) -> bool:
    content = reading.content
    if len(content) > reading.options.caps.bytes:
        cap = reading.options.caps.bytes
        message = f"the file has {len(content):,} bytes, more than the {cap:,} that a spec file may have; split it"
        reading.say((0, 0), "file-too-large", message)
        return False
    if content.startswith(_UTF16):
        reading.say((1, 1), "not-utf-8", "the file is UTF-16; save it as UTF-8")
        return False
    try:
        content.decode()
    except UnicodeDecodeError as error:
        reading.say(
            _place_at(content, error.start), "not-utf-8", "the file is not UTF-8 from here on; save it as UTF-8"
        )
        return False
    control = _CONTROL.search(content)
    if control:
        message = f"the control character 0x{control[0][0]:02x} cannot stand in YAML; take it out"
        reading.say(_place_at(content, control.start()), "control-character", message)
    return control is None


def _place_at(content: bytes, offset: int) -> tuple[int, int]:
    before = content[:offset]
    start = before.rfind(b"\n") + 1
    return before.count(b"\n") + 1, len(before[start:].decode(errors="replace").removeprefix("\ufeff")) + 1


def _read_documents(reading: _Reading) -> None:
    builder = Builder(reading.options.caps)
    cap = reading.options.caps.documents
    count = 0
    try:
        for index, root in enumerate(compose(reading.content, reading.options.caps)):
            count += not _is_blank(root)
            if index >= cap:
                reading.say(start_of(root), "too-many-documents", f"the file has more than {cap:,} documents; split it")
                return
            _read_document(reading, builder, index, root)
    except TooDeepError as error:
        message = f"this nests deeper than {reading.options.caps.depth} levels"
        reading.say((error.args[0] + 1, error.args[1] + 1), "too-deep", message)
    except yaml.YAMLError as error:
        place = _yaml_place(error)
        reading.say(place, "bad-yaml", _yaml_message(error, _character(reading.content, place)))
    except RecursionError:  # the pure loader recurses in Python
        reading.say((0, 0), "too-deep", f"this nests deeper than {reading.options.caps.depth} levels")
    if not count and not reading.problems and not reading.options.ignore_other_kinds:
        message = "the file holds no document; write a Model or an InferenceService, or remove it"
        reading.problems.append(Problem(reading.path, 0, 0, "", "empty-file", message))


def _yaml_place(error: yaml.YAMLError) -> tuple[int, int]:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    return (mark.line + 1, mark.column + 1) if mark else (0, 0)


def _character(content: bytes, place: tuple[int, int]) -> str:
    lines = content.decode(errors="replace").splitlines()
    line = lines[place[0] - 1] if 0 < place[0] <= len(lines) else ""
    return line[place[1] - 1 : place[1]]


def _yaml_message(error: yaml.YAMLError, character: str) -> str:
    problem = getattr(error, "problem", None) or getattr(error, "reason", None) or "unreadable"
    context = getattr(error, "context", None)
    text = f"{context}: {problem}" if context else str(problem)
    hint = "; indent with spaces, not with tabs" if character == "\t" else ""
    return f"this is no YAML: {text}{hint}"


def _read_document(reading: _Reading, builder: Builder, index: int, root: Node) -> None:
    api_version, kind = _text(root, "apiVersion"), _text(root, "kind")
    if not _is_ours(reading, index, root, api_version, kind):
        return
    before = len(builder.faults)
    value = builder.build(root)
    faults = builder.faults[before : before + reading.options.caps.problems + 1]
    paths = paths_to(root, {fault.node for fault in faults}) if faults else {}
    for fault in faults:
        reading.say(start_of(fault.node), fault.code, fault.message, pointer(paths.get(fault.node, ())))
    head = _head(root, index, kind)
    if head.name:
        reading.named.append(head)
    if isinstance(value, dict):
        _read_value(reading, head, value, frozenset(paths.values()))


def _read_value(reading: _Reading, head: Head, value: dict[str, Any], faulty: frozenset[Path]) -> None:
    """Read a document's value; what the loader found fault with at a path is not said again."""
    schema = head.kind.lower()
    findings: tuple[Finding, ...] = _notes(reading.schemas, schema, value)
    if not reading.schemas.accepts(schema, value):
        findings += explain(reading.schemas.by_name[schema], value, reading.options.caps.problems + 1) or (
            Finding((), "bad-value", f"this does not keep the schema of {head.kind}"),
        )
    elif not faulty:
        draft, more = _READERS[head.kind](head, value)
        findings += more
        if draft is not None and not any(finding.severity is Severity.ERROR for finding in more):
            reading.drafts.append(draft)
    for finding in findings:
        if finding.path not in faulty:
            reading.problems.append(reading.places.problem(reading.path, head.index, finding))


def _notes(schemas: Schemas, schema: str, value: Any) -> tuple[Finding, ...]:
    findings = []
    for note in schemas.notes(schema):
        at = value
        for name in note.path:
            at = at.get(name) if isinstance(at, dict) else None
            if at is None:
                break
        else:
            message = f"`{note.path[-1]}`: {note.reason}"
            findings.append(Finding(note.path, "no-effect", message, Severity.NOTE, at_key=True))
    return tuple(findings)


def _head(root: Node, index: int, kind: str) -> Head:
    metadata = _item(root, "metadata")
    name, namespace = (_text(metadata, key) if metadata else "" for key in ("name", "namespace"))
    return Head(index, root.start_mark.line + 1, kind, name, namespace)


def _item(node: Node, name: str) -> Node | None:
    if isinstance(node, MappingNode):
        for key, value in node.value:
            if isinstance(key, ScalarNode) and key.value == name:
                return value  # type: ignore[no-any-return]  # PyYAML does not say that nodes hold nodes
    return None


def _text(node: Node, name: str) -> str:
    item = _item(node, name)
    return item.value if isinstance(item, ScalarNode) else ""


def _is_ours(reading: _Reading, index: int, root: Node, api_version: str, kind: str) -> bool:
    """Tell whether the document is one that we read; say why not, unless it is to be passed over."""
    if _API_VERSIONS.get(kind) == api_version:
        return True
    if _is_blank(root):
        return False
    ours = api_version.partition("/")[0] in (GROUP, FLEET_GROUP)
    if (
        reading.options.ignore_other_kinds
        and not ours
        and (_is_other(api_version, kind) or not _holds_mark(reading, root))
    ):
        return False
    key, message = _why_not(root, api_version, kind, ours=ours)
    code = "unknown-kind" if ours else "other-kind" if api_version and kind else "no-kind"
    place = reading.places.find(index, (key,), at_key=False) if key else start_of(root)
    reading.say(place, code, message, f"/{key}" if key else "")
    return False


def _is_other(api_version: str, kind: str) -> bool:
    """Tell whether a document is of another API group, whatever stands in it; a List may hold objects of ours."""
    return bool(api_version) and kind != "List"


def _is_blank(root: Node) -> bool:
    return isinstance(root, ScalarNode) and root.value in {"", "~", "null"}


def _holds_mark(reading: _Reading, root: Node) -> bool:
    lines = reading.content.splitlines()[root.start_mark.line : root.end_mark.line + 1]
    return any(mark in line for line in lines for mark in MARKS)


def _why_not(root: Node, api_version: str, kind: str, *, ours: bool) -> tuple[str, str]:
    """Return the key that is wrong, "" for the document, and what to say."""
    if not isinstance(root, MappingNode):
        return "", "a document is a mapping that begins with apiVersion and kind"
    if not api_version or not kind:
        missing = "apiVersion" if not api_version else "kind"
        return "", f"`{missing}` is missing; write apiVersion: {API_VERSION} and kind: Model or InferenceService"
    if kind in _API_VERSIONS and (ours or nearest(api_version, [_API_VERSIONS[kind]])):
        return "apiVersion", f"`{api_version}` is not served for {kind}; write {_API_VERSIONS[kind]}"
    return "kind", _about_kind(api_version, kind, ours=ours)


def _about_kind(api_version: str, kind: str, *, ours: bool) -> str:
    served = ", ".join(_API_VERSIONS)
    if kind == "List":
        return "a List is not read; write its items as documents of their own, with `---` between them"
    if not ours:
        return f"`{api_version}` `{kind}` is no kind of ours; move it out of this file, or pass --ignore-other-kinds"
    if kind in _OPERATOR_KINDS:
        return f"the kind `{kind}` is not served: it needs LLMKube's operator; served are {served}"
    near = nearest(kind, list(_API_VERSIONS))
    return f"the kind `{kind}` is not served; {f'did you mean {near}?' if near else f'served are {served}'}"
