"""The installed command in a folder of its own, and a remote to point it at."""

from pathlib import Path

import pytest

import git_server
from commands import Llmkube


@pytest.fixture
def llmkube(tmp_path: Path) -> Llmkube:
    return Llmkube(tmp_path)


@pytest.fixture
def remote(tmp_path: Path) -> git_server.Remote:
    """A bare repository with nothing in it, and a clone."""
    return git_server.make_remote(tmp_path / "remote")
