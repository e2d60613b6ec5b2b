"""The dispatcher: tells the broker which jobs run next. One leads; a standby takes over when it falls silent."""

import time
from collections.abc import Collection

import structlog
from sqlalchemy import Connection

from db.dispatching import dispatch
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
from workers.lanes import Lane, lanes_of
from workers.pace import Pace
from workers.publishing import ask_for_confirmations, can_overtake, publish_or_undo
from workers.resending import LOST_AFTER_SECONDS, resend_what_was_lost
from workers.settings import DispatcherSettings

SWEEP_SECONDS = 1.0
"""How long a job can go unnoticed when its NOTIFY was lost."""
BUSY_PAUSE_SECONDS = 0.02
"""The first pause after work: the broker takes more as soon as workers have claimed some."""
WORK_SHARE = 1 / 3
WORK_BURST_SECONDS = 0.05
"""How much of its time it dispatches: workers need the processor too, and arrivals gather while it rests. What comes
now and then does not wait for that."""
GATHER_SECONDS = 0.01
"""How long it rests whoever comes."""
IN_FLIGHT_SECONDS = 0.05
"""How much run time for each slot of the workers waits at the broker, where no order can change any more."""
IN_FLIGHT_SPARE = 2
"""How many jobs for each slot wait there whatever they take: nobody is idle while the next is looked for."""
BATCH_LIMIT = 100
BUNDLE_LIMIT = 50
BUNDLE_SECONDS = 0.05
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
        self._can_overtake = can_overtake(app)
        self._pace = Pace(share=WORK_SHARE, burst_seconds=WORK_BURST_SECONDS)
        self._worked_seconds = 0.0
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
            sent += sum(resend_what_was_lost(connection, queue, self.known_tasks) for queue in self.queues)
            self._looks_for_lost_at = time.monotonic() + SWEEP_SECONDS
        return sent

    def _find_lanes(self, connection: Connection) -> bool:
        """Look which queues share workers now; return False where that has changed, and the order is another."""
        before = [lane.queues for lane in self.lanes]
        self.lanes = lanes_of(self.queues, served_queues(connection))
        return [lane.queues for lane in self.lanes] == before

    def _dispatch_lane(self, connection: Connection, lane: Lane, arrivals: Collection[str] | None) -> int:
        slots = max(1, lane.slots)
        began = time.monotonic()
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
            can_overtake=self._can_overtake,
        )
        # Without the broker: one that takes its time to refuse must not keep us from looking again for a minute.
        self._worked_seconds += time.monotonic() - began
        return publish_or_undo(connection, dispatched)

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
                rest = self._pace.rest_after(self._worked_seconds)
                pause = BUSY_PAUSE_SECONDS if sent > 0 else min(pause * 2, SWEEP_SECONDS)
                if sent >= BATCH_LIMIT:
                    # There may be more at once.
                    arrivals.hear(wakeups.wait(0))
                    continue
                # Who comes meanwhile ends the rest, but not at once: others may come with them.
                self.stopping.wait(min(rest, GATHER_SECONDS))
                arrivals.hear(wakeups.wait(max(rest - GATHER_SECONDS, pause)))

    def _run_timed(self, connection: Connection, arrivals: Arrivals) -> int:
        heard = arrivals.take()
        self._worked_seconds = 0.0
        sent = self._dispatch(connection, heard)
        if heard is None:
            arrivals.looked_everywhere(took_seconds=self._worked_seconds)
        return sent


if __name__ == "__main__":
    configure_logging(Dispatcher.name)
    with refusing():
        dispatcher = Dispatcher()
    dispatcher.main()
