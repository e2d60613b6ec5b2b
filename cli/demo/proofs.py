"""The wall, tried from every side, by each tenant against the next one."""

from collections.abc import Callable, Sequence
from pathlib import Path

from cli.demo import outside, wall
from cli.demo.api import Api
from cli.demo.checks import Check, for_each
from cli.demo.tally import Tally
from cli.demo.tenants import DemoTenant

MOST_LINES = 5
"""Up to so many tenants get a line each; more share one."""


class Proofs:
    """All that is tried against the wall, once the tenants' jobs are over."""

    def __init__(
        self, tenants: Sequence[DemoTenant], neighbour: DemoTenant | None, tally: Tally, worker_log: Path
    ) -> None:
        """`neighbour` has no rows. It stands in where the input has one tenant only, who needs another to try."""
        self._tally = tally
        self._worker_log = worker_log
        next_ones = [*tenants[1:], neighbour or tenants[0]]
        self._pairs = list(zip(tenants, next_ones, strict=True))

    def inside(self) -> list[Check]:
        """Try with SQL, on a worker's connection."""
        return [
            *_listed(
                "each tenant reads app.orders",
                "exactly its own rows, none of another's",
                [wall.sees_its_own_rows(mine, other, self._tally.of[mine.slug]) for mine, other in self._pairs],
            ),
            self._each(wall.made_up_token_is_refused),
            self._each(wall.swapped_token_is_refused),
            self._each(wall.rows_cannot_be_given_away),
            wall.no_tenant_is_an_error(),
        ]

    def over_http(self, api: Api) -> list[Check]:
        """Try with another tenant's API key."""

        def job(owner: DemoTenant, stranger: DemoTenant) -> Check:
            return outside.anothers_job_is_not_found(api, stranger, owner, self._tally.of[owner.slug].jobs[0])

        def file(owner: DemoTenant, stranger: DemoTenant) -> Check:
            return outside.anothers_file_is_not_found(api, stranger, owner, self._tally.of[owner.slug].files[0])

        return [self._each(job), self._each(file)]

    def through_the_broker(self, api: Api, broker_url: str) -> list[Check]:
        """Try with messages that no dispatcher sent."""
        owner, stranger = self._pairs[0]
        job = self._tally.of[owner.slug].jobs[-1]
        return [
            outside.forged_messages_are_dropped(
                api, broker_url, self._worker_log, mine=stranger, other=owner, finished_job=job
            )
        ]

    def in_flower(self, flower_url: str) -> list[Check]:
        """Search Flower for each tenant."""
        return _listed(
            "Flower, kwargs:tenant=...",
            "all of its own tasks, none of another's",
            [
                outside.flower_finds_only_its_tasks(flower_url, mine, self._tally.of[mine.slug])
                for mine, _ in self._pairs
            ],
        )

    def _each(self, attempt: Callable[[DemoTenant, DemoTenant], Check]) -> Check:
        results = [attempt(mine, other) for mine, other in self._pairs]
        return for_each(results[0].tried, results)


def _listed(tried: str, answer: str, results: list[Check]) -> list[Check]:
    return results if len(results) <= MOST_LINES else [for_each(tried, results, answer=answer)]
