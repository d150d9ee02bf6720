import io
import json
import logging
import subprocess
import sys
from collections.abc import Iterator

import pytest
from loguru import logger

from reconciler import telemetry
from reconciler.telemetry import LogFormat, LogSettings


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def quiet_again() -> Iterator[None]:
    yield
    logger.remove()
    logging.basicConfig(handlers=[], force=True)


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("fetch https://ada:hunter2@example.org/a", "fetch https://example.org/a"),
        ("fetch https://ghp_abcdefgh12345@example.org/a", "fetch https://example.org/a"),
        ("Authorization: Bearer abcdef0123456789", "Authorization: Bearer ***"),
        ("authorization: basic YWRhOmh1bnRlcjI=", "authorization: basic ***"),
        ("HF_TOKEN=hf_abcdefgh0123", "HF_TOKEN=hf_***"),
        ("ghp_abcdefgh0123 and github_pat_11ABCDEFG_0123", "ghp_*** and github_pat_***"),
        ("glpat-abcdefgh0123", "glpat_***"),
        ("token eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhIn0abc.c2ln", "token ***"),
        ("plan is hush now", "plan is *** now"),
        ("models/basic llama/llm.yaml: user@host is fine", "models/basic llama/llm.yaml: user@host is fine"),
    ],
)
def test_what_looks_like_a_secret_does_not_leave(said: str, shown: str) -> None:
    assert telemetry.redact(said, ("hush",)) == shown


def test_a_secret_too_short_to_guard_anything_is_left() -> None:
    assert telemetry.redact("a bad banana", ("a",)) == "a bad banana"


def test_a_line_for_people_has_time_level_and_message() -> None:
    stream = io.StringIO()
    telemetry.configure(LogSettings(secrets=("hush-hush",)), stream)
    logger.info("update {} {}", "Deployment/llm/llama", "hush-hush")
    logger.debug("not at this level")
    assert stream.getvalue()[8:] == " INFO    update Deployment/llm/llama ***\n"


def test_a_message_cannot_forge_a_line_or_steer_a_terminal() -> None:
    stream = io.StringIO()
    telemetry.configure(LogSettings(), stream)
    logger.warning("{}", "a\n12:00:00 INFO    all good\x1b[2J")
    assert stream.getvalue().count("\n") == 1
    assert "\x1b" not in stream.getvalue()


def test_colours_are_for_terminals_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    stream = Terminal()
    telemetry.configure(LogSettings(), stream)
    logger.error("red")
    assert stream.getvalue().startswith("\x1b[31m")
    monkeypatch.setenv("NO_COLOR", "1")
    stream = Terminal()
    telemetry.configure(LogSettings(), stream)
    logger.error("plain")
    assert "\x1b" not in stream.getvalue()


def test_a_line_for_machines_is_one_object_with_its_traceback() -> None:
    stream = io.StringIO()
    telemetry.configure(LogSettings(format=LogFormat.JSON, secrets=("hush-hush",)), stream)
    token = "hush-hush"  # noqa: S105 # the point
    try:
        int(token)
    except ValueError:
        logger.bind(service="llm/llama").exception("it failed: {}", token)
    line = json.loads(stream.getvalue())
    assert stream.getvalue().count("\n") == 1
    assert line["time"].endswith("+00:00")
    assert (line["level"], line["message"], line["service"]) == ("error", "it failed: ***", "llm/llama")
    assert "with base 10: '***'" in line["traceback"]
    assert token not in stream.getvalue()


def test_our_libraries_warnings_pass_the_same_sink() -> None:
    stream = io.StringIO()
    telemetry.configure(LogSettings(), stream)
    logging.getLogger("urllib3").warning("retry %s", "https://ada:hunter2@example.org/")
    logging.getLogger("urllib3").info("chatter")
    assert stream.getvalue()[8:] == " WARNING urllib3: retry https://example.org/\n"


def test_two_sets_of_metrics_do_not_meet() -> None:
    one, two = telemetry.Metrics(), telemetry.Metrics()
    one.observe_git(("fetch", "--quiet"), 0.2)
    one.observe_git(("ls-tree",), 0.2)
    assert one.registry.get_sample_value("llmkube_git_seconds_count", {"command": "fetch"}) == 1
    assert two.registry.get_sample_value("llmkube_git_seconds_count", {"command": "fetch"}) is None


def test_a_phase_that_emptied_is_no_longer_shown() -> None:
    metrics = telemetry.Metrics()
    metrics.observe_services({"Ready": 2, "Failed": 1})
    metrics.observe_services({"Ready": 3})
    assert metrics.registry.get_sample_value("llmkube_services", {"phase": "Ready"}) == 3
    assert metrics.registry.get_sample_value("llmkube_services", {"phase": "Failed"}) is None


def test_folders_and_ports_are_read_without_git_or_logging() -> None:
    program = (
        "import sys, reconciler.repository.folder, reconciler.ports; "
        "print(sorted({'git', 'loguru', 'apscheduler', 'prometheus_client'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
