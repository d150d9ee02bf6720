"""Two revisions compared from few files, and from all: the answer is the same."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha1

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from commands import service
from reconciler import cache, pipeline, resources, revisions
from reconciler.core import spec
from reconciler.core.model.policy import Policy
from reconciler.core.model.source import REGULAR, Entry, Snapshot

ORDERS = pipeline.Orders("test", "llmkube-system", Policy(), datetime(2030, 1, 1, tzinfo=UTC))
FLEET = "apiVersion: gitops.llmkube.dev/v1alpha1\nkind: Fleet\nspec:\n  namespace: {}\n"


@dataclass
class Memory:
    """A source in memory, which counts nothing and fetches nothing."""

    contents: dict[str, bytes]

    def read(self, entries: Sequence[Entry]) -> Mapping[str, bytes]:
        return {entry.blob: self.contents[entry.blob] for entry in entries}


def reader() -> pipeline.Reader:
    return pipeline.Reader(resources.schemas(), resources.flags(), spec.Options(), cache.Cache("test"))


def sides(before: Mapping[str, str], after: Mapping[str, str]) -> tuple[Memory, tuple[Snapshot, Snapshot]]:
    contents: dict[str, bytes] = {}

    def snapshot(name: str, files: Mapping[str, str]) -> Snapshot:
        entries = []
        for path, text in sorted(files.items()):
            content = text.encode()
            blob = sha1(content, usedforsecurity=False).hexdigest()
            contents[blob] = content
            entries.append(Entry(path, blob, len(content), REGULAR))
        return Snapshot("memory", name, name * 8, tuple(entries))

    found = (snapshot("a", before), snapshot("b", after))
    return Memory(contents), found


def both(before: Mapping[str, str], after: Mapping[str, str]) -> tuple[revisions.Comparison, revisions.Comparison]:
    source, snapshots = sides(before, after)
    few = revisions.compare(source, snapshots, reader(), ORDERS)  # type: ignore[arg-type]  # no more of it is used
    everything = revisions.compare_all(source, snapshots, reader(), ORDERS)  # type: ignore[arg-type]  # likewise
    return few, everything


def told(found: revisions.Comparison) -> object:
    return (found.proposal.changes, found.problems, found.differing, found.files, found.before)


def model(name: str, gpus: int = 0) -> str:
    count = f"  gpuCount: {gpus}\n" if gpus else ""
    return service(name).split("---\n")[0] + count


def user(name: str, of: str, context: int = 4096) -> str:
    text = service(name).split("---\n")[1]
    return text.replace(f"modelRef:\n    name: {name}", f"modelRef:\n    name: {of}").replace("4096", str(context))


NAMES = st.sampled_from(["a", "b", "a.b", "a-b", "A_b", "7b", "m-7b", "ab", "a-b-c"])
DOCUMENTS = st.one_of(
    st.builds(service, NAMES, st.integers(0, 3)),
    st.builds(model, NAMES, st.integers(0, 2)),
    st.builds(user, NAMES, NAMES, st.sampled_from([4096, 8192])),
    st.just("kind: ["),
    st.just("# nothing\n"),
    st.builds(lambda name: service(name).replace("contextSize", "contextSizes"), NAMES),
    st.builds(lambda name: user(name, "x").replace("name: x", 'name: "\\x61"'), NAMES),
)
FILES = st.dictionaries(
    st.sampled_from([f"{name}/llm.yaml" for name in "pqrstuv"]),
    st.lists(DOCUMENTS, min_size=1, max_size=2).map("---\n".join),
    max_size=6,
)
FLEETS = st.sampled_from([{}, {"fleet.yaml": FLEET.format("one")}, {"fleet.yaml": FLEET.format("two")}])


@st.composite
def two_revisions(draw: st.DrawFn) -> tuple[dict[str, str], dict[str, str]]:
    """Two revisions that differ in up to two files, and now and then in the fleet."""
    before, other = draw(FILES), draw(FILES)
    paths = {f"{name}/llm.yaml" for name in draw(st.sets(st.sampled_from("pqrstuv"), max_size=2))}
    kept = {path: text for path, text in before.items() if path not in paths}
    after = kept | {path: text for path, text in other.items() if path in paths}
    fleet = draw(FLEETS)
    return before | fleet, after | draw(st.one_of(st.just(fleet), FLEETS))


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(two_revisions())
def test_few_files_tell_what_all_of_them_tell(revisions: tuple[dict[str, str], dict[str, str]]) -> None:
    few, everything = both(*revisions)
    assert told(few) == told(everything)


def many(count: int = 50) -> dict[str, str]:
    return {f"{number}/llm.yaml": service(f"model-{number}") for number in range(count)}


def parsed_paths(before: Mapping[str, str], after: Mapping[str, str]) -> set[str]:
    source, snapshots = sides(before, after)
    entries = (snapshots[0].entries, snapshots[1].entries)
    kept = reader()
    found = spec.related(
        entries,
        source.contents,
        lambda entry: pipeline.parse(entry, source.contents, source, kept),  # type: ignore[arg-type]  # likewise
    )
    return {entry.path for entry in entries[1]} if found is None else set(found)


def test_one_changed_file_of_many_is_parsed_alone() -> None:
    before = many()
    after = before | {"7/llm.yaml": service("model-7", 1)}
    assert parsed_paths(before, after) == {"7/llm.yaml"}


@pytest.mark.parametrize(
    ("other", "why"),
    [
        (user("other", "model-7"), "refers to a Model in it"),
        (service("model_7"), "would have the same DNS name"),
        (user("x", "y").replace("name: y", 'name: "model\\x2d7"'), "may hide the name"),
        (FLEET.format("llm"), "says Fleet"),
    ],
    ids=lambda said: said if " " in said and "\n" not in said else "",
)
def test_a_file_that_matters_is_parsed_too(other: str, why: str) -> None:
    before = many() | {"other/llm.yaml": other}
    after = before | {"7/llm.yaml": service("model-7", 1)}
    assert "other/llm.yaml" in parsed_paths(before, after), why


def test_a_model_that_a_changed_service_names_is_parsed_with_what_it_names() -> None:
    before = many() | {"m/llm.yaml": model("shared") + "---\n" + user("z", "deep"), "d/llm.yaml": model("deep")}
    after = before | {"u/llm.yaml": user("u", "shared")}
    assert parsed_paths(before, after) == {"u/llm.yaml", "m/llm.yaml", "d/llm.yaml"}


def test_a_changed_fleet_needs_every_file() -> None:
    before = many(3)
    assert len(parsed_paths(before, before | {"fleet.yaml": FLEET.format("x")})) == 4


def test_problems_of_files_that_are_the_same_are_no_news() -> None:
    before = many(3) | {"bad/llm.yaml": "kind: ["}
    few, _ = both(before, before | {"1/llm.yaml": service("model-1", 1)})
    assert few.problems == ()
    worse, _ = both(before, before | {"1/llm.yaml": "kind: ["})
    assert {problem.path for problem in worse.problems} == {"1/llm.yaml"}
