"""The dispatcher: tells the broker which jobs run next. One leads; a standby takes over when it falls silent."""

import time
from collections.abc import Collection

import structlog
from sqlalchemy import Connection

from db.dispatching import Dispatched, are_unclaimed, dispatch, resend_lost, undo_dispatch
from db.roles import Role
from db.session import platform_connection
from db.wakeups import open_wakeups
from db.workers import served_queues
from tasks import registry
from tasks.logs import configure_logging
from tasks.settings import TaskSettings
from tasks.startup import refusing
from workers.agent import Agent
from workers.application import app
from workers.arrivals import Arrivals
from workers.depth import messages_waiting
from workers.faults import BROKER_FAULTS
from workers.lanes import Lane, lanes_of
from workers.publishing import ask_for_confirmations, publish
from workers.settings import DispatcherSettings

SWEEP_SECONDS = 1.0
"""How long a job can go unnoticed when its NOTIFY was lost."""
BUSY_PAUSE_SECONDS = 0.02
"""The first pause after work: the broker takes more as soon as workers have claimed some."""
REST_SHARE = 2.0
"""After a dispatch it rests for so many times what that took: workers need the processor too, and arrivals gather."""
IN_FLIGHT_SECONDS = 0.1
"""How much run time for each slot of the workers waits at the broker, where no order can change any more."""
IN_FLIGHT_SPARE = 2
"""How many jobs for each slot wait there whatever they take: nobody is idle while the next is looked for."""
LOST_AFTER_SECONDS = 2.0
"""How long a message that no longer waits at the broker may be on its way to its claim. After that it is lost."""
BATCH_LIMIT = 100
BUNDLE_LIMIT = 50
BUNDLE_SECONDS = 0.02
"""How many short jobs of a tenant, for how long by their measured run times, travel in one message. A message costs as
much as several of them; a tenant is not ahead of the others by more than this."""

log = structlog.get_logger(__name__)


class Dispatcher(Agent):
    """Moves ready jobs to the broker in fair order, keeping the broker shallow."""

    name = "dispatcher"
    role = Role.DISPATCHER

    def __init__(self) -> None:
        super().__init__()
        registry.load()
        ask_for_confirmations(app)
        self.queues = TaskSettings.load().queue_names
        self.known_tasks = [each.name for each in registry.declared().values() if not each.tenantless]
        self.settings = DispatcherSettings.load()
        self.lanes: list[Lane] = []
        self._sweeps_at = 0.0
        self._looks_for_lost_at = time.monotonic() + LOST_AFTER_SECONDS

    def run_once(self, arrivals: Collection[str] | None = None) -> int:
        """Dispatch at most one batch of each lane; return how many jobs the broker took.

        `arrivals` are the notifications since the last call; None looks at every tenant.
        """
        with platform_connection(self.role) as connection:
            return self._dispatch(connection, arrivals)

    def _dispatch(self, connection: Connection, arrivals: Collection[str] | None) -> int:
        if time.monotonic() >= self._sweeps_at:
            arrivals = arrivals if self._find_lanes(connection) else None
            self._sweeps_at = time.monotonic() + SWEEP_SECONDS
        sent = sum(self._dispatch_lane(connection, lane, arrivals) for lane in self.lanes)
        if time.monotonic() >= self._looks_for_lost_at:
            sent += self.resend_once(connection)
            self._looks_for_lost_at = time.monotonic() + SWEEP_SECONDS
        return sent

    def _find_lanes(self, connection: Connection) -> bool:
        """Look which queues share workers now; return False where that has changed, and the order is another."""
        before = [lane.queues for lane in self.lanes]
        self.lanes = lanes_of(self.queues, served_queues(connection))
        return [lane.queues for lane in self.lanes] == before

    def resend_once(self, connection: Connection) -> int:
        """Send again what the broker lost, of each queue; return how many messages it took."""
        return sum(self._resend_queue(connection, queue) for queue in self.queues)

    def _dispatch_lane(self, connection: Connection, lane: Lane, arrivals: Collection[str] | None) -> int:
        slots = max(1, lane.slots)
        dispatched = dispatch(
            connection,
            queues=lane.queues,
            known_tasks=self.known_tasks,
            arrivals=arrivals,
            batch_limit=BATCH_LIMIT,
            in_flight_limit=self.settings.in_flight_limit,
            resend_after_seconds=self.settings.resend_after_seconds,
            in_flight_spare=slots * IN_FLIGHT_SPARE,
            in_flight_seconds=slots * IN_FLIGHT_SECONDS,
            bundle_limit=BUNDLE_LIMIT,
            bundle_seconds=BUNDLE_SECONDS,
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
        return sum(job.nonce not in unsent for job in dispatched)

    def run(self) -> None:
        """Lead as long as nobody else does; wait for NOTIFY when there is nothing to do."""
        arrivals = Arrivals()
        # One connection for as long as it leads: what PostgreSQL has planned it keeps.
        with open_wakeups() as wakeups, platform_connection(self.role) as connection:
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
                    arrivals.look_everywhere()
                    continue
                sent = self._run_timed(connection, arrivals)
                pause = BUSY_PAUSE_SECONDS if sent > 0 else min(pause * 2, SWEEP_SECONDS)
                arrivals.hear(wakeups.wait(0 if sent >= BATCH_LIMIT else pause))

    def _run_timed(self, connection: Connection, arrivals: Arrivals) -> int:
        began = time.monotonic()
        heard = arrivals.take()
        sent = self._dispatch(connection, heard)
        took = time.monotonic() - began
        if heard is None:
            arrivals.looked_everywhere(took_seconds=took)
        if sent < BATCH_LIMIT:
            self.stopping.wait(took * REST_SHARE)
        return sent


if __name__ == "__main__":
    configure_logging(Dispatcher.name)
    with refusing():
        dispatcher = Dispatcher()
    dispatcher.main()
