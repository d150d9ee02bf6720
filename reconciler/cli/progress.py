"""How far long work is, on a terminal; nothing elsewhere."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from reconciler.core.model.change import Result


@contextmanager
def bar(what: str, total: int) -> Iterator[Callable[[Result], None]]:
    """Yield a function that is told each result; on a terminal it moves a bar on stderr."""
    if total == 0 or not sys.stderr.isatty():
        yield lambda _result: None
        return
    from rich.console import Console  # noqa: PLC0415  # only a terminal needs it
    from rich.progress import Progress  # noqa: PLC0415  # likewise

    with Progress(console=Console(stderr=True), transient=True) as shown:
        task = shown.add_task(what, total=total)

        def told(result: Result) -> None:
            shown.update(task, advance=1, description=f"{result.change.action} {result.change.key}")

        yield told
