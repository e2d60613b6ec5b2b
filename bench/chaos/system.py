"""What a system has to offer to be put through it."""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol
from uuid import UUID

from bench.chaos.brokers import AnyBroker
from bench.chaos.crew import Crew
from bench.chaos.database import Database
from bench.chaos.plan import Plan
from bench.chaos.verdict import EffectFact, JobFact
from bench.chaos.work import Request


class SystemUnderTest(Protocol):
    """A job platform on one database and one broker."""

    def prepare(self) -> None:
        """Make tenants, and what else has to be there."""

    def staff(self, crew: Crew, lines: Mapping[str, str]) -> None:
        """Add its processes; `lines` has the broker's address for `dispatcher` and for `worker`."""

    def wait_until_ready(self, crew: Crew) -> None:
        """Return when every process serves."""

    def submit(self, request: Request) -> UUID:
        """Return the id of an accepted job.

        Raises:
            NotAcceptedError: nobody knows whether there is one.
        """

    def enqueue(self, requests: Sequence[Request]) -> Sequence[UUID]:
        """Return the ids of accepted jobs of one tenant.

        Raises:
            NotAcceptedError: nobody knows whether there are any.
        """

    def succeeded(self, tenant: int) -> Mapping[UUID, int]:
        """Return what the tenant is told of its jobs that have succeeded: by job, with which attempt.

        Raises:
            NoAnswerError: nobody answers.
        """

    def state(self) -> Sequence[object]:
        """Return what changes as long as anything happens; nothing when all is over."""

    def jobs(self, accepted: Mapping[UUID, Request]) -> Mapping[UUID, JobFact]:
        """Return every job there is."""

    def effects(self) -> Sequence[EffectFact]:
        """Return every effect there is."""

    def refusals(self, crew: Crew) -> Mapping[str, float]:
        """Return how often an attempt was kept from committing, by who says so."""


SystemMaker = Callable[[Plan, Database, AnyBroker], SystemUnderTest]
