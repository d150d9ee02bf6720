"""The command `llmkube`. Each subcommand's module is imported when it is asked for, so that --version is instant."""

import importlib
import os
import sys
from typing import Final

import click

from reconciler import __version__
from reconciler.errors import ReconcilerError, UsageError

_COMMANDS: Final = {
    "validate": "check specs: every problem of every file, with its place",
    "render": "print the Kubernetes manifests that specs ask for",
    "diff": "show what would change: between two revisions, or against what is live",
    "sync": "do one tick: apply what changed, prune what left git, report",
    "run": "do that for ever: the daemon in the pod",
    "status": "show the fleet as the last report tells it",
}
"""Name -> one line of help, so that the list of commands needs none of their modules."""

ERROR: Final = 2
"""Exit code of a usage or I/O error, of every command."""


class _Commands(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  # click's signature
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002  # likewise
        if cmd_name not in _COMMANDS:
            return None
        module = importlib.import_module(f"reconciler.cli.commands.{cmd_name}")
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002  # likewise
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))


@click.group(
    cls=_Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name="llmkube", message="%(prog)s %(version)s")
def cli() -> None:
    """Keep llama.cpp model services as a git repository of llm.yaml files says.

    \b
      llmkube validate .                           check the specs in a folder
      llmkube diff --from main --to HEAD           what a branch would change, offline
      llmkube sync --repo URL --target dir:out     render a repository into a folder
      llmkube sync --repo URL --target cluster     apply it to the current cluster
    """  # noqa: D301  # \b is click's mark for text that must not be wrapped


def main() -> None:
    """Run the command line and end the process with its exit code."""
    try:
        code = cli.main(standalone_mode=False)
    except click.ClickException as error:
        error.show()
        code = ERROR
    except click.Abort:
        click.echo("interrupted", err=True)
        code = 130
    except UsageError as error:
        click.echo(f"llmkube: {error}", err=True)
        code = ERROR
    except ReconcilerError as error:
        click.echo(f"llmkube: error: {error}", err=True)
        code = ERROR
    except BrokenPipeError:
        # the reader went away (`| head`); what is left to write has no one to read it, at exit neither
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    sys.exit(code if isinstance(code, int) else 0)
