"""How much is measured."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Sizes:
    """What every part is made of, all in one, so that one command line sets any of it."""

    flood_jobs: int = 100_000
    others: int = 20
    """Tenants that ask for one job a second each while one floods."""
    others_seconds: float = 20.0
    patience_seconds: float = 60.0
    """How long one of their jobs is waited for; one that has not begun by then has waited so long at least."""
    equal_tenants: int = 50
    weighted_jobs: int = 10_000
    """The backlog of each of three tenants with weights."""
    spread_jobs: int = 12_000
    """The backlog of either tenant, of which one spreads it over twenty tasks and queues."""
    watch_seconds: float = 25.0
    """How long shares are watched."""
    window_seconds: float = 10.0
    change_jobs: int = 1_000_000
    few_tenants: int = 10
    few_jobs: int = 10_000
    many_tenants: int = 10_000
    many_jobs: int = 1_000_000
    dispatch_jobs: int = 3000
    """Jobs whose dispatch is timed, with either backlog."""
    memory_jobs: int = 50_000
