"""The reaper: takes back what its attempt did not end in time, and ends what waits in vain."""

import structlog

from db.dispatching import cancel_jobs_of_deleted, expire_jobs, expire_leases
from db.roles import Role
from db.session import platform_connection
from db.workers import forget_lost
from workers.agent import Agent

SWEEP_SECONDS = 1.0
FORGET_SECONDS = 600.0
"""A process that runs bodies and has not been heard of for so long is off the operator's list."""

log = structlog.get_logger(__name__)


class Reaper(Agent):
    """Works without the broker. Any number may run: each skips what another has locked."""

    name = "reaper"
    role = Role.DISPATCHER

    def __init__(self, *, batch_limit: int = 100) -> None:
        super().__init__()
        self.batch_limit = batch_limit

    def run_once(self) -> int:
        """Take back, expire or cancel at most one batch of jobs each; return the size of the largest."""
        with platform_connection(self.role) as connection:
            lost = expire_leases(connection, limit=self.batch_limit)
            expired = expire_jobs(connection, limit=self.batch_limit)
            cancelled = cancel_jobs_of_deleted(connection, limit=self.batch_limit)
            forget_lost(connection, silent_seconds=FORGET_SECONDS)
        for lease in lost:
            log.warning("lease_expired", job=str(lease.job_id), attempt=lease.attempt, state=lease.state.value)
        if cancelled:
            log.info("jobs_of_deleted_tenants_cancelled", jobs=cancelled)
        if expired:
            log.info("jobs_expired", jobs=expired)
        return max(len(lost), expired, cancelled)

    def run(self) -> None:
        """Sweep once a second, without a pause while batches are full."""
        while not self.stopping.is_set():
            if self.run_once() < self.batch_limit:
                self.stopping.wait(SWEEP_SECONDS)


if __name__ == "__main__":
    Reaper().main()
