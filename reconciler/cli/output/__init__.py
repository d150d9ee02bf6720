"""From an answer to what is printed. stdout is the result; what else there is to say goes to stderr."""

import sys
from collections.abc import Callable
from typing import Any, Final

import click

from reconciler.cli.answer import Answer
from reconciler.cli.output import json, text

_FORMATS: Final[dict[str, Callable[[Any], str]]] = {"json": json.render, "text": text.render}


def show(answer: Answer, form: str) -> int:
    """Print the answer in a format, and return its exit code."""
    click.echo(_FORMATS[form](answer.value), nl=False)
    aside = text.aside(answer.value) if form != "json" else ""
    if aside:
        sys.stdout.flush()
        click.echo(aside, nl=False, err=True)
    return answer.exit_code
