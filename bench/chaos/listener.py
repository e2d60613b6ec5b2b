"""Who asks what has succeeded, as tenants do: what it was told has to be true for good."""

import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from uuid import UUID

from bench.chaos.plan import TENANTS

PAUSE_SECONDS = 0.02


class NoAnswerError(Exception):
    """The system could not be asked."""


@dataclass
class Listener:
    """Asks through `ask`, which returns the attempts that succeeded of a tenant's jobs, or raises NoAnswerError."""

    ask: Callable[[int], Mapping[UUID, int]]
    told: dict[UUID, int] = field(default_factory=dict)
    """By job, the attempt that has succeeded as it was first told."""
    unanswered: int = 0

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Ask tenant after tenant while the block runs."""
        over = threading.Event()
        with ThreadPoolExecutor(1, thread_name_prefix="listener") as threads:
            asking = threads.submit(self._run, over)
            try:
                yield
            finally:
                over.set()
            # An answer that nobody expected ends the run rather than the listening.
            asking.result()

    def _run(self, over: threading.Event) -> None:
        tenant = 0
        while not over.wait(PAUSE_SECONDS):
            tenant = (tenant + 1) % TENANTS
            try:
                self.told = {**self.ask(tenant), **self.told}
            except NoAnswerError:
                self.unanswered += 1
