"""A skip is a failure where CI=true: a test of the tests' own hook, in a pytest of its own."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SKIPPED_TEST = 'import pytest\n\n\ndef test_it():\n    pytest.skip("no such device")\n'
SKIPPED_FILE = 'import pytest\n\npytest.skip("not here", allow_module_level=True)\n'
EXPECTED_FAILURE = 'import pytest\n\n\n@pytest.mark.xfail(reason="known")\ndef test_it():\n    assert False\n'


def run(folder: Path, text: str, ci: str) -> subprocess.CompletedProcess[str]:
    text_of_hook = (Path(__file__).parent / "conftest.py").read_text(encoding="utf-8")
    (folder / "conftest.py").write_text(text_of_hook.replace('["controlplane.fixtures"]', "[]"), encoding="utf-8")
    (folder / "test_one.py").write_text(text, encoding="utf-8")
    shutil.rmtree(folder / "__pycache__", ignore_errors=True)
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:randomly", str(folder)],
        cwd=folder,
        env=os.environ | {"CI": ci},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(("text", "reason"), [(SKIPPED_TEST, "no such device"), (SKIPPED_FILE, "not here")])
def test_a_skip_fails_in_ci_and_only_there(tmp_path: Path, text: str, reason: str) -> None:
    done = run(tmp_path, text, "true")
    assert done.returncode != 0
    assert f"with CI=true a skip is a failure: Skipped: {reason}" in done.stdout
    assert run(tmp_path, text, "false").returncode in {0, 5}


def test_an_expected_failure_is_no_skip(tmp_path: Path) -> None:
    assert run(tmp_path, EXPECTED_FAILURE, "true").returncode == 0
