"""Remotes and sources over them. Every source is closed, every git command is written down."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from git_server import Remote, make_remote
from reconciler.repository.store import GitSettings, GitSource, Hooks


@pytest.fixture
def remote(tmp_path: Path) -> Remote:
    return make_remote(tmp_path / "served")


@pytest.fixture
def commands() -> list[tuple[str, ...]]:
    return []


@pytest.fixture
def opened(commands: list[tuple[str, ...]]) -> Iterator[Callable[..., GitSource]]:
    with ExitStack() as stack:

        def open_source(url: str, before_push: Callable[[], None] = lambda: None, **settings: Any) -> GitSource:
            hooks = Hooks(on_command=lambda arguments, _seconds: commands.append(arguments), before_push=before_push)
            return stack.enter_context(GitSource(GitSettings(url=url, **settings), hooks))

        yield open_source


@pytest.fixture
def source(remote: Remote, opened: Callable[..., GitSource]) -> GitSource:
    return opened(remote.url)
