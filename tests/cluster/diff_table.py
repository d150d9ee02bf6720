"""Ten edits, each through `kubectl diff --server-side` and through `llmkube diff`: what each prints, finds and invents.

What is true is told by neither: it is the difference between what the specs rendered before the edit and after it, and
where the edit is not one of rendered fields, what the edit says of itself.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from cluster import specs
from cluster.team import Answer, JsonObject, Reconciler, Repository
from controlplane.fixtures import Kubectl
from reconciler.core.model.objects import key_of
from reconciler.core.rules import fields

MANAGER: Final = "llmkube-reconciler"
_GENERATION: Final = re.compile(r"[+-]  generation: ")
PART_OF: Final = "applyset.kubernetes.io/part-of"


def a(**spec: Any) -> str:
    return specs.llm("a", gpus=spec.pop("gpus", 1), **spec)


BEFORE: Final[Mapping[str, str]] = {
    "a/llm.yaml": a(),
    "b/llm.yaml": specs.llm("b"),
    "scaled/llm.yaml": specs.llm("scaled", autoscaling={"minReplicas": 1, "maxReplicas": 3}),
}


@dataclass(frozen=True, slots=True)
class Ground:
    """A test's cluster, its repository, and kubectl."""

    reconciler: Reconciler
    repository: Repository
    kubectl: Kubectl


@dataclass(frozen=True, slots=True)
class Edit:
    """One edit. `files` are written and `gone` removed; `by_hand` is done to the cluster, `to_manifests` for kubectl.

    `true` counts what there is to find where rendered fields do not tell it, None where they do.
    """

    name: str
    files: Mapping[str, str] = field(default_factory=dict)
    gone: tuple[str, ...] = ()
    by_hand: Callable[[Ground, list[JsonObject]], None] | None = None
    to_manifests: Callable[[list[JsonObject]], None] | None = None
    true: int | None = None


@dataclass(frozen=True, slots=True)
class Count:
    """What one tool said of one edit: lines, true changes found, false ones. `note` is a failure of it in a word."""

    lines: int
    found: int
    false: int
    note: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """One edit, how many changes it truly is, and both tools' counts."""

    name: str
    true: int
    kubectl: Count
    llmkube: Count


def _other_selector(ground: Ground, rendered: list[JsonObject]) -> None:
    """Put in b's place a Deployment of ours that an older version made with another selector."""
    kubectl = ground.kubectl
    wanted = next(found for found in rendered if found["kind"] == "Deployment" and found["metadata"]["name"] == "b")
    old: JsonObject = json.loads(json.dumps(wanted))
    old["spec"]["selector"]["matchLabels"]["track"] = "old"
    old["spec"]["template"]["metadata"]["labels"]["track"] = "old"
    kubectl("delete", "deployment", "b", "--cascade=foreground", "--wait")
    kubectl.apply(old, field_manager=MANAGER)


def _scaled_up(ground: Ground, _rendered: list[JsonObject]) -> None:
    ground.kubectl("scale", "deployment", "scaled", "--replicas=3")


def _typing_error(manifests: list[JsonObject]) -> None:
    for manifest in manifests:
        if manifest["kind"] == "Deployment" and manifest["metadata"]["name"] == "a":
            manifest["spec"]["template"]["spec"]["contextSizes"] = 8192


def _reordered(text: str) -> str:
    """Return the same documents with every mapping's keys the other way round."""
    import yaml  # noqa: PLC0415  # for this one edit

    def turned(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: turned(value[name]) for name in reversed(value)}
        return [turned(item) for item in value] if isinstance(value, list) else value

    return yaml.safe_dump_all((turned(found) for found in yaml.safe_load_all(text)), sort_keys=False)


EDITS: Final = (
    Edit("image", {"a/llm.yaml": a(image="ghcr.io/ggml-org/llama.cpp:server-cuda-b9000")}),
    Edit("GPU count", {"a/llm.yaml": a(gpus=2)}),
    Edit("tolerations", {"a/llm.yaml": a(tolerations=[{"key": "spot", "operator": "Exists"}])}),
    Edit("rename", {"c/llm.yaml": specs.llm("c")}, ("b/llm.yaml",)),
    Edit("delete", gone=("b/llm.yaml",)),
    Edit("selector change", by_hand=_other_selector, true=1),
    Edit("replicas under an autoscaler", by_hand=_scaled_up, true=0),
    Edit("comment only", {"a/llm.yaml": f"# said differently\n{a()}"}),
    Edit("key order only", {"a/llm.yaml": _reordered(a())}),
    Edit("unknown field", {"a/llm.yaml": a(contextSizes=8192)}, to_manifests=_typing_error, true=1),
)


def measure(ground: Ground, edit: Edit) -> Row:
    """Serve the fleet, make the edit, and ask both."""
    (ground.repository.clone / "c" / "llm.yaml").unlink(missing_ok=True)
    ground.repository.push({**BEFORE, "note.txt": f"before {edit.name}"})
    assert ground.reconciler.sync().errors == []
    before = _stamped(ground)
    if edit.by_hand is not None:
        edit.by_hand(ground, before)
    for path in edit.gone:
        (ground.repository.clone / path).unlink()
    ground.repository.push({"note.txt": edit.name, **edit.files})
    after = before if edit.to_manifests else _stamped(ground)
    if edit.to_manifests:
        after = json.loads(json.dumps(before))
        edit.to_manifests(after)
    true = _true(before, after) if edit.true is None else {}
    count = len(true) if edit.true is None else edit.true
    return Row(edit.name, count, _kubectl(ground, after, true), _llmkube(ground, true, edit))


def table(rows: list[Row]) -> str:
    """Return the rows as Markdown."""
    columns = ("edit", "true changes", "`kubectl diff --server-side`: lines, found, false", "`llmkube diff`: the same")
    head = f"| {' | '.join(columns)} |"
    lines = [head, "|---|---|---|---|"]
    lines += [f"| {row.name} | {row.true} | {_cell(row.kubectl)} | {_cell(row.llmkube)} |" for row in rows]
    return "\n".join(lines) + "\n"


def _cell(count: Count) -> str:
    note = f" ({count.note})" if count.note else ""
    return f"{count.lines}, {count.found}, {count.false}{note}"


def _stamped(ground: Ground) -> list[JsonObject]:
    """Return what the clone renders with the inventory's label, as the reconciler applies it."""
    label = api_label(ground)
    rendered = ground.reconciler.rendered()
    for manifest in rendered:
        manifest["metadata"]["labels"][PART_OF] = label
    return rendered


def api_label(ground: Ground) -> str:
    """Return the inventory's id, off an object that bears it."""
    live = ground.kubectl.get("deployment", "a")
    return str(live["metadata"]["labels"][PART_OF])


def _true(before: list[JsonObject], after: list[JsonObject]) -> dict[tuple[str, str], tuple[str, ...]]:
    """Return object and path -> the words of the change, of every field; a whole object has the path ""."""
    old, new = ({str(key_of(found)): found for found in side} for side in (before, after))
    found: dict[tuple[str, str], tuple[str, ...]] = {}
    for name in sorted({*old, *new}):
        if name not in old or name not in new:
            found[name, ""] = ()
            continue
        for change in fields.differences(fields.comparable(old[name]), fields.comparable(new[name])):
            words = {*_words(change.old), *_words(change.new)}
            found[name, change.path] = tuple(sorted(words))
    return found


def _words(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        for name, below in value.items():
            yield name
            yield from _words(below)
    elif isinstance(value, list | tuple):
        for below in value:
            yield from _words(below)
    elif value is not None:
        yield str(value)


def _kubectl(ground: Ground, manifests: list[JsonObject], true: Mapping[tuple[str, str], tuple[str, ...]]) -> Count:
    text = "\n---\n".join(json.dumps(manifest) for manifest in manifests)
    flags = ("--server-side", f"--field-manager={MANAGER}", "--force-conflicts")
    done = ground.kubectl.attempt("diff", *flags, "-f", "-", stdin=text)
    lines = [*done.stdout.splitlines(), *done.stderr.splitlines()]
    if done.returncode > 1:
        named = "contextSizes" in done.stderr or "selector" in done.stderr
        return Count(len(lines), int(named), 0, "an error, and no diff")
    changed = [line for line in done.stdout.splitlines() if line[:1] in "+-" and not line.startswith(("+++", "---"))]
    whole = {name for name, path in true if not path}
    created = {name for name in whole if _adds(done.stdout, name)}
    found = len(created) + sum(
        all(any(word in line for line in changed) for word in words) for (_, path), words in true.items() if path
    )
    words = {word for said in true.values() for word in said} | {path.rpartition("[")[2] for _, path in true if path}
    parts = {word.rstrip("]") for word in words} | {path.rpartition(".")[2] for _, path in true if path}
    # the server counts its generations; no spec says them
    false = sum(
        bool(_GENERATION.match(line)) or not any(part and part in line for part in parts) for line in changed
    ) - _lines_of(done.stdout, created)
    return Count(len(lines), found, max(0, false))


def _adds(stdout: str, name: str) -> bool:
    """Tell whether an object stands in the diff as a whole new file."""
    return bool(_section(stdout, name)) and all(
        not line.startswith("-") or line.startswith("---") for line in _section(stdout, name)
    )


def _section(stdout: str, name: str) -> list[str]:
    kind, namespace, object_name = name.split("/")
    found: list[str] = []
    inside = False
    for line in stdout.splitlines():
        if line.startswith("diff "):
            inside = f".{kind}.{namespace}.{object_name}" in line
        elif inside:
            found.append(line)
    return found


def _lines_of(stdout: str, names: set[str]) -> int:
    """Return how many added lines the new objects' sections have: their whole text is one true change."""
    return sum(line.startswith("+") and not line.startswith("+++") for name in names for line in _section(stdout, name))


def _llmkube(ground: Ground, true: Mapping[tuple[str, str], tuple[str, ...]], edit: Edit) -> Count:
    answer = ground.reconciler.diff()
    problems = answer.document["problems"]
    lines = len(ground.reconciler.said("diff").splitlines()) + len(problems)
    said = {(_name(change), path) for change, path in _told(answer)}
    if edit.true is None:
        return Count(lines, len(said & set(true)), len(said - set(true)))
    if edit.to_manifests:
        found = [problem for problem in problems if problem["code"] == "unknown-field"]
        return Count(lines, len(found), len(said))
    expected = {path for _, path in said if path.startswith("spec.selector")}
    return Count(lines, len(expected), len(said) - len(expected))


def _name(change: JsonObject) -> str:
    return "/".join(change["object"][part] for part in ("kind", "namespace", "name"))


def _told(answer: Answer) -> Iterator[tuple[JsonObject, str]]:
    for change in answer.document["changes"]:
        if change["action"] in {"create", "delete"}:
            yield change, ""
        elif change["action"] != "keep":
            for found in change["fields"]:
                yield change, found["path"]
