"""What the shells keep. The pipeline knows these Protocols and nothing behind them."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from reconciler.core.model.change import Change, Result
from reconciler.core.model.observed import Inventory, Observed
from reconciler.core.model.plan import Plan
from reconciler.core.model.source import Commit, Entry, Published, Report, Snapshot


class Source(Protocol):
    """Where specs come from, and where reports go."""

    def snapshot(self) -> Snapshot:
        """Return all files of the head of the branch. Fetches only what is new. SourceError when it cannot."""
        ...

    def read(self, entries: Sequence[Entry]) -> Mapping[str, bytes]:
        """Return blob -> content, in one batch."""
        ...

    def commits(self, since: str, until: str) -> tuple[Commit, ...]:
        """Return the commits after `since` up to `until`, newest first.

        Only `until` itself when `since` is "" or no ancestor: a rewritten branch has no past to trust. At most 1,000.
        """
        ...

    def previous(self) -> Report | None:
        """Return the last published report, None when there is none."""
        ...

    def publish(self, report: Report) -> Published:
        """Write the report to the status branch. Equal files, no commit."""
        ...


class Remote(Source, Protocol):
    """A source across a network, of which every revision can be shown."""

    def at(self, revision: str) -> Snapshot:
        """Return all files of a revision: a branch, a tag, a commit, and git's ways to say their parents."""
        ...

    def heed(self, stop: "Stop") -> None:
        """Give up waiting for the network soon after the stop is requested; a push gets two more seconds."""
        ...


class Target(Protocol):
    """Where the objects live."""

    def observe(self, plan: Plan) -> Observed:
        """Return what is live, and the server's dry-run answer to each planned object. Writes nothing.

        TargetError when anything but a single object could not be read: what was not read is not absent.
        """
        ...

    def carry_out(self, change: Change) -> Result:
        """Do one change: apply, replace or delete. An error of this one object is in the result."""
        ...

    def record(self, inventory: Inventory, plan: Plan) -> None:
        """Write the inventory's parent: before the first change with all that will be, after the last with what is."""
        ...


class Stop(Protocol):
    """Whether somebody asked the process to end. Looked at between any two effects, never within one."""

    def requested(self) -> bool:
        """Tell whether to start nothing new."""
        ...
