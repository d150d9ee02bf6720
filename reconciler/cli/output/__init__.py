"""From an answer to what is printed. stdout is the result; what else there is to say goes to stderr."""

import importlib
import sys
from typing import Any, Final

import click

from reconciler.cli.answer import Answer

_WITH_AN_ASIDE: Final = frozenset({"text", "unified"})
"""Formats for people on a terminal; the others hold the problems themselves."""


def show(answer: Answer, form: str) -> int:
    """Print the answer in a format, and return its exit code. Each format is a module of this package."""
    click.echo(_module(form).render(answer.value), nl=False)
    aside = _module("text").aside(answer.value) if form in _WITH_AN_ASIDE else ""
    if aside:
        sys.stdout.flush()
        click.echo(aside, nl=False, err=True)
    return answer.exit_code


def _module(form: str) -> Any:
    # only the format that is asked for is imported
    return importlib.import_module(f"reconciler.cli.output.{form}")
