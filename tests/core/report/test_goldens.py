"""Whole reports, as they stand on the status branch. `UPDATE_GOLDEN=1` writes them anew; read what git shows then."""

import os
import shutil
from pathlib import Path

import pytest

from reconciler.core import report
from report_fleets import FLEETS

GOLDEN = Path(__file__).parents[2] / "data" / "report"

HINT = "the report has changed; if that is meant: UPDATE_GOLDEN=1 pytest tests/core/report, and read the diff"


def written(name: str) -> dict[str, str]:
    built = report.build(FLEETS[name].outcome(), None)
    return {path: content.decode() for path, content in built.files.items()} | {"COMMIT_MESSAGE": built.message}


def golden(name: str) -> dict[str, str]:
    folder = GOLDEN / name
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_text(encoding="utf-8") for path in files}


def renew(name: str, files: dict[str, str]) -> None:
    shutil.rmtree(GOLDEN / name, ignore_errors=True)
    for path, text in files.items():
        place = GOLDEN / name / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text, encoding="utf-8")


@pytest.mark.parametrize("name", FLEETS)
def test_the_report_of_a_fleet_is_its_golden_one(name: str) -> None:
    files = written(name)
    if os.environ.get("UPDATE_GOLDEN"):
        renew(name, files)
    expected = golden(name)
    assert sorted(files) == sorted(expected), HINT
    for path, text in files.items():
        assert text == expected[path], f"{path}: {HINT}"


def test_every_golden_folder_has_its_fleet() -> None:
    assert {path.name for path in GOLDEN.iterdir()} == set(FLEETS)
