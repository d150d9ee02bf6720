import pytest

from reconciler.core import spec
from reconciler.core.model.source import REGULAR, SUBMODULE, SYMLINK, Entry


def entries(*paths: str, size: int = 10, mode: str = REGULAR) -> list[Entry]:
    return [Entry(path, "", size, mode) for path in paths]


def chosen(paths: list[str], **options: object) -> list[str]:
    found = spec.select(entries(*paths), spec.Options(**options))  # type: ignore[arg-type]  # fields by name
    return [entry.path for entry in found.entries]


def test_specs_are_told_by_their_names_and_come_in_path_order() -> None:
    paths = ["z/llm.yml", "a.llm.yaml", "a/llm.yaml", "allm.yaml", "llm.yaml.bak", "b/deployment.yaml", "llm.json"]
    assert chosen(paths) == ["a.llm.yaml", "a/llm.yaml", "z/llm.yml"]


def test_a_lock_file_is_never_a_spec() -> None:
    assert chosen(["llm.lock.yaml", "a/llm.lock.yml"], include=("**/*.yaml", "**/*.yml")) == []


def test_a_path_keeps_to_its_folder() -> None:
    assert chosen(["a/llm.yaml", "ab/llm.yaml", "llm.yaml"], path="./a/") == ["a/llm.yaml"]


def test_a_path_may_be_one_file_of_any_name() -> None:
    assert chosen(["a/model.yaml", "a/llm.yaml"], path="a/model.yaml") == ["a/model.yaml"]


def test_the_fleet_lies_in_the_folder_else_in_the_root() -> None:
    assert chosen(["fleet.yaml", "a/fleet.yaml", "a/b/fleet.yaml"], path="a") == ["a/fleet.yaml"]
    assert chosen(["fleet.yaml", "a/b/fleet.yaml"], path="a") == ["fleet.yaml"]


@pytest.mark.parametrize(
    ("glob", "paths"),
    [
        ("**/*.yaml", ["a.yaml", "b/c.yaml", "b/d/e.yaml"]),
        ("*.yaml", ["a.yaml"]),
        ("b/**", ["b/c.yaml", "b/d/e.yaml", "b/x.txt"]),
        ("b/?.yaml", ["b/c.yaml"]),
        ("[ab].yaml", []),
    ],
)
def test_patterns_cross_folders_by_two_stars_alone(glob: str, paths: list[str]) -> None:
    assert chosen(["a.yaml", "b/c.yaml", "b/d/e.yaml", "b/x.txt"], include=(glob,)) == paths


def test_a_pattern_is_also_read_from_the_path() -> None:
    assert chosen(["a/x.yaml", "b/x.yaml"], path="a", include=("*.yaml",)) == ["a/x.yaml"]


def test_a_symlink_is_a_problem_and_is_not_read() -> None:
    found = spec.select(entries("llm.yaml", mode=SYMLINK), spec.Options())
    assert (found.entries, [p.code for p in found.problems]) == ((), ["symlink"])


def test_a_symlink_that_only_a_pattern_matches_is_passed_over_among_other_kinds() -> None:
    options = spec.Options(include=("**/*.yaml",), ignore_other_kinds=True)
    assert spec.select(entries("a.yaml", mode=SYMLINK), options) == spec.Selection((), ())


def test_a_file_of_fifty_megabytes_is_never_read() -> None:
    found = spec.select(entries("llm.yaml", size=50_000_000), spec.Options())
    assert (found.entries, [p.code for p in found.problems]) == ((), ["file-too-large"])


def test_a_large_file_of_other_kinds_is_searched_but_not_parsed() -> None:
    options = spec.Options(include=("**/*.yaml",), ignore_other_kinds=True)
    assert len(spec.select(entries("crds.yaml", size=3_000_000), options).entries) == 1


def test_a_submodule_is_a_warning_since_it_is_not_read() -> None:
    found = spec.select(entries("team", mode=SUBMODULE), spec.Options())
    assert [(p.code, p.severity) for p in found.problems] == [("submodule", "warning")]


def test_a_submodule_elsewhere_is_nothing() -> None:
    assert spec.select(entries("docs/theme", mode=SUBMODULE), spec.Options(path="models")).problems == ()
