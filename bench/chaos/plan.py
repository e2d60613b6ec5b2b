"""What one run is asked for."""

from dataclasses import dataclass
from typing import Final

TENANTS: Final = 20
WORKERS: Final = 3
CONCURRENCY: Final = 4
"""Processes of each worker. Bodies sleep for the most part, so that there may be more than cores."""
BROKERS: Final = ("redis", "rabbitmq")
SYSTEMS: Final = ("partywall", "celery")


@dataclass(frozen=True, slots=True)
class Plan:
    """How much, how long, on what, and with which safeguard taken away."""

    jobs: int = 2000
    seconds: float = 90.0
    """How long jobs arrive and faults happen."""
    seed: int = 1
    broker: str = "redis"
    system: str = "partywall"
    fence: bool = True
    """False lets an attempt commit that has lost its lease."""
    leases: bool = True
    """False leaves the jobs of workers that died where they are."""
    lease_seconds: int = 5
    drain_seconds: float = 240.0
    """How long the jobs may take to end after the last fault."""
    patience_seconds: float = 60.0
    """How long nothing at all may happen before the rest is given up."""
    recovery: bool = True
    """Whether the rate around a restart of PostgreSQL is measured afterwards."""

    @property
    def name(self) -> str:
        """What the result is called: `chaos`, or that and what is different."""
        parts = [
            self.system if self.system != "partywall" else "",
            self.broker if self.broker != "redis" else "",
            "" if self.fence else "fence-off",
            "" if self.leases else "leases-off",
        ]
        return "-".join(["chaos", *filter(None, parts)])

    @property
    def bound_seconds(self) -> float:
        """What no run may exceed, its starting and stopping included."""
        return 180.0 + self.seconds + self.drain_seconds + (120.0 if self.recovery else 0.0)
