"""One tick, from proposal to outcome."""

from dataclasses import dataclass

from reconciler.core.model.change import Change, Result
from reconciler.core.model.health import Health
from reconciler.core.model.observed import Observed
from reconciler.core.model.plan import Plan


@dataclass(frozen=True, slots=True)
class Proposal:
    """What a tick would do: every change, held ones with their reason. This is the dry run."""

    plan: Plan
    observed: Observed
    health: Health
    changes: tuple[Change, ...]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a tick did. `observed` and `health` are of after the effects; `results` are of the changes carried out.

    `interrupted` is True when a stop was asked for between two effects.
    """

    plan: Plan
    observed: Observed
    health: Health
    changes: tuple[Change, ...]
    results: tuple[Result, ...]
    interrupted: bool = False
