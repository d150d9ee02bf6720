"""`llmkube render`."""

from pathlib import Path
from typing import Any

import click

from reconciler import pipeline
from reconciler.cli import options, output, wiring
from reconciler.cli.answer import Answer, Rendering
from reconciler.cli.commands import validate
from reconciler.core import plan
from reconciler.core.model.objects import JsonObject


@click.command(name="render")
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path))
@options.specs
@options.repository
@options.cluster
@click.option("--revision", default="", metavar="REV", help="Read --repo at this revision; else its branch's head.")
@options.setting("--strict", is_flag=True, help="Take warnings for errors.")
@click.option(
    "--output-dir", type=click.Path(path_type=Path, file_okay=False), help="Write a file for each object below DIR."
)
@options.output("text", "json")
def command(**given: Any) -> int:
    """Print the Kubernetes manifests that the specs in a folder ask for.

    \b
      llmkube render . > all.yaml
      llmkube render . --output-dir manifests
      llmkube render . | kubectl diff --server-side -f -

    What is valid is rendered even when other specs are not; their problems are told on stderr.
    Exit code: 0 valid (warnings allowed), 1 problems, 2 usage or I/O.
    """  # noqa: D301  # \b is click's mark for text that must not be wrapped
    return output.show(_render(**given), given["output"])


def _render(**given: Any) -> Answer:
    reader = wiring.reader(**given)
    with wiring.at_revision(**given) as (source, snapshot):
        desired = plan.build(pipeline.read(source, snapshot, reader), snapshot, None)
    parsed = desired.parsed
    wiring.require_files(parsed)
    manifests = tuple(planned.manifest for planned in desired.objects)
    folder: Path | None = given["output_dir"]
    if folder is not None:
        _write(folder, manifests)
    return Answer(
        Rendering(manifests, parsed.problems, str(folder or "")),
        validate.exit_code(parsed.problems, strict=given["strict"]),
    )


def _write(folder: Path, manifests: tuple[JsonObject, ...]) -> None:
    from reconciler.targets.folder import FolderTarget  # noqa: PLC0415  # only what this run needs

    target = FolderTarget(folder)
    for manifest in manifests:
        target.write(manifest)
