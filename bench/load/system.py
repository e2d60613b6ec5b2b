"""What a system has to offer to be measured."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from bench.load.marks import Marks
from bench.load.request import Request
from tasks.proof.processes import Process

WORKERS = 2
"""So many worker processes has each system."""

Processes = Mapping[str, Process]
"""What runs, by name; those that run bodies begin with `worker`."""


class System(Protocol):
    """One way to run jobs."""

    name: str
    marks: Marks

    @property
    def worker_databases(self) -> Mapping[str, str]:
        """The settings that lead its workers to PostgreSQL, so that something can be put in between."""

    def enqueue(self, request: Request) -> None:
        """Ask for one job as a producer does that has one: it is accepted when this returns."""

    def enqueue_many(self, requests: Sequence[Request]) -> None:
        """Ask for jobs by the fastest way there is."""

    def running(self, **environment: str) -> AbstractContextManager[Processes]:
        """Run its processes while the block runs. What waits may be under way before the block begins."""
