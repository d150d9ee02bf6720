"""The limits of a tick, and who lifted them."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Allowance:
    """What flags and commit trailers let through: counts of services, and who said so (`--allow-delete 3`).

    None lifts nothing. Source: DESIGN §9, `Llmkube-Allow: delete=N`.
    """

    deletions: int | None = None
    rollouts: int | None = None
    sources: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Policy:
    """The guards as the command line sets them, counted in services. None leaves it to the fleet, then to the default.

    Deletions are held when they are more than `max_deletions` and more than half of the services that run, and always
    when the last service would go. At most `max_rollouts` services roll at once; the next follow as these are Ready.
    """

    max_deletions: int | None = None
    max_rollouts: int | None = None
    allowance: Allowance = Allowance()
