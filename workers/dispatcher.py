"""The dispatcher: tells the broker which jobs run next. One leads; a standby takes over when it falls silent."""

import time

import structlog
from sqlalchemy import Connection

from db.dispatching import Dispatched, are_unclaimed, dispatch, resend_lost, undo_dispatch
from db.roles import Role
from db.session import platform_connection
from db.wakeups import open_wakeups
from tasks import registry
from tasks.logs import configure_logging
from tasks.settings import TaskSettings
from tasks.startup import refusing
from workers.agent import Agent
from workers.application import app
from workers.depth import messages_waiting
from workers.faults import BROKER_FAULTS
from workers.publishing import publish
from workers.settings import DispatcherSettings

SWEEP_SECONDS = 1.0
"""How long a job can go unnoticed when its NOTIFY was lost."""
BUSY_PAUSE_SECONDS = 0.02
"""The first pause after work: the broker takes more as soon as workers have claimed some."""
LOST_AFTER_SECONDS = 2.0
"""How long a message that no longer waits at the broker may be on its way to its claim. After that it is lost."""
BATCH_LIMIT = 100

log = structlog.get_logger(__name__)


class Dispatcher(Agent):
    """Moves ready jobs to the broker, oldest first, keeping the broker shallow."""

    name = "dispatcher"
    role = Role.DISPATCHER

    def __init__(self) -> None:
        super().__init__()
        registry.load()
        self.queues = TaskSettings.load().queue_names
        self.known_tasks = [each.name for each in registry.declared().values() if not each.tenantless]
        self.settings = DispatcherSettings.load()
        self._looks_at = time.monotonic() + LOST_AFTER_SECONDS

    def run_once(self) -> int:
        """Dispatch at most one batch of each queue; return how many messages the broker took."""
        with platform_connection(self.role) as connection:
            sent = sum(self._dispatch_queue(connection, queue) for queue in self.queues)
            if time.monotonic() >= self._looks_at:
                sent += self.resend_once(connection)
                self._looks_at = time.monotonic() + SWEEP_SECONDS
        return sent

    def resend_once(self, connection: Connection) -> int:
        """Send again what the broker lost, of each queue; return how many messages it took."""
        return sum(self._resend_queue(connection, queue) for queue in self.queues)

    def _dispatch_queue(self, connection: Connection, queue: str) -> int:
        dispatched = dispatch(
            connection,
            queue=queue,
            known_tasks=self.known_tasks,
            batch_limit=BATCH_LIMIT,
            in_flight_limit=self.settings.in_flight_limit,
            resend_after_seconds=self.settings.resend_after_seconds,
        )
        return self._publish(connection, dispatched)

    def _resend_queue(self, connection: Connection, queue: str) -> int:
        if not are_unclaimed(connection, queue=queue, for_seconds=LOST_AFTER_SECONDS):
            return 0
        try:
            waiting = messages_waiting(app, queue)
        except BROKER_FAULTS as fault:
            log.warning("broker_unavailable", fault=type(fault).__name__)
            return 0
        sent = 0
        # To the last one: what is sent now waits at the broker, too.
        while lost := resend_lost(
            connection,
            queue=queue,
            known_tasks=self.known_tasks,
            at_broker=waiting + sent,
            lost_after_seconds=LOST_AFTER_SECONDS,
            batch_limit=BATCH_LIMIT,
        ):
            log.warning("messages_lost", queue=queue, jobs=len(lost))
            taken = self._publish(connection, lost)
            sent += taken
            if taken < len(lost):
                break
        return sent

    def _publish(self, connection: Connection, dispatched: list[Dispatched]) -> int:
        unsent = publish(app, dispatched)
        if unsent:
            undo_dispatch(connection, unsent)
        return len(dispatched) - len(unsent)

    def run(self) -> None:
        """Lead as long as nobody else does; wait for NOTIFY when there is nothing to do."""
        with open_wakeups() as wakeups:
            pause = SWEEP_SECONDS
            led = None
            while not self.stopping.is_set():
                leads = wakeups.lead()
                if leads is not led:
                    log.info("dispatcher_leads" if leads else "dispatcher_stands_by")
                    led = leads
                if not leads:
                    # Listening all the same: what is not read would pile up, here and in the server.
                    wakeups.wait(SWEEP_SECONDS)
                elif self.run_once() > 0:
                    pause = BUSY_PAUSE_SECONDS
                    wakeups.wait(0)
                else:
                    wakeups.wait(pause)
                    pause = min(pause * 2, SWEEP_SECONDS)


if __name__ == "__main__":
    configure_logging(Dispatcher.name)
    with refusing():
        dispatcher = Dispatcher()
    dispatcher.main()
