"""What people and their tools push by mistake, or on purpose: one clear line, the others go on, nothing is deleted."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

import git_server
from commands import Done, Llmkube, service

GOOD, BAD = service("good"), service("bad")
CHANGED = GOOD.replace("4096", "8192")
HEADS = "apiVersion: inference.llmkube.dev/v1alpha1\nkind: Model\nmetadata:\n  name: bad\n"


def bomb() -> str:
    """Nine levels of ten aliases: a thousand million values in half a kilobyte."""
    lines = [f"a: &a [{', '.join('x' * 10)}]"]
    for level in range(1, 10):
        below, name = "abcdefghij"[level - 1 : level + 1]
        lines.append(f"{name}: &{name} [{', '.join([f'*{below}'] * 10)}]")
    return HEADS + "spec:\n  " + "\n  ".join(lines) + "\n"


@dataclass
class Fleet:
    """Two services that are served, of which one will be broken."""

    llmkube: Llmkube
    remote: git_server.Remote

    def sync(self, *arguments: str) -> Done:
        return self.llmkube("sync", "--repo", self.remote.url, "--target", "dir:out", *arguments)

    @property
    def out(self) -> Path:
        return self.llmkube.folder / "out"

    def deployment(self, name: str) -> str:
        return (self.out / "default" / f"deployment-{name}.yaml").read_text(encoding="utf-8")

    def files(self) -> dict[str, bytes]:
        return {str(path): path.read_bytes() for path in self.out.rglob("*.yaml")}


@pytest.fixture
def llmkube(tmp_path: Path) -> Llmkube:
    return Llmkube(tmp_path)


@pytest.fixture
def fleet(llmkube: Llmkube, tmp_path: Path) -> Fleet:
    fleet = Fleet(llmkube, git_server.make_remote(tmp_path / "remote"))
    fleet.remote.commit({"good.llm.yaml": GOOD, "bad.llm.yaml": BAD})
    assert fleet.sync().code == 0
    return fleet


@pytest.mark.parametrize(
    ("content", "line"),
    [
        pytest.param(
            f"{BAD}  x: [1\n",
            "bad.llm.yaml:17:1: error: this is no YAML: while parsing a flow sequence: did not find expected ','",
            id="unreadable-yaml",
        ),
        pytest.param(
            BAD + "#" * 50_000_000,
            "bad.llm.yaml: error: the file has 50,000,266 bytes, more than the 1,048,576 that a spec file may have;"
            " split it",
            id="fifty-megabytes",
        ),
        pytest.param(
            BAD.replace("modelRef:\n    name: bad", "modelRef:\n    name: bda"),
            "bad.llm.yaml:14:5: error: there is no Model `bda`; did you mean `bad`? (/spec/modelRef)",
            id="dangling-reference",
        ),
        pytest.param(
            BAD.encode() + b"# caf\xe9\n",
            "bad.llm.yaml:16:6: error: the file is not UTF-8 from here on; save it as UTF-8",
            id="latin-1",
        ),
        pytest.param(
            BAD.encode("utf-16"),
            "bad.llm.yaml:1:1: error: the file is UTF-16; save it as UTF-8",
            id="utf-16",
        ),
        pytest.param(
            bomb(),
            "bad.llm.yaml:9:6: error: aliases unfold to more than 100,000 values; write out what is meant"
            " (/spec/j/9/9/9/9/9/9)",
            id="alias-bomb",
        ),
        pytest.param(
            BAD.replace("4096", '!!python/object/apply:os.system ["touch owned"]'),
            "bad.llm.yaml:15:16: error: the tag `!!python/object/apply:os.system` is not read; write plain text,"
            " numbers, lists and mappings (/spec/contextSize)",
            id="python-tag",
        ),
        pytest.param(
            f"{BAD}\0",
            "bad.llm.yaml:16:1: error: the control character 0x00 cannot stand in YAML; take it out",
            id="null-byte",
        ),
        pytest.param("[" * 100_000, "bad.llm.yaml:1:65: error: this nests deeper than 64 levels", id="too-deep"),
        pytest.param(
            "- 1\n",
            "bad.llm.yaml:1:1: error: a document is a mapping that begins with apiVersion and kind",
            id="no-mapping",
        ),
        pytest.param(
            BAD.replace("kind: InferenceService", "kind: InferenceServices"),
            "bad.llm.yaml:9:7: error: the kind `InferenceServices` is not served; did you mean InferenceService?",
            id="unknown-kind",
        ),
        pytest.param(
            BAD.replace("4096", "9" * 5_000),
            "bad.llm.yaml:15:16: error: this number is too long; quote it if it is text (/spec/contextSize)",
            id="endless-number",
        ),
    ],
)
def test_a_bad_file_is_told_in_one_line_and_holds_back_itself_alone(
    fleet: Fleet, content: str | bytes, line: str
) -> None:
    before = fleet.deployment("bad")
    fleet.remote.commit({"good.llm.yaml": CHANGED, "bad.llm.yaml": content})
    done = fleet.sync()
    assert done.code == 1
    assert done.stderr.count("\n") == 1, done.stderr
    assert done.stderr.startswith(line)
    assert "update    Deployment/default/good" in done.stdout
    assert "'8192'" in fleet.deployment("good")
    assert fleet.deployment("bad") == before
    assert not list(fleet.llmkube.folder.rglob("owned"))
    assert "bad.llm.yaml" in git_server.git("show", "llmkube-status/default:README.md", cwd=fleet.remote.bare)


def test_an_alias_bomb_is_called_one(fleet: Fleet) -> None:
    fleet.remote.commit({"bad.llm.yaml": bomb()})
    done = fleet.llmkube("validate", "--repo", fleet.remote.url)
    assert done.code == 1
    assert "aliases" in done.stdout
    assert "Traceback" not in done.stderr


def test_a_name_that_stands_in_two_files_is_told_at_both_places(fleet: Fleet) -> None:
    before = fleet.files()
    fleet.remote.commit({"again.llm.yaml": BAD, "good.llm.yaml": CHANGED})
    done = fleet.sync()
    assert done.code == 1
    assert done.stderr.splitlines() == [
        f"{here}:{line}:9: error: the {kind} `default/bad` stands a second time in {there}:{begin}; keep one"
        " (/metadata/name)"
        for here, there in (("again.llm.yaml", "bad.llm.yaml"), ("bad.llm.yaml", "again.llm.yaml"))
        for kind, line, begin in (("Model", 4, 1), ("InferenceService", 11, 8))
    ]
    assert "'8192'" in fleet.deployment("good")
    assert fleet.files().keys() == before.keys()


def link(remote: git_server.Remote) -> None:
    (remote.clone / "bad.llm.yaml").unlink()
    (remote.clone / "bad.llm.yaml").symlink_to("/etc/passwd")
    remote.commit({})


def submodule(remote: git_server.Remote) -> None:
    # `git add` would take a submodule that is not checked out for deleted: it is committed by itself
    git_server.git("update-index", "--add", "--cacheinfo", f"160000,{'1' * 40},vendored", cwd=remote.clone)
    git_server.git("commit", "--quiet", "--message", "vendored", cwd=remote.clone)
    git_server.git("push", "--quiet", "origin", "HEAD:main", cwd=remote.clone)


def odd_path(remote: git_server.Remote) -> None:
    remote.commit({"a b/ü\n\x1b[31m/;rm -rf.llm.yaml": service("odd").replace("contextSize", "contextSizes")})


@pytest.mark.parametrize(
    ("push", "code", "line"),
    [
        (link, 1, "bad.llm.yaml: error: this is a symbolic link: links are not followed; put the file itself here\n"),
        (
            submodule,
            0,
            "vendored: warning: this is a git submodule: specs in it are not read; keep them in this repository\n",
        ),
        (
            odd_path,
            1,
            (
                r"a b/ü\n\x1b[31m/;rm -rf.llm.yaml:15:3: error: unknown field `contextSizes`;"
                " did you mean `contextSize`? (/spec/contextSizes)\n"
            ),
        ),
    ],
)
def test_what_is_no_plain_file_is_told_and_not_followed(
    fleet: Fleet, push: Callable[[git_server.Remote], None], code: int, line: str
) -> None:
    before = fleet.files()
    push(fleet.remote)
    done = fleet.sync()
    assert (done.code, done.stderr) == (code, line)
    assert fleet.files() == before


def test_a_good_spec_at_an_odd_path_is_served(fleet: Fleet) -> None:
    fleet.remote.commit({"-x/ü\n\x1b[31m/--upload-pack=x.llm.yaml": service("odd")})
    done = fleet.sync()
    assert (done.code, done.stderr) == (0, "")
    assert "create    Deployment/default/odd" in done.stdout
    assert "\x1b" not in fleet.deployment("odd")
    assert fleet.llmkube("status", "--repo", fleet.remote.url).code == 0


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("--branch", "prod"), "llmkube: {url}: there is no branch prod; the branches are: main, staging\n"),
        (
            ("--path", "nowhere"),
            "llmkube: --path nowhere: there is nothing below it at main {head}; name a folder of the repository\n",
        ),
        (("--path", "../x"), "llmkube: '../x' is not a path inside the repository\n"),
    ],
)
def test_a_place_that_is_not_there_ends_the_tick_and_changes_nothing(
    fleet: Fleet, arguments: tuple[str, ...], line: str
) -> None:
    git_server.git("push", "--quiet", "origin", "HEAD:refs/heads/staging", cwd=fleet.remote.clone)
    before, head = fleet.files(), fleet.remote.commit({"note.txt": "x"})
    done = fleet.sync(*arguments)
    assert (done.code, done.stdout) == (2, "")
    assert done.stderr == line.format(url=fleet.remote.url, head=head[:8])
    assert fleet.files() == before


def test_an_empty_repository_is_said_to_be_empty(llmkube: Llmkube, tmp_path: Path) -> None:
    remote = git_server.make_remote(tmp_path / "remote")
    for command in (("sync", "--target", "dir:out"), ("status",), ("validate",)):
        done = llmkube(*command, "--repo", remote.url)
        assert (done.code, done.stdout) == (2, "")
        assert done.stderr == f"llmkube: error: {remote.url}: the repository has no commits yet; push a first one\n"
    assert not (tmp_path / "out").exists()


def test_a_repository_that_lost_all_its_specs_loses_no_service(fleet: Fleet) -> None:
    before = fleet.files()
    for name in ("good", "bad"):
        (fleet.remote.clone / f"{name}.llm.yaml").unlink()
    fleet.remote.commit({"README.md": "moved elsewhere"})
    done = fleet.sync()
    assert done.code == 1
    assert "no Model and no InferenceService was found" in done.stdout
    assert "Traceback" not in done.stderr
    assert fleet.files() == before


@pytest.mark.parametrize("command", ["validate", "render"])
def test_the_same_files_in_a_folder_are_told_the_same_way(llmkube: Llmkube, command: str) -> None:
    specs: Mapping[str, bytes] = {
        "good.llm.yaml": GOOD.encode(),
        "latin.llm.yaml": b"# caf\xe9\n",
        "tag.llm.yaml": BAD.replace("4096", "!!python/name:os.system").encode(),
        "bomb.llm.yaml": bomb().encode(),
    }
    folder = llmkube.folder / "specs"
    folder.mkdir()
    for name, content in specs.items():
        (folder / name).write_bytes(content)
    (folder / "link.llm.yaml").symlink_to("/etc/passwd")
    with (folder / "huge.llm.yaml").open("wb") as file:
        file.truncate(50_000_000)
    done = llmkube(command, "specs")
    assert done.code == 1
    told = done.stdout if command == "validate" else done.stderr
    places = sorted({line.partition(":")[0] for line in told.splitlines() if ": error: " in line})
    assert places == ["bomb.llm.yaml", "huge.llm.yaml", "latin.llm.yaml", "link.llm.yaml", "tag.llm.yaml"]
    assert "Traceback" not in done.stderr
    assert "root:" not in done.stdout + done.stderr
