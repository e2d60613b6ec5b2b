"""Producers: they ask for each job at its time, again until it is accepted, and remember every id they were given."""

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from uuid import UUID

from bench.chaos.work import Request

SENDERS = 8
PAUSE_SECONDS = 0.25


class NotAcceptedError(Exception):
    """No answer, or not the one that was asked for. Whether there is a job now, nobody can tell."""


@dataclass
class Producer:
    """Asks through `submit`, which returns the id of an accepted job or raises NotAcceptedError."""

    submit: Callable[[Request], UUID]
    accepted: dict[UUID, Request] = field(default_factory=dict)
    unanswered: int = 0
    """How often it had to ask again."""
    given_up: int = 0
    _closing: threading.Event = field(default_factory=threading.Event)

    def run(self, requests: Sequence[Request]) -> None:
        """Return when all are accepted, or after `give_up()`."""
        started = time.monotonic()
        asked = []
        with ThreadPoolExecutor(SENDERS) as pool:
            for request in requests:
                self._closing.wait(max(0.0, started + request.at_seconds - time.monotonic()))
                asked.append(pool.submit(self._ask, request))
        for each in asked:
            each.result()

    def give_up(self) -> None:
        """Ask for nothing more: what is not accepted by now is not."""
        self._closing.set()

    def _ask(self, request: Request) -> None:
        while not self._closing.is_set():
            try:
                self.accepted[self.submit(request)] = request
            except NotAcceptedError:
                self.unanswered += 1
                self._closing.wait(PAUSE_SECONDS)
            else:
                return
        self.given_up += 1
