"""`llmkube validate`."""

from pathlib import Path
from typing import Any

import click

from reconciler import pipeline
from reconciler.cli import options, output, wiring
from reconciler.cli.answer import Answer, Validation
from reconciler.core.model.problem import Problem, Severity
from reconciler.core.model.spec import Parsed


@click.command(name="validate")
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path))
@options.specs
@options.repository
@options.cluster
@click.option("--revision", default="", metavar="REV", help="Read --repo at this revision; else its branch's head.")
@options.setting("--strict", is_flag=True, help="Take warnings for errors.")
@options.output("text", "json", "github", "sarif")
def command(**given: Any) -> int:
    """Check specs and print every problem of every file, with its place.

    \b
      llmkube validate                        the current folder
      llmkube validate models/llama/llm.yaml  some files alone
      llmkube validate --repo URL --revision v1.2

    Exit code: 0 valid (warnings allowed), 1 problems, 2 usage or I/O.
    """  # noqa: D301  # \b is click's mark for text that must not be wrapped
    return output.show(_validate(**given), given["output"])


def _validate(**given: Any) -> Answer:
    parsed = read(**given)
    return Answer(
        Validation(parsed.problems, parsed.files, len(parsed.models), len(parsed.services)),
        exit_code(parsed.problems, strict=given["strict"]),
    )


def read(**given: Any) -> Parsed:
    """Return the specs that PATHs, or --repo at --revision, hold."""
    reader = wiring.reader(**given)
    with wiring.at_revision(**given) as (source, snapshot):
        parsed = pipeline.read(source, snapshot, reader)
    wiring.require_files(parsed)
    return parsed


def exit_code(problems: tuple[Problem, ...], *, strict: bool) -> int:
    """Return 1 when something is wrong, 0 when not; with `strict` a warning is wrong."""
    wrong = {Severity.ERROR, Severity.WARNING} if strict else {Severity.ERROR}
    return int(any(problem.severity in wrong for problem in problems))
