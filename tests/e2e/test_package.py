"""What users install: the wheel and the sdist, away from the checkout that they were made of."""

import os
import subprocess
import sys
import tarfile
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest

from commands import ROOT, Done

SCHEMAS = sorted(path.name for path in (ROOT / "specs-schema").glob("*.json"))
DATA = sorted(path.name for path in (ROOT / "reconciler" / "data").iterdir() if path.is_file())


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the sdist of the checkout, and the wheel of that sdist."""
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.fixture(scope="module")
def wheel(built: Path) -> Path:
    (found,) = built.glob("*.whl")
    return found


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel's content where pip would put it. It is unpacked by hand: a venv of uv's has no pip."""
    folder = tmp_path_factory.mktemp("site")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)  # noqa: S202  # our own wheel
    return folder


@pytest.fixture
def run(installed: Path, tmp_path: Path) -> "Run":
    return Run(installed, tmp_path)


class Run:
    """python -m reconciler with the installed package first, in a folder that knows no checkout."""

    def __init__(self, installed: Path, folder: Path) -> None:
        self._installed = installed
        self.folder = folder

    def __call__(self, *arguments: str, module: str = "reconciler") -> Done:
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("LLMKUBE_", "GIT_"))}
        done = subprocess.run(
            [sys.executable, "-m", module, *arguments],
            cwd=self.folder,
            env=clean | {"PYTHONPATH": str(self._installed)},
            capture_output=True,
            text=True,
            check=False,
        )
        return Done(done.returncode, done.stdout, done.stderr)


def test_the_wheel_holds_the_schemas_the_data_and_its_types(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    assert {f"reconciler/schemas/{name}" for name in SCHEMAS} <= names
    assert {f"reconciler/data/{name}" for name in DATA} <= names
    assert "reconciler/py.typed" in names
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert all(name.startswith(("reconciler/", "llmkube_reconciler-")) for name in names)
    assert not [name for name in names if "__pycache__" in name]


def test_the_sdist_holds_what_the_wheel_is_made_of_and_nothing_else(built: Path) -> None:
    (sdist,) = built.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {"pyproject.toml", "README.md", "LICENSE", "reconciler/cli/main.py"} <= names
    assert {f"specs-schema/{name}" for name in SCHEMAS} <= names
    assert not [name for name in names if name.startswith(("tests/", ".venv", ".demo", "docs/"))]


def test_the_version_is_the_wheels(wheel: Path, run: Run) -> None:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        metadata = Parser().parsestr(archive.read(name).decode())
    assert metadata["Name"] == "llmkube-reconciler"
    assert metadata["Requires-Python"] == ">=3.11"
    assert run("--version").stdout == f"llmkube {metadata['Version']}\n"


def test_the_installed_package_reads_its_own_schemas(installed: Path, run: Run) -> None:
    (run.folder / "where.py").write_text(
        "from reconciler import resources\n"
        "print(resources.__file__, resources.schema_file('llm.json'), resources.notices(), sep='\\n')\n",
        encoding="utf-8",
    )
    done = run(module="where")
    package, schema, notices = done.stdout.splitlines()
    assert Path(package).is_relative_to(installed)
    assert Path(schema) == installed / "reconciler" / "schemas" / "llm.json"
    assert notices == "()"


def test_the_installed_package_validates_and_renders(run: Run) -> None:
    notes = str(ROOT / "tests" / "data" / "release-notes")
    done = run("validate", notes, "--include", "*.yaml")
    assert (done.code, done.stderr) == (0, "")
    assert "2 services to serve: valid" in done.stdout
    done = run("render", notes, "--include", "*.yaml")
    assert done.code == 0
    assert "1,1,1,1" in done.stdout


def test_the_installed_package_refuses_what_its_schemas_refuse(run: Run) -> None:
    (run.folder / "llm.yaml").write_text(
        "apiVersion: inference.llmkube.dev/v1alpha1\nkind: Model\nmetadata:\n  name: a\nspec:\n  sourc: x\n",
        encoding="utf-8",
    )
    done = run("validate")
    assert done.code == 1
    assert "did you mean `source`?" in done.stdout
