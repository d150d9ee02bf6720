"""What the documents show is what the programs do."""

import re
import subprocess
from pathlib import Path

import pytest

from commands import ROOT, Llmkube, demo

README = (ROOT / "README.md").read_text(encoding="utf-8")
DOCUMENTS = sorted(
    path for path in ROOT.rglob("*.md") if not any(part.startswith(".") for part in path.relative_to(ROOT).parts)
)
COMMAND = re.compile(r"\bllmkube (validate|render|diff|sync|run|status)((?: +--[a-z-]+| +[^\s|`<>#]+)*)")


def blocks(mark: str) -> list[str]:
    """The fenced blocks of the README behind a comment that begins with the mark."""
    found = re.findall(rf"<!-- {mark}[^\n]*-->\n```[a-z]*\n(.*?)```", README, re.DOTALL)
    assert found, f"no block is marked {mark}"
    return found


@pytest.fixture
def llmkube(tmp_path: Path) -> Llmkube:
    return Llmkube(tmp_path)


def test_what_the_readme_shows_of_the_demo_is_what_the_demo_prints() -> None:
    printed = demo().stdout
    for block in blocks("demo"):
        assert block in printed


def test_the_spec_of_the_readme_is_valid_and_its_commands_run(llmkube: Llmkube, tmp_path: Path) -> None:
    (tmp_path / "llm.yaml").write_text(blocks("spec")[0], encoding="utf-8")
    for line in blocks("run")[0].splitlines():
        program, *arguments = line.split()
        assert program == "llmkube"
        assert llmkube(*arguments).code == 0, line


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_option_that_a_document_names_is_there(llmkube: Llmkube, document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    named: dict[str, set[str]] = {}
    for command, rest in COMMAND.findall(text):
        named.setdefault(command, set()).update(re.findall(r"--[a-z-]+", rest))
    for command, flags in sorted(named.items()):
        told = llmkube(command, "--help").stdout
        assert not {flag for flag in flags if flag not in told}, command


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_link_into_the_repository_leads_somewhere(document: Path) -> None:
    targets = re.findall(r"\]\((?!https?://|#)([^)#\s]+)", document.read_text(encoding="utf-8"))
    assert not [target for target in targets if not (document.parent / target).exists()]


def test_every_target_that_a_document_names_is_in_the_makefile() -> None:
    done = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True)
    listed = set(re.findall(r"make ([a-z-]+)", done.stdout))
    for document in DOCUMENTS:
        text = document.read_text(encoding="utf-8")
        named = set(re.findall(r"`make ([a-z-]+)`|^    make ([a-z-]+)", text, re.MULTILINE))
        assert {one or other for one, other in named} <= listed, document
