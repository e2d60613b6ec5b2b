"""The loop every agent lives in: run once, wait, until asked to stop; a fault is logged and survived."""

import signal
import threading
import time
from abc import ABC, abstractmethod
from types import FrameType

import structlog

from db.roles import Role
from tasks.logs import configure_logging
from tasks.startup import require_ready
from workers.faults import FAULTS

FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 2.0
"""No longer than what an agent does can wait once the other side is back."""

log = structlog.get_logger(__name__)


class Agent(ABC):
    """A long-running process that does one thing again and again. A test calls `run_once()` by hand."""

    name: str
    role: Role

    def __init__(self) -> None:
        self.stopping = threading.Event()

    @abstractmethod
    def run_once(self) -> int:
        """Do what there is to do now; return how much that was."""

    @abstractmethod
    def run(self) -> None:
        """Call `run_once()` until `stopping` is set. May raise one of FAULTS; it is then called again."""

    def main(self) -> None:
        """Run until TERM or INT. PostgreSQL or the broker going away is survived, with growing pauses."""
        configure_logging(self.name)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        require_ready(self.role, stopping=self.stopping)
        log.info("agent_started")
        pause = FIRST_PAUSE_SECONDS
        while not self.stopping.is_set():
            began_at = time.monotonic()
            try:
                self.run()
            except FAULTS as fault:
                if time.monotonic() - began_at > LONGEST_PAUSE_SECONDS:
                    # It had worked: this is another fault, not the same one again.
                    pause = FIRST_PAUSE_SECONDS
                log.warning("agent_interrupted", fault=type(fault).__name__, reason=str(fault), pause_seconds=pause)
                self.stopping.wait(pause)
                pause = min(pause * 2, LONGEST_PAUSE_SECONDS)
        log.info("agent_stopped")

    def _stop(self, number: int, frame: FrameType | None) -> None:
        self.stopping.set()
