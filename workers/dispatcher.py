"""The dispatcher: tells the broker which jobs run next. One leads; a standby takes over when its session ends."""

from sqlalchemy import Connection

from db.dispatching import dispatch, undo_dispatch
from db.roles import Role
from db.session import platform_connection
from db.wakeups import open_wakeups
from tasks import registry
from tasks.settings import TaskSettings
from workers.agent import Agent
from workers.application import app
from workers.publishing import ask_for_confirmations, publish

SWEEP_SECONDS = 1.0
"""How long a job can go unnoticed when its NOTIFY was lost."""
BUSY_PAUSE_SECONDS = 0.02
"""The first pause after work: the broker takes more as soon as workers have claimed some."""


class Dispatcher(Agent):
    """Moves ready jobs to the broker, oldest first, keeping the broker shallow."""

    name = "dispatcher"
    role = Role.DISPATCHER

    def __init__(
        self, *, batch_limit: int = 100, in_flight_limit: int = 500, resend_after_seconds: float = 30.0
    ) -> None:
        super().__init__()
        registry.load()
        ask_for_confirmations(app)
        self.queues = TaskSettings.load().queue_names
        self.known_tasks = [each.name for each in registry.declared().values() if not each.tenantless]
        self.batch_limit = batch_limit
        self.in_flight_limit = in_flight_limit
        self.resend_after_seconds = resend_after_seconds

    def run_once(self) -> int:
        """Dispatch at most one batch of each queue; return how many messages the broker took."""
        with platform_connection(self.role) as connection:
            return sum(self._dispatch_queue(connection, queue) for queue in self.queues)

    def _dispatch_queue(self, connection: Connection, queue: str) -> int:
        dispatched = dispatch(
            connection,
            queue=queue,
            known_tasks=self.known_tasks,
            batch_limit=self.batch_limit,
            in_flight_limit=self.in_flight_limit,
            resend_after_seconds=self.resend_after_seconds,
        )
        unsent = publish(app, dispatched)
        if unsent:
            undo_dispatch(connection, unsent)
        return len(dispatched) - len(unsent)

    def run(self) -> None:
        """Lead as long as the session lives; wait for NOTIFY when there is nothing to do."""
        with open_wakeups() as wakeups:
            pause = SWEEP_SECONDS
            while not self.stopping.is_set():
                if not wakeups.lead():
                    # Listening all the same: what is not read would pile up, here and in the server.
                    wakeups.wait(SWEEP_SECONDS)
                elif self.run_once() > 0:
                    pause = BUSY_PAUSE_SECONDS
                    wakeups.wait(0)
                else:
                    wakeups.wait(pause)
                    pause = min(pause * 2, SWEEP_SECONDS)


if __name__ == "__main__":
    Dispatcher().main()
