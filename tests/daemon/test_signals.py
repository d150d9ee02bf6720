import http.client
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

Started = subprocess.Popen[str]
PROGRAM = Path(__file__).with_name("program.py")


@pytest.fixture
def story(tmp_path: Path) -> Path:
    return tmp_path / "story"


@pytest.fixture
def start(story: Path) -> Iterator[Callable[..., Started]]:
    with ExitStack() as stack:

        def begin(kind: str, *more: str) -> Started:
            command = [sys.executable, str(PROGRAM), str(story), kind, *more]
            process = stack.enter_context(subprocess.Popen(command, stderr=subprocess.PIPE, text=True))
            stack.callback(process.kill)
            until(lambda: story.exists() and story.stat().st_size > 0)
            return process

        yield begin


def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_in_mid_tick_lets_the_effect_end_and_exits_zero(
    start: Callable[..., Started], story: Path, number: signal.Signals
) -> None:
    process = start("steps")
    asked = time.monotonic()
    process.send_signal(number)
    assert process.wait(5) == 0
    assert time.monotonic() - asked < 5
    lines = story.read_text(encoding="utf-8").splitlines()
    assert lines[-1] == "left"
    effects = lines[:-1]
    assert [line.replace("begin", "end") for line in effects[0::2]] == effects[1::2]


def test_a_second_signal_ends_at_once(start: Callable[..., Started]) -> None:
    process = start("stubborn")
    process.send_signal(signal.SIGTERM)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.5)
    process.send_signal(signal.SIGTERM)
    assert process.wait(2) == 128 + signal.SIGTERM


def test_between_two_ticks_a_signal_ends_at_once_and_a_quiet_life_said_nothing(
    start: Callable[..., Started], story: Path
) -> None:
    process = start("quiet")
    until(lambda: len(story.read_text(encoding="utf-8").splitlines()) >= 3)
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=5)
    assert process.returncode == 0
    assert [line.split(maxsplit=1)[1] for line in said.splitlines()] == [
        "INFO    stopping after the effect in progress"
    ]


def test_a_failing_tick_is_said_without_its_password(start: Callable[..., Started], story: Path) -> None:
    process = start("failing")
    until(lambda: len(story.read_text(encoding="utf-8").splitlines()) >= 2)
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=5)
    assert "ERROR   tick failed: https://example.org/a.git: the server cannot be reached" in said
    assert "hunter2" not in said


def test_a_webhook_brings_a_tick_to_a_running_process(start: Callable[..., Started], story: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    process = start("quiet", str(port))
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=10)) as connection:
        connection.request("POST", "/webhook", b"{}", {"X-Gitlab-Token": "hush"})
        assert connection.getresponse().status == 202
    until(lambda: len(story.read_text(encoding="utf-8").splitlines()) == 2)
    process.send_signal(signal.SIGTERM)
    assert process.wait(5) == 0
