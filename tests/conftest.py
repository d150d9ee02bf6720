"""What holds for every test."""

import os
from collections.abc import Generator

import pytest

pytest.register_assert_rewrite("targets.contract")

pytest_plugins = ["controlplane.fixtures"]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """In CI a test that did not run is a failure: nobody reads a list of skips there."""
    report = yield
    if report.skipped and not hasattr(report, "wasxfail") and os.environ.get("CI") == "true":
        report.outcome = "failed"
        report.longrepr = f"skipped, and with CI=true a skip is a failure: {_reason(report.longrepr)}"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """The same for a file that is skipped as a whole."""
    report = yield
    if report.skipped and os.environ.get("CI") == "true":
        report.outcome = "failed"
        report.longrepr = f"skipped, and with CI=true a skip is a failure: {_reason(report.longrepr)}"
    return report


def _reason(said: object) -> str:
    return str(said[-1]) if isinstance(said, tuple) else str(said)
